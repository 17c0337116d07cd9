"""Reading a table of real flows: places recognised, errors clear, one matrix out."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from sim.cities import Cities, load_cities
from sim.errors import UserError, did_you_mean
from sim.text_files import read_text

Level = Literal["country", "city"]
SHOWN = 8
"""How many faults of a kind a message names."""
MAX_BYTES, MAX_COLUMNS = 4_000_000, 1000
"""Ten years of all pairs of 120 cities fit."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table of flows; ``year`` may be absent from the table."""

    origin: str = "origin"
    destination: str = "destination"
    value: str = "value"
    year: str = "year"
    year_asked: bool = False


@dataclass(frozen=True, eq=False)
class FlowTable:
    """Observed flows among places of the model.

    Attributes
    ----------
    source : str
        File that they come from.
    level : 'country' or 'city'
        Country: migration areas by ISO 3166 alpha-2 code, with HK, MO and TW apart from CN.
    places : tuple of str
        Area codes or English city names, in the model's order.
    flows : (P, P) float64 array
        Mean flow a year from row to column, in the table's unit; diagonal zero.
    years : tuple of int
        Calendar years; empty where the table has none.
    notes : tuple of str
        What was left out, for the user.
    """

    source: str
    level: Level
    places: tuple[str, ...]
    flows: np.ndarray
    years: tuple[int, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def of(self, places: Iterable[str]) -> np.ndarray:
        """Return the flows among the given places, (P, P), zero where the table has none."""
        position = {place: k for k, place in enumerate(self.places)}
        rows = [position.get(place, -1) for place in places]
        wide = np.zeros((len(self.places) + 1,) * 2)
        wide[:-1, :-1] = self.flows
        return wide[np.ix_(rows, rows)]


def folded(text: str) -> str:
    """Return a name without accents, punctuation, spaces and capitals, for comparison."""
    plain = unicodedata.normalize("NFKD", text.replace("&", "and"))
    return "".join(ch for ch in plain.casefold() if ch.isalnum())


@cache
def country_names() -> dict[str, str]:
    """Return ISO alpha-2 codes by folded code (alpha-2, alpha-3), name and alias, worldwide."""
    text = resources.files("calibration").joinpath("data/places.csv").read_text(encoding="utf-8")
    names: dict[str, str] = {}
    for row in csv.DictReader(text.splitlines()):
        aliases = row["aliases"].split("|") if row["aliases"] else []
        for name in (row["iso2"], row["iso3"], row["name"], *aliases):
            names.setdefault(folded(name), row["iso2"])
    return names


def _city_names(cities: Cities) -> dict[str, str]:
    names = {}
    for text in {*cities.names, *cities.names_zh, "Xian", "Bengaluru", "Saigon"}:
        try:
            names[folded(text)] = cities.names[cities.index(text)]
        except UserError:  # an alias of a city that this table does not have
            continue
    return names


def read_flows(
    path: Path, columns: Columns | None = None, cities: Cities | None = None
) -> FlowTable:
    """Read a table of flows between places.

    Parameters
    ----------
    path : pathlib.Path
        CSV (comma, semicolon or tab) with a header. Places are countries (ISO alpha-2, alpha-3 or
        English name) or cities of the model (English or Chinese name), found out from the whole
        table. A pair that is missing had no flow.
    columns : Columns, optional
        Names of the columns.
    cities : Cities, optional
        The model's places; the 120 cities by default.

    Returns
    -------
    FlowTable
        Mean flow a year where there are years, else the flow as it stands. Left out with a note:
        flows of a place to itself, and countries of the world that hold no city of the model.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a column, is empty, names an unknown place, has a value
        that is no finite number or is negative, or gives a pair twice in a year.
    """
    cities = cities or load_cities()
    columns = columns or Columns()
    table = _typed(_raw(path), path, columns)
    level, codes = _places(table, path, cities)
    table = table.assign(
        origin=table["origin"].map(codes), destination=table["destination"].map(codes)
    )
    _refuse_duplicates(table, path)
    table, notes = _inside(table, path, level, cities)
    order = cities.area_names if level == "country" else cities.names
    seen = {*table["origin"].unique(), *table["destination"].unique()}
    places = tuple(place for place in order if place in seen)
    if len(places) < 3 or not table["value"].sum() > 0:
        raise UserError(
            f"{path}: only {len(places)} places of the model with any flow between them; "
            "at least 3 are needed to compare models"
        )
    years = tuple(sorted(int(year) for year in table["year"].unique() if year is not None))
    flows = np.zeros((len(places),) * 2)
    at = {place: k for k, place in enumerate(places)}
    rows, cols = table["origin"].map(at).to_numpy(), table["destination"].map(at).to_numpy()
    np.add.at(flows, (rows, cols), table["value"].to_numpy(float))
    return FlowTable(str(path), level, places, flows / max(len(years), 1), years, tuple(notes))


def _raw(path: Path) -> pd.DataFrame:
    mend = "leave out pairs without a flow, or sum up the years"
    text = read_text(path, str(path), most=MAX_BYTES, kind="a CSV file", mend=mend)
    head = text.partition("\n")[0]
    if not head.strip():
        raise UserError(f"{path}: is empty; give a CSV file with a header")
    separator = max(",;\t", key=head.count)
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error as error:
        raise UserError(f"{path}: no CSV file ({error})") from None
    if len(rows[0]) > MAX_COLUMNS:
        raise UserError(
            f"{path}: has {len(rows[0])} columns; give one line a flow: origin, destination, value "
            "and perhaps year"
        )
    header = [title.strip() for title in rows[0]]
    body = {line: row for line, row in enumerate(rows[1:], 2) if not _blank(row)}
    for line, row in body.items():
        if len(row) != len(header):
            raise UserError(
                f"{path}:{line}: has {len(row)} fields where the header has {len(header)}"
            )
    index = pd.Index(list(body))
    return pd.DataFrame(list(body.values()), index, pd.Index(header), dtype=object)


def _blank(row: list[str]) -> bool:
    return not (row and row[0].strip()) and not any(map(str.strip, row))


def _typed(raw: pd.DataFrame, path: Path, columns: Columns) -> pd.DataFrame:
    """Return columns origin, destination (text), value (float), year (int or None) by line."""
    titles = [str(title) for title in raw.columns]
    for title in titles:
        if titles.count(title) > 1:
            raise UserError(f"{path}: the header names '{title}' twice; keep one")
    chosen = {"origin": columns.origin, "destination": columns.destination, "value": columns.value}
    for role, title in chosen.items():
        if title not in titles:
            raise UserError(
                f"{path}: no column '{title}'{did_you_mean(title, titles)}; name the column with "
                f"--{role}-col (there are: {', '.join(titles)})"
            )
    if columns.year_asked and columns.year not in titles:
        raise UserError(
            f"{path}: no column '{columns.year}'{did_you_mean(columns.year, titles)}; "
            f"--year-col must name one of: {', '.join(titles)}"
        )
    if raw.empty:
        raise UserError(f"{path}: has a header but no rows; give flows")
    table = pd.DataFrame(
        {
            "origin": raw[columns.origin].map(str.strip),
            "destination": raw[columns.destination].map(str.strip),
            "value": _values(raw[columns.value], path, columns.value),
        },
        index=raw.index,
    )
    for role in ("origin", "destination"):
        if (table[role] == "").any():
            line = table.index[table[role] == ""][0]
            raise UserError(f"{path}:{line}: {chosen[role]} is empty; every flow needs a place")
    years = raw[columns.year] if columns.year in titles else None
    table["year"] = None if years is None else _years(years, path, columns.year)
    return table


def _values(texts: pd.Series, path: Path, title: str) -> np.ndarray:
    values = pd.to_numeric(texts.map(str.strip), errors="coerce").to_numpy(float)
    bad = ~np.isfinite(values)
    if bad.any():
        line, text = texts.index[bad][0], str(texts[bad].iloc[0])
        raise UserError(
            f"{path}:{line}: {title} {text.strip()!r} is not a finite number"
            f"{_more(int(bad.sum()))}; leave out pairs without a figure"
        )
    if (values < 0).any():
        line, value = texts.index[values < 0][0], values[values < 0][0]
        raise UserError(
            f"{path}:{line}: {title} {value:g} is negative{_more(int((values < 0).sum()))}; "
            "flows are counts of people and cannot be below zero"
        )
    return values


def _years(texts: pd.Series, path: Path, title: str) -> list[int]:
    years = pd.to_numeric(texts.map(str.strip), errors="coerce").to_numpy(float)
    bad = ~(np.isfinite(years) & (years == np.floor(years)))
    if bad.any():
        line, text = texts.index[bad][0], str(texts[bad].iloc[0])
        raise UserError(
            f"{path}:{line}: {title} {text.strip()!r} is not a year{_more(int(bad.sum()))}"
        )
    return [int(year) for year in years]


def _more(number: int) -> str:
    return f" (and {number - 1} more)" if number > 1 else ""


def _places(table: pd.DataFrame, path: Path, cities: Cities) -> tuple[Level, dict[str, str]]:
    """Find out the level, and return the code of every place that the table names."""
    named = sorted({*table["origin"].unique(), *table["destination"].unique()})
    found: dict[Level, dict[str, str]] = {}
    known: dict[Level, dict[str, str]] = {"country": country_names(), "city": _city_names(cities)}
    for level, names in known.items():
        codes = {text: names[folded(text)] for text in named if folded(text) in names}
        if len(codes) == len(named):
            return level, codes
        found[level] = codes
    level = max(found, key=lambda key: len(found[key]))
    unknown = [text for text in named if text not in found[level]]
    spelled = _spelled(level, cities)
    shown = [f"'{text}'{did_you_mean(text, spelled)}" for text in unknown[:SHOWN]]
    rest = f", and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
    raise UserError(
        f"{path}: {len(unknown)} unknown places: {', '.join(shown)}{rest}. Places must be all "
        "countries (ISO alpha-2, alpha-3 or English name) or all cities of the index"
    )


def _spelled(level: Level, cities: Cities) -> list[str]:
    if level == "city":
        return list(cities.names)
    text = resources.files("calibration").joinpath("data/places.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return [row[key] for key in ("name", "iso3", "iso2") for row in rows]


def _refuse_duplicates(table: pd.DataFrame, path: Path) -> None:
    double = table.duplicated(["origin", "destination", "year"])
    if double.any():
        line, row = table.index[double][0], table[double].iloc[0]
        when = "" if row["year"] is None else f" in {row['year']}"
        raise UserError(
            f"{path}:{line}: the pair {row['origin']} to {row['destination']} comes twice{when}"
            f"{_more(int(double.sum()))}; give each pair once a year, or name the column of years "
            "with --year-col"
        )


def _inside(
    table: pd.DataFrame, path: Path, level: Level, cities: Cities
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out what the model does not hold; say so."""
    notes = []
    if level == "country":
        outside = {*table["origin"], *table["destination"]} - set(cities.area_names)
        if outside:
            table = table[~(table["origin"].isin(outside) | table["destination"].isin(outside))]
            notes.append(
                f"{path}: {len(outside)} countries without a city of the model are left out: "
                + ", ".join(sorted(outside))
            )
    own = table["origin"] == table["destination"]
    if own.any():
        notes.append(f"{path}: {int(own.sum())} rows from a place to itself are left out")
    return table[~own], notes
