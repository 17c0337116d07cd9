"""Matrices that meet every constraint, near a wished one: where chains start.

The statements on ranks are not convex, so it goes in two steps. An assignment problem
(mixed-integer linear) chooses who is on each of the first twenty places of a dimension, as the
wished scores would have it where the statements leave a choice. Given the places, everything is
linear in the scores and in the composite's scale, and a linear programme finds the matrix with the
least sum of absolute departures from the wished one. It needs SciPy (HiGHS).
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from calibration.constraints import LEADERS
from calibration.landscape_rules import DIMS, Rules
from sim.landscape import HIGH, LOW

Array = npt.NDArray[np.float64]

TILTS = 12  # tries at a correlation
MARGIN = 0.02  # index points by which a start keeps clear of what is forbidden


class Start(NamedTuple):
    """Scores (C, 6), weights (6,), and raw = intercept + slope x composite."""

    scores: Array
    weights: Array
    slope: float
    intercept: float


class NoStartError(RuntimeError):
    """No matrix with these places and weights meets the constraints."""


def places(rules: Rules, k: int, wished: Array) -> npt.NDArray[np.int64]:
    """Choose the cities of the first twenty places of a dimension.

    Parameters
    ----------
    rules : Rules
    k : int
        The dimension.
    wished : float64 array, shape (C,)
        Scores that one would like.

    Returns
    -------
    int64 array, shape (20,)
        Cities, best first; they meet all ranks and counts.

    Raises
    ------
    NoStartError
        If there is no such choice.
    """
    from scipy import optimize, sparse

    n = len(wished)
    given = rules.fixed[:, k]
    value = np.where(np.isfinite(given), given, wished)
    place = np.arange(1, LEADERS + 1)
    gain = np.maximum(value - value.min(), 0.1)[:, None] * (1 + (LEADERS - place) / LEADERS)
    upper = (place >= rules.rank_low[k][:, None]) & (place <= rules.rank_high[k][:, None])
    city = sparse.kron(sparse.identity(n), np.ones((1, LEADERS)))
    seat = sparse.kron(np.ones((1, n)), sparse.identity(LEADERS))
    least = (rules.rank_high[k] <= LEADERS).astype(float)
    rows = [city, seat]
    lows, highs = [least, np.ones(LEADERS)], [np.ones(n), np.ones(LEADERS)]
    for g in range(rules.group_start[k], rules.group_start[k + 1]):
        member = rules.group_of[g][:, None] & (place <= rules.group_top[g])
        rows.append(sparse.csr_matrix(member.reshape(1, -1).astype(float)))
        lows.append(np.array([rules.group_low[g]], float))
        highs.append(np.array([rules.group_high[g]], float))
    known = np.flatnonzero(np.isfinite(given))
    known = known[np.argsort(-given[known])]
    for better, worse in pairwise(known):  # given scores keep their order
        row = np.zeros((n, LEADERS))
        row[better], row[worse] = LEADERS + 1 - place, -(LEADERS + 1.0 - place)
        rows.append(sparse.csr_matrix(row.reshape(1, -1)))
        lows.append(np.zeros(1))
        highs.append(np.full(1, np.inf))
    result = optimize.milp(
        -gain.ravel(),
        integrality=np.ones(n * LEADERS),
        bounds=optimize.Bounds(0, upper.ravel().astype(float)),
        constraints=optimize.LinearConstraint(
            sparse.vstack(rows), np.concatenate(lows), np.concatenate(highs)
        ),
    )
    if result.x is None:
        raise NoStartError(
            f"dimension {k}: no choice of leaders meets the counts ({result.message})"
        )
    chosen: npt.NDArray[np.int64] = result.x.reshape(n, LEADERS).argmax(axis=0).astype(np.int64)
    return chosen


def _cell_bounds(rules: Rules, wished: Array, order: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    """Return bounds of every cell: the scale, what is given, and on which side of a share it is."""
    low, high = np.full(wished.shape, LOW + MARGIN), np.full(wished.shape, HIGH - MARGIN)
    for k in range(DIMS):
        if rules.floor_top[k] > 0:
            low[order[k, : rules.floor_top[k]], k] = rules.floor[k] + MARGIN
        for s in range(rules.share_start[k], rules.share_start[k + 1]):
            _share_bounds(rules, s, wished[:, k], order[k], low[:, k], high[:, k])
    known = np.isfinite(rules.fixed)
    low[known] = high[known] = rules.fixed[known]
    return low, high


def _share_bounds(
    rules: Rules,
    s: int,
    wished: Array,
    leading: npt.NDArray[np.int64],
    low: Array,
    high: Array,
) -> None:
    """Choose which cities are within a share, by the order of the wished scores."""
    n = len(wished)
    value = wished.copy()
    value[leading] = 1000.0 - np.arange(len(leading))
    rank = np.argsort(-value, kind="stable")
    inside = int((rules.share_low[s] + rules.share_high[s]) // 2)
    above = 0
    if rules.share_most[s] < HIGH:
        wish = int((wished > rules.share_most[s]).sum())
        above = int(np.clip(wish, LEADERS, n - inside))
        high[rank[above:]] = np.minimum(high[rank[above:]], rules.share_most[s] - MARGIN)
        low[rank[:above]] = np.maximum(low[rank[:above]], rules.share_most[s] + MARGIN)
    within, below = rank[: above + inside], rank[above + inside :]
    low[within] = np.maximum(low[within], rules.share_least[s] + MARGIN)
    high[below] = np.minimum(high[below], rules.share_least[s] - MARGIN)


def find_start(rules: Rules, targets: Array, wished: Array, weights: Array) -> Start:
    """Return a matrix that meets every constraint, near the wished one.

    Parameters
    ----------
    rules : Rules
    targets : float64 array, shape (C,)
        Composites, met exactly.
    wished : float64 array, shape (C, 6)
        Scores that one would like.
    weights : float64 array, shape (6,)
        Weights of the dimensions.

    Returns
    -------
    Start

    Raises
    ------
    NoStartError
        If there is none with these weights and the places that the wished scores suggest.
    """
    order = np.array([places(rules, k, wished[:, k]) for k in range(DIMS)])
    bounds = _cell_bounds(rules, wished, order)
    if (bounds[0] > bounds[1]).any():
        raise NoStartError("bounds of a cell contradict each other")
    along = np.zeros(DIMS)
    for _ in range(TILTS):
        start = _programme(rules, targets, wished, weights, order, bounds, along)
        centred = start.scores - start.scores.mean(axis=0)
        size = np.sqrt((centred**2).sum(axis=0))
        short = (rules.composite @ centred) / size < rules.correlation[:, 0] + MARGIN
        short &= rules.correlation[:, 0] > 0.0
        if not short.any():
            return start
        along[short] = (rules.correlation[short, 0] + 2 * MARGIN) * size[short]
    raise NoStartError("no matrix with these places has the correlations asked for")


def _programme(
    rules: Rules,
    targets: Array,
    wished: Array,
    weights: Array,
    order: npt.NDArray[np.int64],
    cell_bounds: tuple[Array, Array],
    along: Array,
) -> Start:
    """Solve the linear programme, given the places.

    ``along`` holds the least product of each dimension with the unit composite (0: none): a
    correlation bounded away from 0 is not linear, so `find_start` raises it until it holds.
    """
    from scipy import optimize, sparse

    n = len(targets)
    low, high = cell_bounds
    cells = n * DIMS
    # unknowns: cells, |departures| of the cells, slope, intercept, the best score below the leaders
    total = 2 * cells + 2 + DIMS
    slope, intercept, below = 2 * cells, 2 * cells + 1, 2 * cells + 2

    row: list[int] = []
    col: list[int] = []
    val: list[float] = []
    rhs: list[float] = []

    def require(terms: list[tuple[int, float]], limit: float) -> None:
        """Add sum(coefficient x unknown) <= limit."""
        for j, coefficient in terms:
            row.append(len(rhs))
            col.append(j)
            val.append(coefficient)
        rhs.append(limit)

    for k in range(DIMS):
        for better, worse in pairwise(order[k]):
            both = np.isfinite(rules.fixed[[better, worse], k]).all()
            if not both:
                require([(worse * DIMS + k, 1.0), (better * DIMS + k, -1.0)], -MARGIN)
        require([(below + k, 1.0), (order[k, -1] * DIMS + k, -1.0)], -MARGIN)
        for i in np.setdiff1d(np.arange(n), order[k]):
            require([(i * DIMS + k, 1.0), (below + k, -1.0)], 0.0)
        for sign, bound in ((1.0, rules.correlation[k, 1]), (-1.0, rules.correlation[k, 0])):
            if bound == 0.0:
                tilt = [(i * DIMS + k, sign * rules.composite[i]) for i in range(n)]
                require(tilt, -MARGIN)
        if along[k] > 0.0:
            require([(i * DIMS + k, -rules.composite[i]) for i in range(n)], -along[k])
    for j in range(cells):
        require([(j, 1.0), (cells + j, -1.0)], wished.flat[j])
        require([(j, -1.0), (cells + j, -1.0)], -wished.flat[j])
    inequalities = sparse.csr_matrix((val, (row, col)), shape=(len(rhs), total))
    composite = sparse.hstack(
        [
            sparse.kron(sparse.identity(n), weights[None, :]),
            sparse.csr_matrix((n, cells)),
            -targets[:, None],
            -np.ones((n, 1)),
            sparse.csr_matrix((n, DIMS)),
        ]
    )
    bounds = np.full((total, 2), (-np.inf, np.inf))
    bounds[:cells] = np.column_stack([low.ravel(), high.ravel()])
    bounds[slope] = (0.05, 2.0)
    cost = np.zeros(total)
    cost[cells : 2 * cells] = 1.0
    result = optimize.linprog(
        cost,
        A_ub=inequalities,
        b_ub=np.array(rhs),
        A_eq=sparse.csr_matrix(composite),
        b_eq=np.zeros(n),
        bounds=bounds,
        method="highs",
    )
    if result.x is None:
        raise NoStartError(f"no matrix with these places and weights ({result.message})")
    scores = result.x[:cells].reshape(n, DIMS)
    scores = np.where(np.isfinite(rules.fixed), rules.fixed, scores)
    return Start(scores, weights, float(result.x[slope]), float(result.x[intercept]))
