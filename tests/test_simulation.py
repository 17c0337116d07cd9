"""The yearly cycle: exact balance, determinism, save and reload, quotas, life course, feedback."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import quota, simulation

from sim.errors import UserError
from sim.parameters import Feedback, Life, Obstacles, Parameters, People, Switches
from sim.scenario import load_scenario
from sim.simulation import Simulation, productivity


def run(years=4, agents=4000, **settings):
    return simulation(agents=agents, years=years, **settings).run()


def balance(cities):
    years = {year: rows.set_index("city") for year, rows in cities.groupby("year")}
    for before, after in pairwise(sorted(years)):
        now = years[after]
        change = now.arrivals - now.departures + now.entries - now.exits
        assert (now.stock == years[before].stock + change).all()


@settings(deadline=None, max_examples=25)
@given(
    cities=st.integers(1, 9),
    areas=st.integers(1, 4),
    agents=st.integers(0, 400),
    seed=st.integers(0, 2**40),
)
def test_nobody_is_lost_or_made(cities, areas, agents, seed):
    done = run(cities=cities, areas=min(areas, cities), agents=agents, seed=seed, years=3)
    tables = done.tables()
    balance(tables["cities"])
    flows, rows = tables["flows"], tables["cities"]
    assert (flows.origin.astype(str) != flows.destination.astype(str)).all()
    assert flows.persons.sum() == rows.arrivals.sum() == rows.departures.sum()
    ages = tables["ages"]
    assert ages.movers_domestic.sum() + ages.movers_international.sum() == flows.persons.sum()
    stock = rows.groupby("year").stock.sum()
    assert (ages.groupby("year").stock.sum().reindex(stock.index, fill_value=0) == stock).all()


def test_same_tables_for_any_number_of_threads():
    first, second = run(threads=1).tables(), run(threads=2).tables()
    for name, table in first.items():
        assert table.equals(second[name]), name


def test_another_seed_gives_another_run():
    assert not run(seed=1).tables()["flows"].equals(run(seed=2).tables()["flows"])


def test_saved_and_reloaded_run_ends_the_same(tmp_path):
    whole = run(years=5)
    half = simulation(agents=4000, years=5)
    half.step()
    half.step()
    half.save(tmp_path / "state.npz")
    world = {"cities": half.cities, "obstacles": half.obstacles, "landscape": half.landscape}
    again = Simulation.load(tmp_path / "state.npz", half.scenario, **world)
    assert again.year == half.year
    again.run()
    for name, table in whole.tables().items():
        assert table.equals(again.tables()[name]), name
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]


def test_checkpoint_of_another_scenario_or_a_broken_one_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    half = simulation(agents=100, years=2)
    half.save(path)
    world = {"cities": half.cities, "obstacles": half.obstacles, "landscape": half.landscape}
    other = simulation(agents=101, years=2).scenario
    with pytest.raises(UserError, match="another scenario"):
        Simulation.load(path, other, **world)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="not a whole talentflow checkpoint"):
        Simulation.load(path, half.scenario, **world)


def test_agents_do_not_depend_on_how_many_there_are_elsewhere():
    """The same identity has the same traits, home and luck in a bigger population."""
    small = simulation(agents=1000).population.living()
    large = simulation(agents=3000).population.living()
    ids, a, b = np.intersect1d(small.ids, large.ids, return_indices=True)
    assert len(ids) == 1000
    assert np.array_equal(small.traits[a], large.traits[b])
    assert np.array_equal(small.home[a], large.home[b])


def test_quota_is_kept_and_the_rest_is_untouched():
    free = run(years=1, agents=20_000, pull=2.0)
    city = int(np.argmax(free.records.counts[1][:, 1]))
    cap = int(free.records.counts[1][city, 1]) // 3
    persons = free.population.persons
    cap_it = [quota(free.cities.names[city], cap * persons)]
    bound = run(years=1, agents=20_000, pull=2.0, interventions=cap_it)
    before, after = free.records.counts[1], bound.records.counts[1]
    assert after[city, 1] == cap
    others = np.arange(len(free.cities)) != city
    assert np.array_equal(after[others, 1], before[others, 1])
    balance(bound.tables()["cities"])
    ignored = run(
        years=1,
        agents=20_000,
        pull=2.0,
        interventions=cap_it,
        parameters=Parameters().off("quotas"),
    )
    assert np.array_equal(ignored.records.counts[1], before)


def test_zero_quota_closes_a_city():
    names = simulation(agents=10).cities.names
    closed = run(interventions=[quota(names[0], 0)])
    arrivals = closed.tables()["cities"].set_index(["year", "city"]).arrivals
    assert arrivals.xs(names[0], level="city").sum() == 0
    assert arrivals.sum() > 0


def test_agents_age_graduate_are_promoted_and_retire():
    model = simulation(agents=30_000, years=3)
    start = model.population.living()
    before = {int(i): k for k, i in enumerate(start.ids)}
    ages, stages = start.age.copy(), start.stage.copy()
    model.step()
    now = model.population.living()
    known = np.array([int(i) in before for i in now.ids])
    was = np.array([before[int(i)] for i in now.ids[known]])
    assert (now.age[known] == ages[was] + 1).all()
    step = now.stage[known].astype(int) - stages[was]
    assert set(np.unique(step)) == {0, 1}
    students = stages[was] == 0
    rate = step[students].mean()
    share = 1 / model.parameters.life.study_years
    assert abs(rate - share) < 5 * np.sqrt(share * (1 - share) / students.sum()) + 0.02
    gone = np.setdiff1d(np.arange(len(ages)), was)
    assert ages[gone].min() >= model.parameters.life.retirement_age - 1
    assert now.age.max() < model.parameters.life.last_age
    newcomers = ~known
    assert (now.stage[newcomers] == 0).all()
    assert (now.age[newcomers] >= model.parameters.life.entry_age).all()


def test_without_entry_and_ageing_the_population_stands_still():
    still = run(parameters=Parameters().off("ageing", "entry"), years=3)
    rows = still.tables()["cities"]
    assert rows.groupby("year").stock.sum().nunique() == 1
    assert rows.entries.sum() == rows.exits.sum() == 0


def test_entries_follow_students_exactly():
    model = run(years=6, agents=5000)
    persons = model.population.persons
    rate = model.cities.students / model.parameters.life.study_years / persons
    entered = sum(counts[:, 3] for counts in model.records.counts)
    assert (np.abs(entered - rate * 6) <= 1).all()


FEEDBACKS = {
    "feedback_innovation": 1,
    "feedback_economy": 0,
    "feedback_openness": 2,
    "feedback_spillover": 4,
    "feedback_congestion": 5,
}


@pytest.mark.parametrize(("switch", "dimension"), FEEDBACKS.items())
def test_each_feedback_moves_its_dimension_only_when_on(switch, dimension):
    on = run(years=4).scores()[:, dimension]
    off = run(years=4, parameters=Parameters().off(switch))
    assert np.array_equal(off.scores()[:, dimension], off.landscape.scores[:, dimension])
    assert not np.allclose(on, off.scores()[:, dimension])


def test_feedback_directions_and_bounds():
    strong = Feedback(congestion=40, innovation=40, economy=40, bound=3.0, speed=1.0)
    model = run(years=8, parameters=Parameters(feedback=strong), pull=2.0)
    deviation = model.feedback.deviation
    assert np.abs(deviation).max() == pytest.approx(3.0)
    growth = model.feedback.growth
    assert np.corrcoef(growth, deviation[:, 5])[0, 1] < -0.5
    assert np.corrcoef(growth, deviation[:, 1])[0, 1] > 0.5


def test_opportunities_follow_growth_only_when_on():
    model = run(years=3, pull=2.0)
    start = model.feedback.start.stock + 1.0
    assert np.corrcoef(np.log(model.feedback.opportunities() / start), model.feedback.growth)[
        0, 1
    ] == pytest.approx(1.0)
    off = run(years=3, parameters=Parameters().off("feedback_opportunities"))
    assert np.array_equal(off.feedback.opportunities(), off.feedback.start.stock + 1.0)


def test_deviations_settle_when_nothing_moves():
    parameters = Parameters(obstacles=Obstacles(moving=20.0)).off("ageing", "entry")
    model = run(years=3, parameters=parameters)
    assert model.tables()["flows"].empty
    assert np.allclose(model.feedback.deviation, 0, atol=1e-12)


def test_productivity_is_heavy_tailed_and_ordered_by_tier():
    table = productivity(Parameters())
    assert (np.diff(table, axis=1) >= 0).all()
    assert (table[1:, 0] >= table[:-1, -1]).all()
    people = People()
    top = table[2].mean() * people.top_share
    rest = table[0].mean() * (1 - people.high_share - people.top_share)
    assert top > rest / 3


def test_life_parameters_must_be_in_order():
    with pytest.raises(ValueError, match="last_age"):
        Life(retirement_age=70, last_age=70)


def test_unknown_switch_is_refused():
    with pytest.raises(ValueError, match="Extra inputs"):
        Parameters().off("gravity")
    assert Parameters().off("gate").switches == Switches(gate=False)


def test_every_parameter_states_unit_and_source():
    for path, _value, unit, source, description in Parameters().describe():
        assert unit, path
        assert source, path
        assert description, path


def test_baseline_is_plausible():
    """Issue's first ranges: mobility 1-8 % a year, mostly domestic, young, near, and sticky."""
    scenario = load_scenario("baseline", {"population.agents": 60_000, "horizon.years": 4})
    model = Simulation(scenario).run()
    tables = model.tables()
    rows, flows, ages = tables["cities"], tables["flows"], tables["ages"]
    balance(rows)
    stock = rows.groupby("year").stock.sum()
    moved = ages.groupby("year")[["movers_domestic", "movers_international"]].sum()
    for year in list(stock.index)[1:]:
        domestic, international = 100 * moved.loc[year] / stock[year - 1]
        assert 1 <= domestic + international <= 8
        assert international < domestic
    by_age = ages.groupby("age")[["stock", "movers_domestic", "movers_international"]].sum()
    rate = (by_age.movers_domestic + by_age.movers_international) / by_age.stock
    smooth = rate.rolling(3, center=True).mean().loc[19:65]
    assert 20 <= smooth.idxmax() <= 29
    last = rows[rows.year == rows.year.max()]
    mean = rows.groupby("city", observed=True)[["attraction", "retention"]].mean()
    from sim.records import stickiness

    simulated = stickiness(mean.attraction.to_numpy(), mean.retention.to_numpy())
    published = model.cities.composite
    spearman = np.corrcoef(np.argsort(np.argsort(simulated)), np.argsort(np.argsort(published)))
    assert spearman[0, 1] > 0.6
    assert last["rank"].is_unique
    assert flows.persons.min() > 0


def test_neighbours_exchange_more_than_antipodes_at_equal_size():
    scenario = load_scenario("baseline", {"population.agents": 60_000, "horizon.years": 1})
    model = Simulation(scenario)
    flows, size = model.expected_flows(), model.census.stock
    np.fill_diagonal(flows, 0)
    rate = flows / np.outer(size, size)
    distance, foreign = model.obstacles.distance_km, ~model.obstacles.same_area
    near, far = foreign & (distance < 1000), foreign & (distance > 10_000)
    assert np.median(rate[near]) > 2 * np.median(rate[far])
