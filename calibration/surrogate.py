"""A quadratic stand-in for the moments, for what needs many thousands of evaluations.

The operator takes about a tenth of a second; a posterior or a hundred recoveries need millions of
evaluations. Each moment is fitted by a polynomial of degree two in the parameters, standardised by
their priors, at draws of the prior. Its error on draws left out of the fit is added to the
spreads of the targets wherever it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from calibration.free import Box
from calibration.moments import Moments
from calibration.targets import Target

Progress = Callable[[int, int, str], None]
LOGGED = (
    "international_rate",
    "domestic_rate_us",
    "international_rate_us",
    "international_rate_cn_us",
    "return_share",
    "gravity_deviance_share",
)
"""Outputs whose logarithm is fitted: they respond to parameters by factors."""


def features(z: np.ndarray) -> np.ndarray:
    """Return 1, z and all products of two, (n, 1 + p + p (p + 1) / 2), of points (n, p)."""
    first, second = np.triu_indices(z.shape[1])
    return np.hstack([np.ones((len(z), 1)), z, z[:, first] * z[:, second]])


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Polynomials for K outputs of p parameters.

    Attributes
    ----------
    names : tuple of str
        Outputs.
    coefficients : (F, K) array
    error : (K,) array
        Root mean square error on points that were left out.
    box : Box
    """

    names: tuple[str, ...]
    coefficients: np.ndarray
    error: np.ndarray
    box: Box

    def __call__(self, unit: np.ndarray) -> np.ndarray:
        """Return the outputs at points of the unit cube, (n, K)."""
        z = features(self.box.prior_residuals(np.atleast_2d(unit)))
        return _back(z @ self.coefficients, self.names)

    def column(self, name: str) -> int:
        """Return the position of an output."""
        return self.names.index(name)


def fit_surrogate(
    box: Box, unit: np.ndarray, outputs: np.ndarray, names: tuple[str, ...], left_out: float = 0.2
) -> Surrogate:
    """Fit polynomials to evaluations.

    Parameters
    ----------
    box : Box
    unit : (n, p) array
        Points of the unit cube.
    outputs : (n, K) array
    names : tuple of str
        Names of the outputs.
    left_out : float
        Share of points, the last ones, on which the error is measured; the polynomials that are
        returned are fitted to all points.
    """
    z = features(box.prior_residuals(unit))
    kept = max(round(len(unit) * (1.0 - left_out)), 1)
    shaped = outputs.copy()
    logged = [k for k, name in enumerate(names) if name in LOGGED]
    shaped[:, logged] = np.log(np.maximum(outputs[:, logged], 1e-12))
    trial = np.linalg.lstsq(z[:kept], shaped[:kept], rcond=None)[0]
    error = np.sqrt(np.mean((_back(z[kept:] @ trial, names) - outputs[kept:]) ** 2, axis=0))
    return Surrogate(names, np.linalg.lstsq(z, shaped, rcond=None)[0], error, box)


def _back(fitted: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Return outputs from what the polynomials give: exponentials of those that were logged."""
    logged = np.array([name in LOGGED for name in names])
    return np.where(logged, np.exp(np.minimum(fitted, 50.0) * logged), fitted)


def evaluate(
    moments: Moments, box: Box, unit: np.ndarray, progress: Progress | None = None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Evaluate the operator at points: every moment, and each city's standardised stickiness.

    Returns
    -------
    names : tuple of str
        Names of moments, then ``city:NAME``.
    outputs : (n, K) array
    """
    rows = []
    names: tuple[str, ...] = ()
    for k, point in enumerate(unit):
        if progress is not None:
            progress(k, len(unit), "evaluating the operator")
        found, sticky = moments.with_cities(box.parameters(point))
        names = (*found, *(f"city:{name}" for name in moments.cities.names))
        rows.append([*found.values(), *((sticky - sticky.mean()) / sticky.std())])
    return names, np.array(rows)


def build(
    moments: Moments,
    box: Box,
    *,
    points: int = 500,
    seed: int = 11,
    progress: Progress | None = None,
) -> Surrogate:
    """Evaluate the operator at draws of the prior and fit the surrogate.

    Parameters
    ----------
    moments : Moments
    box : Box
    points : int
        Evaluations; more than twice the number of coefficients.
    seed : int
    progress : callable, optional
        Called as ``progress(done, total, message)``.
    """
    unit = box.draw(points, seed)
    names, outputs = evaluate(moments, box, unit, progress)
    return fit_surrogate(box, unit, outputs, names)


class Likelihood:
    """Log posterior of points of the unit cube, by a surrogate.

    Parameters
    ----------
    surrogate : Surrogate
    targets : tuple of Target
        Those marked ``fit`` count.
    """

    def __init__(self, surrogate: Surrogate, targets: tuple[Target, ...]) -> None:
        fitted = [target for target in targets if target.use == "fit"]
        self.surrogate = surrogate
        self.columns = [surrogate.column(target.name) for target in fitted]
        self.value = np.array([target.value for target in fitted])
        spread = np.array([target.spread for target in fitted])
        self.spread = np.hypot(spread, surrogate.error[self.columns])

    def simulate(self, unit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return a data set as it would be measured at a point: outputs with noise, (K,)."""
        mean = self.surrogate(unit)[0, self.columns]
        return mean + rng.normal(size=len(mean)) * self.spread

    def log_posterior(self, unit: np.ndarray, value: np.ndarray | None = None) -> np.ndarray:
        """Return the log posterior up to a constant, (n,); minus infinity outside the bounds."""
        unit = np.atleast_2d(unit)
        inside = np.all((unit >= 0.0) & (unit <= 1.0), axis=1)
        value = self.value if value is None else value
        misfit = (self.surrogate(unit)[:, self.columns] - value) / self.spread
        prior = self.surrogate.box.prior_residuals(unit)
        log = -0.5 * ((misfit**2).sum(1) + (prior**2).sum(1))
        return np.where(inside, log, -np.inf)
