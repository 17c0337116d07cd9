"""The shipped scenarios: each says what it assumes, runs, and moves talent the way theory says."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from sim.cities import load_cities
from sim.cli import app
from sim.expected import expect
from sim.kernel import Agents
from sim.levers import Lever
from sim.parameters import FIELDS
from sim.scenario import Scenario, load_scenario, shipped
from sim.selection_report import selections
from sim.simulation import Simulation
from sim.sweep_run import plan_sweep

NAMES = [name for name in shipped() if name != "baseline"]
DOCUMENT = Path(__file__).parents[1] / "docs" / "library.md"
REPORT = "Annual Report on Development of Beijing's Talent (2024)"
AGENTS, YEARS, SEED = 150_000, 5, 3
CITIES = load_cities()
AREA = np.array([CITIES.area_names[a] for a in CITIES.area_of_city])

Group = Callable[[Agents], np.ndarray]


def cities(*names: str) -> np.ndarray:
    """Return which cities are named, bool (C,)."""
    return np.isin(CITIES.names, names)


ALL = np.ones(len(CITIES), bool)
CN, US, UAE = AREA == "CN", AREA == "US", AREA == "AE"
BEIJING, LONDON, TOP_20 = cities("Beijing"), cities("London"), CITIES.rank <= 20
NEIGHBOURS = cities("Tianjin", "Shijiazhuang")
REGION = BEIJING | NEIGHBOURS
EMERGING = cities(
    "Bangalore", "Mumbai", "Delhi", "Jakarta", "Bangkok", "Ho Chi Minh City", "Chengdu",
    "Changsha", "Hefei", "Chongqing",
)  # fmt: skip


def everybody(agents: Agents) -> np.ndarray:
    return np.ones(len(agents.ids), bool)


def fields(*names: str) -> Group:
    return lambda agents: np.isin(agents.field, [FIELDS.index(name) for name in names])


def citizens(of: np.ndarray) -> Group:
    return lambda agents: of[agents.home]


def base_tier(agents: Agents) -> np.ndarray:
    return agents.tier == 0


def high(agents: Agents) -> np.ndarray:
    return agents.tier >= 1


def top(agents: Agents) -> np.ndarray:
    return agents.tier == 2


def graduates(agents: Agents) -> np.ndarray:
    return agents.fresh == 1


def no(group: Group) -> Group:
    return lambda agents: ~group(agents)


def both(*groups: Group) -> Group:
    return lambda agents: np.logical_and.reduce([group(agents) for group in groups])


AI, CHIPS = fields("ai_computing"), fields("integrated_circuits")
PARTED = fields("integrated_circuits", "ai_computing", "natural_science")
REMOTE = fields("ai_computing", "digital_finance")
STEM = fields("ai_computing", "integrated_circuits", "engineering", "natural_science")
CHINESE, AMERICANS = citizens(CN), citizens(US)


def small(name: str, agents: int, years: int, seed: int = SEED) -> Scenario:
    sizes = {"population.agents": agents, "horizon.years": years, "seed": seed}
    return load_scenario(name, sizes)


def test_library_holds_what_was_promised():
    assert len(NAMES) >= 22
    levers = {lever.lever for name in NAMES for lever in load_scenario(name).interventions}
    assert len(levers) == 11, "every lever is shown by a shipped scenario"


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_assumes_what_to_look_at_and_where_it_comes_from(name):
    scenario = load_scenario(name)
    assert scenario.name == name
    assert 10 < len(scenario.title) <= 100
    assert "ook at" in scenario.description
    assert len(scenario.description) > 200
    report = [entry for entry in scenario.citation if entry.startswith(REPORT)]
    assert report, "cites the report"
    for entry in report:
        assert re.search(r"\bB\.\d", entry), "names the chapter"
    if scenario.interventions:
        assert re.search("assume", scenario.description, re.IGNORECASE)
    for lever in scenario.interventions:
        assert lever.citation, lever.name


def test_all_are_listed_on_the_command_line():
    listed = CliRunner().invoke(app, ["scenarios"]).output.splitlines()
    rows = dict(line.split(maxsplit=1) for line in listed if line and not line.startswith(" "))
    for name in NAMES:
        assert load_scenario(name).title.startswith(rows[name].rstrip("…").strip()), name


def test_document_lists_exactly_the_shipped_scenarios():
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w-]+)`( ↗)? \|(.*)\|$", text, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == sorted(shipped())
    for name, mark, row in rows:
        scenario = load_scenario(name)
        chapters = set(re.findall(r"B\.\d+", " ".join(scenario.citation)))
        assert set(re.findall(r"B\.\d+", row)) == chapters, name
        assert bool(mark) == (scenario.sweep is not None), name


@pytest.mark.parametrize("name", NAMES)
def test_selects_somebody_and_runs_and_conserves_agents(name):
    scenario = small(name, 4000, 3)
    for row in selections(scenario.with_changes({"population.agents": 100_000})):
        assert row["places"], row["name"]
        assert row["people"] is None or row["people"] > 0, row["name"]
    model = Simulation(scenario, threads=1).run()
    table = model.tables()["cities"]
    wide = {
        column: table.pivot(index="year", columns="city", values=column).to_numpy()
        for column in ("stock", "arrivals", "departures", "entries", "exits")
    }
    before, after = wide["stock"][:-1], wide["stock"][1:]
    moved = wide["arrivals"][1:] - wide["departures"][1:]
    lived = wide["entries"][1:] - wide["exits"][1:]
    assert np.array_equal(after, before + moved + lived)
    assert np.array_equal(wide["arrivals"].sum(1), wide["departures"].sum(1))
    assert wide["arrivals"].sum() == model.tables()["flows"].persons.sum() > 0
    assert (wide["stock"] >= 0).all()


SWEEPS = [name for name in NAMES if load_scenario(name).sweep is not None]


def test_several_scenarios_hold_a_sweep():
    assert len(SWEEPS) >= 3


@pytest.mark.parametrize("name", SWEEPS)
def test_sweep_can_be_laid_out(name):
    scenario = small(name, 1000, 3)
    assert scenario.sweep is not None
    against = scenario.sweep.against
    assert against in shipped()
    _, points, pairs, places = plan_sweep(scenario, small(against, 1000, 3))
    assert len(points) == scenario.sweep.size <= 10
    policies = [policy for pair in pairs for policy in pair.policies]
    assert len({policy.digest() for policy in policies}) == len(places)


# --- the direct effect, without noise ------------------------------------------------------------


def at_once(lever: Lever) -> Lever:
    """Return the lever at full strength from the first year."""
    return lever.model_copy(update={"schedule": type(lever.schedule)()})


@cache
def standing(name: str) -> Simulation:
    """Return a scenario before its first year, acting fully; all students are to graduate."""
    scenario = small(name, 60_000, 3)
    levers = tuple(at_once(lever) for lever in scenario.interventions)
    model = Simulation(scenario.model_copy(update={"interventions": levers}), threads=1)
    agents = model.population.living()
    agents.fresh[agents.stage == 0] = 1
    return model


def expected(name: str, who: Group) -> np.ndarray:
    """Return expected moves in the first year of some agents, without the stayers, (C, C)."""
    model = standing(name)
    world, agents = model.world(), model.population.living()
    chosen = np.flatnonzero(who(agents))
    assert len(chosen) > 20
    part = Agents(*(np.ascontiguousarray(array[chosen]) for array in agents))
    flows, _ = expect(part, world, model.team)
    np.fill_diagonal(flows, 0.0)
    return flows


UP, DOWN = 1, -1
DIRECT = [
    ("beijing-ai-settlement", both(AI, CHINESE), ~BEIJING, BEIJING, UP),
    ("beijing-ai-settlement", both(AI, CHINESE), BEIJING, ~BEIJING, DOWN),
    ("beijing-ai-green-card", both(AI, high), ~CN, BEIJING, UP),
    ("beijing-ai-green-card", both(AI, top), BEIJING, ~BEIJING, DOWN),
    ("beijing-ai-two-year-posts", AI, ~CN, BEIJING, UP),
    ("beijing-ai-two-year-posts", AI, BEIJING, ~BEIJING, DOWN),
    ("beijing-ai-package", AI, ~BEIJING, BEIJING, UP),
    ("beijing-ai-package", AI, BEIJING, ~BEIJING, DOWN),
    ("beijing-chip-tax-relief", both(CHIPS, high), ~BEIJING, BEIJING, UP),
    ("beijing-chip-tax-relief", both(CHIPS, high), BEIJING, ~BEIJING, DOWN),
    ("beijing-chip-whole-pyramid", both(CHIPS, base_tier), ~BEIJING, BEIJING, UP),
    ("beijing-chip-whole-pyramid", both(CHIPS, graduates), BEIJING, ~BEIJING, DOWN),
    ("beijing-five-day-permits", no(CHINESE), ~BEIJING, BEIJING, UP),
    ("beijing-foreign-talent-shock", no(CHINESE), ~BEIJING, BEIJING, DOWN),
    ("beijing-foreign-talent-shock", no(CHINESE), BEIJING, ~BEIJING, UP),
    ("beijing-non-capital-relief", everybody, NEIGHBOURS, ~REGION, DOWN),
    ("beijing-rent-relief", everybody, ~BEIJING, BEIJING, UP),
    ("beijing-rent-relief", everybody, BEIJING, ~BEIJING, DOWN),
    ("china-travel-freedom", no(CHINESE), ~CN, CN, UP),
    ("emerging-city-catch-up", everybody, ~EMERGING, EMERGING, UP),
    ("emerging-city-catch-up", everybody, EMERGING, ~EMERGING, DOWN),
    ("flexible-participation", high, BEIJING, ~BEIJING, DOWN),
    ("flexible-participation", everybody, ~REGION, NEIGHBOURS, UP),
    ("graduates-return-from-us", both(CHINESE, graduates), US, CN, UP),
    ("jing-jin-ji-joint-green-card", top, BEIJING, NEIGHBOURS, UP),
    ("jing-jin-ji-joint-green-card", top, NEIGHBOURS, BEIJING, UP),
    ("jing-jin-ji-lower-friction", everybody, BEIJING, NEIGHBOURS, UP),
    ("jing-jin-ji-lower-friction", everybody, NEIGHBOURS, BEIJING, UP),
    ("london-closes", everybody, ~LONDON, LONDON, DOWN),
    ("london-closes", everybody, LONDON, ~LONDON, UP),
    ("pandemic-long-tail", no(CHINESE), CN, ~CN, DOWN),
    ("remote-work", REMOTE, ~TOP_20, TOP_20, DOWN),
    ("uae-open-market", everybody, ~UAE, UAE, UP),
    ("us-china-decoupling", PARTED, US, CN, DOWN),
    ("us-china-decoupling", PARTED, CN, US, DOWN),
    ("us-stem-graduates-stay", both(STEM, graduates, no(AMERICANS)), US, ~US, DOWN),
]


@pytest.mark.parametrize(
    ("name", "who", "start", "end", "sign"),
    DIRECT,
    ids=[f"{row[0]}-{'up' if row[4] > 0 else 'down'}-{k}" for k, row in enumerate(DIRECT)],
)
def test_expected_flows_of_those_addressed_change_as_theory_says(name, who, start, end, sign):
    within = np.ix_(start, end)
    without, with_ = expected("baseline", who)[within].sum(), expected(name, who)[within].sum()
    assert without > 0
    assert sign * (with_ / without - 1) > 0.005, (without, with_)


UNTOUCHED = [
    ("beijing-ai-settlement", no(both(AI, CHINESE))),
    ("beijing-ai-green-card", no(both(AI, high))),
    ("beijing-ai-package", no(AI)),
    ("beijing-chip-tax-relief", no(both(CHIPS, high))),
    ("beijing-five-day-permits", CHINESE),
    ("graduates-return-from-us", no(both(CHINESE, graduates))),
    ("jing-jin-ji-joint-green-card", both(no(top), CHINESE)),
    ("remote-work", no(REMOTE)),
    ("us-china-decoupling", no(PARTED)),
    ("us-stem-graduates-stay", no(STEM)),
]


@pytest.mark.parametrize(("name", "who"), UNTOUCHED, ids=[name for name, _ in UNTOUCHED])
def test_others_are_left_alone(name, who):
    assert np.allclose(expected("baseline", who), expected(name, who), rtol=1e-6, atol=1e-12)


def test_decoupling_leaves_third_countries_nearly_alone_and_gives_them_the_diverted():
    third = ~(CN | US)
    neither = both(PARTED, no(CHINESE), no(AMERICANS))
    without, with_ = expected("baseline", neither), expected("us-china-decoupling", neither)
    within = np.ix_(third, third)
    assert with_[within].sum() == pytest.approx(without[within].sum(), rel=0.02)
    chinese = both(PARTED, CHINESE)
    out = np.ix_(CN, third)
    assert expected("us-china-decoupling", chinese)[out].sum() > 1.005 * (
        expected("baseline", chinese)[out].sum()
    )


# --- whole runs, paired on the same luck ---------------------------------------------------------


@cache
def residents(name: str) -> Agents:
    """Return everybody at the end of a run."""
    living = Simulation(small(name, AGENTS, YEARS), threads=1).run().population.living()
    return Agents(*(array.copy() for array in living))


def shifted(name: str, who: Group, where: np.ndarray, base: str = "baseline") -> float:
    """Return how clearly a policy changes who of a group lives somewhere, in standard errors.

    Persons are paired. If the policy did nothing, those whom its run adds and those whom it takes
    away would be equally many but for chance, so their difference over the root of their sum is a
    standard score (McNemar 1947).
    """
    ids = [agents.ids[who(agents) & where[agents.city]] for agents in map(residents, (base, name))]
    more, fewer = len(np.setdiff1d(ids[1], ids[0])), len(np.setdiff1d(ids[0], ids[1]))
    return (more - fewer) / max(1, more + fewer) ** 0.5


CLEAR = 2.5
RUNS = [
    ("beijing-ai-settlement", both(AI, CHINESE), BEIJING, UP),
    ("beijing-ai-enrolment", AI, BEIJING, UP),
    ("beijing-ai-package", AI, BEIJING, UP),
    ("beijing-ai-package", both(AI, high), BEIJING, UP),
    ("beijing-five-day-permits", no(CHINESE), BEIJING, UP),
    ("beijing-foreign-talent-shock", no(CHINESE), BEIJING, DOWN),
    ("beijing-non-capital-relief", base_tier, BEIJING, DOWN),
    ("beijing-non-capital-relief", everybody, NEIGHBOURS, UP),
    ("beijing-rent-relief", everybody, BEIJING, UP),
    ("china-travel-freedom", no(CHINESE), CN, UP),
    ("emerging-city-catch-up", everybody, EMERGING, UP),
    ("flexible-participation", high, BEIJING, UP),
    ("graduates-return-from-us", CHINESE, CN, UP),
    ("graduates-return-from-us", CHINESE, US, DOWN),
    ("london-closes", everybody, LONDON, DOWN),
    ("pandemic-long-tail", no(CHINESE), CN, DOWN),
    ("remote-work", REMOTE, TOP_20, DOWN),
    ("us-china-decoupling", both(PARTED, CHINESE), US, DOWN),
    ("us-stem-graduates-stay", both(STEM, no(AMERICANS)), US, UP),
]


@pytest.mark.parametrize(
    ("name", "who", "where", "sign"), RUNS, ids=[f"{row[0]}-{k}" for k, row in enumerate(RUNS)]
)
def test_talent_ends_where_theory_says(name, who, where, sign):
    assert sign * shifted(name, who, where) > CLEAR


def test_foreign_talent_shock_is_as_large_as_its_description_says():
    """About a third fewer foreign citizens in Beijing at the end of 2028."""
    count = {}
    for name in ("baseline", "beijing-foreign-talent-shock"):
        agents = Simulation(small(name, AGENTS, 4), threads=1).run().population.living()
        count[name] = (~CN[agents.home] & BEIJING[agents.city]).sum()
    assert 0.55 < count["beijing-foreign-talent-shock"] / count["baseline"] < 0.8


def test_ai_package_is_worth_more_than_each_of_its_pieces():
    pieces = [
        f"beijing-ai-{piece}"
        for piece in ("settlement", "green-card", "enrolment", "two-year-posts")
    ]
    assert {lever.name for piece in pieces for lever in load_scenario(piece).interventions} | {
        "referral-network"
    } == {lever.name for lever in load_scenario("beijing-ai-package").interventions}
    for piece in pieces:
        assert shifted("beijing-ai-package", AI, BEIJING, base=piece) > CLEAR, piece
        same = {lever.name: lever for lever in load_scenario("beijing-ai-package").interventions}
        for lever in load_scenario(piece).interventions:
            assert same[lever.name] == lever, lever.name


def test_chip_relief_reaches_the_tiers_that_it_is_for():
    relief, pyramid = "beijing-chip-tax-relief", "beijing-chip-whole-pyramid"
    best, base = both(CHIPS, high), both(CHIPS, base_tier)
    within = np.ix_(~BEIJING, BEIJING)
    assert expected(relief, best)[within].sum() > 1.05 * expected(pyramid, best)[within].sum()
    assert expected(pyramid, base)[within].sum() > 1.05 * expected(relief, base)[within].sum()


def test_shared_services_keep_more_of_the_weaker_cities_talent_than_lower_friction_alone():
    alone, shared = "jing-jin-ji-lower-friction", "jing-jin-ji-shared-services"
    out = np.ix_(NEIGHBOURS, ~NEIGHBOURS)
    assert expected(shared, everybody)[out].sum() < 0.995 * expected(alone, everybody)[out].sum()
    assert shifted(shared, everybody, NEIGHBOURS, base=alone) > CLEAR


@cache
def flows(name: str, years: int = YEARS):
    return Simulation(small(name, AGENTS, years), threads=1).run().tables()["flows"]


def test_quota_of_the_relief_of_beijing_binds():
    cap = load_scenario("beijing-non-capital-relief").interventions[0].persons_per_year
    rows = {name: flows(name) for name in ("baseline", "beijing-non-capital-relief")}
    arrivals = {
        name: table[(table.destination == "Beijing") & (table.tier == "base") & (table.year > 2025)]
        .groupby("year")
        .persons.sum()
        for name, table in rows.items()
    }
    assert (arrivals["baseline"] > cap).all(), "else it could not bind"
    assert (arrivals["beijing-non-capital-relief"] <= cap).all()
    assert (arrivals["beijing-non-capital-relief"] > 0.95 * cap).all()


def test_pandemic_tail_is_longer_where_the_economy_is_weaker():
    """Arrivals from abroad recover later in the half of the cities with the weaker economy."""
    economy = standing("baseline").landscape.scores[:, 0]
    weak = economy < np.median(economy)
    area = CITIES.area_of_city
    share = {}
    for half, where in (("weak", weak), ("strong", ~weak)):
        by_year = []
        for name in ("baseline", "pandemic-long-tail"):
            table = flows(name, 7)
            origin, end = table.origin.cat.codes, table.destination.cat.codes
            chosen = (area[origin] != area[end]) & where[end]
            by_year.append(table[chosen].groupby("year").persons.sum())
        share[half] = (by_year[1] / by_year[0]).to_dict()
    for half in ("weak", "strong"):
        assert share[half][2025] == 1
        assert share[half][2026] < 0.6
        assert share[half][2027] < share[half][2029] < share[half][2031]
    recovery = {half: share[half][2030] - share[half][2027] for half in share}
    assert recovery["strong"] > 1.1 * recovery["weak"]


def gini(stock: np.ndarray) -> float:
    """Return the Gini coefficient, 0 to 1."""
    ordered, number = np.sort(stock), len(stock)
    ranks = np.arange(1, number + 1)
    return float(2 * (ranks * ordered).sum() / (number * ordered.sum()) - (number + 1) / number)


def test_reinforcing_feedback_makes_talent_more_unequal():
    """Winners win more: cities grow apart faster, and talent is shared less equally."""
    inequality, spread = {}, {}
    for name in ("strong-get-stronger", "baseline", "strong-get-stronger-off"):
        table = Simulation(small(name, AGENTS, 20), threads=1).run().tables()["cities"]
        stock = table.pivot(index="year", columns="city", values="stock").to_numpy(dtype=float)
        inequality[name] = gini(stock[-1])
        growth = np.log(stock[-1] / stock[0])
        spread[name] = float(np.sqrt(np.cov(growth, aweights=stock[0])))
    on, between, off = inequality
    assert inequality[on] > inequality[off] + 0.001
    assert spread[on] > 1.05 * spread[off]
    assert spread[on] > spread[between] > spread[off], "congestion holds winners back"


def test_check_does_not_refuse_graduates():
    """Nobody is in the year of graduation at the start; `check` must not call that nobody."""
    item = {"name": "a", "lever": "retention", "places": "Paris", "stay": 1.0}
    scenario = load_scenario(
        "baseline",
        {"population.agents": 2000, "interventions": [item | {"people": {"graduating": True}}]},
    )
    assert selections(scenario)[0]["people"] is None
