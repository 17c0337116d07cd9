"""The dense sampler: its distribution, and that threads and order of storage do not matter."""

import math

import numpy as np
import pytest

from sim.dense import BATCH, LIMIT, _block, decide
from sim.errors import UserError
from sim.team import Team

TEAM = Team(2)


def problem(agents, cities, seed, spread=3.0):
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0, 6, (cities, cities))
    cost[np.arange(cities), np.arange(cities)] = -4.0
    return {
        "weights": rng.dirichlet(np.ones(6), agents).astype(np.float32),
        "factor": np.exp(rng.normal(0, 0.3, agents)).astype(np.float32),
        "origin": rng.integers(0, cities, agents).astype(np.int16),
        "ids": rng.permutation(agents).astype(np.uint64),
        "scores": rng.normal(0, spread, (cities, 6)),
        "cost": cost,
    }


def chances(weights, factor, origin, scores, cost, **_):
    """Return each agent's exact probabilities in double precision."""
    utility = weights.astype(float) @ scores.T - factor[:, None].astype(float) * cost[origin]
    chance = np.exp2(np.clip(utility, -LIMIT, LIMIT))
    return chance / chance.sum(1, keepdims=True)


def flows(origin, destination, cities):
    return np.bincount(origin.astype(int) * cities + destination, minlength=cities**2).reshape(
        cities, cities
    )


@pytest.mark.parametrize("cities", [2, 7, 120, 128, 129, 300])
def test_flows_agree_with_the_exact_probabilities(cities):
    p = problem(60_000, cities, seed=cities)
    chosen = decide(**p, year=1, seed=5, team=TEAM)
    mean = np.zeros((cities, cities))
    np.add.at(mean, p["origin"], chances(**p))
    got = flows(p["origin"], chosen, cities)
    t = math.log(2 * mean.size / 1e-6)  # Bernstein's bound, as in test_decision.py
    assert (np.abs(got - mean) <= np.sqrt(2 * mean * t) + t / 3).all()
    cells = mean >= 5
    g2 = ((got - mean)[cells] ** 2 / mean[cells]).sum()
    assert g2 < cells.sum() + 6 * math.sqrt(2 * cells.sum())


def test_years_and_seeds_give_other_draws_with_the_same_totals():
    p = problem(40_000, 20, seed=1)
    first = decide(**p, year=1, seed=5, team=TEAM)
    for other in (
        decide(**p, year=2, seed=5, team=TEAM),
        decide(**p, year=1, seed=6, team=TEAM),
        decide(**p, year=1, seed=5 + 2**40, team=TEAM),
    ):
        assert 0.05 < (first != other).mean() < 0.95
        a, b = np.bincount(first, minlength=20), np.bincount(other, minlength=20)
        assert (np.abs(a - b) < 6 * np.sqrt(a + b + 1)).all()


@pytest.mark.parametrize("agents", [1, 2, 15, 16, 17, 127, 129, 5000])
def test_threads_and_storage_order_do_not_matter(agents):
    p = problem(agents, 120, seed=3)
    one = decide(**p, year=4, seed=9, team=Team(1))
    for threads in (2, 3, 4):
        assert np.array_equal(one, decide(**p, year=4, seed=9, team=Team(threads)))
    order = np.random.default_rng(0).permutation(agents)
    turned = {k: v[order] if k not in ("scores", "cost") else v for k, v in p.items()}
    assert np.array_equal(decide(**turned, year=4, seed=9, team=TEAM), one[order])


def test_dtypes_and_layout_of_the_input_do_not_matter():
    p = problem(500, 30, seed=2)
    one = decide(**p, year=1, seed=1, team=TEAM)
    assert one.dtype == np.int16
    other = {k: np.asfortranarray(v) for k, v in p.items()}
    other["weights"] = np.asfortranarray(p["weights"].astype(np.float64))
    other["origin"] = p["origin"].astype(np.int64)
    assert np.array_equal(decide(**other, year=1, seed=1, team=TEAM), one)


def test_nobody_and_one_city():
    p = problem(0, 5, seed=1)
    assert decide(**p, year=1, seed=1, team=TEAM).shape == (0,)
    p = problem(100, 1, seed=1)
    assert (decide(**p, year=1, seed=1, team=TEAM) == 0).all()


@pytest.mark.parametrize("size", [1e3, 1e30])
@pytest.mark.parametrize("cities", [3, 130])
def test_huge_utilities_saturate_and_never_leave_the_cities(size, cities):
    p = problem(3000, cities, seed=4)
    p["scores"] = np.where(np.random.default_rng(1).random((cities, 6)) < 0.5, -size, size)
    chosen = decide(**p, year=1, seed=1, team=TEAM)
    assert chosen.min() >= 0
    assert chosen.max() < cities
    chance = chances(**p)[np.arange(3000), chosen]
    assert chance.min() > 1e-9


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_target_that_rounding_has_pushed_beyond_all_sums_is_in_the_last_block(blocks):
    totals = np.zeros(blocks * BATCH, np.float32)
    totals[5::BATCH] = 1.0
    assert _block(totals, 5, np.float32(1.0)) == blocks - 1
    assert _block(totals, 5, np.float32(0.0)) == 0


@pytest.mark.parametrize("cities", [0, 32_768])
def test_too_few_and_too_many_cities_are_refused(cities):
    p = {name: np.zeros((0, 6)) if name == "weights" else np.zeros(0) for name in problem(1, 2, 1)}
    p["scores"] = np.zeros((cities, 6))
    p["cost"] = np.broadcast_to(0.0, (cities, cities))  # no memory
    with pytest.raises(UserError, match=f"there are {cities} cities"):
        decide(**p, year=1, seed=1, team=TEAM)


def test_a_city_that_is_hopeless_is_never_chosen():
    p = problem(20_000, 120, seed=6)
    p["cost"][:, 50] = 90.0
    assert not (decide(**p, year=1, seed=1, team=TEAM) == 50).any()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("weights", np.ones((4, 5)), "weights has the shape"),
        ("cost", np.ones((3, 2)), "cost has the shape"),
        ("scores", np.full((3, 6), np.nan), "finite"),
        ("origin", np.array([0, 1, 2, 3]), "origins must be cities"),
        ("origin", np.array([0, 1, 2, -1]), "origins must be cities"),
    ],
)
def test_wrong_input_is_named(name, value, message):
    p = problem(4, 3, seed=1)
    p[name] = value
    with pytest.raises(UserError, match=message):
        decide(**p, year=1, seed=1, team=TEAM)
