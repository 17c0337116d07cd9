"""The bare decision, dense: every agent weighs every city, and a uniform draw settles it.

This is the quick sampler for ensembles that need totals only. Its draws are *not* coupled: a
uniform is compared with cumulative probabilities, so raising one city's utility shifts everybody's
boundaries and may move people between two others. Where scenarios are compared person by person,
use `sim.kernel.choose`, whose races among cities have no bystanders.

Utilities are in units of log2, so that a weight is a plain power of two. A block of 128 cities lies
in lanes of 32-bit floats, and the arrays of a block are flat, with distances known to the compiler:
so it need not ask at run time whether they overlap. The weights of 16 agents are kept at a time, so
that they stay in the first-level cache. Sums of four are taken as soon as weights are there; the
rest of each agent's tree of sums is added pair by pair, a level for all 16 in one loop. An agent
then goes down its tree without a branch that could be mispredicted.
"""

from __future__ import annotations

import numpy as np

from sim.errors import UserError
from sim.fastmath import exp2_rough
from sim.jit import inline, kernel
from sim.lanes import aligned
from sim.rng import BLOCK, DENSE, draw_words, split_seed, unit
from sim.team import Team

#: Agents whose weights are kept at a time: they fit in the first-level cache.
BATCH = 16
QUARTER = BLOCK // 4
#: Utilities are cut off at plus and minus this, so that sums over cities stay finite.
LIMIT = 100.0
_LIMIT = np.float32(LIMIT)


@kernel
def _largest(values):
    """Return the largest absolute value of a flat float32 array, by its bits: these vectorise."""
    bits, most = values.view(np.int32), np.int32(0)
    for t in range(bits.shape[0]):
        most = max(most, np.int32(bits[t] & np.int32(0x7FFFFFFF)))
    return np.int32(most).view(np.float32)


@inline
def _weight(s, far, v, j, careful):
    """Return 2 to the utility of place ``j`` of a block; ``s`` holds its rows one after another."""
    x = v[0] * s[j] + v[1] * s[j + BLOCK] + v[2] * s[j + 2 * BLOCK] + v[3] * s[j + 3 * BLOCK]
    x += v[4] * s[j + 4 * BLOCK] + v[5] * s[j + 5 * BLOCK] - v[6] * far[j]
    if careful:
        return exp2_rough(min(max(x, -_LIMIT), _LIMIT)) * s[j + 6 * BLOCK]
    return exp2_rough(x)


@inline
def _evaluate(weights, factor, origin, scores, cost, first, last, by_agent, careful):
    """Write the weights of all cities, and sums of four, of BATCH agents from ``first`` on.

    Beyond ``last`` comes ``last`` again. The four of a sum are a quarter of a block apart. Where
    each four are either cities or padding, and no utility is cut off, ``careful`` may be False.
    """
    rows, quarters = by_agent
    for b in range(scores.shape[0]):
        s = scores[b]
        for a in range(BATCH):
            i = min(first + a, last)
            v0, v1, v2 = weights[i, 0], weights[i, 1], weights[i, 2]
            v3, v4, v5 = weights[i, 3], weights[i, 4], weights[i, 5]
            v = (v0, v1, v2, v3, v4, v5, factor[i])
            far, out, sums = cost[b, origin[i]], rows[b, a], quarters[b, a]
            for j in range(QUARTER):
                k0, k1, k2, k3 = j, j + QUARTER, j + 2 * QUARTER, j + 3 * QUARTER
                w0, w1 = _weight(s, far, v, k0, careful), _weight(s, far, v, k1, careful)
                w2, w3 = _weight(s, far, v, k2, careful), _weight(s, far, v, k3, careful)
                out[k0], out[k1], out[k2], out[k3] = w0, w1, w2, w3
                sums[j] = ((w0 + w1) + (w2 + w3)) * s[j + 6 * BLOCK]


@inline
def _fold(source, target):
    """Write sums of neighbouring pairs, for a whole batch in one loop that vectorises."""
    for j in range(target.shape[0]):
        target[j] = source[2 * j] + source[2 * j + 1]


@inline
def _add_up(tree):
    """Build each agent's tree of sums, a level at a time for the whole batch."""
    quarters, eighths, groups, pairs, twos, totals = tree
    _fold(quarters, eighths)
    _fold(eighths, groups)
    _fold(groups, pairs)
    _fold(pairs, twos)
    _fold(twos, totals)


@inline
def _descend(sums, place, target):
    """Go down a level, a whole batch in one loop: to the left or right child of each place.

    A target falls into the right one where it is at least the left sum, which is then taken off.
    """
    for a in range(BATCH):
        child = place[a] + place[a]
        left, aim = sums[child], target[a]
        place[a] = child + np.uint32(aim >= left)
        target[a] = aim - left if aim >= left else aim


@inline
def _select(rows, tree, words, begin, place, target):
    """Draw the block and place of a city for each agent, as likely as its weight, down its tree.

    Places are unsigned: Numba need not ask whether an index counts from the end.
    """
    quarters, eighths, groups, pairs, twos, totals = tree
    luck0, luck1, luck2 = words[0], words[1], words[2]
    for a in range(BATCH):
        place[a] = np.uint32(a)
    if totals.shape[0] > BATCH:
        for a in range(BATCH):
            place[a] += np.uint32(BATCH) * _block(totals, a, unit(luck2[begin + a]))
    for a in range(BATCH):
        target[a] = unit(luck0[begin + a]) * totals[place[a]]
    _descend(twos, place, target)
    _descend(pairs, place, target)
    _descend(groups, place, target)
    for a in range(BATCH):
        target[a] = unit(luck1[begin + a]) * groups[place[a]]
    _descend(eighths, place, target)
    _descend(quarters, place, target)
    for a in range(BATCH):
        row = place[a] >> np.uint32(5)
        first = row * np.uint32(BLOCK) + (place[a] & np.uint32(QUARTER - 1))
        one, aim = rows[first], target[a]
        two = one + rows[first + np.uint32(QUARTER)]
        three = two + rows[first + np.uint32(2 * QUARTER)]
        passed = np.uint32(aim >= one) + np.uint32(aim >= two) + np.uint32(aim >= three)
        place[a] = first + passed * np.uint32(QUARTER)


@inline
def _block(totals, a, luck):
    """Draw a block for agent ``a``, as likely as the sum of its weights."""
    total = np.float32(0.0)
    for k in range(a, totals.shape[0], BATCH):
        total += totals[k]
    left, block, last = luck * total, np.uint32(0), np.uint32(totals.shape[0] // BATCH - 1)
    while block < last and left >= totals[block * np.uint32(BATCH) + np.uint32(a)]:
        left -= totals[block * np.uint32(BATCH) + np.uint32(a)]
        block += np.uint32(1)
    return block


@kernel
def _decide(
    weights,
    factor,
    origin,
    ids,
    scores,
    cost,
    reach,
    city_of,
    year,
    key0,
    key1,
    start,
    stop,
    out,
):
    """Draw a city for agents ``start`` to ``stop``; `decide` describes the arrays."""
    trees = scores.shape[0] * BATCH
    rows, quarters = np.empty(trees * BLOCK, np.float32), np.empty(trees * QUARTER, np.float32)
    eighths, groups = np.empty(trees * 16, np.float32), np.empty(trees * 8, np.float32)
    pairs, twos = np.empty(trees * 4, np.float32), np.empty(trees * 2, np.float32)
    tree = (quarters, eighths, groups, pairs, twos, np.empty(trees, np.float32))
    by_agent = rows.reshape(-1, BATCH, BLOCK), quarters.reshape(-1, BATCH, QUARTER)
    words, flat = np.empty((4, BLOCK), np.uint32), weights.reshape(-1)
    place, target = np.empty(BATCH, np.uint32), np.empty(BATCH, np.float32)
    while start < stop:
        lanes = min(BLOCK, stop - start)
        draw_words(ids, start, lanes, year, DENSE, key0, key1, words)
        # a bound on utilities: where it is within the limit, none needs to be cut off
        most = _largest(flat[6 * start : 6 * (start + lanes)]) * reach[0]
        most += _largest(factor[start : start + lanes]) * reach[1]
        careful = not (most <= _LIMIT) or cost.shape[1] % 4 > 0
        for begin in range(0, lanes, BATCH):
            first, last = start + begin, start + lanes - 1
            if careful:
                _evaluate(weights, factor, origin, scores, cost, first, last, by_agent, True)
            else:
                _evaluate(weights, factor, origin, scores, cost, first, last, by_agent, False)
            _add_up(tree)
            _select(rows, tree, words, begin, place, target)
            for a in range(min(BATCH, lanes - begin)):
                block = place[a] // np.uint32(BATCH * BLOCK)
                out[first + a] = city_of[block, place[a] % np.uint32(BLOCK)]
        start += lanes


def _places(cities: int) -> np.ndarray:
    """Return each city's place in lanes: four neighbours lie a quarter of a block apart.

    So in a block that is not full, all sums but one are either of cities or of padding.
    """
    city = np.arange(cities)
    return city // BLOCK * BLOCK + city % 4 * QUARTER + city % BLOCK // 4


def _blocks(rows: np.ndarray) -> np.ndarray:
    """Return ``rows`` (R, C) as float32 (blocks, R, BLOCK), padded with zeros."""
    number, cities = rows.shape
    blocks = -(-cities // BLOCK)
    out = aligned((blocks, number, BLOCK))
    places = _places(cities)
    out[places // BLOCK, :, places % BLOCK] = rows.T
    return out


def decide(
    weights: np.ndarray,
    factor: np.ndarray,
    origin: np.ndarray,
    ids: np.ndarray,
    scores: np.ndarray,
    cost: np.ndarray,
    year: int,
    seed: int,
    team: Team,
) -> np.ndarray:
    """Draw a city for every agent from a logit over all cities.

    Agent i chooses city j with probability in proportion to 2**u, where ``u = weights[i] @
    scores[j] - factor[i] * cost[origin[i], j]`` (in log2), cut off at plus and minus 100. Draws are
    a function of (seed, id, year): they depend neither on the number of threads nor on the order of
    the agents. Probabilities are resolved to about 1e-7. This function is the boundary behind which
    another device could do the same work: arrays in, arrays out, no state.

    Parameters
    ----------
    weights : (N, 6) array
        Need weights.
    factor : (N,) array
        Personal factor on costs.
    origin : (N,) integer array
        Where each agent lives, 0 to C - 1.
    ids : (N,) uint64 array
        Identities.
    scores : (C, 6) array
        What a need weight of 1 finds in each city, log2; finite.
    cost : (C, C) array
        Obstacles from row to column, log2; finite. Its diagonal is what staying costs (below zero
        where staying is easier than moving).
    year : int
        Years since the start.
    seed : int
        Seed of the draws, 0 to 2**64 - 1.
    team : Team
        Threads to use.

    Returns
    -------
    (N,) int16 array
        The chosen city; the origin means staying.

    Raises
    ------
    UserError
        If shapes do not fit together, a score or cost is not finite, or an origin is no city.
    """
    scores, cost = np.asarray(scores), np.asarray(cost)
    n, cities = len(ids), len(scores)
    shapes = {"weights": (n, 6), "factor": (n,), "origin": (n,), "scores": (cities, 6)}
    given = {"weights": weights, "factor": factor, "origin": origin, "scores": scores}
    for name, shape in {**shapes, "cost": (cities, cities)}.items():
        found = np.shape(cost if name == "cost" else given[name])
        if found != shape:
            raise UserError(f"{name} has the shape {found}, but should have {shape}")
    if not 0 < cities <= np.iinfo(np.int16).max:
        raise UserError(f"there are {cities} cities; between 1 and 32767 can be weighed")
    if not (np.isfinite(scores).all() and np.isfinite(cost).all()):
        raise UserError("scores and costs must be finite numbers")
    if n and not (int(origin.min()) >= 0 and int(origin.max()) < cities):
        raise UserError(f"origins must be cities, 0 to {cities - 1}")
    rows = _blocks(np.concatenate([scores.T, np.ones((1, cities))]))  # the last: 0 for padding
    reach = np.array([np.abs(scores).max(0).sum(), np.abs(cost).max()])
    city_of = np.full(len(rows) * BLOCK, cities - 1, np.int16)
    city_of[_places(cities)] = np.arange(cities)
    key0, key1 = split_seed(seed)
    out = np.empty(n, np.int16)
    arrays = (
        np.ascontiguousarray(weights, np.float32),
        np.ascontiguousarray(factor, np.float32),
        np.ascontiguousarray(origin, np.int16),
        np.ascontiguousarray(ids, np.uint64),
        rows.reshape(len(rows), -1),
        _blocks(cost),
        reach.astype(np.float32),
        city_of.reshape(-1, BLOCK),
    )

    def part(start: int, stop: int) -> None:
        _decide(*arrays, year, key0, key1, start, stop, out)

    team.share(n, part) if n else part(0, 0)
    return out
