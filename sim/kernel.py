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

Most who look stay, because no city arrives before what speaks for leaving has run out. That is seen
from bounds of all times of arrival; the exact time is computed of the few cities that can win.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.fastmath import log2
from sim.jit import bare, inline, kernel
from sim.rng import BLOCK, LANES, LOOK, RACE, STAY, draw_words, race_words, unit

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_TINY = np.float32(1e-6)
_LN2 = np.float32(0.6931471805599453)
_FAR = np.float32(np.inf)
_ABOVE = np.float32(1.00001)  # more than what rounding can do to a bound
# Bounds of times are kept 256 too high, so that they are positive and order as their bits do.
_REACH = np.float32(256.0 + 2.0**-7)  # a limit's, with more than what rounding can do
_BITS = np.float32(256.0 - 127.0 - 23.0)  # that of words, less the offset of exponents and words


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
def outlook(world, weight, wish):
    """Return what `value` needs of an agent: halves of weights, their gains at zero, two gates."""
    gate = world.scalars[S.gate]
    w0, w1, w2 = _HALF * weight[0], _HALF * weight[1], _HALF * weight[2]
    w3, w4, w5 = _HALF * weight[3], _HALF * weight[4], _HALF * weight[5]
    zero = (w0 * wish[0], w1 * wish[1], w2 * wish[2], w3 * wish[3], w4 * wish[4], w5 * wish[5])
    gate_live = gate / max(weight[4] + weight[5], _TINY)
    gate_env = gate / max(weight[2] + weight[3], _TINY)
    return (w0, w1, w2, w3, w4, w5), zero, (gate_live, gate_env)


@inline
def value(world, segment, mine, j):
    """Return what city j's scores are worth to an agent: gated pulls less lacks.

    Dimensions are ordered economy, innovation | openness, ecology | welfare, public life: the
    layers of value, environment and living. Unmet needs shrink the pull of the layers above. It is
    written out so that a loop over cities vectorises. Units: log2 / dissimilarity.
    """
    w, b, gates = mine
    s = world.scores
    # halves of gains; max(2g, 0) is g + |g|, and max(-2g, 0) is |g| - g
    g0, g1 = w[0] * s[segment, 0, j] - b[0], w[1] * s[segment, 1, j] - b[1]
    g2, g3 = w[2] * s[segment, 2, j] - b[2], w[3] * s[segment, 3, j] - b[3]
    g4, g5 = w[4] * s[segment, 4, j] - b[4], w[5] * s[segment, 5, j] - b[5]
    value, value_size = g0 + g1, abs(g0) + abs(g1)
    env, env_size = g2 + g3, abs(g2) + abs(g3)
    live, live_size = g4 + g5, abs(g4) + abs(g5)
    pull_value, lack_value = value_size + value, value_size - value
    pull_env, lack_env = env_size + env, env_size - env
    pull_live, lack_live = live_size + live, live_size - live
    shut_env = _ONE + gates[0] * lack_live
    shut_value = _ONE + gates[1] * lack_env
    above = (shut_value * pull_env + pull_value) / (shut_env * shut_value)
    lack = world.scalars[S.loss] * (lack_value + lack_env + lack_live)
    return world.scalars[S.beta] * (pull_live + above - lack)


@inline
def utility(agents, world, i, group, mine, j):
    """Return agent i's utility of going to city j, in log2 / dissimilarity."""
    origin, home, segment = agents.city[i], agents.home[i], agents.segment[i]
    area = world.area_of_city[home]
    far, near, f = world.by_origin, world.by_area, world.friction
    out = value(world, segment, mine, j) + far[segment, origin, 2, j] + near[segment, area, 2, j]
    out -= f[group, 0] * far[segment, origin, 0, j] + f[group, 1] * far[segment, origin, 1, j]
    out -= f[group, 2] * near[segment, area, 0, j] + f[group, 3] * near[segment, area, 1, j]
    return out + world.scalars[S.home_city] if j == home else out


@inline
def staying(agents, world, i, mine):
    """Return agent i's utility of staying, to be compared with the go nest."""
    scalars = world.scalars
    origin, home, segment = agents.city[i], agents.home[i], agents.segment[i]
    out = value(world, segment, mine, origin) + scalars[S.stay] + world.staying[segment, origin]
    out += world.by_area[segment, world.area_of_city[home], 3, origin]
    return out + scalars[S.home_city] if home == origin else out


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
def luck_of_race(words, agent, year, key0, key1):
    """Write the random words of an agent's race, one a city."""
    for block in range(words.shape[0]):
        race_words(agent, year, RACE + block * LANES, key0, key1, words[block])


@inline
def earliest(agents, world, i, group, weight, wish, luck, out):
    """Write for each city what the log2 of its time of arrival, plus 256, is at least.

    A lack weighs more than a surplus, so by Jensen's inequality no city is worth more than if the
    weighted mean of gains were the gain; a gate only takes from that. A standard exponential
    -ln(u) is at least 1 - u, whose log2 is at least what its bits say, read as a whole number.
    """
    origin, home, segment = agents.city[i], agents.home[i], agents.segment[i]
    scores, scalars = world.scores[segment], world.scalars
    s0, s1, s2, s3, s4, s5 = scores[0], scores[1], scores[2], scores[3], scores[4], scores[5]
    w0, w1, w2, w3, w4, w5 = weight[0], weight[1], weight[2], weight[3], weight[4], weight[5]
    level = _ZERO
    for d in range(6):
        level += weight[d] * wish[d]
    gain, lack = scalars[S.beta], scalars[S.beta] * scalars[S.loss]
    for j in range(out.shape[0]):
        g = w0 * s0[j] + w1 * s1[j] + w2 * s2[j] + w3 * s3[j] + w4 * s4[j] + w5 * s5[j] - level
        share = np.float32(np.int32(~luck[j] >> np.uint32(9)))
        time = np.float32(share.view(np.int32)) * np.float32(2.0**-23) + _BITS
        out[j] = time - min(gain * g, lack * g)
    pairs = world.by_origin[segment, origin]
    areas = world.by_area[segment, world.area_of_city[home]]
    distance, settlement, near = pairs[0], pairs[1], pairs[2]
    visa, language, ties = areas[0], areas[1], areas[2]
    f0, f1 = world.friction[group, 0], world.friction[group, 1]
    f2, f3 = world.friction[group, 2], world.friction[group, 3]
    for j in range(out.shape[0]):
        far = f0 * distance[j] + f1 * settlement[j] + f2 * visa[j] + f3 * language[j]
        out[j] += far - near[j] - ties[j]
    out[home] -= scalars[S.home_city]
    out[origin] = _FAR


@inline
def lowest(row):
    """Return the position of a row's lowest number and that number, rounded down a little.

    Positive floats order as their bits do; the lowest bits are taken for the position. Where there
    are negative numbers, it is the position of one of them and minus infinity.
    """
    mask = np.int32(BLOCK - 1)
    while mask < row.shape[0] - 1:
        mask = np.int32(2 * mask + 1)
    first = np.int32(0x7FFFFFFF)
    for j in range(row.shape[0]):
        bits = np.float32(row[j]).view(np.int32)
        first = min(first, np.int32((bits & ~mask) | np.int32(j)))
    least = np.int32(first & ~mask).view(np.float32)
    return np.int64(first & mask), least if first >= 0 else -_FAR


@inline
def any_within(row, limit):
    """Return whether any number of a row is at most ``limit``."""
    number = np.int32(0)
    for j in range(row.shape[0]):
        number = np.int32(number + np.int32(row[j] <= limit))
    return number > 0


@inline
def arrival(agents, world, i, group, mine, luck, j):
    """Return the log2 of city j's time of arrival: a standard exponential over 2**utility."""
    exponential = -log2(unit(luck[j])) * _LN2
    return log2(exponential) - utility(agents, world, i, group, mine, j)


@inline
def race(agents, world, i, group, weight, wish, luck, bound, limit):
    """Return the city that arrives first if it does so before ``limit`` (log2), else the own one.

    Exact times are computed only for cities whose bound allows them to win: for five lookers of six
    there is none.
    """
    earliest(agents, world, i, group, weight, wish, luck, bound)
    winner, cities = np.int64(agents.city[i]), world.reference.shape[0]
    first, least = lowest(bound)
    if least <= limit + _REACH and first < cities:
        mine = outlook(world, weight, wish)
        time = arrival(agents, world, i, group, mine, luck, first)
        if time < limit:
            winner, limit = first, time
        bound[first] = _FAR
        if any_within(bound, limit + _REACH):
            for j in range(cities):
                if bound[j] <= limit + _REACH:
                    time = arrival(agents, world, i, group, mine, luck, j)
                    if time < limit:
                        winner, limit = np.int64(j), time
    return winner


@bare
def _recall(agents, world, lookers, ids, group, weight, wish):
    """Look up the needs of a block of agents, in a loop of its own: fetched side by side."""
    for j in range(lookers.shape[0]):
        ids[j] = agents.ids[lookers[j]]
        group[j] = needs(agents, world, lookers[j], weight[j], wish[j])


@bare
def _decide(
    agents, world, lookers, year, key0, key1, group, weight, wish, luck, words, bound, destination
):
    """Draw the destinations of a block of agents."""
    race_luck = words.reshape(bound.shape[0])
    for j in range(lookers.shape[0]):
        i = lookers[j]
        luck_of_race(words, agents.ids[i], year, key0, key1)
        limit = luck[j] - staying(agents, world, i, outlook(world, weight[j], wish[j]))
        destination[j] = race(
            agents, world, i, group[j], weight[j], wish[j], race_luck, bound, limit
        )


@kernel
def choose(agents, world, lookers, year, key0, key1, start, stop, destination):
    """Draw the destination of ``lookers[start:stop]`` (its own city: the agent stays).

    Writes ``destination``, an int16 array parallel to ``lookers``.
    """
    size = world.by_origin.shape[3]
    weight, wish = np.empty((BLOCK, 6), np.float32), np.empty((BLOCK, 6), np.float32)
    words, bound = np.empty((size // BLOCK, 4, LANES), np.uint32), np.empty(size, np.float32)
    ids, draws = np.zeros(BLOCK, np.uint64), np.empty((4, BLOCK), np.uint32)
    group, luck = np.empty(BLOCK, np.int64), np.empty(BLOCK, np.float32)
    while start < stop:
        lanes = min(BLOCK, stop - start)
        here, there = lookers[start : start + lanes], destination[start : start + lanes]
        _recall(agents, world, here, ids, group, weight, wish)
        draw_stay(ids, year, key0, key1, world.scalars[S.theta], draws, luck)
        _decide(
            agents, world, here, year, key0, key1, group, weight, wish, luck, words, bound, there
        )
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
