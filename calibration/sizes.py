"""Reading a table of the places' sizes, such as the number of scholars of each country."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from calibration.flows_table import Level, country_names, folded
from sim.cities import load_cities
from sim.errors import UserError, did_you_mean


def read_sizes(path: Path, places: tuple[str, ...], level: Level) -> np.ndarray:
    """Return the sizes of places from a CSV file with columns ``place`` and ``size``.

    Parameters
    ----------
    path : pathlib.Path
    places : tuple of str
        Area codes or city names that need a size.
    level : 'country' or 'city'

    Returns
    -------
    (P,) float64 array
        Positive, in the file's unit.

    Raises
    ------
    UserError
        If the file cannot be read, or a place is missing, double or without a positive number.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"--sizes {path}: cannot be read ({error}); use 'fit', 'model' or a CSV file"
        ) from None
    for column in ("place", "size"):
        if not rows or column not in rows[0]:
            titles = list(rows[0]) if rows else []
            raise UserError(
                f"{path}: no column '{column}'{did_you_mean(column, map(str, titles))}; "
                "it needs the columns place and size"
            )
    sizes: dict[str, float] = {}
    for line, row in enumerate(rows, start=2):
        place = _place(row["place"], level, f"{path}:{line}")
        if place in sizes:
            raise UserError(f"{path}:{line}: '{row['place']}' comes twice; keep one")
        sizes[place] = _number(row["size"], f"{path}:{line}")
    missing = [place for place in places if place not in sizes]
    if missing:
        raise UserError(f"{path}: no size for: {', '.join(missing)}")
    return np.array([sizes[place] for place in places])


def _place(text: str, level: Level, where: str) -> str:
    if level == "city":
        cities = load_cities()
        try:
            return cities.names[cities.index(text.strip())]
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    code = country_names().get(folded(text))
    if code is None:
        raise UserError(f"{where}: unknown country '{text}'{did_you_mean(text, country_names())}")
    return code


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"{where}: size '{text}' is not a positive number")
    return value
