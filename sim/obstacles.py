"""Intervening obstacles between cities (Lee 1966): distance, border, visa, language, settlement.

Each is a plain measure with its own unit; how much it weighs, and for whom, is a matter of
`sim.parameters`. Sources of the facts stand beside them in ``sim/data`` and in its README.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

from sim.cities import Cities, load_cities

#: Mean radius of the Earth, km (International Union of Geodesy and Geophysics).
EARTH_RADIUS_KM = 6371.0088
#: Visa classes by citizenship and destination.
VISA_CLASSES = ("none", "free movement", "facilitated", "ordinary permit", "restricted")
NONE, FREE, FACILITATED, ORDINARY, RESTRICTED = range(5)


@dataclass(frozen=True, eq=False)
class Obstacles:
    """Measures of separation among C cities and A areas.

    Attributes
    ----------
    distance_km : (C, C) float64 array
        Great-circle distance.
    same_area : (C, C) bool array
        Whether no border of a migration area lies between.
    free_movement : (C, C) bool array
        Whether citizens of the row's area may live in the column's city by right.
    settlement : (C, C) float64 array
        How hard it is for a newcomer from the row to register and to have credentials recognised
        in the column, 0 (no obstacle) to 1 (the hardest).
    visa_class : (A, C) int8 array
        Position in `VISA_CLASSES` by citizenship and city.
    language_of_area : (A, A) float64 array
        Probability that two people, one from each area, share a language; 1 within an area.
    """

    distance_km: np.ndarray
    same_area: np.ndarray
    free_movement: np.ndarray
    settlement: np.ndarray
    visa_class: np.ndarray
    language_of_area: np.ndarray

    @classmethod
    def build(
        cls,
        *,
        distance_km: np.ndarray,
        same_area: np.ndarray,
        settlement: np.ndarray,
        visa_class: np.ndarray,
        language_of_area: np.ndarray,
        free_movement: np.ndarray | None = None,
    ) -> Obstacles:
        """Build from arrays; without ``free_movement`` only the own area is free."""
        return cls(
            np.asarray(distance_km, float),
            np.asarray(same_area, bool),
            np.asarray(same_area if free_movement is None else free_movement, bool),
            np.asarray(settlement, float),
            np.asarray(visa_class, np.int8),
            np.asarray(language_of_area, float),
        )


def great_circle_km(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Return distances in km between all pairs of points by the haversine formula, (C, C).

    Parameters
    ----------
    latitude, longitude : (C,) arrays
        Degrees.
    """
    lat, lon = np.radians(latitude), np.radians(longitude)
    half_lat = np.sin((lat[:, None] - lat[None, :]) / 2) ** 2
    half_lon = np.sin((lon[:, None] - lon[None, :]) / 2) ** 2
    chord = half_lat + np.cos(lat)[:, None] * np.cos(lat)[None, :] * half_lon
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("sim").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def blocs() -> dict[str, frozenset[str]]:
    """Return the areas of each free-movement bloc (``sim/data/blocs.csv``)."""
    members: dict[str, set[str]] = defaultdict(set)
    for row in _rows("blocs.csv"):
        members[row["bloc"]].add(row["area"])
    return {bloc: frozenset(areas) for bloc, areas in members.items()}


def common_bloc(one: str, other: str) -> str | None:
    """Return a bloc that two different areas share, or None."""
    for bloc, areas in blocs().items():
        if one in areas and other in areas:
            return bloc
    return None


def shared_language(areas: tuple[str, ...]) -> np.ndarray:
    """Return the probability that people of two areas share a language, (A, A), 1 on the diagonal.

    ``1 - Π_l (1 - p_al p_bl)`` over languages, with ``p_al`` the share of area a that speaks l: the
    common spoken language of Melitz and Toubal (2014), taking languages as independent.
    """
    spoken: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(areas)))
    for row in _rows("languages.csv"):
        if row["area"] in areas:
            spoken[row["language"]][areas.index(row["area"])] = float(row["share"])
    apart = np.ones((len(areas), len(areas)))
    for share in spoken.values():
        apart *= 1.0 - np.outer(share, share)
    together = 1.0 - apart
    np.fill_diagonal(together, 1.0)
    return together


def visa_classes(areas: tuple[str, ...]) -> np.ndarray:
    """Return the visa class by citizenship (row) and area of destination (column), (A, A) int8.

    The own area is class 0, a free-movement bloc 1, a route named in ``visa_routes.csv`` its class
    (a route for one citizenship goes before one for all), everything else an ordinary permit.
    """
    routes = {
        (r["citizenship"], r["destination"]): int(r["class"]) for r in _rows("visa_routes.csv")
    }
    classes = np.full((len(areas), len(areas)), ORDINARY, np.int8)
    for i, citizenship in enumerate(areas):
        for j, destination in enumerate(areas):
            if i == j:
                classes[i, j] = NONE
            elif common_bloc(citizenship, destination):
                classes[i, j] = FREE
            else:
                for key in ((citizenship, destination), ("*", destination)):
                    if key in routes:
                        classes[i, j] = routes[key]
                        break
    return classes


def settlement_costs(cities: Cities) -> np.ndarray:
    """Return how hard settling is for newcomers from each city (row) in each city, (C, C).

    Within mainland China it is the household registration rule of the destination; between areas it
    is the recognition of credentials.
    """
    rows = _rows("settlement.csv")
    by_city = {r["place"]: float(r["value"]) for r in rows if r["scope"] == "city"}
    within = {r["place"]: float(r["value"]) for r in rows if r["scope"] == "within"}
    between = {r["place"]: float(r["value"]) for r in rows if r["scope"] == "between"}
    areas = [cities.area_names[a] for a in cities.area_of_city]
    costs = np.zeros((len(cities), len(cities)))
    for i, origin in enumerate(areas):
        for j, destination in enumerate(areas):
            if origin == destination:
                costs[i, j] = by_city.get(cities.names[j], within.get(destination, 0.0))
            else:
                costs[i, j] = between[common_bloc(origin, destination) or "*"]
    np.fill_diagonal(costs, 0.0)
    return costs


def load_obstacles(cities: Cities | None = None) -> Obstacles:
    """Return the obstacles among cities (the 120 of the index where none are given)."""
    cities = cities or load_cities()
    area = cities.area_of_city
    visa = visa_classes(cities.area_names)[:, area]
    return Obstacles.build(
        distance_km=great_circle_km(cities.latitude, cities.longitude),
        same_area=area[:, None] == area[None, :],
        free_movement=visa[area] <= FREE,
        settlement=settlement_costs(cities),
        visa_class=visa,
        language_of_area=shared_language(cities.area_names),
    )
