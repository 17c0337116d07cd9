"""Who looks and where each one goes, agent by agent, from the draws and the slow reference."""

import dataclasses
import functools
import math

import numpy as np
import pytest
import reference
from hypothesis import example, given, settings
from hypothesis import strategies as st
from worlds import make_agents, make_world

from sim.behaviour import Behaviour, look_table, quantiles
from sim.effects import Effects
from sim.expected import expect
from sim.jit import kernel
from sim.kernel import Agents, arrival, choose, consider, earliest, lowest, needs, outlook
from sim.parameters import Choose, Consider, Needs, Parameters, Preference
from sim.rng import LANES, LOOK, RACE, STAY, race_words, split_seed, words
from sim.team import Team

YEAR, SEED = 3, 2**35 + 8


@kernel
def _race(agent, year, first, key0, key1, out):
    race_words(agent, year, first, key0, key1, out)


def uniform(word):
    return ((np.asarray(word) >> 9) + 0.5) / 2**23


def arrivals(agent, cities):
    """Return the standard exponential of each city in an agent's race."""
    rows, block = [], np.empty((4, LANES), np.uint32)
    for first in range(RACE, RACE + -(-cities // block.size) * LANES, LANES):
        _race(agent, YEAR, first, *split_seed(SEED), block)
        rows.append(block.reshape(-1).copy())
    return -np.log(uniform(np.concatenate(rows)[:cities]))


def stable(theta, angle, exponential):
    """Return a positive stable variable by Kanter's (1975) formula."""
    if theta == 1:
        return 1.0
    first = math.sin(theta * math.pi * angle) / math.sin(math.pi * angle) ** (1 / theta)
    second = math.sin((1 - theta) * math.pi * angle) / exponential
    return first * second ** ((1 - theta) / theta)


def choices(w, agents):
    """Return where each agent goes who looks, by the nested logit written as a race."""
    theta, found = w.parameters.choose.dissimilarity, []
    luck = uniform(words(agents.ids, YEAR, STAY, SEED))
    for i, origin in enumerate(agents.city):
        _, chance = reference.probabilities(
            agents, i, w.parameters, w.cities, w.obstacles, w.scores, w.reference, w.size,
            w.by_area, w.colleagues,
        )  # fmt: skip
        stay, go = chance[origin], 1 - chance[origin]
        with np.errstate(divide="ignore"):  # whoever lives there does not race
            times = arrivals(agents.ids[i], len(chance)) / np.where(
                np.arange(len(chance)) == origin, 0, chance / go
            )
        winner = int(np.argmin(times))
        mixed = stable(theta, luck[1, i], -math.log(luck[2, i])) / times[winner]
        stays = (-math.log(luck[0, i]) * go / stay) ** (1 / theta) * mixed
        found.append(winner if stays > 1 else origin)
    return np.array(found)


@kernel
def _times(agents, world, words, bounds, times):
    weight, wish = np.empty(6, np.float32), np.empty(6, np.float32)
    for i in range(times.shape[0]):
        group = needs(agents, world, i, weight, wish)
        mine = outlook(world, weight, wish)
        earliest(agents, world, i, group, weight, wish, words[i], bounds[i])
        for j in range(times.shape[1]):
            times[i, j] = arrival(agents, world, i, group, mine, words[i], j)


@given(
    cities=st.integers(1, 150),
    beta=st.floats(0, 5),
    loss=st.floats(1, 5),
    gate=st.floats(0, 5),
    theta=st.floats(0.3, 1),
    seed=st.integers(0, 2**32 - 1),
)
@example(cities=120, beta=0.5, loss=2.25, gate=0.5, theta=0.85, seed=1)
@example(cities=120, beta=5.0, loss=1.0, gate=0.0, theta=0.3, seed=2)
@settings(max_examples=40, deadline=None)
def test_no_city_arrives_before_its_bound(cities, beta, loss, gate, theta, seed):
    parameters = Parameters(
        choose=Choose(dissimilarity=theta),
        preference=Preference(beta=beta, loss_aversion=loss, gate=gate),
    )
    w = make_world(cities=cities, areas=min(cities, 3), seed=seed % 1000, parameters=parameters)
    agents = make_agents(w, 50, seed=seed % 1000)
    size = w.world.by_origin.shape[3]
    draws = np.random.default_rng(seed).integers(0, 2**32, (50, size), np.uint32)
    draws[0], draws[1] = 0, 2**32 - 1  # the least and the most luck
    bounds, times = np.empty((50, size), np.float32), np.empty((50, cities), np.float32)
    _times(agents, w.world, draws, bounds, times)
    others = np.arange(cities) != agents.city[:, None]
    early = times - (bounds[:, :cities] - 256)
    assert (early[others] > -(2.0**-7)).all()
    assert np.isinf(bounds[np.arange(50), agents.city]).all()
    if loss == 1 and gate == 0:  # then utility is linear, and only the luck is bounded
        likely = others & (draws[:, :cities] >= 2**31)
        assert (early[2:][likely[2:]] < 0.63).all()


@kernel
def _lowest(row):
    return lowest(row)


@given(
    lanes=st.sampled_from([128, 256]),
    low=st.sampled_from([1.0, 300.0]),
    negative=st.lists(st.tuples(st.integers(0, 127), st.floats(-9, -1, width=32)), max_size=3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_lowest_is_at_most_the_minimum(lanes, low, negative, seed):
    row = np.random.default_rng(seed).uniform(low, 1.01 * low, lanes).astype(np.float32)
    for position, number in negative:
        row[position] = number
    position, least = _lowest(row)
    if negative:
        assert row[position] < 0
        assert least == -np.inf
    else:
        assert row.min() * (1 - len(row) * 2.0**-22) <= least <= row.min()
        assert row[position] <= row.min() * (1 + len(row) * 2.0**-22)


FAR = ("distance", "border", "settlement", "visa", "language")


@pytest.mark.parametrize(
    ("cities", "theta", "pull", "off"),
    [
        (7, 0.5, 1.5, ()),
        (7, 1.0, 1.5, ()),
        (140, 0.7, 2.0, ()),
        (2, 0.9, 1.5, ()),
        (7, 0.6, 1, FAR),
    ],
)
def test_choices_are_those_of_the_draws(cities, theta, pull, off):
    parameters = Parameters(choose=Choose(dissimilarity=theta)).off(*off)
    if off:  # many a city is worth more than nothing
        liked = {"preference": Preference(beta=2.0), "needs": Needs(aspiration_mean=(50.0,) * 6)}
        parameters = parameters.model_copy(update=liked)
    w = make_world(cities=cities, areas=2, seed=4, parameters=parameters, pull=pull)
    number = 300 if cities > 100 else 1000
    agents, lookers = make_agents(w, number, seed=9), np.arange(number)[::-1].copy()
    chosen = np.full(number, -1, np.int16)
    choose(agents, w.world, lookers, YEAR, *split_seed(SEED), 5, number - 3, chosen)
    assert (chosen[:5] == -1).all()
    assert (chosen[number - 3 :] == -1).all()
    expected = choices(w, Agents(*(array[lookers] for array in agents)))
    same = (chosen == expected)[5 : number - 3]
    assert same.mean() > 0.997, "rounding may settle one in a thousand otherwise"
    assert 0.05 < (expected == agents.city[lookers]).mean() < 0.95


@pytest.mark.parametrize(
    ("push", "at_start"), [(0.0, False), (0.3, True), (8.0, False), (8.0, True)]
)
def test_lookers_are_those_of_the_draws(push, at_start):
    """At the start of a run, aspirations adapt to the very scores that people see."""
    parameters = Parameters(consider=Consider(push=push, peak_rate=0.6, ceiling=0.8))
    w = make_world(cities=6, areas=2, seed=4, parameters=parameters)
    w = dataclasses.replace(w, reference=w.scores) if at_start else w
    agents = make_agents(w, 2000, seed=7)
    look = np.zeros(2000, np.uint8)
    consider(agents, w.world, YEAR, *split_seed(SEED), 130, 1990, look)
    luck, expected = uniform(words(agents.ids, YEAR, LOOK, SEED)[0]), np.zeros(2000)
    for i in range(130, 1990):
        weights, wish = reference.personal(agents, i, w.parameters, w.reference)
        expected[i] = luck[i] < reference.look_probability(
            agents, i, w.parameters, w.scores, weights, wish
        )
    assert (look != expected).mean() < 2e-3
    assert not look[:130].any()
    assert not look[1990:].any()
    assert 0.01 < expected.mean() < 0.9


@pytest.mark.parametrize("off", [(), ("attachment",), ("age_schedule",)])
def test_every_age_and_year_has_a_rate(off):
    """All that an agent's age (7 bits) and years in the city (at most 60) can point at."""
    c, switches = Consider(), Parameters().off(*off).switches
    table = look_table(Parameters().off(*off))
    assert table.shape == (128, 61)
    by_years = table[30] / table[30, 0]
    expected = np.maximum(np.exp(-c.attachment * np.arange(61)), c.attachment_floor)
    assert by_years == pytest.approx(expected if switches.attachment else np.ones(61), rel=1e-6)
    assert (np.ptp(table[:, 0]) > 0) == switches.age_schedule
    assert np.isfinite(table).all()


def test_quantiles_split_the_normal_distribution_evenly():
    z = quantiles()
    assert len(z) == 256
    assert z == pytest.approx(-z[::-1])
    below = [(1 + math.erf(x / math.sqrt(2))) / 2 for x in z]
    assert below == pytest.approx((np.arange(256) + 0.5) / 256)


def effects(w, seed):
    """Return effects of policies that change everything that they can."""
    rng, none = np.random.default_rng(seed), Effects.none(len(w.cities), len(w.cities.area_names))
    changed = {f.name: getattr(none, f.name).copy() for f in dataclasses.fields(none)}
    return Effects(**{k: v + rng.uniform(-0.4, 0.4, v.shape) for k, v in changed.items()})


def seen(w, *segments):
    behaviour = Behaviour(w.parameters, w.cities, w.obstacles, w.reference)
    return behaviour.world(w.scores, w.size, w.by_area, w.colleagues, segments)


def test_each_segment_of_agents_sees_its_own_effects():
    w = make_world(cities=7, areas=3, seed=4)
    agents, team = make_agents(w, 600, seed=9), Team(1)
    three = [Effects.none(7, 3), effects(w, 1), effects(w, 2)]
    segment = np.arange(600, dtype=np.uint8) % 3
    together = expect(agents._replace(segment=segment), seen(w, *three), team)
    apart = [
        expect(Agents(*(array[segment == k] for array in agents)), seen(w, three[k]), team)
        for k in range(3)
    ]
    assert np.allclose(together[0], sum(flows for flows, _ in apart), rtol=1e-6)
    assert np.allclose(together[1], sum(looking for _, looking in apart), rtol=1e-6)
    assert not np.allclose(apart[1][0], expect(agents, seen(w, three[0]), team)[0])
    look = np.zeros((2, 600), np.uint8)
    consider(agents._replace(segment=segment), seen(w, *three), 1, 5, 6, 0, 600, look[0])
    for k in range(3):
        consider(agents, seen(w, three[k]), 1, 5, 6, 0, 600, look[1])
        assert np.array_equal(look[0, segment == k], look[1, segment == k])
        look[1] = 0


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.5])
def test_visibility_multiplies_the_probability_to_look(factor):
    w = make_world(cities=5, areas=2, seed=4)
    agents, effect = make_agents(w, 500, seed=9), Effects.none(5, 2)
    effect.looking[3] = factor
    before = expect(agents, seen(w), Team(1))[1]
    after = expect(agents, seen(w, effect), Team(1))[1]
    assert after / before == pytest.approx([1, 1, 1, factor, 1], rel=1e-6)


@functools.cache
def odds(**changes):
    """Return the odds of each city against staying, for one agent in a world of one nest."""
    parameters = Parameters().off("nest")
    w = make_world(cities=5, areas=2, seed=4, parameters=parameters)
    agents, effect = make_agents(w, 1, seed=9), Effects.none(5, 2)
    agents = agents._replace(city=np.array([1], np.int16))
    for name, value in changes.items():
        getattr(effect, name)[1] += value
    flows = expect(agents, seen(w, effect), Team(1))[0][1]
    return flows / flows[1]


def test_utility_given_to_stayers_and_to_movers_counts_one_to_one():
    others = np.arange(5) != 1
    assert odds(staying=0.7)[others] == pytest.approx(odds()[others] * math.exp(-0.7), rel=1e-4)
    assert odds(utility=0.7)[others] == pytest.approx(odds()[others] * math.exp(0.7), rel=1e-4)
