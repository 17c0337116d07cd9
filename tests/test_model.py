"""The Mesa face of the model."""

import inspect

import mesa
import numpy as np
import pandas as pd
import pytest

from sim.errors import UserError
from sim.model import City, TalentModel
from sim.scenario import load_scenario


@pytest.fixture(scope="module")
def model():
    model = TalentModel(agents=5000, years=3)
    model.step()
    model.step()
    return model


def test_cities_are_agents_of_an_agent_set(model):
    assert len(model.agents) == 120
    assert len(model.agents_by_type[City]) == 120
    assert sum(model.agents.get("stock")) == model.stock
    big = model.agents.select(lambda city: city.stock > model.stock / 50)
    assert 0 < len(big) < 50
    table = model.simulation.tables()["cities"]
    last = table[table.year == model.year].set_index("city")
    for city in model.cities:
        row = last.loc[city.name]
        assert (city.stock, city.arrivals, city.departures) == (
            row.stock, row.arrivals, row.departures,
        )  # fmt: skip
        assert (city.entries, city.exits) == (row.entries, row.exits)
        assert city.composite == pytest.approx(row.composite)
        assert city.stickiness == pytest.approx(row.stickiness, nan_ok=True)
        assert city.scores == pytest.approx(row["economic_foundation":"public_life"].astype(float))


def test_data_collector_gives_the_yearly_tables(model):
    yearly = model.datacollector.get_model_vars_dataframe()
    assert yearly.Year.tolist() == [2024, 2025, 2026]
    assert yearly["Mobility"].iloc[1:].between(0.5, 10).all()
    assert (yearly["International mobility"].iloc[1:] < yearly["Mobility"].iloc[1:]).all()
    cities = model.datacollector.get_agent_vars_dataframe()
    assert len(cities) == 3 * 120
    stock = cities.Stock.groupby(level="Step").sum()
    assert stock.tolist() == yearly.Stock.tolist()


def test_talent_is_a_data_frame_and_gives_one_agent(model):
    talent = model.talent
    assert isinstance(talent, pd.DataFrame)
    assert len(talent) == model.simulation.population.n
    counts = talent.city.value_counts()
    persons = model.simulation.population.persons
    assert all(counts[city.name] * persons == city.stock for city in model.cities)
    one = talent[7]
    assert one.city == talent.city.iloc[7]
    assert list(talent[["age", "tier"]].columns) == ["age", "tier"]
    assert (talent[talent.age > 40].age > 40).all()


def test_running_ends_with_a_step_past_the_horizon():
    model = TalentModel(agents=300, years=2)
    steps = 0
    while model.running:
        model.step()
        steps += 1
    assert (steps, model.year, model.simulation.finished) == (3, 2026, True)
    assert len(model.datacollector.get_model_vars_dataframe()) == 3


def test_same_seed_same_model_and_mesa_needs_no_draw_of_its_own():
    runs = [TalentModel(agents=800, years=2, rng=seed) for seed in (5, 5, 6)]
    for model in runs:
        while model.running:
            model.step()
    first, second, third = (m.simulation.tables()["flows"] for m in runs)
    assert first.equals(second)
    assert not first.equals(third)


def test_batch_run_varies_parameters_and_seeds():
    parameters = {"agents": 600, "years": 2, "obstacles__moving": [1.0, 6.0]}
    seeds = {"rng": [1, 2]}
    if "rng" in inspect.signature(mesa.batch_run).parameters:  # Mesa 3.5: seeds are an argument
        results = mesa.batch_run(TalentModel, parameters, display_progress=False, **seeds)
    else:
        results = mesa.batch_run(TalentModel, parameters | seeds, display_progress=False)
    table = pd.DataFrame(results)
    last = table[table.Year == 2026].groupby(["rng", "obstacles__moving"]).Mobility.first()
    assert len(last) == 4
    assert (last.xs(1.0, level=1) > last.xs(6.0, level=1)).all()
    assert last.xs(1.0, level=1).nunique() == 2


def test_parameters_can_be_overridden_and_are_checked():
    loaded = load_scenario("baseline", {"population.agents": 100})
    model = TalentModel(loaded, preference__beta=0.9)
    assert model.simulation.parameters.preference.beta == 0.9
    assert model.simulation.scenario.population.agents == 100
    with pytest.raises(UserError, match="did you mean"):
        TalentModel(agents=10, preference__betta=1.0)
    with pytest.raises(UserError, match="beta"):
        TalentModel(agents=10, preference__beta=-1.0)


def test_array_view_is_of_the_living_only():
    model = TalentModel(agents=2000, years=4)
    while model.running:
        model.step()
    talent = model.talent
    assert talent.id.is_unique
    assert talent.age.between(18, 69).all()
    assert np.isin(talent.city.unique(), model.simulation.cities.names).all()
