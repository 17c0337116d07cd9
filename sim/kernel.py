"""The yearly kernel: who considers moving, and where they choose to go, sampled exactly.

Agents are flat arrays (structure of arrays); no Python object is touched in a loop. Every loop
over cities runs over a padded row of 32-bit lanes, so that it vectorises. Utilities of
destinations are kept in units of log2 divided by the dissimilarity of the go nest, so that a city's
weight in the nest is a plain power of two.

The choice is sampled as a race: destination j arrives at time E_j / w_j with E_j a standard
exponential keyed by (seed, agent, year, j), and the first wins (an exponential race is Gumbel-max).
Stay and go are compared through a positive stable variable S with E[exp(-t S)] = exp(-t**theta),
drawn by Kanter's (1975) formula: a Gumbel vector with a common stable factor has the distribution
of the nested logit (McFadden 1978). All draws are fixed per agent, year and city, so raising the
utility of one city moves people only to it or keeps them in it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.fastmath import exp2, log2
from sim.jit import inline, kernel
from sim.rng import BLOCK, LANES, LOOK, RACE, STAY, load_counters, philox_lanes, unit

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TINY = np.float32(1e-6)
_LN2 = np.float32(0.6931471805599453)


class Agents(NamedTuple):
    """Arrays of the agents, one entry an agent (N)."""

    ids: np.ndarray  # uint64
    city: np.ndarray  # int16, where the agent lives
    home: np.ndarray  # int16, home city (its area is the citizenship)
    age: np.ndarray  # uint8, years
    stage: np.ndarray  # uint8, index of parameters.STAGES
    tier: np.ndarray  # uint8, index of parameters.TIERS
    field: np.ndarray  # uint8, index of parameters.FIELDS
    years: np.ndarray  # uint8, years in the present city, at most 60
    fresh: np.ndarray  # uint8, 1 in the year of graduation
    traits: np.ndarray  # uint8 (N, 16), personal quantiles: see behaviour.py
    segment: np.ndarray  # uint8, which policies select the agent this year: see policy.py


class World(NamedTuple):
    """What agents see in a year; L is the number of cities padded to whole blocks of lanes.

    The segments (S) tell apart agents whom different policies select; without any there is one.

    Scores and aspirations are in tens of index points; rows added to utility are in units of
    log2 / dissimilarity.
    """

    scores: np.ndarray  # float32 (S, 6, L)
    reference: np.ndarray  # float32 (C, 6), landscape at the start: aspirations adapt to it
    pull: np.ndarray  # float32 (L,), size of each destination; -1000 in the padding
    by_origin: np.ndarray  # float32 (S, C, 4, L): distance, border, settlement, near
    by_area: np.ndarray  # float32 (S, A, 4, L): visa, language, conationals, home area
    staying: np.ndarray  # float32 (S, C), added to the utility of staying in each city
    looking: np.ndarray  # float32 (S, C), factor on looking by city of residence
    area_of_city: np.ndarray  # int16 (C,)
    weights: np.ndarray  # float32 (G, 6), mean need weights by group
    friction: np.ndarray  # float32 (G, 4): factors on distance, settlement, visa, language
    taste: np.ndarray  # float32 (256,), factor on a need weight by quantile
    cost: np.ndarray  # float32 (256,), factor on the weight of public life by quantile
    aspiration: np.ndarray  # float32 (T, 6), mean aspirations by tier
    wish: np.ndarray  # float32 (256,), personal shift of an aspiration by quantile
    adapt: np.ndarray  # float32 (61,), share adapted by years in the city
    look: np.ndarray  # float32 (128, 61), probability to look by age and years in the city
    scalars: np.ndarray  # float32: see behaviour.SCALARS


class Scalars(NamedTuple):
    """Positions in `World.scalars`."""

    beta: int = 0  # utility of ten points, in log2 / dissimilarity
    loss: int = 1  # loss aversion
    gate: int = 2  # per ten points
    stay: int = 3  # fixed cost of moving, in log2 / dissimilarity
    home_city: int = 4  # in log2 / dissimilarity
    theta: int = 5  # dissimilarity of the go nest
    push: int = 6  # per ten points
    graduation: int = 7  # factor on looking
    ceiling: int = 8  # highest probability to look


S = Scalars()


@inline
def needs(agents, world, i, weight, wish):
    """Write agent i's six need weights (sum 1) and aspirations (tens of points) and its group."""
    tier = agents.tier[i]
    group = (np.int64(agents.stage[i]) * 7 + np.int64(agents.field[i])) * 3 + np.int64(tier)
    traits = agents.traits[i]
    total = _ZERO
    for d in range(6):
        weight[d] = world.weights[group, d] * world.taste[traits[d]]
    weight[5] *= world.cost[traits[12]]
    for d in range(6):
        total += weight[d]
    origin = agents.city[i]
    adapted = world.adapt[agents.years[i]]
    for d in range(6):
        weight[d] /= max(total, _TINY)
        level = world.aspiration[tier, d] + world.wish[traits[6 + d]]
        wish[d] = level + adapted * (world.reference[origin, d] - level)
    return group


@inline
def looks(agents, world, i, weight, wish):
    """Return agent i's probability to look around this year (float32)."""
    scalars = world.scalars
    rate = world.look[agents.age[i], agents.years[i]]
    if agents.fresh[i]:
        rate *= scalars[S.graduation]
    lack = _ZERO
    origin, segment = agents.city[i], agents.segment[i]
    for d in range(6):
        lack += weight[d] * max(wish[d] - world.scores[segment, d, origin], _ZERO)
    rate *= (_ONE + scalars[S.push] * lack) * world.looking[segment, origin]
    return min(rate, scalars[S.ceiling])


@inline
def fill_values(world, segment, weight, wish, out):
    """Write what each city's scores are worth to an agent: gated pulls less lacks.

    Dimensions are ordered economy, innovation | openness, ecology | welfare, public life: the
    layers of value, environment and living. Unmet needs shrink the pull of the layers above. The
    loop is written out so that it vectorises over cities. Units: log2 / dissimilarity.
    """
    scalars = world.scalars
    beta, loss, gate = scalars[S.beta], scalars[S.loss], scalars[S.gate]
    scores = world.scores[segment]
    s0, s1, s2, s3, s4, s5 = scores[0], scores[1], scores[2], scores[3], scores[4], scores[5]
    w0, w1, w2, w3, w4, w5 = weight[0], weight[1], weight[2], weight[3], weight[4], weight[5]
    a0, a1, a2, a3, a4, a5 = wish[0], wish[1], wish[2], wish[3], wish[4], wish[5]
    gate_live = gate / max(w4 + w5, _TINY)
    gate_env = gate / max(w2 + w3, _TINY)
    for j in range(out.shape[0]):
        g0, g1, g2 = s0[j] - a0, s1[j] - a1, s2[j] - a2
        g3, g4, g5 = s3[j] - a3, s4[j] - a4, s5[j] - a5
        pull_value = w0 * max(g0, _ZERO) + w1 * max(g1, _ZERO)
        pull_env = w2 * max(g2, _ZERO) + w3 * max(g3, _ZERO)
        pull_live = w4 * max(g4, _ZERO) + w5 * max(g5, _ZERO)
        lack_value = pull_value - (w0 * g0 + w1 * g1)
        lack_env = pull_env - (w2 * g2 + w3 * g3)
        lack_live = pull_live - (w4 * g4 + w5 * g5)
        open_env = _ONE / (_ONE + gate_live * lack_live)
        open_value = open_env / (_ONE + gate_env * lack_env)
        pull = pull_live + open_env * pull_env + open_value * pull_value
        out[j] = beta * (pull - loss * (lack_value + lack_env + lack_live))


@inline
def fill_utilities(agents, world, i, group, row):
    """Add to ``row`` what separates agent i from each destination: size, obstacles and ties.

    Returns the utility of staying, to be compared with the go nest. Units: log2 / dissimilarity.
    """
    scalars = world.scalars
    origin, home, segment = agents.city[i], agents.home[i], agents.segment[i]
    pairs, areas = (
        world.by_origin[segment, origin],
        world.by_area[segment, world.area_of_city[home]],
    )
    stay = row[origin] + scalars[S.stay] + areas[3, origin] + world.staying[segment, origin]
    if home == origin:
        stay += scalars[S.home_city]
    size = world.pull
    distance, border, settlement, colleagues = pairs[0], pairs[1], pairs[2], pairs[3]
    visa, language, conationals, home_area = areas[0], areas[1], areas[2], areas[3]
    f0, f1 = world.friction[group, 0], world.friction[group, 1]
    f2, f3 = world.friction[group, 2], world.friction[group, 3]
    for j in range(row.shape[0]):
        near = size[j] + colleagues[j] + conationals[j] + home_area[j]
        far = border[j] + f0 * distance[j] + f1 * settlement[j] + f2 * visa[j] + f3 * language[j]
        row[j] += near - far
    row[home] += scalars[S.home_city]
    return stay


@inline
def sine(turn):
    """sin(pi * turn) in float32 for ``turn`` in [0, 1], close also in relative terms."""
    x = min(turn, _ONE - turn)
    y = x * x
    p = np.float32(0.07783489674329758)
    p = p * y + np.float32(-0.5984281897544861)
    p = p * y + np.float32(2.550109624862671)
    p = p * y + np.float32(-5.167712211608887)
    p = p * y + np.float32(3.1415927410125732)
    return p * x


@inline
def stable_log2(theta, angle, exponential):
    """log2 of a positive stable variable S, E[exp(-t S)] = exp(-t**theta), by Kanter (1975).

    ``angle`` is uniform on (0, 1), ``exponential`` standard exponential. In float32.
    """
    t, u = np.float32(theta), np.float32(angle)
    rest = _ONE - t
    tilt = log2(sine(rest * u)) - log2(np.float32(exponential))
    stable = log2(sine(t * u)) + (tilt * rest - log2(sine(u))) / t
    return stable if t < np.float32(0.9999) else _ZERO


@inline
def draw_stay(ids, lookers, start, lanes, year, key0, key1, theta, counter, luck):
    """Write what speaks for leaving apart from utility: ``luck`` times ``theta`` is in log2.

    An agent goes where its luck exceeds the utility of staying plus log2 of the winner's time.
    """
    for j in range(lanes):
        agent = ids[lookers[start + j]]
        counter[0, j] = np.uint32(agent)
        counter[1, j] = np.uint32(agent >> np.uint64(32))
        counter[2, j] = np.uint32(year)
        counter[3, j] = np.uint32(STAY)
    philox_lanes(counter, key0, key1, 10)
    c0, c1, c2 = counter[0], counter[1], counter[2]
    t = np.float32(theta)
    for j in range(luck.shape[0]):
        exponential = -log2(unit(c2[j])) * _LN2
        stay = -log2(-log2(unit(c0[j])) * _LN2)
        luck[j] = stable_log2(t, unit(c1[j]), exponential) - stay / t


@inline
def race(row, origin, counter, times, agent, year, key0, key1):
    """Let all cities but ``origin`` race; return the winner and the log2 of its time."""
    low, high = np.uint32(agent), np.uint32(agent >> np.uint64(32))
    for block in range(row.shape[0] // BLOCK):
        for j in range(LANES):
            counter[0, j] = low
            counter[1, j] = high
            counter[2, j] = np.uint32(year)
            counter[3, j] = np.uint32(RACE + block * LANES + j)
        philox_lanes(counter, key0, key1, 7)
        luck = counter.reshape(BLOCK)
        weights = row[block * BLOCK : block * BLOCK + BLOCK]
        out = times[block * BLOCK : block * BLOCK + BLOCK]
        for j in range(BLOCK):
            out[j] = -log2(unit(luck[j])) * exp2(-weights[j])
    times[origin] = np.float32(np.inf)
    bits = times.view(np.int32)  # positive floats order as their bits do, and integers vectorise
    best = np.int32(0x7FFFFFFF)
    for j in range(bits.shape[0]):
        best = min(best, bits[j])
    winner = 0
    while bits[winner] != best:
        winner += 1
    return winner, log2(times[winner] * _LN2)


@kernel
def choose(agents, world, lookers, year, key0, key1, start, stop, destination):
    """Draw the destination of ``lookers[start:stop]`` (its own city: the agent stays).

    Writes ``destination``, an int16 array parallel to ``lookers``.
    """
    size, cities = world.pull.shape[0], world.reference.shape[0]
    weight, wish = np.empty(6, np.float32), np.empty(6, np.float32)
    row, times = np.empty(size, np.float32), np.empty(size, np.float32)
    counter, luck = np.empty((4, LANES), np.uint32), np.empty(BLOCK, np.float32)
    block = np.zeros((4, BLOCK), np.uint32)
    theta = world.scalars[S.theta]
    while start < stop:
        lanes = min(BLOCK, stop - start)
        draw_stay(agents.ids, lookers, start, lanes, year, key0, key1, theta, block, luck)
        for j in range(lanes):
            i = lookers[start + j]
            origin, agent = agents.city[i], agents.ids[i]
            group = needs(agents, world, i, weight, wish)
            fill_values(world, agents.segment[i], weight, wish, row)
            stay = fill_utilities(agents, world, i, group, row)
            winner, time = race(row, origin, counter, times, agent, year, key0, key1)
            goes = luck[j] > stay + time and winner < cities
            destination[start + j] = winner if goes else origin
        start += lanes


@kernel
def consider(agents, world, year, key0, key1, start, stop, look):
    """Decide for agents ``start`` to ``stop`` whether they look around this year.

    Writes ``look``, a uint8 array parallel to the agents: 1 for those who do.
    """
    weight, wish = np.empty(6, np.float32), np.empty(6, np.float32)
    counter = np.empty((4, BLOCK), np.uint32)
    most = _ONE + world.scalars[S.push] * np.float32(6.0)  # 60 points: more than any lack
    while start < stop:
        lanes = min(BLOCK, stop - start)
        load_counters(agents.ids, start, lanes, year, LOOK, counter)
        philox_lanes(counter, key0, key1, 10)
        for j in range(lanes):
            i = start + j
            luck = unit(counter[0, j])
            bound = world.look[agents.age[i], agents.years[i]] * most
            bound *= world.looking[agents.segment[i], agents.city[i]]
            if agents.fresh[i]:
                bound *= world.scalars[S.graduation]
            if luck < bound:  # most are settled without reading their needs
                needs(agents, world, i, weight, wish)
                look[i] = luck < looks(agents, world, i, weight, wish)
        start += lanes
