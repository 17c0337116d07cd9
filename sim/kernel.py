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

from sim.fastmath import exp2, exp2_below, log2
from sim.jit import inline, kernel
from sim.rng import BLOCK, LANES, LOOK, RACE, STAY, draw_words, race_words, unit

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_TINY = np.float32(1e-6)
_LN2 = np.float32(0.6931471805599453)
_NOWHERE = np.float32(-1000.0)  # the utility of what cannot be chosen
_ABOVE = np.float32(1.00001)  # more than what rounding can do to a bound


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
    by_origin: np.ndarray  # float32 (S, C, 3, L): distance, settlement; size, colleagues, border
    by_area: np.ndarray  # float32 (S, A, 4, L): visa, language; conationals and home; home area
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
    w0, w1, w2 = _HALF * weight[0], _HALF * weight[1], _HALF * weight[2]
    w3, w4, w5 = _HALF * weight[3], _HALF * weight[4], _HALF * weight[5]
    b0, b1, b2 = w0 * wish[0], w1 * wish[1], w2 * wish[2]
    b3, b4, b5 = w3 * wish[3], w4 * wish[4], w5 * wish[5]
    gate_live = gate / max(weight[4] + weight[5], _TINY)
    gate_env = gate / max(weight[2] + weight[3], _TINY)
    for j in range(out.shape[0]):
        # halves of gains; max(2g, 0) is g + |g|, and max(-2g, 0) is |g| - g
        g0, g1, g2 = w0 * s0[j] - b0, w1 * s1[j] - b1, w2 * s2[j] - b2
        g3, g4, g5 = w3 * s3[j] - b3, w4 * s4[j] - b4, w5 * s5[j] - b5
        value, value_size = g0 + g1, abs(g0) + abs(g1)
        env, env_size = g2 + g3, abs(g2) + abs(g3)
        live, live_size = g4 + g5, abs(g4) + abs(g5)
        pull_value, lack_value = value_size + value, value_size - value
        pull_env, lack_env = env_size + env, env_size - env
        pull_live, lack_live = live_size + live, live_size - live
        shut_env = _ONE + gate_live * lack_live
        shut_value = _ONE + gate_env * lack_env
        above = (shut_value * pull_env + pull_value) / (shut_env * shut_value)
        out[j] = beta * (pull_live + above - loss * (lack_value + lack_env + lack_live))


@inline
def fill_utilities(agents, world, i, group, row):
    """Add to ``row`` what separates agent i from each destination: size, obstacles and ties.

    Returns the utility of staying, to be compared with the go nest. Units: log2 / dissimilarity.
    """
    scalars = world.scalars
    origin, home, segment = agents.city[i], agents.home[i], agents.segment[i]
    pairs = world.by_origin[segment, origin]
    areas = world.by_area[segment, world.area_of_city[home]]
    stay = row[origin] + scalars[S.stay] + areas[3, origin] + world.staying[segment, origin]
    if home == origin:
        stay += scalars[S.home_city]
    distance, settlement, near = pairs[0], pairs[1], pairs[2]
    visa, language, ties = areas[0], areas[1], areas[2]
    f0, f1 = world.friction[group, 0], world.friction[group, 1]
    f2, f3 = world.friction[group, 2], world.friction[group, 3]
    for j in range(row.shape[0]):
        far = f0 * distance[j] + f1 * settlement[j] + f2 * visa[j] + f3 * language[j]
        row[j] += near[j] + ties[j] - far
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
def draw_stay(ids, year, key0, key1, theta, words, luck):
    """Write what speaks for leaving apart from utility: ``luck`` times ``theta`` is in log2.

    An agent goes where its luck exceeds the utility of staying plus log2 of the winner's time.
    """
    draw_words(ids, 0, ids.shape[0], year, STAY, key0, key1, words)
    c0, c1, c2 = words[0], words[1], words[2]
    t = np.float32(theta)
    for j in range(luck.shape[0]):
        exponential = -log2(unit(c2[j])) * _LN2
        stay = -log2(-log2(unit(c0[j])) * _LN2)
        luck[j] = stable_log2(t, unit(c1[j]), exponential) - stay / t


@inline
def arrival(word, weight):
    """Return the time of arrival of a city: a standard exponential over 2**weight."""
    return -log2(unit(word)) * _LN2 * exp2(-weight)


@inline
def race(row, origin, words, earliest, agent, year, key0, key1):
    """Let all cities but ``origin`` race; return the winner and the log2 of its time.

    With u uniform, -ln(u) is at least 1 - u, and little more where it matters. So bounds are
    computed for all cities, and exact times only for those whose bound is within the time of the
    city with the lowest: seldom more than that one.
    """
    for block in range(words.shape[0]):
        race_words(agent, year, RACE + block * LANES, key0, key1, words[block])
    luck = words.reshape(row.shape[0])
    mask = np.int32(BLOCK - 1)
    while mask < row.shape[0] - 1:
        mask = np.int32(2 * mask + 1)
    row[origin] = _NOWHERE
    # positive floats order as their bits do; the lowest bits are taken for the city's number
    first = np.int32(0x7FFFFFFF)
    for j in range(row.shape[0]):
        share = np.float32(np.int32(~luck[j] >> np.uint32(9))) * np.float32(2.0**-23)
        bound = np.float32(share * exp2_below(-row[j]))
        earliest[j] = bound
        first = min(first, np.int32((bound.view(np.int32) & ~mask) | np.int32(j)))
    winner = np.int64(first & mask)
    time = arrival(luck[winner], row[winner])
    limit, rivals = time * _ABOVE, np.int32(0)
    for j in range(earliest.shape[0]):
        rivals = np.int32(rivals + np.int32(earliest[j] <= limit))
    if rivals > 1:
        for j in range(earliest.shape[0]):
            if earliest[j] <= limit:
                other = arrival(luck[j], row[j])
                if other < time:
                    winner, time = np.int64(j), other
    return winner, log2(time)


@kernel
def choose(agents, world, lookers, year, key0, key1, start, stop, destination):
    """Draw the destination of ``lookers[start:stop]`` (its own city: the agent stays).

    Writes ``destination``, an int16 array parallel to ``lookers``.
    """
    size, cities = world.by_origin.shape[3], world.reference.shape[0]
    weight, wish = np.empty((BLOCK, 6), np.float32), np.empty((BLOCK, 6), np.float32)
    row, earliest = np.empty(size, np.float32), np.empty(size, np.float32)
    words, luck = np.empty((size // BLOCK, 4, LANES), np.uint32), np.empty(BLOCK, np.float32)
    ids, draws = np.zeros(BLOCK, np.uint64), np.empty((4, BLOCK), np.uint32)
    group = np.empty(BLOCK, np.int64)
    theta = world.scalars[S.theta]
    while start < stop:
        lanes = min(BLOCK, stop - start)
        for j in range(lanes):  # a loop of its own, so that agents are fetched side by side
            i = lookers[start + j]
            ids[j] = agents.ids[i]
            group[j] = needs(agents, world, i, weight[j], wish[j])
        draw_stay(ids, year, key0, key1, theta, draws, luck)
        for j in range(lanes):
            i = lookers[start + j]
            origin = agents.city[i]
            fill_values(world, agents.segment[i], weight[j], wish[j], row)
            stay = fill_utilities(agents, world, i, group[j], row)
            winner, time = race(row, origin, words, earliest, ids[j], year, key0, key1)
            goes = luck[j] > stay + time and winner < cities
            destination[start + j] = winner if goes else origin
        start += lanes


@inline
def most_lack(world):
    """Return the largest lack that anybody can feel by segment and city (S, C), tens of points."""
    segments, cities = world.looking.shape
    out = np.zeros((segments, cities), np.float32)
    for d in range(6):
        highest = np.float32(-np.inf)
        for tier in range(world.aspiration.shape[0]):
            highest = max(highest, world.aspiration[tier, d])
        highest += world.wish[world.wish.shape[0] - 1]
        for segment in range(segments):
            for city in range(cities):
                wish = max(highest, world.reference[city, d])
                lack = wish - world.scores[segment, d, city]
                out[segment, city] = max(out[segment, city], lack)
    return out


@kernel
def consider(agents, world, year, key0, key1, start, stop, look):
    """Decide for agents ``start`` to ``stop`` whether they look around this year.

    Writes ``look``, a uint8 array parallel to the agents: 1 for those who do. Most are settled by a
    bound, without reading their needs.
    """
    weight, wish = np.empty(6, np.float32), np.empty(6, np.float32)
    words, doubtful = np.empty((4, BLOCK), np.uint32), np.empty(BLOCK, np.int64)
    rate, luck = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    bound = (_ABOVE + world.scalars[S.push] * most_lack(world)) * world.looking
    once = np.array([_ONE, world.scalars[S.graduation]])
    while start < stop:
        lanes = min(BLOCK, stop - start)
        draw_words(agents.ids, start, lanes, year, LOOK, key0, key1, words)
        for j in range(lanes):
            i = start + j
            luck[j] = unit(words[0, j])
            rate[j] = world.look[agents.age[i], agents.years[i]] * once[agents.fresh[i]]
            rate[j] *= bound[agents.segment[i], np.uint16(agents.city[i])]
        number = 0
        for j in range(lanes):
            doubtful[number] = j
            number += luck[j] < rate[j]
        for k in range(number):
            i, j = start + doubtful[k], doubtful[k]
            needs(agents, world, i, weight, wish)
            look[i] = luck[j] < looks(agents, world, i, weight, wish)
        start += lanes
