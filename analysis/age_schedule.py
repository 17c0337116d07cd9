"""Mobility by age, and the model migration schedule of Rogers and Castro (1981) for it.

Rogers, A. and Castro, L. J. (1981): Model Migration Schedules. Research Report RR-81-30,
International Institute for Applied Systems Analysis, Laxenburg.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.metrics import Years, in_years


class RogersCastro(NamedTuple):
    """The seven parameters of the schedule without a retirement peak.

    Attributes
    ----------
    a1, alpha1 : float
        Level (per person and year) and descent (per year of age) of the curve of childhood.
    a2, alpha2, mu2, lambda2 : float
        Level, descent, position (years of age) and ascent of the labour-force curve.
    c : float
        Constant, per person and year.
    """

    a1: float
    alpha1: float
    a2: float
    alpha2: float
    mu2: float
    lambda2: float
    c: float


FUNDAMENTAL = RogersCastro(0.02, 0.10, 0.06, 0.10, 20.0, 0.40, 0.003)
"""The fundamental parameters that Rogers and Castro (1981) propose as a typical schedule."""


def rogers_castro(age: np.ndarray, schedule: RogersCastro = FUNDAMENTAL) -> np.ndarray:
    """Return the Rogers–Castro rate at each age.

    ``a1 exp(−α1 x) + a2 exp(−α2 (x − μ2) − exp(−λ2 (x − μ2))) + c`` (Rogers and Castro 1981).

    Parameters
    ----------
    age : ndarray
        Ages in years.
    schedule : RogersCastro
        Parameters; by default the fundamental ones.

    Returns
    -------
    ndarray
        Rates per person and year, shape of ``age``.
    """
    x = np.asarray(age, dtype=float)
    childhood = schedule.a1 * np.exp(-schedule.alpha1 * x)
    return childhood + schedule.a2 * _work(x, schedule[3:6]) + schedule.c


def _work(x: np.ndarray, shape: tuple[float, ...]) -> np.ndarray:
    """Return the labour-force curve of level one; shape is (alpha2, mu2, lambda2)."""
    alpha2, mu2, lambda2 = shape
    return np.exp(-alpha2 * (x - mu2) - np.exp(np.minimum(-lambda2 * (x - mu2), 700)))


def peak_age(schedule: RogersCastro) -> float:
    """Return the age at which the labour-force curve peaks, years.

    Where its derivative vanishes: ``mu2 − ln(alpha2 / lambda2) / lambda2``.
    """
    return schedule.mu2 - float(np.log(schedule.alpha2 / schedule.lambda2)) / schedule.lambda2


def age_profile(ages: pd.DataFrame, years: Years = None) -> pd.DataFrame:
    """Return mobility by single year of age.

    Parameters
    ----------
    ages : DataFrame
        Columns year, age, stock, movers_domestic, movers_international (persons).
    years : int or (int, int) or None
        Years to sum over.

    Returns
    -------
    DataFrame
        Indexed by age. Columns: stock (person-years), domestic, international, movers (persons)
        and domestic_rate, international_rate, rate (per 100 and year; NaN at ages without stock).
    """
    chosen = in_years(ages, years)
    sums = chosen.groupby("age")[["stock", "movers_domestic", "movers_international"]].sum()
    sums.columns = pd.Index(["stock", "domestic", "international"])
    sums["movers"] = sums["domestic"] + sums["international"]
    stock = sums["stock"].where(sums["stock"] > 0)
    for name, rate in (
        ("domestic", "domestic_rate"),
        ("international", "international_rate"),
        ("movers", "rate"),
    ):
        sums[rate] = 100 * sums[name] / stock
    return sums


def rate_error(profile: pd.DataFrame, persons: int) -> pd.Series:
    """Return the Poisson standard error of the rates by age of a single run.

    Parameters
    ----------
    profile : DataFrame
        As :func:`age_profile` returns it.
    persons : int
        Persons an agent stands for.

    Returns
    -------
    Series
        Standard error of ``rate``, per 100 and year.
    """
    stock = profile["stock"].where(profile["stock"] > 0).to_numpy(dtype=float)
    error = 100 * np.sqrt(persons * profile["movers"].to_numpy(dtype=float)) / stock
    return pd.Series(error, index=profile.index, name="error")


def fit_rogers_castro(
    age: np.ndarray, rate: np.ndarray, weight: np.ndarray | None = None
) -> RogersCastro:
    """Fit the labour-force curve and the constant to rates by age, by weighted least squares.

    Talent has no children in it, so the curve of childhood is not identified and stays zero. For
    each shape the level and the constant are found linearly, both kept non-negative; the shape is
    found by the simplex method of Nelder and Mead (1965, Computer Journal 7, 308–313) from the
    best of a coarse grid.

    Parameters
    ----------
    age : ndarray, shape (ages,)
        Ages in years.
    rate : ndarray, shape (ages,)
        Rates per person and year; missing values are left out.
    weight : ndarray, shape (ages,), optional
        Weights, for instance persons at risk; equal by default.

    Returns
    -------
    RogersCastro
        The fitted schedule, with ``a1 = alpha1 = 0``.

    Raises
    ------
    ValueError
        If fewer than six ages have a rate and a positive weight, or no rate is positive.
    """
    x, y = np.asarray(age, dtype=float), np.asarray(rate, dtype=float)
    w = np.ones_like(x) if weight is None else np.asarray(weight, dtype=float)
    use = np.isfinite(y) & (w > 0)
    x, y, w = x[use], y[use], w[use] / (w[use].sum() or 1.0)
    if x.size < 6 or not np.any(y > 0):
        raise ValueError("a Rogers-Castro fit needs at least six ages with movers among them")

    def loss(point: np.ndarray) -> float:
        shape = _shape(point)
        level, constant = _levels(_work(x, shape), y, w)
        return float(w @ (level * _work(x, shape) + constant - y) ** 2)

    starts = [
        np.array([np.log(alpha), mu, np.log(ascent)])
        for alpha in (0.03, 0.08, 0.16)
        for mu in np.arange(x.min(), min(x.max(), 40.0) + 1, 3.0)
        for ascent in (0.2, 0.4, 0.8)
    ]
    best = _simplex(loss, min(starts, key=loss), np.array([0.3, 2.0, 0.3]))
    shape = _shape(best)
    level, constant = _levels(_work(x, shape), y, w)
    return RogersCastro(0.0, 0.0, level, *shape, constant)


def _shape(point: np.ndarray) -> tuple[float, float, float]:
    """Return (alpha2, mu2, lambda2) of a point whose first and last coordinate are logarithms."""
    rates = np.exp(np.clip(point[[0, 2]], -7.0, 2.0))
    return float(rates[0]), float(point[1]), float(rates[1])


def _levels(curve: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[float, float]:
    """Return the non-negative level and constant that fit ``level × curve + constant`` best."""
    mean_curve, mean_y = float(w @ curve), float(w @ y)
    spread = float(w @ (curve - mean_curve) ** 2)
    level = float(w @ ((curve - mean_curve) * (y - mean_y))) / spread if spread > 0 else 0.0
    constant = mean_y - level * mean_curve
    if level < 0:
        return 0.0, max(mean_y, 0.0)
    if constant < 0:
        return max(float(w @ (curve * y)) / float(w @ curve**2), 0.0), 0.0
    return level, constant


def _simplex(
    loss: Callable[[np.ndarray], float], start: np.ndarray, step: np.ndarray, rounds: int = 600
) -> np.ndarray:
    """Minimise by Nelder and Mead's simplex with their standard coefficients."""
    points = [start, *(start + step * unit for unit in np.eye(len(start)))]
    values = [loss(point) for point in points]
    for _ in range(rounds):
        order = np.argsort(values)
        points, values = [points[i] for i in order], [values[i] for i in order]
        if np.ptp(points, axis=0).max() < 1e-7:
            break
        centre = np.mean(points[:-1], axis=0)
        reflected = 2 * centre - points[-1]
        value = loss(reflected)
        if value < values[0]:
            expanded = 3 * centre - 2 * points[-1]
            further = loss(expanded)
            points[-1], values[-1] = (expanded, further) if further < value else (reflected, value)
        elif value < values[-2]:
            points[-1], values[-1] = reflected, value
        else:
            nearer = (reflected + centre) / 2 if value < values[-1] else (points[-1] + centre) / 2
            contracted = loss(nearer)
            if contracted < min(value, values[-1]):
                points[-1], values[-1] = nearer, contracted
            else:
                points = [points[0], *((point + points[0]) / 2 for point in points[1:])]
                values = [values[0], *(loss(point) for point in points[1:])]
    return points[int(np.argmin(values))]
