"""Means and intervals of a crossed design: every seed meets every landscape and parameter draw."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr, stdtrit

from sim.paired_effects import LEVEL, Interval


def crossed(values: np.ndarray, level: float = LEVEL, grain: np.ndarray | float = 0.0) -> Interval:
    """Return means over a crossed design with their intervals and the parts of the variance.

    Analysis of variance of main effects in a balanced crossed design with random factors (Searle,
    Casella and McCulloch 1992, Variance Components, chapter 4): the mean squares of parameters,
    landscapes and seeds, each against the residual one. The interval is that of the value in a
    world whose parameters and landscape nobody knows, as in :func:`sim.paired_effects.interval`:
    its variance is the error of the seeds' luck plus, for a factor of n levels, 1 + 1/n times the
    factor's variance.

    Parameters
    ----------
    values : (P, L, S, ...) float array
        By posterior draw, landscape draw and seed.
    level : float
        Coverage, 0 to 1.
    grain : array or float
        Step in which the values are counted; see :func:`sim.paired_effects.interval`.

    Returns
    -------
    Interval
        Arrays of the shape of ``values[0, 0, 0]``. ``luck`` is the standard error of the mean by
        the seeds' luck, ``landscape`` and ``parameters`` are standard deviations; 0 where a factor
        has one level. Bounds are NaN where there is one run. Degrees of freedom: the smallest
        number of levels above one, less one.
    """
    levels = values.shape[:3]
    n = int(np.prod(levels))
    mean = values.mean((0, 1, 2))
    centred = values - mean
    squares, freedom = [], []
    for axis in range(3):
        others = tuple(k for k in range(3) if k != axis)
        squares.append(n / levels[axis] * (centred.mean(others) ** 2).sum(0))
        freedom.append(levels[axis] - 1)
    rest = n - 1 - sum(freedom)
    residual = np.maximum((centred**2).sum((0, 1, 2)) - sum(squares), 0.0)
    noise = residual / rest if rest > 0 else np.zeros_like(mean)
    square = [
        s / f if f > 0 else np.zeros_like(mean) for s, f in zip(squares, freedom, strict=True)
    ]
    theta, draw = (
        np.maximum(square[k] - noise, 0.0) * levels[k] / n if freedom[k] > 0 else 0.0 * mean
        for k in range(2)
    )
    luck = np.maximum(square[2], noise)
    flat = values.reshape(n, *mean.shape)
    alike = (flat == flat[0]).all(0) & (mean != 0)
    luck = np.where(alike, np.broadcast_to(grain, mean.shape) ** 2 / 12.0, luck) / n
    error = np.sqrt(luck + theta * (1.0 + 1.0 / levels[0]) + draw * (1.0 + 1.0 / levels[1]))
    df = min((f for f in freedom if f > 0), default=0)
    if df == 0:
        unknown = np.full_like(mean, np.nan)
        return Interval(mean, unknown, unknown, unknown, unknown, unknown, unknown)
    half = error * stdtrit(df, 0.5 + level / 2.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2.0 * stdtr(df, -np.abs(mean / error))
    p = np.where(np.isfinite(mean), np.where(mean == 0, 1.0, p), np.nan)
    return Interval(mean, mean - half, mean + half, np.sqrt(luck), np.sqrt(draw), np.sqrt(theta), p)
