"""What the report says of the dimension scores, as constraints that a matrix meets or breaks.

Every checkable statement of chapter B.11 of the *Annual Report on Development of Beijing's Talent
(2024)* on the composite and the six dimensions is one `Constraint`: printed scores, ranks, counts
of countries and continents among the leaders, shares, signs of correlations, and what follows from
them by logic ("derived"). The list itself is in `calibration.statements`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sim.cities import DIMENSIONS
from sim.landscape import HIGH, LOW, Landscape

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

COMPOSITE = 6
"""Number of the column that holds the composite, after the six dimensions."""
COLUMNS = (*DIMENSIONS, "composite")
LEADERS = 20
"""No statement on ranks looks further down a dimension than this."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A landscape as the constraints see it.

    Attributes
    ----------
    table : float64 array, shape (C, 7)
        The six dimensions and the composite, index points.
    weights : float64 array, shape (6,)
        Weights of the dimensions.
    slope : float
        Slope of the composite.
    """

    table: Array
    weights: Array
    slope: float

    @classmethod
    def of(cls, landscape: Landscape) -> Candidate:
        """Return what the constraints need to know of a landscape."""
        table = np.column_stack([landscape.scores, landscape.composite()])
        return cls(table, landscape.weights, landscape.scale[1])

    def ranks(self, column: int) -> npt.NDArray[np.intp]:
        """Return ranks from 1; equal scores share the better rank."""
        values = self.table[:, column]
        return 1 + (values[None, :] > values[:, None]).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Constraint:
    """One statement.

    Attributes
    ----------
    name : str
        Unique: column, then what is said.
    column : int
        0 to 5 a dimension, 6 the composite.
    citation : str
        Place in the report.
    basis : str
        'printed', 'derived' (follows from what is printed) or 'convention' (of the index's scale).
    """

    name: str
    column: int
    citation: str
    basis: str

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Return whether the candidate meets the statement, and what it has instead."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Cell(Constraint):
    """A score is this number."""

    city: int
    value: float

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Compare the cell, exactly."""
        score = candidate.table[self.city, self.column]
        return bool(score == self.value), f"{score:.4f}"


@dataclass(frozen=True, eq=False)
class RankBetween(Constraint):
    """Each of some cities has a rank from ``low`` to ``high``."""

    cities: tuple[int, ...]
    low: int
    high: int

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Compare the ranks."""
        ranks = candidate.ranks(self.column)[list(self.cities)]
        fine = bool(((ranks >= self.low) & (ranks <= self.high)).all())
        if len(ranks) == 1:
            return fine, str(ranks[0])
        return fine, f"{ranks.min()} to {ranks.max()}"


@dataclass(frozen=True, eq=False)
class GroupCount(Constraint):
    """Among the first ``top`` cities, from ``low`` to ``high`` are of a group."""

    group: Mask
    top: int
    low: int
    high: int

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Count them."""
        count = int((self.group & (candidate.ranks(self.column) <= self.top)).sum())
        return self.low <= count <= self.high, str(count)


@dataclass(frozen=True, eq=False)
class ShareCount(Constraint):
    """From ``low`` to ``high`` cities score from ``least`` to ``most``."""

    least: float
    most: float
    low: int
    high: int

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Count them."""
        values = candidate.table[:, self.column]
        count = int(((values >= self.least) & (values <= self.most)).sum())
        return self.low <= count <= self.high, str(count)


@dataclass(frozen=True, eq=False)
class TopRange(Constraint):
    """The first ``top`` cities score from ``least`` to ``most``."""

    top: int
    least: float
    most: float

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Compare the first and the last of them."""
        values = np.sort(candidate.table[:, self.column])[::-1][: self.top]
        fine = bool(values[-1] >= self.least and values[0] <= self.most)
        return fine, f"{values[-1]:.2f} to {values[0]:.2f}"


@dataclass(frozen=True, eq=False)
class Correlation(Constraint):
    """Pearson's correlation with the composite lies strictly between two numbers."""

    low: float
    high: float

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Compute it over all cities."""
        with np.errstate(invalid="ignore"):
            pair = candidate.table[:, [self.column, COMPOSITE]]
            value = float(np.asarray(np.corrcoef(pair, rowvar=False))[0, 1])
        return bool(self.low < value < self.high), f"{value:+.3f}"


@dataclass(frozen=True, eq=False)
class Composites(Constraint):
    """The composites are the published ones within a tolerance."""

    published: Array
    tolerance: float

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Return the greatest departure."""
        worst = float(np.abs(candidate.table[:, COMPOSITE] - self.published).max())
        return worst <= self.tolerance, f"{worst:.4f}"


@dataclass(frozen=True, eq=False)
class CompositeOrder(Constraint):
    """The cities stand in the published order."""

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Count neighbours that are not in strict order."""
        broken = int((np.diff(candidate.table[:, COMPOSITE]) >= 0).sum())
        return broken == 0, f"{broken} pairs out of order"


@dataclass(frozen=True, eq=False)
class Bounds(Constraint):
    """All scores of the six dimensions lie on the scale."""

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Compare least and greatest."""
        low, high = candidate.table[:, :COMPOSITE].min(), candidate.table[:, :COMPOSITE].max()
        return bool(low >= LOW and high <= HIGH), f"{low:.2f} to {high:.2f}"


@dataclass(frozen=True, eq=False)
class Maximum(Constraint):
    """The best city of the column has exactly 100."""

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Compare the greatest score; the composite to a millionth, for it is computed."""
        best = float(candidate.table[:, self.column].max())
        slack = 1e-6 if self.column == COMPOSITE else 0.0
        return abs(best - HIGH) <= slack, f"{best:.4f}"


@dataclass(frozen=True, eq=False)
class Formula(Constraint):
    """Weights are not negative and sum to 1, and the composite rises with each dimension."""

    def test(self, candidate: Candidate) -> tuple[bool, str]:
        """Check weights and slope."""
        w = candidate.weights
        fine = bool(w.min() >= 0 and abs(w.sum() - 1) < 1e-9 and candidate.slope > 0)
        return fine, f"weights {w.min():.3f} to {w.max():.3f}, slope {candidate.slope:.3f}"


def check(constraints: Iterable[Constraint], candidates: Sequence[Landscape]) -> pd.DataFrame:
    """Test landscapes against constraints.

    Parameters
    ----------
    constraints : iterable of Constraint
        What to test.
    candidates : sequence of Landscape
        One or more, of the 120 cities in the order of their published rank.

    Returns
    -------
    pandas.DataFrame
        One row a constraint: ``constraint``, ``citation``, ``basis``, ``satisfied`` (share of the
        landscapes, 0 to 1), ``value`` (of the first landscape), ``broken_by`` (value of the first
        landscape that breaks it, or '').
    """
    import pandas as pd

    seen = [Candidate.of(landscape) for landscape in candidates]
    rows = []
    for constraint in constraints:
        results = [constraint.test(candidate) for candidate in seen]
        rows.append(
            {
                "constraint": constraint.name,
                "citation": constraint.citation,
                "basis": constraint.basis,
                "satisfied": float(np.mean([fine for fine, _ in results])),
                "value": results[0][1],
                "broken_by": next((value for fine, value in results if not fine), ""),
            }
        )
    return pd.DataFrame(rows)
