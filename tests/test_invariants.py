"""What must hold in every world, however odd: one city, nobody, one agent, extreme parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worlds import SmallWorld, make_agents, make_world, quota, simulation

from sim.expected import expect
from sim.kernel import Agents, choose, consider
from sim.parameters import Parameters
from sim.rng import split_seed
from sim.team import Team

TEAM = Team(1)
ODD = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
EXTREMES: dict[str, tuple[float, ...]] = {
    "preference.beta": (0.0, 0.5, 5.0),
    "preference.loss_aversion": (1.0, 5.0),
    "preference.gate": (0.0, 5.0),
    "obstacles.distance": (0.0, 3.0),
    "obstacles.border": (0.0, 10.0),
    "obstacles.visa": (0.0, 10.0),
    "ties.home_city": (0.0, 10.0),
    "ties.conationals": (0.0, 3.0),
    "consider.push": (0.0, 10.0),
    "consider.peak_rate": (0.0, 1.0),
    "choose.dissimilarity": (0.3, 1.0),
    "needs.taste_spread": (0.0, 2.0),
    "needs.aspiration_spread": (0.0, 30.0),
}


@st.composite
def parameters(draw) -> Parameters:
    """A few parameters at the ends of their ranges, and terms switched off."""
    data: dict[str, Any] = Parameters().model_dump()
    for path in draw(st.lists(st.sampled_from(sorted(EXTREMES)), unique=True, max_size=4)):
        group, name = path.split(".")
        data[group][name] = draw(st.sampled_from(EXTREMES[path]))
    for name in draw(st.lists(st.sampled_from(sorted(data["switches"])), unique=True, max_size=3)):
        data["switches"][name] = False
    return Parameters.model_validate(data)


@st.composite
def odd_worlds(draw) -> tuple[SmallWorld, Agents]:
    """A world of 1 to 12 cities with 0 to 500 agents."""
    cities = draw(st.integers(1, 12))
    w = make_world(
        cities=cities,
        areas=draw(st.integers(1, cities)),
        seed=draw(st.integers(0, 10_000)),
        parameters=draw(parameters()),
        identical=draw(st.booleans()),
        pull=draw(st.sampled_from((0.5, 1.0, 3.0))),
    )
    return w, make_agents(w, draw(st.sampled_from((0, 1, 2, 37, 500))), draw(st.integers(0, 99)))


def decided(agents: Agents, w: SmallWorld, seed: int = 1) -> np.ndarray:
    key, look = split_seed(seed), np.zeros(len(agents.ids), np.uint8)
    consider(agents, w.world, 1, *key, 0, len(look), look)
    lookers, out = np.flatnonzero(look), agents.city.copy()
    chosen = np.empty(len(lookers), np.int16)
    choose(agents, w.world, lookers, 1, *key, 0, len(lookers), chosen)
    out[lookers] = chosen
    return out


@ODD
@given(odd_worlds())
def test_probabilities_are_probabilities(world):
    w, agents = world
    flows, looking = expect(agents, w.world, TEAM)
    assert np.isfinite(flows).all()
    assert (flows >= 0).all()
    assert np.allclose(flows.sum(1), looking, rtol=1e-5, atol=1e-6)
    by_city = np.bincount(agents.city, minlength=len(w.cities))
    assert (looking <= by_city * (1 + 1e-6) + 1e-9).all()


@ODD
@given(odd_worlds(), st.integers(0, 2**64 - 1))
def test_everybody_ends_in_a_city_and_a_possible_one(world, seed):
    w, agents = world
    there = decided(agents, w, seed)
    assert len(there) == len(agents.ids)
    assert ((there >= 0) & (there < len(w.cities))).all()
    flows, _ = expect(agents, w.world, TEAM)
    moved = there != agents.city
    assert (flows[agents.city[moved], there[moved]] > 0).all()
    assert np.array_equal(there, decided(agents, w, seed))


@ODD
@given(odd_worlds(), st.integers(0, 1000))
def test_names_of_cities_do_not_matter(world, seed):
    w, agents = world
    order = np.random.default_rng(seed).permutation(len(w.cities))
    turned, place = w.relabelled(order), np.argsort(order).astype(np.int16)
    moved = agents._replace(city=place[agents.city], home=place[agents.home])
    flows = expect(agents, w.world, TEAM)[0][np.ix_(order, order)]
    again = expect(moved, turned.world, TEAM)[0]
    assert np.allclose(again, flows, rtol=1e-3, atol=1e-5 * max(flows.max(initial=0.0), 1.0))


@ODD
@given(odd_worlds(), st.integers(0, 11), st.integers(0, 5), st.floats(0.5, 30.0))
def test_a_better_score_draws_and_keeps(world, city, dimension, rise):
    w, agents = world
    city %= len(w.cities)
    better = w.scores.copy()
    better[city, dimension] += rise
    before = expect(agents, w.world, TEAM)[0]
    after = expect(agents, w.with_scores(better), TEAM)[0]
    np.fill_diagonal(before, 0.0)
    np.fill_diagonal(after, 0.0)
    slack = 1e-4 * max(before.max(initial=0.0), 1e-6)
    assert (after[:, city] >= before[:, city] - slack).all()
    assert after[city].sum() <= before[city].sum() + slack * len(w.cities)


@settings(deadline=None, max_examples=25)
@given(
    cities=st.integers(1, 12),
    agents=st.sampled_from((0, 1, 60, 500)),
    seed=st.integers(0, 2**32),
    given_parameters=parameters(),
    capped=st.booleans(),
)
def test_runs_conserve_people_and_repeat(cities, agents, seed, given_parameters, capped):
    def tables(threads: int) -> dict[str, Any]:
        caps = [quota("City 0", 0.0)] if capped else []
        run = simulation(
            cities=cities, areas=min(cities, 3), agents=agents, years=3, seed=seed, pull=2.0,
            parameters=given_parameters, interventions=caps, threads=threads,
        )  # fmt: skip
        return run.run().tables()

    found = tables(1)
    table = found["cities"].sort_values(["city", "year"])
    change = table.groupby("city", observed=True)["stock"].diff()
    net = table["arrivals"] - table["departures"] + table["entries"] - table["exits"]
    later = change.notna()
    assert (change[later] == net[later]).all()
    assert table["arrivals"].sum() == table["departures"].sum() == found["flows"]["persons"].sum()
    if capped and given_parameters.switches.quotas:
        assert table[table["city"] == "City 0"]["arrivals"].sum() == 0
    for name, again in tables(2).items():
        assert again.equals(found[name]), name


def test_limits_of_looking():
    """Nobody looks at rate 0; without what tells people apart, all look at one rate."""
    for rate in (0.0, 0.5, 1.0):
        data = Parameters().model_dump()
        data["consider"] |= {"peak_rate": rate, "ceiling": 1.0}
        for name in ("age_schedule", "attachment", "push", "graduation"):
            data["switches"][name] = False
        given_parameters = Parameters.model_validate(data)
        w = make_world(cities=5, areas=2, seed=3, parameters=given_parameters, pull=3.0)
        agents = make_agents(w, 400, seed=3)
        flows, looking = expect(agents, w.world, TEAM)
        shares = looking / np.bincount(agents.city, minlength=5)
        assert np.allclose(shares, shares[0], rtol=1e-6)
        assert (shares[0] == 0.0) == (rate == 0.0)
        np.fill_diagonal(flows, 0.0)
        assert (flows.sum() > 0) == (rate > 0)
        if rate == 0.0:
            assert np.array_equal(decided(agents, w), agents.city)
