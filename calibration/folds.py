"""Hold-out of cities: fit without a fold's composites, then predict their stickiness.

What is left out of the fit is the fold's composites as targets. The landscape, which the agents
see, is still the one reconstructed with all composites (B.11 table 2), so the folds test whether
the fitted behaviour carries over to other cities, not whether the landscape could be had without
them; the landscape's own hold-out stands in ``sim/data/LANDSCAPE.md``. 'dimension mean' has the
same advantage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from calibration.free import Box
from calibration.moments import Moments
from calibration.scores import pearson, spearman
from calibration.surrogate import Surrogate
from calibration.targets import Target

Progress = Callable[[int, int, str], None]


def fold_of(composite: np.ndarray, folds: int) -> np.ndarray:
    """Return the fold of each city, (C,): every ``folds``-th by rank, so that all are alike."""
    fold = np.empty(len(composite), int)
    fold[np.argsort(-composite, kind="stable")] = np.arange(len(composite)) % folds
    return fold


def fit_without(
    surrogate: Surrogate, targets: tuple[Target, ...], composite: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Return the point at which the targets are met best when only ``kept`` cities count.

    Parameters
    ----------
    surrogate : Surrogate
        With a column ``city:NAME`` for each city.
    targets : tuple of Target
    composite : (C,) array
    kept : (C,) bool array

    Returns
    -------
    (p,) array
        Point of the unit cube.
    """
    from scipy.optimize import least_squares

    fitted = [t for t in targets if t.use == "fit"]
    columns = [surrogate.column(target.name) for target in fitted]
    value = np.array([target.value for target in fitted])
    spread = np.array([target.spread for target in fitted])
    own = [k for k, target in enumerate(fitted) if target.name == "stickiness_correlation"]
    cities = [k for k, name in enumerate(surrogate.names) if name.startswith("city:")]

    def residuals(unit: np.ndarray) -> np.ndarray:
        outputs = surrogate(unit)[0]
        simulated = outputs[columns]
        simulated[own] = pearson(outputs[cities][kept], composite[kept])
        prior = surrogate.box.prior_residuals(unit)
        return np.concatenate([(simulated - value) / spread, prior])

    box = surrogate.box
    return least_squares(residuals, box.unit(box.mean), bounds=(0.0, 1.0)).x


def cross_validate(
    surrogate: Surrogate,
    moments: Moments,
    targets: tuple[Target, ...],
    *,
    folds: int = 5,
    draws: int = 2000,
    seed: int = 7,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Fit without each fold and predict its cities' composites, beside two simple rivals.

    Predictions are put on the composite's scale by a straight line fitted on the other folds.

    Returns
    -------
    list of dict
        By fold: cities, spearman and rmse of the model with 90 % bootstrap intervals, and of
        ``dimension_mean`` (mean of the six dimensions) and ``regional_mean`` (mean composite of
        the continent's other cities).
    """
    cities = moments.cities
    composite, fold = cities.composite, fold_of(cities.composite, folds)
    continent = np.array(cities.continent)
    dimension_mean = moments.twin.stage.scores.mean(1)
    rng, rows = np.random.default_rng(seed), []
    box: Box = surrogate.box
    for number in range(folds):
        if progress is not None:
            progress(number, folds, "holding out cities")
        out, kept = fold == number, fold != number
        unit = fit_without(surrogate, targets, composite, kept)
        sticky = moments.with_cities(box.parameters(unit))[1]
        regional = np.array(
            [
                composite[kept & (continent == place)].mean()
                if (kept & (continent == place)).any()
                else composite[kept].mean()
                for place in continent
            ]
        )
        row: dict[str, Any] = {"fold": number + 1, "cities": int(out.sum())}
        for name, predictor in (
            ("model", sticky),
            ("dimension_mean", dimension_mean),
            ("regional_mean", regional),
        ):
            predicted = _line(predictor[kept], composite[kept])(predictor[out])
            row[name] = _judge(predicted, composite[out], rng, draws)
        rows.append(row)
    return rows


def _line(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    slope, intercept = np.polyfit(x, y, 1)
    return lambda new: intercept + slope * new


def _judge(
    predicted: np.ndarray, observed: np.ndarray, rng: np.random.Generator, draws: int
) -> dict[str, float]:
    """Return Spearman and RMSE with 90 % bootstrap intervals over cities."""
    picks = rng.integers(0, len(observed), (draws, len(observed)))
    ranks = np.array([spearman(predicted[p], observed[p]) for p in picks])
    errors = np.sqrt(((predicted - observed)[picks] ** 2).mean(1))
    low, high = np.nanquantile(ranks, [0.05, 0.95])
    return {
        "spearman": spearman(predicted, observed),
        "spearman_low": float(low),
        "spearman_high": float(high),
        "rmse": float(np.sqrt(np.mean((predicted - observed) ** 2))),
        "rmse_low": float(np.quantile(errors, 0.05)),
        "rmse_high": float(np.quantile(errors, 0.95)),
    }
