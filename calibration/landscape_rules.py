"""Constraints as flat arrays, and the compiled check that the sampler asks at every step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from calibration.constraints import (
    COMPOSITE,
    LEADERS,
    Cell,
    Constraint,
    Correlation,
    GroupCount,
    Maximum,
    RankBetween,
    ShareCount,
    TopRange,
)

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

DIMS = 6


class Rules(NamedTuple):
    """Constraints on the six dimensions; a pair of offsets tells which rows belong to one.

    Attributes
    ----------
    fixed : float64 array, shape (C, 6)
        Scores that are given; NaN where free.
    rank_low, rank_high : int64 arrays, shape (6, C)
        Least and greatest rank allowed.
    must : int64 array, shape (6,)
        How many cities of the dimension have to be among the leaders.
    group_start : int64 array, shape (7,)
        Rows of the group counts of dimension k: ``group_start[k]`` to ``group_start[k + 1]``.
    group_top, group_low, group_high : int64 arrays
        Among the first ``top`` cities, from ``low`` to ``high`` are of the group.
    group_of : bool array, shape (groups, C)
        Members.
    share_start, share_least, share_most, share_low, share_high
        Likewise: from ``low`` to ``high`` cities score from ``least`` to ``most``.
    floor_top, floor : shape (6,)
        The city at rank ``floor_top`` scores at least ``floor`` (0: no such rule).
    correlation : float64 array, shape (6, 2)
        Bounds of the correlation with the composite, both exclusive.
    composite : float64 array, shape (C,)
        Composite, centred and scaled to unit length.
    """

    fixed: Array
    rank_low: Ints
    rank_high: Ints
    must: Ints
    group_start: Ints
    group_top: Ints
    group_low: Ints
    group_high: Ints
    group_of: npt.NDArray[np.bool_]
    share_start: Ints
    share_least: Array
    share_most: Array
    share_low: Ints
    share_high: Ints
    floor_top: Ints
    floor: Array
    correlation: Array
    composite: Array


def compile_rules(
    constraints: Iterable[Constraint],
    composite: Array,
    implied: dict[tuple[int, int], float] | None = None,
) -> Rules:
    """Turn constraints into arrays.

    Those on the composite itself are left out, for the sampler never leaves the composites, and so
    are the scale's bounds. A maximum of 100 needs a given score of 100.

    Parameters
    ----------
    constraints : iterable of Constraint
        Any of `calibration.constraints`.
    composite : float64 array, shape (C,)
        The composites that draws have.
    implied : dict of (city, dimension) to score, optional
        Scores that are given though not printed.

    Returns
    -------
    Rules

    Raises
    ------
    ValueError
        If a constraint is of a kind that is not known here, or looks below the leaders.
    """
    n = len(composite)
    listed = [c for c in constraints if c.column != COMPOSITE]
    fixed = np.full((n, DIMS), np.nan)
    low, high = np.ones((DIMS, n), np.int64), np.full((DIMS, n), n, np.int64)
    groups: list[list[GroupCount]] = [[] for _ in range(DIMS)]
    shares: list[list[ShareCount]] = [[] for _ in range(DIMS)]
    floor_top, floor = np.zeros(DIMS, np.int64), np.zeros(DIMS)
    correlation = np.tile([-2.0, 2.0], (DIMS, 1))
    for (city, k), value in (implied or {}).items():
        fixed[city, k] = value
    for c in listed:
        k = c.column
        if isinstance(c, Cell):
            fixed[c.city, k] = c.value
        elif isinstance(c, RankBetween):
            rows = list(c.cities)
            low[k, rows] = np.maximum(low[k, rows], c.low)
            high[k, rows] = np.minimum(high[k, rows], c.high)
        elif isinstance(c, GroupCount):
            groups[k].append(c)
        elif isinstance(c, ShareCount):
            shares[k].append(c)
        elif isinstance(c, TopRange):
            floor_top[k], floor[k] = c.top, c.least
        elif isinstance(c, Correlation):
            correlation[k] = c.low, c.high
        elif not isinstance(c, Maximum):
            raise ValueError(f"'{c.name}' is of a kind that the sampler does not know")
    _fold_exclusions(groups, low)
    if (high[high < n] > LEADERS).any() or (low > LEADERS + 1).any():
        raise ValueError(f"a rank below the first {LEADERS} is asked for")
    flat_groups = [g for own in groups for g in own]
    flat_shares = [s for own in shares for s in own]
    if any(g.top > LEADERS for g in flat_groups):
        raise ValueError(f"a count below the first {LEADERS} is asked for")
    centred = composite - composite.mean()
    return Rules(
        fixed=fixed,
        rank_low=low,
        rank_high=high,
        must=(high <= LEADERS).sum(axis=1).astype(np.int64),
        group_start=np.cumsum([0] + [len(own) for own in groups]),
        group_top=np.array([g.top for g in flat_groups], np.int64),
        group_low=np.array([g.low for g in flat_groups], np.int64),
        group_high=np.array([g.high for g in flat_groups], np.int64),
        group_of=np.array([g.group for g in flat_groups], bool).reshape(-1, n),
        share_start=np.cumsum([0] + [len(own) for own in shares]),
        share_least=np.array([s.least for s in flat_shares], float),
        share_most=np.array([s.most for s in flat_shares], float),
        share_low=np.array([s.low for s in flat_shares], np.int64),
        share_high=np.array([s.high for s in flat_shares], np.int64),
        floor_top=floor_top,
        floor=floor,
        correlation=correlation,
        composite=centred / np.sqrt((centred**2).sum()),
    )


def _fold_exclusions(groups: list[list[GroupCount]], low: Ints) -> None:
    """Turn "none of the group in the top" into ranks, which are quicker to check."""
    for k, own in enumerate(groups):
        for count in [g for g in own if g.high == 0]:
            low[k, count.group] = np.maximum(low[k, count.group], count.top + 1)
            own.remove(count)


@njit(cache=True)
def leaders(values: Array, order: Ints) -> None:
    """Write the cities of the first ranks of one dimension into ``order``, best first."""
    filled = 0
    room = len(order)
    for i in range(len(values)):
        v = values[i]
        if filled == room and v <= values[order[room - 1]]:
            continue
        place = filled if filled < room else room - 1
        while place > 0 and values[order[place - 1]] < v:
            order[place] = order[place - 1]
            place -= 1
        order[place] = i
        if filled < room:
            filled += 1


@njit(cache=True)
def allowed(rules: Rules, k: int, values: Array, order: Ints) -> bool:
    """Return whether one dimension meets its rules.

    Parameters
    ----------
    rules : Rules
    k : int
        The dimension.
    values : float64 array, shape (C,)
        Its scores, contiguous.
    order : int64 array, shape (20,)
        Working space.

    Returns
    -------
    bool
    """
    n = len(values)
    for s in range(rules.share_start[k], rules.share_start[k + 1]):
        count = 0
        for i in range(n):
            if rules.share_least[s] <= values[i] <= rules.share_most[s]:
                count += 1
        if count < rules.share_low[s] or count > rules.share_high[s]:
            return False
    leaders(values, order)
    found = 0
    for place in range(len(order)):
        i = order[place]
        if place + 1 < rules.rank_low[k, i] or place + 1 > rules.rank_high[k, i]:
            return False
        if rules.rank_high[k, i] <= len(order):
            found += 1
    if found != rules.must[k]:
        return False
    if rules.floor_top[k] > 0 and values[order[rules.floor_top[k] - 1]] < rules.floor[k]:
        return False
    for g in range(rules.group_start[k], rules.group_start[k + 1]):
        count = 0
        for place in range(rules.group_top[g]):
            if rules.group_of[g, order[place]]:
                count += 1
        if count < rules.group_low[g] or count > rules.group_high[g]:
            return False
    if rules.correlation[k, 0] > -1.5 or rules.correlation[k, 1] < 1.5:
        mean, square, product = 0.0, 0.0, 0.0
        for i in range(n):
            mean += values[i]
        mean /= n
        for i in range(n):
            d = values[i] - mean
            square += d * d
            product += d * rules.composite[i]
        r = product / np.sqrt(square)
        if r <= rules.correlation[k, 0] or r >= rules.correlation[k, 1]:
            return False
    return True
