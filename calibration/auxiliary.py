"""The auxiliary model of indirect inference: a gravity regression, the same on data and model.

Real tables of flows are not shipped; what is shipped are the coefficients of this regression on
them (``data/targets.csv``). The simulator is asked to give the same coefficients when its own
flows are regressed in the same way (Gouriéroux, Monfort and Renault 1993, Journal of Applied
Econometrics 8).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache
from importlib import resources

import numpy as np

from calibration.rivals import poisson_fit
from calibration.scores import off_diagonal
from calibration.twin import Stage
from calibration.validate import membership, separation
from sim.obstacles import common_bloc

COEFFICIENTS = (
    "origin_size",
    "destination_size",
    "distance_elasticity",
    "own_language",
    "lingua_franca",
    "free_movement",
)
LINGUA_FRANCA = "en"


@cache
def language_measures(areas: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities that two people share English, and another language, (A, A) each.

    From the shares of speakers in ``sim/data/languages.csv``, languages taken as independent.
    """
    text = resources.files("sim").joinpath("data/languages.csv").read_text(encoding="utf-8")
    spoken: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(areas)))
    for row in csv.DictReader(text.splitlines()):
        if row["area"] in areas:
            spoken[row["language"]][areas.index(row["area"])] = float(row["share"])
    english = spoken.pop(LINGUA_FRANCA, np.zeros(len(areas)))
    apart = np.ones((len(areas),) * 2)
    for share in spoken.values():
        apart *= 1.0 - np.outer(share, share)
    return np.outer(english, english), 1.0 - apart


def free_movement(areas: tuple[str, ...]) -> np.ndarray:
    """Return whether two different areas share a free-movement bloc, float (A, A)."""
    return np.array(
        [[float(a != b and common_bloc(a, b) is not None) for b in areas] for a in areas]
    )


class Auxiliary:
    """The regression for the areas of a stage.

    Parameters
    ----------
    stage : Stage
        Gives the areas and the distances between them.
    areas : tuple of str, optional
        Areas that take part; all of the stage by default.
    """

    def __init__(self, stage: Stage, areas: tuple[str, ...] | None = None) -> None:
        self.areas = areas or stage.cities.area_names
        self.group = membership(stage.cities, "country", self.areas)
        places = separation(stage, self.group, np.ones(len(self.areas)))
        distance = np.where(np.eye(len(self.areas), dtype=bool), 1.0, places.distance_km)
        english, other = language_measures(self.areas)
        self._fixed = [np.log(distance), other, english, free_movement(self.areas)]

    def design(self, flows: np.ndarray) -> np.ndarray:
        """Return the regressors of flows between areas, (n, 7): constant, sizes, separations."""
        turnover = (flows.sum(0) + flows.sum(1)) / 2.0
        size = np.log(np.maximum(turnover, 1e-6 * turnover.max()))
        ones = np.ones_like(flows)
        columns = [ones, size[:, None] * ones, size[None, :] * ones, *self._fixed]
        return np.column_stack([off_diagonal(column) for column in columns])

    def fit(self, flows: np.ndarray) -> dict[str, float]:
        """Return the coefficients of a table of flows, and the share of deviance unexplained.

        Parameters
        ----------
        flows : (A, A) array
            Flows between the areas, of any scale.
        """
        flows = np.where(np.eye(len(flows), dtype=bool), 0.0, flows / flows.sum())
        X, y = self.design(flows), off_diagonal(flows)
        b = poisson_fit(X, y * len(y))
        found = dict(zip(COEFFICIENTS, b[1:].tolist(), strict=True))
        return found | {"gravity_deviance_share": _deviance_share(X @ b, y * len(y))}

    def errors(self, flows: np.ndarray) -> dict[str, float]:
        """Return standard errors of the coefficients by leaving out one area at a time.

        The jackknife over areas: pairs that share an area are not independent.
        """
        flows = np.where(np.eye(len(flows), dtype=bool), 0.0, flows / flows.sum())
        X, y = self.design(flows), off_diagonal(flows) * flows.size
        number = len(flows)
        rows = off_diagonal(np.arange(number)[:, None] + np.zeros((number, number)))
        columns = off_diagonal(np.arange(number)[None, :] + np.zeros((number, number)))
        drawn = []
        for area in range(number):
            kept = (rows != area) & (columns != area)
            drawn.append(poisson_fit(X[kept], y[kept])[1:])
        spread = np.std(drawn, axis=0) * np.sqrt(number - 1)
        return dict(zip(COEFFICIENTS, spread.tolist(), strict=True))


def _deviance_share(eta: np.ndarray, y: np.ndarray) -> float:
    """Return residual over null Poisson deviance, 0 to 1."""

    def deviance(mu: np.ndarray) -> float:
        logs = np.where(y > 0, y * np.log(np.maximum(y, 1e-300) / mu), 0.0)
        return float(2.0 * (logs - (y - mu)).sum())

    return deviance(np.exp(eta)) / deviance(np.full(len(y), y.mean()))
