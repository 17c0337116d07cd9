"""Moves of the sampler: scores, given the composite formula and the model's parameters.

The target is a normal density of the scores (mean and precision given) on the set of matrices that
meet all constraints. The composites are met exactly: raw_i = sum_k w_k x_ik = slope c_i + intercept
for every city i, with the weights w, the slope and the intercept unknown too. Moves of scores stay
inside that subspace; moves of the formula (:mod:`calibration.landscape_formula`) carry the scores
along.

Every move is a slice sampler with shrinkage (Neal 2003, Annals of Statistics 31, 705-767, figure 5)
or a Metropolis step with a volume-preserving involution; a point that breaks a constraint has
density zero. Latent memberships of the top places change by exchanges of two cities.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from calibration.landscape_rules import DIMS, Rules, allowed, leaders
from sim.landscape import HIGH, LOW

Array = npt.NDArray[np.float64]

SHRINKS = 40  # a slice that has not found a point after this many halvings stays where it is


class State(NamedTuple):
    """Where a chain is; its arrays are changed in place.

    Attributes
    ----------
    x : float64 array, shape (6, C)
        Scores, a row a dimension.
    w : float64 array, shape (6,)
        Weights.
    scale : float64 array, shape (2,)
        Slope and intercept of the raw value on the composite.
    """

    x: Array
    w: Array
    scale: Array


class Density(NamedTuple):
    """The normal density of the scores, and the prior of the weights.

    Attributes
    ----------
    mean : float64 array, shape (6, C)
        Prior mean of each cell.
    precision : float64 array, shape (6, 6)
        Inverse of the covariance of a city's six scores.
    concentration : float64 array, shape (6,)
        Parameters of the Dirichlet prior of the weights.
    free : bool array, shape (6, C)
        Cells that are not given.
    level : float64 array, shape (6,)
        The model's alpha, which ``mean`` contains; `move_level` changes both in place.
    level_prior : float64 array, shape (2, 6)
        Mean and standard deviation of the normal prior of alpha.
    """

    mean: Array
    precision: Array
    concentration: Array
    free: npt.NDArray[np.bool_]
    level: Array
    level_prior: Array


class Lines(NamedTuple):
    """Fixed tuning of the moves; it must not depend on the state.

    Attributes
    ----------
    groups : bool array, shape (G, C)
        Sets of cities that are shifted together.
    tilt : float64 array, shape (2, 6)
        Slope and intercept of each dimension on the composite, roughly: how slope and intercept
        of the raw value follow a change of the weights.
    reach : float
        Width of the first slice of a move of the weights.
    """

    groups: npt.NDArray[np.bool_]
    tilt: Array
    reach: float


@njit(cache=True)
def _slice_span(a: float, b: float, low: float, high: float, rng: Any) -> tuple[float, float]:
    """Return where -(a t^2 + 2 b t)/2 exceeds a level drawn below its value at 0, cut to a span."""
    level = -2.0 * np.log(1.0 - rng.random())  # a t^2 + 2 b t <= level
    if a <= 0.0:
        return low, high
    root = np.sqrt(b * b + a * level)
    return max(low, (-b - root) / a), min(high, (-b + root) / a)


@njit(cache=True)
def _cell_span(value: float, step: float, low: float, high: float) -> tuple[float, float]:
    """Cut a span of t so that value + step t stays on the scale."""
    if step > 0.0:
        return max(low, (LOW - value) / step), min(high, (HIGH - value) / step)
    if step < 0.0:
        return max(low, (HIGH - value) / step), min(high, (LOW - value) / step)
    return low, high


@njit(cache=True)
def move_city(
    state: State, density: Density, rules: Rules, i: int, k: int, m: int, order: Any, rng: Any
) -> bool:
    """Trade two dimensions of a city against each other; returns whether it moved."""
    x, w = state.x, state.w
    dk, dm = w[m], -w[k]
    omega = density.precision
    a = dk * dk * omega[k, k] + 2.0 * dk * dm * omega[k, m] + dm * dm * omega[m, m]
    b = 0.0
    for j in range(DIMS):
        b += (dk * omega[k, j] + dm * omega[m, j]) * (x[j, i] - density.mean[j, i])
    low, high = _cell_span(x[k, i], dk, -np.inf, np.inf)
    low, high = _cell_span(x[m, i], dm, low, high)
    low, high = _slice_span(a, b, low, high, rng)
    old_k, old_m = x[k, i], x[m, i]
    for _ in range(SHRINKS):
        t = low + (high - low) * rng.random()
        x[k, i], x[m, i] = old_k + dk * t, old_m + dm * t
        if allowed(rules, k, x[k], order) and allowed(rules, m, x[m], order):
            return True
        if t < 0.0:
            low = t
        else:
            high = t
    x[k, i], x[m, i] = old_k, old_m
    return False


@njit(cache=True)
def move_group(
    state: State,
    density: Density,
    rules: Rules,
    group: npt.NDArray[np.bool_],
    k: int,
    m: int,
    order: Any,
    rng: Any,
) -> bool:
    """Trade two dimensions of all cities of a group at once; returns whether they moved."""
    x, w = state.x, state.w
    dk, dm = w[m], -w[k]
    omega = density.precision
    own = dk * dk * omega[k, k] + 2.0 * dk * dm * omega[k, m] + dm * dm * omega[m, m]
    a, b = 0.0, 0.0
    low, high = -np.inf, np.inf
    n = x.shape[1]
    for i in range(n):
        if group[i] and density.free[k, i] and density.free[m, i]:
            a += own
            for j in range(DIMS):
                b += (dk * omega[k, j] + dm * omega[m, j]) * (x[j, i] - density.mean[j, i])
            low, high = _cell_span(x[k, i], dk, low, high)
            low, high = _cell_span(x[m, i], dm, low, high)
    if a == 0.0:
        return False
    low, high = _slice_span(a, b, low, high, rng)
    old_k, old_m = x[k].copy(), x[m].copy()
    for _ in range(SHRINKS):
        t = low + (high - low) * rng.random()
        for i in range(n):
            if group[i] and density.free[k, i] and density.free[m, i]:
                x[k, i], x[m, i] = old_k[i] + dk * t, old_m[i] + dm * t
        if allowed(rules, k, x[k], order) and allowed(rules, m, x[m], order):
            return True
        if t < 0.0:
            low = t
        else:
            high = t
    x[k], x[m] = old_k, old_m
    return False


@njit(cache=True)
def move_level(
    state: State, density: Density, rules: Rules, k: int, m: int, order: Any, rng: Any
) -> bool:
    """Trade two dimensions of all cities and shift their alpha with them.

    The residuals of the cities that move stay as they are, so the step is long where a move of the
    scores alone would be held back by alpha, and the other way round.
    """
    x, w = state.x, state.w
    d = np.zeros(DIMS)
    d[k], d[m] = w[m], -w[k]
    low, high = -np.inf, np.inf
    n = x.shape[1]
    a, b = 0.0, 0.0
    for j in range(DIMS):
        sd = density.level_prior[1, j]
        a += d[j] ** 2 / sd**2
        b += d[j] * (density.level[j] - density.level_prior[0, j]) / sd**2
    for i in range(n):
        if density.free[k, i] and density.free[m, i]:
            low, high = _cell_span(x[k, i], d[k], low, high)
            low, high = _cell_span(x[m, i], d[m], low, high)
        else:  # this city stays, its residual changes by -d t
            for j in range(DIMS):
                for other in range(DIMS):
                    a += d[j] * density.precision[j, other] * d[other]
                    b -= d[j] * density.precision[j, other] * (x[other, i] - density.mean[other, i])
    low, high = _slice_span(a, b, low, high, rng)
    old_k, old_m = x[k].copy(), x[m].copy()
    for _ in range(SHRINKS):
        t = low + (high - low) * rng.random()
        for i in range(n):
            if density.free[k, i] and density.free[m, i]:
                x[k, i], x[m, i] = old_k[i] + d[k] * t, old_m[i] + d[m] * t
        if allowed(rules, k, x[k], order) and allowed(rules, m, x[m], order):
            for j in (k, m):
                density.level[j] += d[j] * t
                density.mean[j] += d[j] * t
            return True
        if t < 0.0:
            low = t
        else:
            high = t
    x[k], x[m] = old_k, old_m
    return False


@njit(cache=True)
def _energy(density: Density, x: Array, i: int) -> float:
    total = 0.0
    for j in range(DIMS):
        for m in range(DIMS):
            total += (
                (x[j, i] - density.mean[j, i])
                * density.precision[j, m]
                * (x[m, i] - density.mean[m, i])
            )
    return 0.5 * total


@njit(cache=True)
def _give_way(state: State, density: Density, i: int, k: int, h: Array, change: float) -> bool:
    """Change cell (k, i) and let the city's other cells make up for it along h."""
    x, w = state.x, state.w
    along = 0.0
    for j in range(DIMS):
        if j != k and density.free[j, i]:
            along += w[j] * h[j]
    if along == 0.0:
        return False
    x[k, i] += change
    fine = LOW <= x[k, i] <= HIGH
    for j in range(DIMS):
        if j != k and density.free[j, i]:
            x[j, i] -= h[j] * w[k] * change / along
            if x[j, i] < LOW or x[j, i] > HIGH:
                fine = False
    return fine


@njit(cache=True)
def move_exchange(
    state: State, density: Density, rules: Rules, k: int, depth: int, order: Any, rng: Any
) -> bool:
    """Exchange the scores of two cities in a dimension, places chosen among the first ``depth``.

    It is an involution that preserves volume: the second application finds the same places and
    gives every other cell back what it gave way.
    """
    x = state.x
    first = np.empty(depth, np.int64)
    leaders(x[k], first)
    i, j = first[int(rng.random() * depth)], first[int(rng.random() * depth)]
    if i == j or not (density.free[k, i] and density.free[k, j]):
        return False
    h = np.empty(DIMS)
    for m in range(DIMS):
        h[m] = np.exp(1.5 * rng.standard_normal())
    old_i, old_j = x[:, i].copy(), x[:, j].copy()
    before = _energy(density, x, i) + _energy(density, x, j)
    change = x[k, j] - x[k, i]
    fine = _give_way(state, density, i, k, h, change)
    fine = _give_way(state, density, j, k, h, -change) and fine
    x[k, i], x[k, j] = old_j[k], old_i[k]
    if fine:
        after = _energy(density, x, i) + _energy(density, x, j)
        fine = np.log(1.0 - rng.random()) < before - after
    if fine:
        for m in range(DIMS):
            if not allowed(rules, m, x[m], order):
                fine = False
                break
    if not fine:
        x[:, i], x[:, j] = old_i, old_j
    return fine
