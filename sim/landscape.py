"""The landscape: scores of the cities in six dimensions, how sure they are, and the composite.

The report prints 120 composites (B.11 table 2) but only 24 dimension scores and 31 dimension ranks
(B.11 figures 3-8). The other cells are reconstructed: ``data/landscape.npz`` holds an ensemble of
matrices, each of which agrees with everything that is printed, and one of them as its centre.
``data/LANDSCAPE.md`` tells the method; ``python -m calibration.reconstruct`` rebuilds the file.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sim.cities import DIMENSIONS
from sim.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]

LOW, HIGH = 50.0, 100.0
STEP = 1e-4
"""Scores are kept in steps of this many index points."""
INTERVAL = (0.05, 0.95)
"""Quantiles of the ensemble that ``Landscape.low`` and ``Landscape.high`` are."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """Scores of C cities in the six dimensions of ``sim.cities.DIMENSIONS``.

    Attributes
    ----------
    cities : tuple of str
        English names.
    scores : float64 array, shape (C, 6)
        Index points, 50 to 100.
    spread : float64 array, shape (C, 6)
        Standard deviation of the cell over the ensemble, index points; 0 where it is certain.
    kind : array of str, shape (C, 6)
        'published' where the report prints the score, else 'estimated'.
    weights : float64 array, shape (6,)
        Weights of the dimensions in the composite; not negative, sum 1. The report does not print
        them, so each draw of the ensemble has its own.
    scale : (float, float)
        Intercept and slope of the composite.
    mean, low, high : float64 arrays, shape (C, 6)
        Mean of the cell over the ensemble, and its 5 % and 95 % quantiles.
    draw : int or None
        Number of the draw, None for the centre and for landscapes of one's own.
    """

    cities: tuple[str, ...]
    scores: Array
    spread: Array
    kind: npt.NDArray[np.str_]
    weights: Array
    scale: tuple[float, float]
    mean: Array
    low: Array
    high: Array
    draw: int | None = None

    def __len__(self) -> int:
        """Return the number of cities."""
        return len(self.cities)

    @classmethod
    def build(
        cls,
        *,
        cities: Sequence[str],
        scores: npt.ArrayLike,
        spread: npt.ArrayLike | None = None,
        kind: npt.ArrayLike | None = None,
        weights: npt.ArrayLike | None = None,
        scale: tuple[float, float] | None = None,
        mean: npt.ArrayLike | None = None,
        low: npt.ArrayLike | None = None,
        high: npt.ArrayLike | None = None,
        draw: int | None = None,
    ) -> Landscape:
        """Make a landscape; what is left out takes a neutral value.

        Parameters
        ----------
        cities : sequence of str
            C names, each once.
        scores : array-like, shape (C, 6)
            Finite index points.
        spread, kind : array-like, shape (C, 6), optional
            Default: 0 and 'estimated'.
        weights : array-like, shape (6,), optional
            Relative weights, not negative; default equal. They are scaled to sum 1.
        scale : (float, float), optional
            Default: the map that gives the best city 100 and the last 50, as in the index.
        mean, low, high : array-like, shape (C, 6), optional
            Default: the scores.
        draw : int, optional
            Number of the draw.

        Returns
        -------
        Landscape
            Its arrays are copies that cannot be written to.

        Raises
        ------
        UserError
            If a shape, a name or a number is wrong.
        """
        names = tuple(map(str, cities))
        if len(set(names)) < len(names):
            double = next(name for k, name in enumerate(names) if name in names[:k])
            raise UserError(f"landscape: '{double}' occurs twice; give each city once")
        shape = (len(names), len(DIMENSIONS))
        table = _numbers("scores", scores, shape)
        relative = _numbers("weights", np.ones(6) if weights is None else weights, (6,))
        if relative.min() < 0 or relative.sum() <= 0:
            raise UserError("landscape: weights must not be negative, nor all zero")
        kinds = np.full(shape, "estimated") if kind is None else np.array(kind, dtype=np.str_)
        if kinds.shape != shape or not np.isin(kinds, ("published", "estimated")).all():
            raise UserError(
                f"landscape: kind must have shape {shape} and say 'published' or 'estimated'"
            )
        kinds.flags.writeable = False
        share = relative / relative.sum()
        share.flags.writeable = False
        return cls(
            cities=names,
            scores=table,
            spread=_numbers("spread", np.zeros(shape) if spread is None else spread, shape),
            kind=kinds,
            weights=share,
            scale=affine_scale(table @ share) if scale is None else scale,
            mean=_numbers("mean", table if mean is None else mean, shape),
            low=_numbers("low", table if low is None else low, shape),
            high=_numbers("high", table if high is None else high, shape),
            draw=draw,
        )

    def composite(self, scores: Array | None = None) -> Array:
        """Return the composite: intercept + slope x the weighted mean of the six dimensions.

        The published composite runs from exactly 100 to exactly 50.00 (B.11 table 2), so it is an
        affine map of a weighted mean; the map is fixed by the landscape's own first and last city.

        Parameters
        ----------
        scores : float64 array, shape (..., 6), optional
            Scores to use in the place of the landscape's own, in index points.

        Returns
        -------
        float64 array, shape (...)
            Index points; 50 to 100 for the landscape's own scores.
        """
        intercept, slope = self.scale
        return np.asarray(
            intercept + slope * ((self.scores if scores is None else scores) @ self.weights)
        )

    def rank(self, scores: Array | None = None) -> npt.NDArray[np.int16]:
        """Return the rank of each city by composite, 1 the best; ties in the order of cities."""
        composite = self.composite(scores)
        ranks = np.empty(len(composite), np.int16)
        ranks[np.argsort(-composite, kind="stable")] = np.arange(1, len(composite) + 1)
        return ranks

    def _repr_html_(self) -> str:
        from sim.notebook import landscape_html

        return landscape_html(self)

    def frame(self) -> pd.DataFrame:
        """Return a tidy table, one row a city and dimension.

        Returns
        -------
        pandas.DataFrame
            ``city``, ``dimension``, ``score``, ``mean``, ``spread``, ``low``, ``high`` (index
            points), ``kind``.
        """
        import pandas as pd

        n = len(self)
        return pd.DataFrame(
            {
                "city": np.repeat(np.array(self.cities, dtype=object), len(DIMENSIONS)),
                "dimension": np.tile(np.array(DIMENSIONS, dtype=object), n),
                "score": self.scores.ravel(),
                "mean": self.mean.ravel(),
                "spread": self.spread.ravel(),
                "low": self.low.ravel(),
                "high": self.high.ravel(),
                "kind": self.kind.ravel().astype(object),
            }
        )


def affine_scale(raw: Array) -> tuple[float, float]:
    """Return intercept and slope that map the greatest of raw values to 100, the least to 50.

    Parameters
    ----------
    raw : float64 array, shape (C,)
        Weighted means of the dimensions.

    Returns
    -------
    (float, float)
        Intercept and slope; all raw values equal gives (0, 1), the weighted mean itself.
    """
    least, greatest = float(raw.min()), float(raw.max())
    if greatest - least < 1e-9:
        return 0.0, 1.0
    slope = (HIGH - LOW) / (greatest - least)
    return LOW - slope * least, slope


def landscape_path() -> Path:
    """Return the path of the shipped ensemble."""
    return Path(__file__).parent / "data" / "landscape.npz"


def n_draws() -> int:
    """Return the number of draws in the shipped ensemble."""
    return len(_bundle()["draws"])


def load_landscape(draw: int | None = None) -> Landscape:
    """Return a landscape of the 120 cities.

    Parameters
    ----------
    draw : int, optional
        0 to ``n_draws() - 1`` for a draw of the ensemble; default: its centre.

    Returns
    -------
    Landscape
        Cities in the order of their published rank. ``spread``, ``mean``, ``low`` and ``high`` are
        those of the ensemble for every draw.

    Raises
    ------
    UserError
        If there is no such draw.
    """
    bundle = _bundle()
    if draw is None:
        scores, weights = bundle["centre"], bundle["centre_weights"]
    else:
        scores, weights = _pick(draw)
    return Landscape.build(
        cities=bundle["cities"],
        scores=scores,
        weights=weights,
        kind=np.where(bundle["published"], "published", "estimated"),
        spread=bundle["spread"],
        mean=bundle["mean"],
        low=bundle["low"],
        high=bundle["high"],
        draw=None if draw is None else int(draw),
    )


def ensemble() -> tuple[Array, Array]:
    """Return all draws of the shipped ensemble at once.

    Returns
    -------
    (float64 array, shape (K, 120, 6), float64 array, shape (K, 6))
        Scores and weights of the draws; read-only.
    """
    bundle = _bundle()
    return bundle["draws"], bundle["weights"]


def _pick(draw: int) -> tuple[Array, Array]:
    bundle = _bundle()
    last = len(bundle["draws"]) - 1
    try:
        number = operator.index(draw)
    except TypeError:
        raise UserError(f"landscape: draw {draw!r} is not a whole number") from None
    if not 0 <= number <= last:
        raise UserError(f"landscape: there is no draw {number}; the ensemble has draws 0 to {last}")
    return bundle["draws"][number], bundle["weights"][number]


@cache
def _bundle() -> dict[str, Any]:
    """Read the shipped file, once."""
    with np.load(landscape_path()) as file:
        bundle: dict[str, Any] = {name: file[name] for name in file.files}
    for name in ("centre", "draws"):
        bundle[name] = np.round(bundle[name] * STEP, 4)
    draws = bundle["draws"]
    bundle["mean"], bundle["spread"] = draws.mean(axis=0), draws.std(axis=0)
    bundle["spread"][bundle["spread"] < STEP / 2] = 0.0  # rounding of the mean of equal numbers
    bundle["low"], bundle["high"] = np.quantile(draws, INTERVAL, axis=0)
    bundle["cities"] = tuple(bundle["cities"].tolist())
    for value in bundle.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return bundle


def _numbers(what: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> Array:
    try:
        table = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"landscape: {what} must be numbers") from None
    if table.shape != shape:
        raise UserError(f"landscape: {what} has shape {table.shape}; it must be {shape}")
    if not np.isfinite(table).all():
        raise UserError(f"landscape: {what} must be finite")
    table.flags.writeable = False
    return table
