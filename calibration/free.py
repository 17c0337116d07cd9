"""Which parameters are fitted, within which bounds, and what is believed of them beforehand.

Priors are normal, cut at the bounds; their centre and spread say what the literature and the
mechanisms allow before the targets are looked at. The bounds are those within which the operator
is used, narrower than what `sim.parameters` admits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sim.parameters import Parameters


@dataclass(frozen=True)
class Free:
    """A parameter that is fitted.

    Attributes
    ----------
    path : str
        ``group.name`` in `sim.parameters`.
    low, high : float
        Bounds.
    mean, spread : float
        Prior.
    """

    path: str
    low: float
    high: float
    mean: float
    spread: float


FREE = (
    Free("preference.beta", 0.02, 1.5, 0.5, 0.25),
    Free("preference.size", 0.3, 1.3, 0.8, 0.2),
    Free("obstacles.distance", 0.0, 0.8, 0.25, 0.15),
    Free("obstacles.border", 0.0, 3.0, 0.5, 0.5),
    Free("obstacles.visa", 0.0, 2.0, 0.45, 0.3),
    Free("obstacles.language", 0.0, 4.0, 1.0, 0.8),
    Free("obstacles.settlement", 0.0, 2.0, 0.3, 0.3),
    Free("obstacles.moving", 1.0, 8.0, 3.6, 1.2),
    Free("ties.home_city", 0.0, 4.0, 1.0, 0.5),
    Free("ties.home_area", 0.0, 4.0, 0.8, 0.6),
    Free("ties.conationals", 0.0, 1.0, 0.25, 0.15),
    Free("consider.push", 0.0, 2.0, 0.3, 0.3),
    Free("choose.dissimilarity", 0.5, 1.0, 0.8, 0.15),
    Free("people.home_distance", 0.0, 1.6, 0.8, 0.3),
)


def to_parameters(values: Mapping[str, float], base: Parameters | None = None) -> Parameters:
    """Return parameters with values laid over ``base`` (the defaults), checked.

    Parameters
    ----------
    values : mapping of str to float
        By path, ``group.name``.
    base : Parameters, optional
    """
    data = (base or Parameters()).model_dump()
    for path, value in values.items():
        group, name = path.split(".")
        data[group][name] = float(value)
    return Parameters.model_validate(data)


class Box:
    """The free parameters as a vector in the unit cube.

    Parameters
    ----------
    free : tuple of Free
    base : Parameters, optional
        Everything that is not free.
    """

    def __init__(self, free: tuple[Free, ...] = FREE, base: Parameters | None = None) -> None:
        self.free = free
        self.base = base or Parameters()
        self.low = np.array([f.low for f in free])
        self.high = np.array([f.high for f in free])
        self.mean = np.array([f.mean for f in free])
        self.spread = np.array([f.spread for f in free])

    @property
    def paths(self) -> tuple[str, ...]:
        """Names of the free parameters."""
        return tuple(f.path for f in self.free)

    def values(self, unit: np.ndarray) -> np.ndarray:
        """Return parameter values of points in the unit cube, (..., p)."""
        return self.low + np.clip(unit, 0.0, 1.0) * (self.high - self.low)

    def unit(self, values: np.ndarray) -> np.ndarray:
        """Return points in the unit cube, (..., p)."""
        return (np.asarray(values) - self.low) / (self.high - self.low)

    def parameters(self, unit: np.ndarray) -> Parameters:
        """Return the parameters at one point of the unit cube."""
        return to_parameters(dict(zip(self.paths, self.values(unit), strict=True)), self.base)

    def prior_residuals(self, unit: np.ndarray) -> np.ndarray:
        """Return distances from the prior's centre in its spreads, (..., p)."""
        return (self.values(unit) - self.mean) / self.spread

    def draw(self, number: int, seed: int) -> np.ndarray:
        """Return draws of the prior, cut at the bounds, in the unit cube, (number, p)."""
        rng = np.random.default_rng(seed)
        drawn = np.empty((number, len(self.free)))
        for k in range(len(self.free)):
            column = np.empty(0)
            while len(column) < number:
                more = rng.normal(self.mean[k], self.spread[k], 2 * number + 8)
                column = np.concatenate(
                    [column, more[(more >= self.low[k]) & (more <= self.high[k])]]
                )
            drawn[:, k] = column[:number]
        return self.unit(drawn)
