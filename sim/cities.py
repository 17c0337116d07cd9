"""The cities: names, places, people."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from sim.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

#: The six dimensions of the index, in the order of B.11 table 1.
DIMENSIONS = (
    "economic_foundation",
    "innovation_potential",
    "cultural_openness",
    "ecological_health",
    "social_welfare",
    "public_life",
)
_ALIASES = {"xian": "Xi'an", "bengaluru": "Bangalore", "saigon": "Ho Chi Minh City"}


def _folded(text: str) -> str:
    """Return a name without accents, apostrophes, spaces and capitals, for comparison."""
    plain = unicodedata.normalize("NFKD", text)
    return "".join(ch for ch in plain.casefold() if ch.isalnum() and not unicodedata.combining(ch))


@dataclass(frozen=True, eq=False)
class Cities:
    """A table of cities; all arrays have one entry a city (C).

    Attributes
    ----------
    names, names_zh : tuple of str
        English and Chinese names, as published (B.11 table 2).
    country : tuple of str
        ISO 3166 alpha-2 code as in the index (CN for Hong Kong, Macau and Taipei).
    continent : tuple of str
    area_names : tuple of str
        Migration areas (A), sorted: countries, with HK, MO and TW apart from CN.
    area_of_city : int16 array
        Position of each city's area in ``area_names``.
    latitude, longitude : float64 arrays
        Degrees north and east.
    population, talent_stock, students : float64 arrays
        Persons in the metropolitan area; graduates among them; tertiary students.
    foreign_share : float64 array
        Share of talent from another area, 0 to 1.
    composite : float64 array
        Published composite, 50 to 100.
    rank : int16 array
        Published rank.
    """

    names: tuple[str, ...]
    names_zh: tuple[str, ...]
    country: tuple[str, ...]
    continent: tuple[str, ...]
    area_names: tuple[str, ...]
    area_of_city: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    population: np.ndarray
    talent_stock: np.ndarray
    students: np.ndarray
    foreign_share: np.ndarray
    composite: np.ndarray
    rank: np.ndarray

    def __len__(self) -> int:
        """Return the number of cities."""
        return len(self.names)

    @classmethod
    def build(
        cls,
        *,
        names: Sequence[str],
        areas: Sequence[str],
        latitude: np.ndarray,
        longitude: np.ndarray,
        talent_stock: np.ndarray,
        students: np.ndarray,
        foreign_share: np.ndarray,
        composite: np.ndarray,
        names_zh: Sequence[str] | None = None,
        country: Sequence[str] | None = None,
        continent: Sequence[str] | None = None,
        population: np.ndarray | None = None,
    ) -> Cities:
        """Build a table from columns; what is left out takes a neutral value.

        Raises
        ------
        UserError
            If a name is double, or a number is missing, infinite or negative.
        """
        if len(set(names)) < len(names):
            double = next(name for k, name in enumerate(names) if name in names[:k])
            raise UserError(f"cities: '{double}' occurs twice; give each city once")
        area_names = tuple(sorted(set(areas)))
        columns = {
            "talent_stock": np.asarray(talent_stock, float),
            "students": np.asarray(students, float),
            "foreign_share": np.asarray(foreign_share, float),
            "population": np.asarray(talent_stock if population is None else population, float),
        }
        for column, values in columns.items():
            bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
            if len(bad):
                raise UserError(
                    f"cities: {column} of '{names[bad[0]]}' is {values[bad[0]]}; "
                    "it must be a number that is not negative"
                )
        composite = np.asarray(composite, float)
        rank = np.empty(len(names), np.int16)
        rank[np.argsort(-composite, kind="stable")] = np.arange(1, len(names) + 1)
        return cls(
            names=tuple(names),
            names_zh=tuple(names if names_zh is None else names_zh),
            country=tuple(areas if country is None else country),
            continent=tuple([""] * len(names) if continent is None else continent),
            area_names=area_names,
            area_of_city=np.array([area_names.index(area) for area in areas], np.int16),
            latitude=np.asarray(latitude, float),
            longitude=np.asarray(longitude, float),
            composite=composite,
            rank=rank,
            **columns,
        )

    def index(self, name: str) -> int:
        """Return the position of a city by its English or Chinese name, accents aside.

        Raises
        ------
        UserError
            If there is no such city; the message suggests the closest name.
        """
        place = self._places.get(_folded(name))
        if place is None:
            raise UserError(f"unknown city '{name}'{did_you_mean(name, self.names)}")
        return place

    @cached_property
    def _places(self) -> dict[str, int]:
        places = {_folded(zh): k for k, zh in enumerate(self.names_zh)}
        places |= {_folded(name): k for k, name in enumerate(self.names)}
        for alias, name in _ALIASES.items():
            if name in self.names:
                places.setdefault(alias, self.names.index(name))
        return places

    def frame(self) -> pd.DataFrame:
        """Return the table as a DataFrame, one row a city."""
        import pandas as pd

        return pd.DataFrame(
            {
                "city": self.names,
                "city_zh": self.names_zh,
                "country": self.country,
                "area": [self.area_names[a] for a in self.area_of_city],
                "continent": self.continent,
                "latitude": self.latitude,
                "longitude": self.longitude,
                "population": self.population,
                "talent_stock": self.talent_stock,
                "students": self.students,
                "foreign_share": self.foreign_share,
                "composite": self.composite,
                "rank": self.rank,
            }
        )


@cache
def load_cities() -> Cities:
    """Return the 120 cities of the Global City Talent Stickiness Index 2024.

    Sources, kinds (published, derived, estimated) and uncertainties of each column stand in
    ``sim/data/cities.csv`` and its README.
    """
    text = resources.files("sim").joinpath("data/cities.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))

    def numbers(column: str) -> np.ndarray:
        return np.array([float(row[column]) for row in rows])

    return Cities.build(
        names=[row["city"] for row in rows],
        names_zh=[row["city_zh"] for row in rows],
        country=[row["iso2"] for row in rows],
        continent=[row["continent"] for row in rows],
        areas=[row["area"] for row in rows],
        latitude=numbers("latitude"),
        longitude=numbers("longitude"),
        population=numbers("population"),
        talent_stock=numbers("talent_stock"),
        students=numbers("students"),
        foreign_share=numbers("foreign_share"),
        composite=numbers("composite"),
    )
