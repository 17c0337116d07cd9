"""The decision: formulae against a slow reference, theory, coupling, sampling."""

import math

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import make_agents, make_world

from sim.expected import expect
from sim.jit import kernel
from sim.kernel import Agents, choose, consider, stable_log2
from sim.parameters import Choose, Parameters, Switches
from sim.rng import split_seed
from sim.team import Team

TEAM = Team(2)
DECISION_TERMS = (
    "gate",
    "loss_aversion",
    "adaptation",
    "tastes",
    "size",
    "distance",
    "border",
    "visa",
    "language",
    "settlement",
    "home",
    "conationals",
    "colleagues",
    "age_schedule",
    "attachment",
    "push",
    "graduation",
    "nest",
)


def sample(agents, world, year=1, seed=1):
    """Return where each agent goes in a year (its own city: it stays)."""
    key, look = split_seed(seed), np.zeros(len(agents.ids), np.uint8)
    consider(agents, world, year, *key, 0, len(look), look)
    lookers = np.flatnonzero(look)
    chosen = np.empty(len(lookers), np.int16)
    choose(agents, world, lookers, year, *key, 0, len(lookers), chosen)
    destination = agents.city.copy()
    destination[lookers] = chosen
    return destination, look


def flows_of(agents, destination, cities):
    flows = np.zeros((cities, cities))
    np.add.at(flows, (agents.city, destination), 1)
    np.fill_diagonal(flows, 0)
    return flows


def expected(agents, world):
    return expect(agents, world, TEAM)[0]


@pytest.mark.parametrize("off", [(), *((term,) for term in DECISION_TERMS)])
def test_kernel_agrees_with_the_slow_reference(off):
    w = make_world(cities=7, areas=3, seed=4, parameters=Parameters().off(*off))
    agents = make_agents(w, 60, seed=9)
    total = np.zeros((7, 7))
    for i in range(len(agents.ids)):
        look, chance = reference.probabilities(
            agents, i, w.parameters, w.cities, w.obstacles, w.scores, w.reference, w.size,
            w.by_area, w.colleagues,
        )  # fmt: skip
        total[agents.city[i]] += look * chance
    assert np.allclose(expected(agents, w.world), total, rtol=2e-4, atol=1e-7)


@pytest.mark.parametrize("term", DECISION_TERMS)
def test_each_term_matters(term):
    w = make_world(cities=7, areas=3, seed=4)
    agents = make_agents(w, 400, seed=9)
    without = make_world(cities=7, areas=3, seed=4, parameters=Parameters().off(term))
    change = np.abs(expected(agents, w.world) - expected(agents, without.world)).sum()
    assert change > 1e-3 * expected(agents, w.world).sum()


def test_probabilities_sum_to_the_probability_to_look():
    w = make_world(cities=12, areas=4, seed=1)
    agents = make_agents(w, 500, seed=2)
    flows, looking = expect(agents, w.world, TEAM)
    assert (flows >= 0).all()
    assert np.allclose(flows.sum(1), looking, rtol=1e-6)


@pytest.mark.parametrize("theta", [0.3, 0.55, 0.7, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_sampled_flows_agree_with_expected_flows(theta, seed):
    """Bernstein's bound for sums of independent indicators, shared out over the cells.

    A flow is a sum of independent 0/1 draws with mean m, so its variance is at most m, and it
    strays from m by more than sqrt(2 m t) + t / 3 with probability at most 2 exp(-t). With
    t = log(2 cells / 1e-6) no cell does, with probability above 1 - 1e-6.
    """
    parameters = Parameters(choose=Choose(dissimilarity=theta))
    w = make_world(cities=12, areas=4, seed=seed, parameters=parameters, pull=2.0)
    agents = make_agents(w, 40_000, seed=seed)
    mean = expected(agents, w.world)
    destination, look = sample(agents, w.world, seed=seed)
    np.fill_diagonal(mean, 0)
    flows = flows_of(agents, destination, 12)
    assert flows.sum() > 1000
    t = math.log(2 * mean.size / 1e-6)
    assert (np.abs(flows - mean) <= np.sqrt(2 * mean * t) + t / 3).all()
    cells = mean >= 5
    g2 = ((flows - mean)[cells] ** 2 / mean[cells]).sum()
    assert g2 < cells.sum() + 6 * math.sqrt(2 * cells.sum())
    expected_lookers = expect(agents, w.world, TEAM)[1].sum()
    assert abs(look.sum() - expected_lookers) < 5 * math.sqrt(expected_lookers)


@pytest.mark.parametrize("city", [0, 3, 7])
def test_improving_one_city_moves_people_only_to_it_or_keeps_them_in_it(city):
    w = make_world(cities=9, areas=3, seed=5, pull=2.0)
    agents = make_agents(w, 30_000, seed=6)
    before, _ = sample(agents, w.world)
    better = w.scores.copy()
    better[city] += 6.0
    after, _ = sample(agents, w.with_scores(better))
    changed = before != after
    assert changed.any()
    gained = after[changed] == city
    kept = gained | (agents.city[changed] == city)
    assert kept.all(), "somebody moved between two other cities"
    assert gained.all(), "the better city lost somebody"


@settings(deadline=None, max_examples=40)
@given(
    city=st.integers(0, 5),
    dimension=st.integers(0, 5),
    rise=st.floats(0.1, 30),
    seed=st.integers(0, 50),
)
def test_a_better_score_never_repels(city, dimension, rise, seed):
    w = make_world(cities=6, areas=2, seed=seed)
    agents = make_agents(w, 80, seed=seed)
    better = w.scores.copy()
    better[city, dimension] += rise
    before, after = expected(agents, w.world), expected(agents, w.with_scores(better))
    np.fill_diagonal(before, 0)
    np.fill_diagonal(after, 0)
    tolerance = 1e-5 * before.max()
    assert (after[:, city] >= before[:, city] - tolerance).all()
    assert after[city].sum() <= before[city].sum() + tolerance


def test_identical_cities_share_equally():
    w = make_world(cities=5, areas=1, seed=3, identical=True)
    agents = make_agents(w, 2000, seed=3)
    agents = agents._replace(home=agents.city)
    share = expected(agents, w.world)
    np.fill_diagonal(share, np.nan)
    share /= np.nansum(share, axis=1, keepdims=True)
    assert np.allclose(share[~np.isnan(share)], 0.25, rtol=1e-4)


def test_relabelling_cities_relabels_flows():
    w = make_world(cities=8, areas=3, seed=7)
    agents = make_agents(w, 300, seed=7)
    order = np.random.default_rng(1).permutation(8)
    turned = w.relabelled(order)
    place = np.argsort(order).astype(np.int16)
    moved = agents._replace(city=place[agents.city], home=place[agents.home])
    flows = expected(agents, w.world)
    assert np.allclose(expected(moved, turned.world), flows[np.ix_(order, order)], rtol=1e-4)


def test_order_of_storage_and_threads_do_not_matter():
    w = make_world(cities=9, areas=3, seed=5)
    agents = make_agents(w, 5000, seed=6)
    destination, _ = sample(agents, w.world)
    order = np.random.default_rng(0).permutation(5000)
    shuffled = Agents(*(np.ascontiguousarray(a[order]) for a in agents))
    assert np.array_equal(sample(shuffled, w.world)[0], destination[order])
    one, four = expect(agents, w.world, Team(1))[0], expect(agents, w.world, Team(4))[0]
    assert np.array_equal(one, four)


def test_one_city_keeps_everybody():
    w = make_world(cities=1, areas=1, seed=1)
    agents = make_agents(w, 500, seed=1)
    destination, look = sample(agents, w.world)
    assert look.any()
    assert (destination == 0).all()
    flows, looking = expect(agents, w.world, TEAM)
    assert np.allclose(flows[0, 0], looking[0])


def test_more_than_one_block_of_cities():
    w = make_world(cities=150, areas=4, seed=2, pull=2.0)
    agents = make_agents(w, 20_000, seed=2)
    destination, _ = sample(agents, w.world)
    assert destination.max() > 127
    flows, mean = flows_of(agents, destination, 150), expected(agents, w.world)
    np.fill_diagonal(mean, 0)
    for got, want in ((flows.sum(0), mean.sum(0)), (flows.sum(1), mean.sum(1))):
        assert (np.abs(got - want) <= 6 * np.sqrt(want) + 6).all()


@kernel
def _stable(theta, angle, exponential, out):
    for i in range(angle.shape[0]):
        out[i] = stable_log2(theta, angle[i], exponential[i])


@pytest.mark.parametrize("theta", [0.3, 0.5, 0.8])
def test_stable_variable_has_its_laplace_transform(theta):
    rng = np.random.default_rng(3)
    out = np.empty(400_000)
    _stable(theta, rng.random(out.size), rng.standard_exponential(out.size), out)
    for t in (0.1, 1.0, 4.0):
        draws = np.exp(-t * np.exp2(out))
        error = 5 * draws.std() / math.sqrt(out.size)
        assert abs(draws.mean() - math.exp(-(t**theta))) < error


def test_plain_logit_in_the_limit_of_no_nest():
    """With theta 1, ratios of destinations do not depend on the origin's own utility (IIA)."""
    w = make_world(cities=5, areas=1, seed=8, parameters=Parameters().off("nest"))
    agents = make_agents(w, 1, seed=8)
    base = expected(agents, w.world)[agents.city[0]]
    worse = w.scores.copy()
    worse[agents.city[0]] -= 10
    moved = expected(agents, w.with_scores(worse))[agents.city[0]]
    others = np.arange(5) != agents.city[0]
    ratio = moved[others] / base[others]
    assert np.allclose(ratio, ratio[0], rtol=1e-4)
    assert ratio[0] > 1


def test_terms_listed_here_are_all_that_the_decision_has():
    yearly = {"ageing", "entry", "quotas"}
    named = set(Switches.model_fields)
    assert {n for n in named if not n.startswith("feedback_")} - yearly == set(DECISION_TERMS)
