"""What policies change for one segment of agents in one year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Obstacles by pair of cities: rows of the kernel's tables, and last the fixed cost of moving.
PAIRS = ("distance", "border", "settlement", "moving")
#: Obstacles by citizenship and destination: rows of the kernel's tables.
AREAS = ("visa", "language")
_ROWS = 3


@dataclass
class Effects:
    """Changes by policies; adding zeros and multiplying by ones changes nothing.

    C cities, A areas of citizenship. Effects of several policies add up, and factors multiply, so
    their order does not matter.

    Attributes
    ----------
    scores : (C, 6) array
        Added to the dimension scores, index points.
    factor_pairs, added_pairs : (C, 4, C) arrays
        Factors on the obstacles ``PAIRS`` from row to column, and utility added to them.
    factor_areas, added_areas : (A, 2, C) arrays
        Likewise for ``AREAS``, by citizenship and destination.
    utility : (C, C) array
        Added to the utility of the destination (column) for those who live in the row.
    staying : (C,) array
        Added to the utility of staying.
    looking : (C,) array
        Factor on the probability to look, by city of residence.
    """

    scores: np.ndarray
    factor_pairs: np.ndarray
    added_pairs: np.ndarray
    factor_areas: np.ndarray
    added_areas: np.ndarray
    utility: np.ndarray
    staying: np.ndarray
    looking: np.ndarray

    @classmethod
    def none(cls, cities: int, areas: int) -> Effects:
        """Return effects that change nothing."""
        return cls(
            np.zeros((cities, 6)),
            np.ones((cities, len(PAIRS), cities)),
            np.zeros((cities, len(PAIRS), cities)),
            np.ones((areas, len(AREAS), cities)),
            np.zeros((areas, len(AREAS), cities)),
            np.zeros((cities, cities)),
            np.zeros(cities),
            np.ones(cities),
        )

    def on_pairs(self, rows: np.ndarray, moving: float) -> np.ndarray:
        """Return the utility rows by origin (C, 4, C), with obstacles changed.

        ``moving`` is the fixed cost of a move (utility); its change goes into the last row, which
        is added to the utility of going. No obstacle falls below zero.
        """
        changed = rows.copy()
        factor, added = self.factor_pairs, self.added_pairs
        changed[:, :_ROWS] = np.maximum(rows[:, :_ROWS] * factor[:, :_ROWS] + added[:, :_ROWS], 0.0)
        dearer = np.maximum(moving * factor[:, _ROWS] + added[:, _ROWS], 0.0) - moving
        changed[:, _ROWS] += self.utility - dearer
        return changed

    def on_areas(self, rows: np.ndarray) -> np.ndarray:
        """Return the utility rows by citizenship (A, 4, C): obstacles changed, never below zero."""
        changed = rows.copy()
        obstacles = rows[:, : len(AREAS)] * self.factor_areas + self.added_areas
        changed[:, : len(AREAS)] = np.maximum(obstacles, 0.0)
        return changed

    def change_obstacle(self, name: str, factor: np.ndarray, add: np.ndarray) -> None:
        """Multiply one obstacle and add to it.

        Parameters
        ----------
        name : str
            One of ``PAIRS`` or ``AREAS``.
        factor, add : (C, C) or (A, C) arrays
            By origin for ``PAIRS``, by citizenship for ``AREAS``; 1 and 0 change nothing.
        """
        if name in PAIRS:
            self.factor_pairs[:, PAIRS.index(name)] *= factor
            self.added_pairs[:, PAIRS.index(name)] += add
        else:
            self.factor_areas[:, AREAS.index(name)] *= factor
            self.added_areas[:, AREAS.index(name)] += add
