"""What each lever changes in one year: points for everybody's scores, and effects on a segment."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sim.cities import DIMENSIONS, Cities
from sim.effects import AREAS, Effects
from sim.indicator_shift import indicator_points
from sim.landscape import Landscape
from sim.levers import (
    DimensionShift,
    IndicatorShift,
    Information,
    Integration,
    Lever,
    ObstacleChange,
    Retention,
    ServiceQuality,
    Shock,
    Subsidy,
)
from sim.money import cents
from sim.obstacles import Obstacles
from sim.selectors import PlacesIn

#: Which part of a lever acts: all of it, a part of a retention measure, or none (it only marks
#: whom the lever selects).
Kind = Literal["marks", "all", "stay", "look", "lock_in"]

MOST_COMPENSATION = 5.0
"""Index points that compensation can reach."""


@dataclass
class Surroundings:
    """What levers look at beside their own settings; C cities.

    Attributes
    ----------
    cities, obstacles, landscape
        Those of the run.
    dissimilarity : float
        Of the go nest.
    begin : int
        First calendar year with flows.
    flows : (C, C) int64 array
        Moves of last year, agents; zeros before the first.
    stock : (C,) int64 array
        Residents at the end of last year, agents.
    persons : int
        Persons for each agent.
    """

    cities: Cities
    obstacles: Obstacles
    landscape: Landscape
    dissimilarity: float
    begin: int
    flows: np.ndarray
    stock: np.ndarray
    persons: int = 1
    _known: dict[Any, np.ndarray] = field(default_factory=dict)

    def mask(self, places: PlacesIn | None) -> np.ndarray:
        """Return the cities of a selector, bool (C,); None is everywhere."""
        if places not in self._known:
            everywhere = np.ones(len(self.cities), bool)
            self._known[places] = everywhere if places is None else places.mask(self.cities)
        return self._known[places]

    def indicator_points(self, lever: IndicatorShift) -> np.ndarray:
        """Return the points of an indicator shift at full strength, (C, 6)."""
        if lever not in self._known:
            self._known[lever] = indicator_points(lever, self.cities)
        return self._known[lever]

    def areas(self, where: np.ndarray) -> np.ndarray:
        """Return the areas in which selected cities lie, bool (A,)."""
        return (
            np.bincount(
                self.cities.area_of_city, weights=where, minlength=len(self.cities.area_names)
            )
            > 0
        )

    def exists(self, obstacle: str) -> np.ndarray:
        """Return where an obstacle stands at all: (C, C), or (A, C) by citizenship."""
        areas = np.arange(len(self.cities.area_names))
        if obstacle in AREAS:
            return areas[:, None] != self.cities.area_of_city[None, :]
        if obstacle == "border":
            return ~self.obstacles.same_area
        return ~np.eye(len(self.cities), dtype=bool)


def strength_of(lever: Lever, year: int, around: Surroundings) -> np.ndarray:
    """Return the strength of a lever in each city, 0 to 1, (C,)."""
    cities = len(around.cities)
    if isinstance(lever, Shock):
        return _shock_strength(lever, year, around)
    return np.full(cities, lever.strength(year, around.begin))


def _shock_strength(lever: Shock, year: int, around: Surroundings) -> np.ndarray:
    first = lever.schedule.first(around.begin)
    last = first + lever.schedule.ramp if lever.schedule.end is None else lever.schedule.end
    if year <= last:
        return np.full(len(around.cities), lever.strength(year, around.begin))
    scores = around.landscape.scores
    score = (
        around.landscape.composite()
        if lever.longer_by == "composite"
        else scores[:, DIMENSIONS.index(lever.longer_by)]
    )
    longer = 1.0 + lever.longer * np.maximum(100.0 - score, 0.0) / 10.0
    half_life = lever.half_life * longer
    years = np.where(half_life > 0, (year - last) / np.maximum(half_life, 1e-9), np.inf)
    return np.exp2(-years)


def points_of(lever: Lever, strength: np.ndarray, base: np.ndarray, around: Surroundings) -> Any:
    """Return the index points that a lever adds to scores, (C, 6), or None where it adds none.

    Parameters
    ----------
    lever : Lever
    strength : (C,) array
        0 to 1.
    base : (C, 6) array
        Scores before any intervention, index points.
    around : Surroundings
    """
    if isinstance(lever, IndicatorShift):
        return around.indicator_points(lever) * strength[:, None]
    if isinstance(lever, DimensionShift | Shock):
        where = around.mask(lever.places)
        return np.outer(where * strength, lever.points.values())
    if isinstance(lever, Integration):
        return _shared_services(lever, strength, base, around)
    return None


def _shared_services(
    lever: Integration, strength: np.ndarray, base: np.ndarray, around: Surroundings
) -> np.ndarray:
    where = around.mask(lever.places)
    points = np.zeros_like(base)
    for name in lever.dimensions:
        own = base[where, DIMENSIONS.index(name)]
        target = own.max() if lever.toward == "best" else own.mean()
        points[where, DIMENSIONS.index(name)] = lever.equalise * np.maximum(target - own, 0.0)
    inside = around.flows * np.outer(where, where)
    lost = inside.sum(1) - inside.sum(0)
    percent = 100.0 * np.maximum(lost, 0) / np.maximum(around.stock, 1)
    points[:, 0] += np.minimum(lever.compensation * percent, MOST_COMPENSATION)
    return points * strength[:, None]


def apply(
    lever: Lever, kind: Kind, strength: np.ndarray, around: Surroundings, effects: Effects
) -> None:
    """Add a lever's effects on decisions to those of a segment; scores are left to `points_of`."""
    if isinstance(lever, Retention):
        _retention(lever, kind, strength, around, effects)
    elif type(lever) in _TASKS and kind == "all":
        _TASKS[type(lever)](lever, strength, around, effects)


def _obstacle_change(
    lever: ObstacleChange, strength: np.ndarray, around: Surroundings, effects: Effects
) -> None:
    for name in lever.obstacle:
        where = _ways(name, lever.origins, lever.places, lever.two_way, around)
        level = strength[0] * where
        add = lever.add * level * around.exists(name)
        effects.change_obstacle(name, 1.0 + (lever.factor - 1.0) * level, add)


def _ways(name: str, origins: Any, places: Any, two_way: bool, around: Surroundings) -> np.ndarray:
    """Return from where to where a change holds, 0 or 1, (C, C) or (A, C)."""
    one, other = around.mask(origins), around.mask(places)
    rows = (around.areas(one), around.areas(other)) if name in AREAS else (one, other)
    where = np.outer(rows[0], other)
    return (where | np.outer(rows[1], one) if two_way else where).astype(float)


def _subsidy(lever: Subsidy, strength: np.ndarray, around: Surroundings, effects: Effects) -> None:
    grant = payment(lever, strength[0]) / 100.0
    effects.utility[:, around.mask(lever.places)] += lever.utility_per_10k * grant / 10_000.0


def payment(lever: Any, strength: float) -> int:
    """Return what a lever pays to each person at a strength, whole cents."""
    return round(cents(getattr(lever.cost, "per_person", 0.0)) * strength)


def _retention(
    lever: Retention, kind: Kind, strength: np.ndarray, around: Surroundings, effects: Effects
) -> None:
    where, level = around.mask(lever.places), strength[0]
    if kind == "stay":
        effects.staying[where] += lever.stay * level
    elif kind == "look":
        effects.looking[where] *= 1.0 + (lever.looking - 1.0) * level
    elif kind == "lock_in":
        effects.looking[where] *= 1.0 - level


def _information(
    lever: Information, strength: np.ndarray, around: Surroundings, effects: Effects
) -> None:
    where, level = around.mask(lever.origins), strength[0]
    effects.looking[where] *= 1.0 + (lever.looking - 1.0) * level
    visible = around.dissimilarity * math.log(1.0 + (lever.visibility - 1.0) * level)
    effects.utility[np.ix_(where, around.mask(lever.places))] += visible


def _integration(
    lever: Integration, strength: np.ndarray, around: Surroundings, effects: Effects
) -> None:
    for name in lever.obstacles:
        level = strength[0] * _ways(name, lever.places, lever.places, False, around)
        effects.change_obstacle(name, 1.0 + (lever.factor - 1.0) * level, np.zeros_like(level))


def _shock(lever: Shock, strength: np.ndarray, around: Surroundings, effects: Effects) -> None:
    origins, places = around.mask(lever.origins), around.mask(lever.places)
    for name, add in lever.obstacles.given().items():
        in_areas = name in AREAS
        there = np.outer(around.areas(origins) if in_areas else origins, places * strength)
        if lever.two_way:
            rows = places * strength
            if in_areas:
                rows = _highest_by_area(rows, around)
            there = np.maximum(there, np.outer(rows, origins))
        effects.change_obstacle(name, np.ones_like(there), add * there * around.exists(name))


def _highest_by_area(values: np.ndarray, around: Surroundings) -> np.ndarray:
    highest = np.zeros(len(around.cities.area_names))
    np.maximum.at(highest, around.cities.area_of_city, values)
    return highest


def _service_quality(
    lever: ServiceQuality, strength: np.ndarray, around: Surroundings, effects: Effects
) -> None:
    reach = np.ones(len(strength))
    if lever.capacity is not None:
        arrivals = around.flows.sum(0) * around.persons
        served = lever.capacity * (1.0 + lever.provider)
        reach = np.minimum(1.0, served / np.maximum(arrivals, 1.0))
    quality = lever.effectiveness * (lever.content + lever.environment) / 2.0
    factor = 1.0 - lever.relief * quality * reach * strength * around.mask(lever.places)
    for name in lever.obstacles:
        rows = len(around.cities.area_names) if name in AREAS else len(around.cities)
        effects.change_obstacle(name, np.tile(factor, (rows, 1)), np.zeros((rows, len(factor))))


_TASKS: dict[type[Lever], Callable[..., None]] = {
    ObstacleChange: _obstacle_change,
    Subsidy: _subsidy,
    Information: _information,
    Integration: _integration,
    Shock: _shock,
    ServiceQuality: _service_quality,
}
