"""Rivals of the agent model: uniform preferences, gravity, radiation.

Each is fitted on a training matrix and predicts flows between the same places. All are given the
same sizes and separations, so that none knows more of the places than the others; only
``gravity_balanced`` and ``gravity_constants`` have numbers of their own for every place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.scores import off_diagonal

RIDGE = 1e-6
"""Weight of a ridge penalty that keeps places without any flow from running to minus infinity."""


@dataclass(frozen=True, eq=False)
class Places:
    """What is known of P places.

    Attributes
    ----------
    size : (P,) array
        Size as origin and as destination, positive.
    distance_km : (P, P) array
        Distance between places; the diagonal is not used.
    language : (P, P) array
        Probability that two people share a language, 0 to 1.
    border : (P, P) bool array
        Whether a border lies between.
    """

    size: np.ndarray
    distance_km: np.ndarray
    language: np.ndarray
    border: np.ndarray


Rival = Callable[[Places, np.ndarray], np.ndarray]


def _scaled(shape: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Return the flows brought to the training table's total, without a diagonal."""
    flows = np.where(np.eye(len(shape), dtype=bool), 0.0, shape)
    total = flows.sum()
    return flows * (off_diagonal(training).sum() / total) if total > 0 else flows


def uniform(places: Places, training: np.ndarray) -> np.ndarray:
    """Nobody's preferences matter: people leave in proportion to size, and go where size is.

    ``T_ij ∝ s_i s_j / (S - s_i)``; one number, the total, is fitted.
    """
    s = places.size
    return _scaled(np.outer(s, s) / (s.sum() - s)[:, None], training)


def radiation(places: Places, training: np.ndarray) -> np.ndarray:
    """Predict by the radiation model of Simini, González, Maritan and Barabási (2012, Nature 484).

    ``T_ij ∝ s_i · s_i s_j / ((s_i + w_ij)(s_i + s_j + w_ij))`` with ``w_ij`` the size within the
    distance from i to j, both left out; one number, the total, is fitted.
    """
    s, number = places.size, len(places.size)
    shape = np.zeros((number, number))
    for i in range(number):
        others = np.flatnonzero(np.arange(number) != i)
        order = others[np.argsort(places.distance_km[i, others], kind="stable")]
        between = np.cumsum(s[order]) - s[order]
        shape[i, order] = s[i] ** 2 * s[order] / ((s[i] + between) * (s[i] + s[order] + between))
    return _scaled(shape, training)


def poisson_fit(
    X: np.ndarray, y: np.ndarray, *, ridge: float = 0.0, steps: int = 200, tolerance: float = 1e-10
) -> np.ndarray:
    """Fit ``E[y] = exp(X b)`` by Poisson pseudo-maximum likelihood (Santos Silva, Tenreyro 2006).

    Newton's method with halved steps; it converges for any design of full rank.

    Parameters
    ----------
    X : (n, p) array
    y : (n,) array
        Not negative; need not be whole.
    ridge : float
        Weight of ``Σ b² / 2``, for designs that are not of full rank.
    steps : int
        Most steps.
    tolerance : float
        Largest change of a coefficient at which to stop.

    Returns
    -------
    (p,) array
        Coefficients.
    """
    b = np.linalg.lstsq(X, np.full(len(y), np.log(max(y.mean(), 1e-300))), rcond=None)[0]

    def objective(b: np.ndarray) -> float:
        eta = X @ b
        with np.errstate(over="ignore"):
            return float(np.sum(np.exp(eta) - y * eta) + 0.5 * ridge * b @ b)

    value = objective(b)
    for _ in range(steps):
        mu = np.exp(X @ b)
        gradient = X.T @ (y - mu) - ridge * b
        curvature = X.T @ (X * mu[:, None]) + ridge * np.eye(len(b))
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        length = 1.0
        while length > 1e-8:
            trial = objective(b + length * step)
            if trial <= value:
                break
            length /= 2.0
        b, value = b + length * step, min(trial, value)
        if np.abs(length * step).max() < tolerance:
            break
    return b


def _columns(places: Places, language: bool) -> list[np.ndarray]:
    number = len(places.size)
    ones, log_size = np.ones((number, number)), np.log(places.size)
    distance = np.log(
        np.where(np.eye(number, dtype=bool), 1.0, np.maximum(places.distance_km, 1.0))
    )
    columns = [ones, log_size[:, None] * ones, log_size[None, :] * ones, distance]
    if language:
        columns.append(places.language)
    border = off_diagonal(places.border.astype(float))
    if np.ptp(border) > 0:  # between countries there is always one
        columns.append(places.border.astype(float))
    return columns


def _gravity(columns: list[np.ndarray], training: np.ndarray, ridge: float = 0.0) -> np.ndarray:
    X = np.column_stack([off_diagonal(column) for column in columns])
    mean, spread = X.mean(0), X.std(0)
    flat = spread < 1e-12
    Z = np.where(flat, X, (X - mean) / np.where(flat, 1.0, spread))
    flows = np.zeros_like(training)
    fitted = np.exp(Z @ poisson_fit(Z, off_diagonal(training), ridge=ridge))
    flows[~np.eye(len(training), dtype=bool)] = fitted
    return flows


def gravity(places: Places, training: np.ndarray) -> np.ndarray:
    """Gravity: elasticities of the two sizes and of distance (and a border) by PPML."""
    return _gravity(_columns(places, language=False), training)


def gravity_language(places: Places, training: np.ndarray) -> np.ndarray:
    """Gravity with the common language as well."""
    return _gravity(_columns(places, language=True), training)


def gravity_balanced(places: Places, training: np.ndarray) -> np.ndarray:
    """Gravity with distance, language and one constant a place, the same out and in.

    It reproduces every place's turnover of the training table, and says nothing of direction.
    """
    number = len(places.size)
    ones, constants = np.ones((number, number)), np.eye(number)
    columns = [c for k, c in enumerate(_columns(places, language=True)) if k not in (1, 2)]
    columns += [(constants[i][:, None] + constants[i][None, :]) * ones for i in range(1, number)]
    return _gravity(columns, training, ridge=RIDGE)


def gravity_constants(places: Places, training: np.ndarray) -> np.ndarray:
    """Gravity with distance, language and a constant for every origin and every destination.

    It reproduces every place's totals of the training table, and cannot say what would change
    them: Anderson and van Wincoop (2003, American Economic Review 93).
    """
    number = len(places.size)
    ones, constants = np.ones((number, number)), np.eye(number)
    columns = [c for k, c in enumerate(_columns(places, language=True)) if k not in (1, 2)]
    columns += [constants[i][:, None] * ones for i in range(1, number)]
    columns += [constants[j][None, :] * ones for j in range(1, number)]
    return _gravity(columns, training, ridge=RIDGE)


RIVALS: dict[str, Rival] = {
    "uniform": uniform,
    "gravity": gravity,
    "gravity_language": gravity_language,
    "gravity_balanced": gravity_balanced,
    "gravity_constants": gravity_constants,
    "radiation": radiation,
}
