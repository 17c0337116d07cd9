r"""The index engine: 24 indicators → 6 dimensions → composite, on 50–100.

For city :math:`i` and indicator :math:`j`, oriented by its sign so that more is better, and
normalised to :math:`y_{ij}`:

.. math:: r_{id} = \sum_{j \in d} v_j y_{ij}, \qquad c_i = \sum_d u_d r_{id}

with weights that sum to one within each dimension (:math:`v`) and over the six (:math:`u`). Each
dimension and the composite is then mapped by :math:`50 + 50 (x - \min x)/(\max x - \min x)`, so the
best city has 100 and the last 50, as in the published composite (B.11 table 2). The composite is
taken from the :math:`r_{id}`, not from the mapped scores: so a city that improves cannot lose by
the stretching of a dimension's scale.

The report publishes neither weights nor normalisation: both are choices, stated in the result.
Methods: OECD and JRC (2008), *Handbook on Constructing Composite Indicators*, steps 5 and 6.

**What holds.** The unit of an indicator does not matter (any positive factor; with min–max, z-score
and percentile any positive affine change). Raising a '+' indicator of one city (or lowering a '−')
never lowers its dimension score or composite under min–max, percentile and log, without gaps, with
weights that are equal or given. It may under z-scores (a far outlier shrinks its own lead, for the
spread grows with it) and under entropy and PCA weights (which depend on the data): no such promise
is made there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.errors import UserError, did_you_mean
from sim.index_table import (
    MISSING,
    IndicatorTable,
    check_table,
    fill_gaps,
    names,
    read_table,
)
from sim.index_weights import WEIGHTS, entropy_weights, pca_weights, resolve_weights
from sim.indicators import (
    dimension_names,
    hierarchy,
    indicator_evidence,
    indicator_name,
    load_indicator_values,
)

__all__ = [
    "MISSING",
    "NORMALISATIONS",
    "WEIGHTS",
    "IndexResult",
    "compute_index",
    "dimension_names",
    "entropy_weights",
    "hierarchy",
    "indicator_evidence",
    "load_indicator_values",
    "pca_weights",
    "read_table",
    "started_log",
]

Array = npt.NDArray[np.float64]

NORMALISATIONS = ("minmax", "zscore", "percentile", "log")
LOW, HIGH = 50.0, 100.0
DECADES = 1000.0
TIE = 1e-12  # a spread below this is rounding, not a difference between cities


@dataclass(frozen=True)
class IndexResult:
    """Scores of the cities, and how they were made.

    Attributes
    ----------
    dimensions : pandas.DataFrame, shape (cities, 6)
        Scores on 50–100, by city.
    composite : pandas.Series
        Composite on 50–100, by city.
    ranks : pandas.DataFrame, shape (cities, 7)
        Ranks from 1 (best) in 'composite' and each dimension; equal scores (to nine decimals)
        share the better rank.
    indicators : pandas.DataFrame, shape (cities, 24)
        Normalised indicators, oriented so that more is better.
    imputed : pandas.DataFrame of bool, shape (cities, 24)
        True where the table had a gap that was filled.
    indicator_weights : pandas.Series
        Weight of each indicator within its dimension; sums to 1 in each.
    dimension_weights : pandas.Series
        Weight of each dimension in the composite, on the unmapped dimension values; sums to 1.
    method : dict of str to str
        'normalisation', 'weights', 'missing', 'scale', each a phrase.
    """

    dimensions: pd.DataFrame
    composite: pd.Series
    ranks: pd.DataFrame
    indicators: pd.DataFrame
    imputed: pd.DataFrame
    indicator_weights: pd.Series
    dimension_weights: pd.Series
    method: dict[str, str]

    @property
    def statement(self) -> str:
        """The method in one line."""
        return "; ".join(f"{key}: {phrase}" for key, phrase in self.method.items())

    def table(self) -> pd.DataFrame:
        """Return the result as one table, in the order of the composite ranks.

        Returns
        -------
        pandas.DataFrame
            ``city``, ``rank``, ``composite``, the six dimensions, a rank for each
            (``<dimension>_rank``), ``imputed`` (names of the indicators that were filled, parted by
            '; ') and ``method`` (the statement, the same in every row). Scores have six decimals.
        """
        filled = ["; ".join(self.imputed.columns[row]) for row in self.imputed.to_numpy(dtype=bool)]
        table = pd.DataFrame({"city": self.composite.index, "rank": self.ranks["composite"].values})
        table["composite"] = self.composite.to_numpy()
        for name in self.dimensions:
            table[name] = self.dimensions[name].to_numpy()
        for name in self.dimensions:
            table[f"{name}_rank"] = self.ranks[name].to_numpy()
        table["imputed"] = filled
        table["method"] = self.statement
        scores = ["composite", *self.dimensions]
        table[scores] = table[scores].round(6)
        return table.sort_values(["rank", "city"], ignore_index=True)


def compute_index(
    table: pd.DataFrame | IndicatorTable | str | Path,
    *,
    normalise: str = "minmax",
    weights: Literal["equal", "entropy", "pca"] | str | Mapping[str, float] = "equal",
    missing: str = "error",
    log: Iterable[str | int] | None = None,
) -> IndexResult:
    """Compute dimension scores, composite and ranks from a table of cities and indicators.

    Parameters
    ----------
    table : pandas.DataFrame, IndicatorTable, str or Path
        A column ``city``, the 24 indicators by English name, Chinese name or number 1–24 (in any
        unit), and perhaps ``group``; or the path of such a CSV file. Any two or more cities.
    normalise : str
        'minmax': (x − min)/(max − min). 'zscore': (x − mean)/standard deviation (population).
        'percentile': share of the other cities that are below, equal ones counting half.
        'log': min–max after a started logarithm (`started_log`) of the heavy-tailed indicators.
    weights : str or mapping
        'equal': equal within each dimension, and over the six. 'entropy': `entropy_weights`.
        'pca': `pca_weights`. A mapping of dimension or indicator names to relative weights (not
        negative; a name that is left out has weight 1): indicators within their dimension,
        dimensions in the composite.
    missing : str
        How to fill gaps: one of `MISSING`; 'error' refuses them.
    log : iterable of str or int, optional
        The indicators to take logarithms of, instead of those marked ``heavy_tailed`` in the
        hierarchy; with 'minmax' and 'zscore' too, where none is the default.

    Returns
    -------
    IndexResult
        Scores on 50–100, ranks, marks of filled gaps and the method.

    Raises
    ------
    UserError
        For an unknown option, any fault of the table (`sim.index_table`), an indicator that is the
        same in all cities, a negative value under a logarithm, or weights that cannot be used.
    """
    _known(normalise, NORMALISATIONS, "normalise")
    _known(missing, MISSING, "missing")
    if isinstance(weights, str):
        _known(weights, WEIGHTS, "weights")
    if isinstance(table, pd.DataFrame):
        table = check_table(table)
    elif not isinstance(table, IndicatorTable):
        table = read_table(table)

    logged = _logged(normalise, log)
    values, imputed = fill_gaps(table, missing)
    values = _comparable(values, table, logged)
    signs = np.where(hierarchy()["sign"] == "+", 1.0, -1.0)
    normalised = _normalise(signs * values, "minmax" if normalise == "log" else normalise)

    member = (hierarchy()["dimension"].to_numpy()[:, None] == dimension_names()).astype(float)
    within, over = resolve_weights(weights, normalised, member)
    raw = (normalised[:, :, None] * (within[:, None] * member)).sum(axis=1)
    combined = (raw * over).sum(axis=1)
    scores = np.column_stack([combined, raw])
    for column, name in enumerate(["composite", *dimension_names()]):
        if np.ptp(scores[:, column]) <= TIE * max(1.0, np.abs(scores[:, column]).max()):
            raise UserError(
                f"{table.source}: all cities tie in '{name}' under these weights, so it cannot be "
                "put on 50–100; change the weights or the cities"
            )
    scores = to_scale(scores)

    index = pd.Index(table.cities, name="city")
    frame = pd.DataFrame(scores, index=index, columns=["composite", *dimension_names()])
    return IndexResult(
        dimensions=frame[dimension_names()],
        composite=frame["composite"],
        ranks=frame.round(9).rank(method="min", ascending=False).astype(int),
        indicators=pd.DataFrame(normalised, index=index, columns=names()),
        imputed=pd.DataFrame(imputed, index=index, columns=names()),
        indicator_weights=pd.Series(within, index=names(), name="weight"),
        dimension_weights=pd.Series(over, index=dimension_names(), name="weight"),
        method=_method(normalise, weights, missing, logged, int(imputed.sum())),
    )


def to_scale(values: Array) -> Array:
    """Map each column affinely to 50–100 (B.11 table 2: last city 50.00, best 100.00).

    Parameters
    ----------
    values : numpy.ndarray of float64, shape (cities, columns)
        Finite; not all equal in any column.

    Returns
    -------
    numpy.ndarray of float64, shape (cities, columns)
        Exactly 50 for the least and 100 for the greatest of each column.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    return LOW + (HIGH - LOW) * ((values - low) / (high - low))


def started_log(values: Array) -> Array:
    """Return ln(1 + 1000 x/max x): a logarithm over the three decades below the leader.

    A started logarithm (Tukey 1977, *Exploratory Data Analysis*, ch. 3) bears zeros. The start, a
    thousandth of the greatest value, follows the unit, so a change of unit alters nothing; and it
    depends on no small value, so a city that rises from zero does not shift all the others.

    Parameters
    ----------
    values : numpy.ndarray of float64, shape (cities,)
        Not negative, not all zero.

    Returns
    -------
    numpy.ndarray of float64, shape (cities,)
        From 0 (for zero) to ln 1001 (for the greatest); rises with the values.
    """
    return np.log1p(DECADES * (values / values.max()))


def _known(word: str, known: tuple[str, ...], option: str) -> None:
    if word not in known:
        raise UserError(
            f"{option} '{word}' is not known{did_you_mean(word, known)}; use one of "
            f"{', '.join(known)}"
        )


def _logged(normalise: str, log: Iterable[str | int] | None) -> list[int]:
    """Return the columns to take logarithms of."""
    if log is None:
        if normalise != "log":
            return []
        return np.flatnonzero(hierarchy()["heavy_tailed"] == "yes").tolist()
    if normalise == "percentile":
        raise UserError(
            "log changes nothing under 'percentile', which looks only at the order; leave it out"
        )
    return sorted({names().index(indicator_name(word)) for word in log})


def _comparable(values: Array, table: IndicatorTable, logged: list[int]) -> Array:
    """Scale each column by a power of two (against overflow) and take the logarithms."""
    for column, name in enumerate(names()):
        own = values[:, column]
        if own.max() == own.min():
            raise UserError(
                f"{table.source}: column '{name}' is {own[0]:g} in all {len(own)} cities, so it "
                "cannot tell them apart; give values that differ"
            )
        _, exponent = np.frexp(np.abs(own).max())
        own = np.ldexp(own, -int(exponent))
        if column in logged:
            if own.min() < 0:
                row = int(own.argmin())
                raise UserError(
                    f"{table.place(row, column)}: {values[row, column]:g} is negative, and a "
                    "logarithm is taken of this indicator; correct it, or leave it out of --log"
                )
            own = started_log(own)
        values[:, column] = own
    return values


def _normalise(values: Array, how: str) -> Array:
    if how == "minmax":
        low, high = values.min(axis=0), values.max(axis=0)
        return (values - low) / (high - low)
    if how == "zscore":
        return (values - values.mean(axis=0)) / values.std(axis=0)
    ranks = pd.DataFrame(values).rank(method="average").to_numpy()
    return (ranks - 1) / (len(values) - 1)


def _method(
    normalise: str,
    weights: str | Mapping[str, float],
    missing: str,
    logged: list[int],
    filled: int,
) -> dict[str, str]:
    name = {"minmax": "min–max", "zscore": "z-score", "percentile": "percentile", "log": "min–max"}
    phrase = name[normalise]
    if logged:
        phrase += " after ln(1 + 1000 x/greatest) of " + ", ".join(names()[j] for j in logged)
    if isinstance(weights, Mapping):
        listed = ", ".join(f"{word}={weight:g}" for word, weight in weights.items())
        weighting = f"given ({listed}; others 1)" if listed else "equal"
    else:
        weighting = weights
    gaps = "none" if not filled else f"{filled} values filled by {missing} and marked"
    return {
        "normalisation": phrase,
        "weights": weighting,
        "missing": gaps,
        "scale": "50–100 for each dimension and the composite (last 50, best 100)",
    }
