"""Statistics of paired runs: effects with intervals, sources of variance, gain over unpaired runs.

Everything works on arrays whose first axis is the pair and whose others are cities and measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

LEVEL = 0.95


@dataclass
class Interval:
    """Means with intervals and the standard deviations that they are made of.

    All are arrays of one shape. Where the pairs share one landscape and one set of parameters, the
    interval is that of the expected effect: only the luck of a finite number of seeds is in it.
    Where landscapes or parameters vary from pair to pair, it is that of the effect in a world
    whose landscape and parameters are unknown.

    Attributes
    ----------
    mean, low, high : arrays
        Mean over the pairs and its 95 % interval.
    luck : array
        Standard error of the mean by the luck of the seeds.
    landscape, parameters : arrays
        Standard deviation of the effect over landscapes and over parameters; NaN where the pairs
        cannot tell it apart, 0 where all pairs share them.
    p : array
        Two-sided p value of no effect, by the same t statistic.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    luck: np.ndarray
    landscape: np.ndarray
    parameters: np.ndarray
    p: np.ndarray


def interval(
    values: np.ndarray,
    draws: np.ndarray | None = None,
    parameters: np.ndarray | None = None,
    level: float = LEVEL,
    grain: np.ndarray | float = 0.0,
) -> Interval:
    """Return the mean of paired differences with its interval by Student's t.

    Parameters
    ----------
    values : (n, ...) array
        Differences, one row a pair.
    draws, parameters : (n,) int arrays, optional
        The landscape and the set of parameters of each pair.
    level : float
        Coverage, 0 to 1.
    grain : array or float
        Step in which the values are counted. Equal differences other than zero get the variance
        of rounding to it, grain² / 12 (Sheppard 1898): that a few pairs agree to the last agent
        does not make the effect certain.

    Returns
    -------
    Interval
        The bounds are NaN where there are too few pairs. Degrees of freedom: pairs less one; with
        several landscapes or parameters the smaller number of them less one.
    """
    n = len(values)
    draws = np.zeros(n, np.int64) if draws is None else draws
    parameters = np.zeros(n, np.int64) if parameters is None else parameters
    mean = values.mean(0)
    luck, landscape, theta = components(values, draws, parameters)
    alike = (values == values[0]).all(0) & (mean != 0)
    luck = np.where(alike & np.isfinite(luck), np.broadcast_to(grain, luck.shape) ** 2 / 12.0, luck)
    shares = [_sum_of_squares(labels) for labels in (draws, parameters)]
    varied = [len(np.unique(labels)) for labels in (draws, parameters)]
    df = min([n, *(count for count in varied if count > 1)]) - 1
    error = luck / n
    for variance, share in ((landscape, shares[0]), (theta, shares[1])):
        error = error + variance * (1.0 + share)
    error = np.sqrt(error)
    half = error * stdtrit(df, 0.5 + level / 2.0) if df > 0 else np.full_like(mean, np.nan)
    return Interval(
        mean,
        mean - half,
        mean + half,
        np.sqrt(luck / n),
        np.sqrt(landscape),
        np.sqrt(theta),
        _p_values(mean, error, df),
    )


def _sum_of_squares(labels: np.ndarray) -> float:
    """Return the sum of the squared shares of the groups; nothing where there is one group."""
    counts = np.unique(labels, return_counts=True)[1]
    return float(((counts / len(labels)) ** 2).sum()) if len(counts) > 1 else 0.0


def _p_values(mean: np.ndarray, error: np.ndarray, df: int) -> np.ndarray:
    if df < 1:
        return np.full_like(mean, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2.0 * stdtr(df, -np.abs(mean / error))
    return np.where(np.isfinite(mean) & np.isfinite(error), np.where(mean == 0, 1.0, p), np.nan)


def components(
    values: np.ndarray, draws: np.ndarray, parameters: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split the variance of differences into luck, landscape and parameters.

    Random effects without interaction (Henderson 1953, Biometrics 9, 226-252): the variance of
    luck is the residual mean square after landscapes and parameters are fitted; the others follow
    from mean squared differences of two pairs that differ in landscape, in parameters or in both,
    by least squares weighted by the number of such. Negative variances are set to zero and the
    others fitted again. With one of the two this is the analysis of variance of balanced groups.

    Parameters
    ----------
    values : (n, ...) array
    draws, parameters : (n,) int arrays
        Labels of the groups.

    Returns
    -------
    luck, landscape, parameters : arrays of the shape of ``values[0]``
        Variances; 0 for what does not vary, NaN for all that the design cannot tell apart.
    """
    shape, n = values.shape[1:], len(values)
    flat = values.reshape(n, -1) - values.reshape(n, -1).mean(0)
    if n < 2:
        return tuple(np.full(shape, np.nan) for _ in range(3))  # type: ignore[return-value]
    joint = np.unique(np.column_stack([draws, parameters]), axis=0, return_inverse=True)[1].ravel()
    same_both = _squares(flat, joint)
    same_draw = _squares(flat, draws)
    same_theta = _squares(flat, parameters)
    everything = _squares(flat, np.zeros(n, np.int64))
    kinds = [  # (sum, number), and whether landscape and parameters differ
        (_less(same_draw, same_both), (0.0, 1.0)),
        (_less(same_theta, same_both), (1.0, 0.0)),
        (_less(_less(everything, same_draw), _less(same_theta, same_both)), (1.0, 1.0)),
    ]
    luck = _residual(flat, draws, parameters)
    used = [(total, number, row) for (total, number), row in kinds if number > 0]
    found = np.zeros((3, flat.shape[1]))
    varied = np.array([len(np.unique(draws)) > 1, len(np.unique(parameters)) > 1])
    if varied.any():
        means = np.stack([0.5 * total / number for total, number, _ in used]) - luck
        weights = np.array([number for _, number, _ in used], float)
        design = np.array([row for *_, row in used])
        known = np.linalg.matrix_rank(design[:, varied]) == varied.sum()
        found[1:] = _non_negative(design, means, weights, varied) if known else np.nan
        found[1:][~varied] = 0.0
    found[0] = luck
    return tuple(row.reshape(shape) for row in found)


def _residual(flat: np.ndarray, draws: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Return the residual mean square after both groupings; NaN where no freedom is left."""
    columns = [np.ones((len(flat), 1))]
    columns += [labels[:, None] == np.unique(labels)[None, :] for labels in (draws, parameters)]
    basis, singular, _ = np.linalg.svd(np.hstack(columns).astype(float), full_matrices=False)
    basis = basis[:, singular > 1e-9 * singular[0]]
    freedom = len(flat) - basis.shape[1]
    if freedom < 1:
        return np.full(flat.shape[1], np.nan)
    rest = flat - basis @ (basis.T @ flat)
    return (rest**2).sum(0) / freedom


def _squares(flat: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the sum of squared differences within groups, and the number of them."""
    total, number = np.zeros(flat.shape[1]), 0.0
    for label in np.unique(labels):
        rows = flat[labels == label]
        centred = rows - rows.mean(0)
        total += len(rows) * (centred**2).sum(0)
        number += len(rows) * (len(rows) - 1) / 2
    return total, number


def _less(
    one: tuple[np.ndarray, float], other: tuple[np.ndarray, float]
) -> tuple[np.ndarray, float]:
    return np.maximum(one[0] - other[0], 0.0), one[1] - other[1]


def _non_negative(
    design: np.ndarray, means: np.ndarray, weights: np.ndarray, varied: np.ndarray
) -> np.ndarray:
    """Return weighted least-squares variances, none negative: (2, K)."""
    root = np.sqrt(weights)[:, None]
    found = np.zeros((2, means.shape[1]))
    active = np.repeat(varied[:, None], means.shape[1], axis=1)
    while True:
        for pattern in np.unique(active, axis=1).T:
            columns = np.flatnonzero((active == pattern[:, None]).all(0))
            found[np.ix_(~pattern, columns)] = 0.0
            if pattern.any():
                fit = np.linalg.lstsq(
                    design[:, pattern] * root, means[:, columns] * root, rcond=None
                )
                found[np.ix_(pattern, columns)] = fit[0]
        negative = found < 0
        if not negative.any():
            return found
        active &= ~negative


def reduction(base: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """Return how many times smaller pairing makes the variance of an effect, at equal cost.

    Parameters
    ----------
    base, policy : (n, ...) arrays
        A measure in both runs of each pair.

    Returns
    -------
    array
        (var(base) + var(policy)) / var(policy − base). Both differences cost two runs a seed.
        Infinite where the paired difference does not vary though the runs do; NaN where nothing
        varies.
    """
    if len(base) < 2:
        return np.full(base.shape[1:], np.nan)
    unpaired = base.var(0, ddof=1) + policy.var(0, ddof=1)
    paired = (policy - base).var(0, ddof=1)
    tiny = 1e-24 * unpaired
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(paired > tiny, unpaired / paired, np.inf)
    return np.where(unpaired > 0, ratio, np.nan)


def false_discovery(p: np.ndarray) -> np.ndarray:
    """Return Benjamini and Hochberg's (1995) adjusted p values of one family; NaN stay NaN.

    Parameters
    ----------
    p : (n,) array
        p values, 0 to 1.
    """
    out = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    if len(known):
        order = known[np.argsort(-p[known], kind="stable")]
        rank = np.arange(len(order), 0, -1)
        out[order] = np.minimum.accumulate(np.minimum(p[order] * len(order) / rank, 1.0))
    return out


def ratio_interval(
    numerator: np.ndarray, denominator: np.ndarray, level: float = LEVEL
) -> tuple[float, float, float]:
    """Return the ratio of two paired means with Fieller's (1954) interval.

    Fieller, E. C. (1954), Some problems in interval estimation, Journal of the Royal Statistical
    Society B 16, 175-185.

    Parameters
    ----------
    numerator, denominator : (n,) arrays
        Such as money spent and talent-years gained, of the same pairs.
    level : float

    Returns
    -------
    ratio, low, high : float
        The bounds are −inf and inf where the denominator's own interval includes zero (no bounded
        interval exists), NaN where there are fewer than two pairs; the ratio is NaN where the
        mean denominator is zero.
    """
    n = len(numerator)
    a, b = float(numerator.mean()) if n else np.nan, float(denominator.mean()) if n else np.nan
    if n < 1 or b == 0:
        return np.nan, np.nan, np.nan
    if n < 2:
        return a / b, np.nan, np.nan
    covariance = np.cov(numerator, denominator) / n
    square = stdtrit(n - 1, 0.5 + level / 2.0) ** 2
    v11, v12, v22 = covariance[0, 0], covariance[0, 1], covariance[1, 1]
    leading = b**2 - square * v22
    if leading <= 0:
        return a / b, -np.inf, np.inf
    middle = a * b - square * v12
    root = np.sqrt(max(middle**2 - leading * (a**2 - square * v11), 0.0))
    return a / b, (middle - root) / leading, (middle + root) / leading
