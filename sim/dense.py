"""The bare decision, dense: every agent weighs every city, and a uniform draw settles it.

This is the quick sampler for ensembles that need totals only. Its draws are *not* coupled: a
uniform is compared with cumulative probabilities, so raising one city's utility shifts everybody's
boundaries and may move people between two others. Where scenarios are compared person by person,
use `sim.kernel.choose`, whose races among cities have no bystanders.

Utilities are in units of log2, so that a weight is a plain power of two. A block of 128 cities lies
in lanes of 32-bit floats; the weights of 16 agents are kept at a time, so that they stay in the
first-level cache, and are summed pair by pair, a level for all 16 in one loop. An agent then goes
down its tree of sums without a branch that could be mispredicted.
"""

from __future__ import annotations

import numpy as np

from sim.errors import UserError
from sim.fastmath import exp2_within
from sim.jit import inline, kernel
from sim.rng import BLOCK, DENSE, load_counters, philox_lanes, split_seed, unit
from sim.team import Team

#: Agents whose weights are kept at a time: they fit in the first-level cache.
BATCH = 16
#: Utilities are cut off at plus and minus this, so that sums over cities stay finite.
LIMIT = 100.0
_LIMIT = np.float32(LIMIT)


@inline
def _evaluate(weights, factor, origin, scores, cost, highest, first, last, rows):
    """Write the weights of all cities for agents ``first`` on to ``rows``, BATCH of them.

    Two agents at a time, who share the loads of scores; beyond ``last`` comes ``last`` again.
    """
    for b in range(scores.shape[0]):
        s0, s1, s2 = scores[b, 0], scores[b, 1], scores[b, 2]
        s3, s4, s5 = scores[b, 3], scores[b, 4], scores[b, 5]
        cap = highest[b]
        for a in range(0, BATCH, 2):
            i, k = min(first + a, last), min(first + a + 1, last)
            v0, v1, v2 = weights[i, 0], weights[i, 1], weights[i, 2]
            v3, v4, v5 = weights[i, 3], weights[i, 4], weights[i, 5]
            w0, w1, w2 = weights[k, 0], weights[k, 1], weights[k, 2]
            w3, w4, w5 = weights[k, 3], weights[k, 4], weights[k, 5]
            fv, fw, near, far = factor[i], factor[k], cost[b, origin[i]], cost[b, origin[k]]
            out, more = rows[b, a], rows[b, a + 1]
            for j in range(BLOCK):
                x = v0 * s0[j] + v1 * s1[j] + v2 * s2[j] + v3 * s3[j] + v4 * s4[j] + v5 * s5[j]
                y = w0 * s0[j] + w1 * s1[j] + w2 * s2[j] + w3 * s3[j] + w4 * s4[j] + w5 * s5[j]
                x = min(max(x - fv * near[j], -_LIMIT), cap[j])
                y = min(max(y - fw * far[j], -_LIMIT), cap[j])
                out[j] = exp2_within(x)
                more[j] = exp2_within(y)


@inline
def _fold(source, target):
    """Write sums of neighbouring pairs, for a whole batch in one loop that vectorises."""
    for j in range(target.shape[0]):
        target[j] = source[2 * j] + source[2 * j + 1]


@inline
def _add_up(tree):
    """Build each agent's tree of sums, a level at a time for the whole batch."""
    rows, halves, quarters, eighths, groups, pairs, twos, totals = tree
    for b in range(rows.shape[0]):
        _fold(rows[b], halves[b])
        _fold(halves[b], quarters[b])
        _fold(quarters[b], eighths[b])
        _fold(eighths[b], groups[b])
        _fold(groups[b], pairs[b])
        _fold(pairs[b], twos[b])
        _fold(twos[b], totals[b])


@inline
def _descend(sums, place, target):
    """Return the child (left or right) that ``target`` falls into, and what is left of it."""
    left = sums[2 * place]
    right = np.int64(target >= left)
    return 2 * place + right, target - np.float32(right) * left


@inline
def _select(tree, a, luck0, luck1, luck2):
    """Draw a city of agent ``a`` in proportion to its weight, down its tree of sums."""
    rows, halves, quarters, eighths, groups, pairs, twos, totals = tree
    block, blocks = 0, totals.shape[0]
    if blocks > 1:
        total = np.float32(0.0)
        for b in range(blocks):
            total += totals[b, a]
        left = luck2 * total
        while block < blocks - 1 and left >= totals[block, a]:
            left -= totals[block, a]
            block += 1
    place, target = _descend(twos[block], np.int64(a), luck0 * totals[block, a])
    place, target = _descend(pairs[block], place, target)
    place, target = _descend(groups[block], place, target)
    target = luck1 * groups[block, place]
    place, target = _descend(eighths[block], place, target)
    place, target = _descend(quarters[block], place, target)
    place, target = _descend(halves[block], place, target)
    place, target = _descend(rows[block], place, target)
    return block * BLOCK + place - a * BLOCK


@kernel
def _decide(
    weights, factor, origin, ids, scores, cost, highest, year, key0, key1, start, stop, out
):
    """Draw a city for agents ``start`` to ``stop``; `decide` describes the arrays."""
    blocks, most = scores.shape[0], cost.shape[1] - 1
    rows = np.empty((blocks, BATCH * BLOCK), np.float32)
    halves = np.empty((blocks, BATCH * 64), np.float32)
    quarters = np.empty((blocks, BATCH * 32), np.float32)
    eighths = np.empty((blocks, BATCH * 16), np.float32)
    groups = np.empty((blocks, BATCH * 8), np.float32)
    pairs = np.empty((blocks, BATCH * 4), np.float32)
    twos = np.empty((blocks, BATCH * 2), np.float32)
    totals = np.empty((blocks, BATCH), np.float32)
    tree = (rows, halves, quarters, eighths, groups, pairs, twos, totals)
    cells = rows.reshape(blocks, BATCH, BLOCK)
    counter = np.empty((4, BLOCK), np.uint32)
    while start < stop:
        lanes = min(BLOCK, stop - start)
        load_counters(ids, start, lanes, year, DENSE, counter)
        philox_lanes(counter, key0, key1, 10)
        for begin in range(0, lanes, BATCH):
            first, last = start + begin, start + lanes - 1
            _evaluate(weights, factor, origin, scores, cost, highest, first, last, cells)
            _add_up(tree)
            for a in range(min(BATCH, lanes - begin)):
                j = begin + a
                u0, u1, u2 = unit(counter[0, j]), unit(counter[1, j]), unit(counter[2, j])
                out[start + j] = min(_select(tree, a, u0, u1, u2), most)
        start += lanes


def _blocks(rows: np.ndarray, fill: float) -> np.ndarray:
    """Return ``rows`` (R, C) as float32 (blocks, R, BLOCK), padded with ``fill``."""
    number, cities = rows.shape
    blocks = -(-cities // BLOCK)
    out = np.full((number, blocks * BLOCK), fill, np.float32)
    out[:, :cities] = rows
    return np.ascontiguousarray(out.reshape(number, blocks, BLOCK).transpose(1, 0, 2))


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
    highest = _blocks(np.full((1, cities), LIMIT), -126.0)[:, 0]
    key0, key1 = split_seed(seed)
    out = np.empty(n, np.int16)
    arrays = (
        np.ascontiguousarray(weights, np.float32),
        np.ascontiguousarray(factor, np.float32),
        np.ascontiguousarray(origin, np.int16),
        np.ascontiguousarray(ids, np.uint64),
        _blocks(np.asarray(scores).T, 0.0),
        _blocks(np.asarray(cost), 0.0),
        np.ascontiguousarray(highest),
    )

    def part(start: int, stop: int) -> None:
        _decide(*arrays, year, key0, key1, start, stop, out)

    team.share(n, part) if n else part(0, 0)
    return out
