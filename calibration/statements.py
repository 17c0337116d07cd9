"""The statements of chapter B.11 on composite and dimensions, one constraint each.

Readings that the text leaves open are decided here and told in ``sim/data/LANDSCAPE.md``:
"China" includes Hong Kong, Macau and Taipei, as table 2 does; an "all cities in developed
countries" excludes them, for it goes by the country; "strongly positive" means a correlation of at
least 0.6 (Evans 1996, *Straightforward Statistics for the Behavioral Sciences*: 0.60-0.79 strong);
a share that is printed in whole per cent allows every count that rounds to it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

import numpy as np

from calibration.constraints import (
    COMPOSITE,
    LEADERS,
    Array,
    Bounds,
    Cell,
    CompositeOrder,
    Composites,
    Constraint,
    Correlation,
    Formula,
    GroupCount,
    Mask,
    Maximum,
    RankBetween,
    ShareCount,
    TopRange,
)
from sim.cities import DIMENSIONS, Cities, load_cities
from sim.landscape import HIGH, LOW

ECONOMY, INNOVATION, CULTURE, ECOLOGY, WELFARE, PUBLIC = range(6)
FIGURES = {k: f"B.11 figure {k + 3}, text" for k in range(6)}
TABLE = "B.11 table 2"
REGIONS = "B.11, text on table 2"

ADVANCED = frozenset(
    [
        "AT",
        "AU",
        "BE",
        "CA",
        "CH",
        "CZ",
        "DE",
        "DK",
        "ES",
        "FI",
        "FR",
        "GB",
        "GR",
        "IE",
        "IL",
        "IT",
        "JP",
        "KR",
        "NL",
        "NO",
        "NZ",
        "PT",
        "SE",
        "SG",
        "US",
    ]
)
"""Developed countries: advanced economies of the IMF's World Economic Outlook, April 2024
(statistical appendix, table B), among the 41 of the index. Hong Kong, Macau and Taipei, which that
list has too, go by the country that table 2 of the report gives them."""

STRONG = 0.6
WORST = 120


@dataclass(frozen=True)
class PrintedCell:
    """A line of ``sim/data/dimension_scores_published.csv``."""

    city: int
    dimension: int
    score: float | None
    rank: int


def printed_cells(cities: Cities | None = None) -> list[PrintedCell]:
    """Return every dimension score or rank that the report prints.

    Returns
    -------
    list of PrintedCell
        24 with a score, 31 in all; cities and dimensions as positions.
    """
    cities = cities or load_cities()
    text = resources.files("sim").joinpath("data/dimension_scores_published.csv").read_text("utf-8")
    return [
        PrintedCell(
            cities.index(row["city"]),
            DIMENSIONS.index(row["dimension"]),
            float(row["score"]) if row["score"] else None,
            int(row["rank"]),
        )
        for row in csv.DictReader(text.splitlines())
    ]


class _Writer:
    """Collects constraints with names that tell column and statement."""

    def __init__(self, cities: Cities) -> None:
        self.cities = cities
        self.found: list[Constraint] = []
        self.countries = np.array(cities.country)
        self.continents = np.array(cities.continent)

    def places(self, *names: str) -> tuple[int, ...]:
        return tuple(self.cities.index(name) for name in names)

    def head(self, column: int, text: str, cite: str | None, basis: str) -> dict[str, str | int]:
        name = DIMENSIONS[column] if column < COMPOSITE else "composite"
        return {
            "name": f"{name}: {text}",
            "column": column,
            "citation": cite or FIGURES[column],
            "basis": basis,
        }

    def add(self, constraint: Constraint) -> None:
        self.found.append(constraint)

    def count(
        self,
        column: int,
        what: str,
        group: Mask,
        top: int,
        low: int,
        high: int | None = None,
        *,
        cite: str | None = None,
        basis: str = "printed",
    ) -> None:
        high = low if high is None else high
        span = f"exactly {low}" if low == high else f"{low} to {high}" if low else f"at most {high}"
        if high == top:
            span = f"at least {low}"
        head = self.head(column, f"{span} {what} in the top {top}", cite, basis)
        self.add(GroupCount(**head, group=group, top=top, low=low, high=high))  # type: ignore[arg-type]

    def rank(
        self, column: int, names: str | list[str], low: int, high: int, basis: str = "printed"
    ) -> None:
        listed = [names] if isinstance(names, str) else names
        if low == high:
            said = f"is {low}"
        else:
            said = f"is {low} to {high}" if high < WORST else f"is {low} or worse"
        who = " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
        head = self.head(column, f"rank of {who} {said}", None, basis)
        self.add(RankBetween(**head, cities=self.places(*listed), low=low, high=high))  # type: ignore[arg-type]

    def share(self, column: int, text: str, least: float, most: float, low: int, high: int) -> None:
        head = self.head(column, text, None, "printed")
        self.add(ShareCount(**head, least=least, most=most, low=low, high=high))  # type: ignore[arg-type]

    def others(self, column: int, top: int, most: int, named: tuple[str, ...], what: str) -> None:
        """Say that no country but those named has more than ``most`` cities in the top."""
        for code in sorted(set(self.countries) - set(named)):
            group = self.countries == code
            if group.sum() > most:
                self.count(column, f"{code} {what}", group, top, 0, most, basis="derived")


def statements(cities: Cities | None = None) -> list[Constraint]:
    """Return every checkable statement on composite and dimensions.

    Parameters
    ----------
    cities : Cities, optional
        The 120 cities in the order of their published rank; default: those that are shipped.

    Returns
    -------
    list of Constraint
        With unique names.
    """
    w = _Writer(cities or load_cities())
    _composite(w)
    _cells(w)
    _economy(w)
    _innovation(w)
    _culture(w)
    _ecology(w)
    _welfare(w)
    _public_life(w)
    assert len({c.name for c in w.found}) == len(w.found)
    return w.found


def _composite(w: _Writer) -> None:
    published = w.cities.composite
    text = "all 120 within 0.05 of the published"
    w.add(Composites(f"composite: {text}", COMPOSITE, TABLE, "printed", published, 0.05))
    text = "all 120 as published to two decimals"
    w.add(Composites(f"composite: {text}", COMPOSITE, TABLE, "printed", published, 0.005))
    w.add(CompositeOrder("composite: published order, ties included", COMPOSITE, TABLE, "printed"))
    w.add(Maximum("composite: the best city has 100", COMPOSITE, TABLE, "printed"))
    text = "weights on the simplex, slope positive"
    w.add(Formula(f"composite: {text}", COMPOSITE, "B.11 table 1 (signs)", "convention"))
    text = "scores of all dimensions from 50 to 100"
    w.add(Bounds(f"composite: {text}", COMPOSITE, "B.11 table 2 and figures 3-8", "convention"))
    usa, europe, asia = w.countries == "US", w.continents == "Europe", w.continents == "Asia"
    for top, counts in ((10, (5, 2, 3)), (30, (11, 9, 7)), (50, (14, 19, 11))):
        for what, group, number in zip(
            ("US cities", "European cities", "Asian cities"),
            (usa, europe, asia),
            counts,
            strict=True,
        ):
            w.count(COMPOSITE, what, group, top, number, cite=REGIONS)


def _cells(w: _Writer) -> None:
    for cell in printed_cells(w.cities):
        name = w.cities.names[cell.city]
        if cell.score is not None:
            head = w.head(cell.dimension, f"{name} {cell.score:g}", None, "printed")
            w.add(Cell(**head, city=cell.city, value=cell.score))  # type: ignore[arg-type]
        w.rank(cell.dimension, name, cell.rank, cell.rank)
    for k in range(6):
        head = w.head(k, "the best city has 100", None, "convention" if k == WELFARE else "printed")
        w.add(Maximum(**head))  # type: ignore[arg-type]


def _economy(w: _Writer) -> None:
    usa, canada = w.countries == "US", w.countries == "CA"
    w.count(ECONOMY, "US cities", usa, 10, 9)
    w.count(ECONOMY, "US cities", usa, 20, 12)
    for name, number in (("Europe", 6), ("Asia", 1), ("Oceania", 1)):
        w.count(ECONOMY, f"cities of {name}", w.continents == name, 20, number)
    w.rank(ECONOMY, "Paris", 3, 10, "derived")
    w.rank(ECONOMY, "London", 11, WORST, "derived")
    rest = canada | np.isin(w.continents, ("South America", "Africa")) | (w.countries == "MX")
    w.count(ECONOMY, "cities of Canada, Latin America and Africa", rest, 20, 0, basis="derived")
    asia = [
        name
        for name, continent in zip(w.cities.names, w.continents, strict=True)
        if continent == "Asia" and name != "Tel Aviv"
    ]
    w.count(
        ECONOMY,
        "Asian cities but Tel Aviv",
        np.isin(w.cities.names, asia),
        20,
        0,
        basis="derived",
    )
    w.rank(ECONOMY, ["Melbourne", "Brisbane", "Auckland"], 21, WORST, "derived")
    w.share(ECONOMY, "about 70 % of cities from 55 to 75 (84, give or take 1)", 55, 75, 83, 85)


def _innovation(w: _Writer) -> None:
    w.count(INNOVATION, "Asian cities", w.continents == "Asia", 10, 5)
    w.count(INNOVATION, "US cities", w.countries == "US", 20, 6)
    w.count(INNOVATION, "Chinese cities", w.countries == "CN", 20, 5)
    w.others(INNOVATION, 20, 4, ("US", "CN"), "cities (United States most, China second)")
    other = ~np.isin(w.countries, ("US", "CN"))
    w.count(INNOVATION, "cities of other countries", other, 20, 9, basis="derived")
    head = w.head(INNOVATION, "correlation with the composite is positive", None, "printed")
    w.add(Correlation(**head, low=0.0, high=1.0))  # type: ignore[arg-type]


def _culture(w: _Writer) -> None:
    for name, number in (("Europe", 11), ("North America", 3), ("Asia", 3)):
        w.count(CULTURE, f"cities of {name}", w.continents == name, 20, number)
    rest = np.isin(w.continents, ("Oceania", "South America", "Africa"))
    w.count(CULTURE, "cities of other continents", rest, 20, 3, basis="derived")
    for best, continent, rank in (("New York", "North America", 7), ("Singapore", "Asia", 12)):
        others = [
            name
            for name, where in zip(w.cities.names, w.continents, strict=True)
            if where == continent and name != best
        ]
        head = w.head(CULTURE, f"{best} leads {continent}", None, "printed")
        places = w.places(*others)
        w.add(RankBetween(**head, cities=places, low=rank + 1, high=WORST))  # type: ignore[arg-type]
    head = w.head(CULTURE, "the top 20 from 94 to 100", None, "printed")
    w.add(TopRange(**head, top=20, least=94.0, most=HIGH))  # type: ignore[arg-type]
    w.share(CULTURE, "48 cities above 90", 90, HIGH, 48, 48)


def _ecology(w: _Writer) -> None:
    w.rank(ECOLOGY, ["Tokyo", "Nagoya", "Osaka"], 1, LEADERS)
    w.count(ECOLOGY, "Japanese cities", w.countries == "JP", 20, 3)
    w.rank(ECOLOGY, "Kyoto", LEADERS + 1, WORST, "derived")
    developing = ~np.isin(w.countries, sorted(ADVANCED))
    w.count(ECOLOGY, "cities of countries that are not developed", developing, 20, 0)
    w.share(ECOLOGY, "88 % of cities above 80 (105 or 106)", 80, HIGH, 105, 106)


def _welfare(w: _Writer) -> None:
    for name, number in (("Europe", 6), ("North America", 6), ("Asia", 5), ("Oceania", 3)):
        w.count(WELFARE, f"cities of {name}", w.continents == name, 20, number)
    w.count(WELFARE, "US cities", w.countries == "US", 20, 4)
    w.count(WELFARE, "Australian cities", w.countries == "AU", 20, 3)
    w.rank(WELFARE, ["Sydney", "Melbourne", "Brisbane"], 1, LEADERS, "derived")
    w.rank(WELFARE, "Auckland", LEADERS + 1, WORST, "derived")
    rest = np.isin(w.cities.names, ("Toronto", "Montreal", "Vancouver", "Mexico City"))
    w.count(WELFARE, "cities of Canada and Mexico", rest, 20, 2, basis="derived")
    w.others(WELFARE, 20, 3, ("US", "AU"), "cities (United States most, Australia second)")
    w.share(WELFARE, "72 % of cities above 75 (86 or 87)", 75, HIGH, 86, 87)
    head = w.head(WELFARE, f"correlation with the composite above {STRONG:g}", None, "printed")
    w.add(Correlation(**head, low=STRONG, high=1.0))  # type: ignore[arg-type]


def _public_life(w: _Writer) -> None:
    w.count(PUBLIC, "Chinese cities", w.countries == "CN", 10, 6, 10)
    head = w.head(PUBLIC, "correlation with the composite is negative", None, "printed")
    w.add(Correlation(**head, low=-1.0, high=0.0))  # type: ignore[arg-type]


def implied_cells(cities: Cities | None = None) -> dict[tuple[int, int], float]:
    """Return scores that are not printed but follow: London, first in welfare, has 100.

    The best city has 100 in the five other dimensions and in the composite.

    Returns
    -------
    dict of (int, int) to float
        City and dimension to score.
    """
    return {((cities or load_cities()).index("London"), WELFARE): HIGH}


def composite_targets(cities: Cities | None = None) -> Array:
    """Return the composites that draws are given: the published, with ties parted.

    Munich and Stockholm (87.00), and Hong Kong, Amsterdam and Berlin (83.80), are ranked though
    equal to two decimals; they are set 0.003 apart about the printed number, which stays within
    the rounding of 0.005.

    Returns
    -------
    float64 array, shape (120,)
        Index points, strictly falling.
    """
    published = (cities or load_cities()).composite
    targets = published.copy()
    for value in np.unique(published):
        tied = np.flatnonzero(published == value)
        targets[tied] += 0.003 * ((len(tied) - 1) / 2 - np.arange(len(tied)))
    return targets


__all__ = ["LOW", "composite_targets", "implied_cells", "printed_cells", "statements"]
