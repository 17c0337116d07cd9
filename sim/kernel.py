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

import math
from typing import NamedTuple

import numpy as np

from sim.fastmath import exp2, log2
from sim.jit import inline, kernel
from sim.rng import BLOCK, LANES, LOOK, RACE, STAY, load_counters, philox_lanes, unit

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_TINY = np.float32(1e-6)


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


class World(NamedTuple):
    """What agents see in a year; L is the number of cities padded to whole blocks of lanes.

    Scores and aspirations are in tens of index points; rows added to utility are in units of
    log2 / dissimilarity.
    """

    scores: np.ndarray  # float32 (6, L)
    reference: np.ndarray  # float32 (C, 6), landscape at the start: aspirations adapt to it
    pull: np.ndarray  # float32 (L,), size of each destination; -1000 in the padding
    by_origin: np.ndarray  # float32 (C, 4, L): distance, border, settlement, colleagues
    by_area: np.ndarray  # float32 (A, 4, L): visa, language, conationals, home area
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
    origin = agents.city[i]
    for d in range(6):
        lack += weight[d] * max(wish[d] - world.scores[d, origin], _ZERO)
    rate *= _ONE + scalars[S.push] * lack
    return min(rate, scalars[S.ceiling])


@inline
def fill_values(world, weight, wish, out):
    """Write what each city's scores are worth to an agent: gated pulls less lacks.

    Dimensions are ordered economy, innovation | openness, ecology | welfare, public life: the
    layers of value, environment and living. Unmet needs shrink the pull of the layers above. The
    loop is written out so that it vectorises over cities. Units: log2 / dissimilarity.
    """
    scalars = world.scalars
    beta, loss, gate = scalars[S.beta], scalars[S.loss], scalars[S.gate]
    s0, s1, s2 = world.scores[0], world.scores[1], world.scores[2]
    s3, s4, s5 = world.scores[3], world.scores[4], world.scores[5]
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
    origin, home = agents.city[i], agents.home[i]
    area = world.area_of_city[home]
    stay = row[origin] + scalars[S.stay] + world.by_area[area, 3, origin]
    if home == origin:
        stay += scalars[S.home_city]
    size = world.pull
    distance, border = world.by_origin[origin, 0], world.by_origin[origin, 1]
    settlement, colleagues = world.by_origin[origin, 2], world.by_origin[origin, 3]
    visa, language = world.by_area[area, 0], world.by_area[area, 1]
    conationals, home_area = world.by_area[area, 2], world.by_area[area, 3]
    f0, f1 = world.friction[group, 0], world.friction[group, 1]
    f2, f3 = world.friction[group, 2], world.friction[group, 3]
    for j in range(row.shape[0]):
        near = size[j] + colleagues[j] + conationals[j] + home_area[j]
        far = border[j] + f0 * distance[j] + f1 * settlement[j] + f2 * visa[j] + f3 * language[j]
        row[j] += near - far
    row[home] += scalars[S.home_city]
    return stay


@inline
def stable_log2(theta, angle, exponential):
    """log2 of a positive stable variable S, E[exp(-t S)] = exp(-t**theta), by Kanter (1975).

    ``angle`` is uniform on (0, 1), ``exponential`` standard exponential.
    """
    if theta > 0.9999:
        return 0.0
    u = math.pi * angle
    rest = 1.0 - theta
    natural = (
        math.log(math.sin(theta * u))
        - math.log(math.sin(u)) / theta
        + (math.log(math.sin(rest * u)) - math.log(exponential)) * rest / theta
    )
    return natural * 1.4426950408889634


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
        for k in range(4):
            lane = counter[k]
            start = block * BLOCK + k * LANES
            weights = row[start : start + LANES]
            out = times[start : start + LANES]
            for j in range(LANES):
                out[j] = -log2(unit(lane[j])) * exp2(-weights[j])
    times[origin] = np.float32(np.inf)
    bits = times.view(np.int32)  # positive floats order as their bits do, and integers vectorise
    best = np.int32(0x7FFFFFFF)
    for j in range(bits.shape[0]):
        best = min(best, bits[j])
    winner = 0
    while bits[winner] != best:
        winner += 1
    return winner, math.log2(times[winner]) - 0.5287663729448977  # log2 of ln 2


@kernel
def choose(agents, world, lookers, year, key0, key1, start, stop, destination):
    """Draw the destination of ``lookers[start:stop]`` (its own city: the agent stays).

    Writes ``destination``, an int16 array parallel to ``lookers``.
    """
    size, cities = world.pull.shape[0], world.reference.shape[0]
    weight, wish = np.empty(6, np.float32), np.empty(6, np.float32)
    row, times = np.empty(size, np.float32), np.empty(size, np.float32)
    counter = np.empty((4, LANES), np.uint32)
    one = np.empty((4, 1), np.uint32)
    theta = np.float64(world.scalars[S.theta])
    for k in range(start, stop):
        i = lookers[k]
        origin, agent = agents.city[i], agents.ids[i]
        group = needs(agents, world, i, weight, wish)
        fill_values(world, weight, wish, row)
        stay = fill_utilities(agents, world, i, group, row)
        winner, time = race(row, origin, counter, times, agent, year, key0, key1)
        load_counters(agents.ids, i, 1, year, STAY, one)
        philox_lanes(one, key0, key1, 10)
        u0, u1, u2 = unit(one[0, 0]), unit(one[1, 0]), unit(one[2, 0])
        stable = stable_log2(theta, np.float64(u1), -math.log(np.float64(u2)))
        stay_luck = -math.log2(-math.log(np.float64(u0)))
        goes = theta * (stable - time) > theta * stay + stay_luck
        destination[k] = winner if goes and winner < cities else origin


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
            if agents.fresh[i]:
                bound *= world.scalars[S.graduation]
            if luck < bound:  # most are settled without reading their needs
                needs(agents, world, i, weight, wish)
                look[i] = luck < looks(agents, world, i, weight, wish)
        start += lanes
