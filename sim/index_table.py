"""Read and check a user's table of cities and indicators, and fill its gaps when asked to.

A table has a column ``city``, the 24 indicators (by English name, Chinese name or number 1–24) and,
if gaps are to be filled by group, a column ``group``. Every fault is a `UserError` that names the
table, the row, the column and the mend.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.errors import UserError
from sim.indicators import hierarchy, indicator_guess, indicator_name
from sim.text_files import read_text

MAX_BYTES, MAX_COLUMNS = 2_000_000, 1000
MISSING = ("error", "mean", "median", "group-mean", "group-median")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_BLANK = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>"})


@dataclass(frozen=True)
class IndicatorTable:
    """Cities × 24 indicators as numbers, and where they stood.

    Attributes
    ----------
    cities : list of str
        Names, all different.
    values : numpy.ndarray of float64, shape (cities, 24)
        In the order of the hierarchy, each in the user's unit; NaN where the table had none.
    groups : list of str or None
        The group of each city, where the table has them.
    source : str
        What to call the table in an error: the path of the file, or 'table'.
    lines : list of int
        The line of the file, or the row of the table (from 1), of each city.
    """

    cities: list[str]
    values: npt.NDArray[np.float64]
    groups: list[str] | None
    source: str
    lines: list[int]

    def place(self, row: int, column: int) -> str:
        """Name one cell for an error message."""
        word = "row" if self.source == "table" else "line"
        return (
            f"{self.source}: {word} {self.lines[row]} (city '{self.cities[row]}'), "
            f"column '{names()[column]}'"
        )


def names() -> list[str]:
    """Return the 24 indicator names in the order of the hierarchy."""
    return hierarchy()["indicator"].tolist()


def read_table(path: str | Path) -> IndicatorTable:
    """Read a table from a CSV file in UTF-8.

    Parameters
    ----------
    path : str or Path
        A file with a header line; commas between fields.

    Returns
    -------
    IndicatorTable
        The checked table; gaps are NaN.

    Raises
    ------
    UserError
        If the file cannot be read, is empty or is not UTF-8; if a line has too many or too few
        fields; and for every fault that `check_table` finds.
    """
    path = Path(path)
    mend = "the index compares at most some thousand cities"
    text = read_text(path, str(path), most=MAX_BYTES, kind="a CSV file", mend=mend)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, lines = [], []
    start = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                rows.append(fields)
                lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num} is not CSV ({error})") from None
    if not rows:
        raise UserError(f"{path}: the file is empty; it needs a header line and one line a city")
    header = [field.strip() for field in rows[0]]
    if len(header) > MAX_COLUMNS:
        raise UserError(
            f"{path}: has {len(header)} columns; give 'city', the 24 indicators and perhaps 'group'"
        )
    for mark, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            raise UserError(f"{path}: fields are parted by {word}; save the file with commas")
    for fields, line in zip(rows[1:], lines[1:], strict=True):
        if len(fields) != len(header):
            raise UserError(
                f"{path}: line {line} has {len(fields)} fields, the header has {len(header)}; "
                "each line needs one field a column (quote a field that has a comma)"
            )
    table = pd.DataFrame(rows[1:], columns=header, dtype=object)
    return check_table(table, source=str(path), lines=lines[1:])


def check_table(
    table: pd.DataFrame, *, source: str = "table", lines: Sequence[int] | None = None
) -> IndicatorTable:
    """Check a table and turn its cells into numbers.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns as the module describes; cells are numbers or texts of numbers; None, NaN, an empty
        text or 'NA' is a gap.
    source : str
        What to call the table in an error.
    lines : sequence of int, optional
        The line of each row; rows are counted from 1 if it is not given.

    Returns
    -------
    IndicatorTable
        Values in the order of the hierarchy; gaps are NaN.

    Raises
    ------
    UserError
        For an unknown, missing or repeated column, a city without a name or named twice, a cell
        that is not a finite number, or fewer than two cities.
    """
    places = _columns(list(table.columns), source)
    lines = list(range(1, len(table) + 1)) if lines is None else list(lines)
    word = "row" if source == "table" else "line"
    if len(table) < 2:
        raise UserError(
            f"{source}: {len(table)} cities; the index compares cities, so give at least two"
        )
    cities: list[str] = []
    first: dict[str, int] = {}
    for line, cell in zip(lines, table.iloc[:, places["city"]], strict=True):
        city = "" if _is_gap(cell) else str(cell).strip()
        if not city:
            raise UserError(f"{source}: {word} {line}, column 'city': the name is missing")
        if city in first:
            raise UserError(
                f"{source}: {word} {line}, column 'city': '{city}' stands in {word} {first[city]} "
                "already; keep one of them"
            )
        first[city] = line
        cities.append(city)
    groups = None
    if "group" in places:
        column = table.iloc[:, places["group"]]
        groups = ["" if _is_gap(cell) else str(cell).strip() for cell in column]
    checked = IndicatorTable(cities, np.full((len(cities), 24), np.nan), groups, source, lines)
    for number, name in enumerate(names()):
        for row, cell in enumerate(table.iloc[:, places[name]]):
            checked.values[row, number] = _number(cell, checked, row, number)
    return checked


def _columns(header: list[object], source: str) -> dict[str, int]:
    """Find the position of 'city', 'group' and each indicator."""
    places: dict[str, int] = {}
    written: dict[str, object] = {}
    for position, title in enumerate(header):
        text = str(title).strip()
        if text.casefold() in ("city", "group"):
            name = text.casefold()
        else:
            try:
                name = indicator_name(text)
            except UserError:
                guess = indicator_guess(text, "city", "group")
                raise UserError(
                    f"{source}: column {position + 1} ('{text}') is no indicator{guess} "
                    "(or take the column out)"
                ) from None
        if name in places:
            raise UserError(
                f"{source}: columns '{written[name]}' and '{text}' are both '{name}'; keep one"
            )
        places[name], written[name] = position, text
    absent = [name for name in ("city", *names()) if name not in places]
    if absent:
        listed = ", ".join(f"'{name}'" for name in absent)
        raise UserError(
            f"{source}: the header lacks {len(absent)} column(s): {listed}; add them (a column may "
            "have gaps, and '--missing' says how to fill them)"
        )
    return places


def _is_gap(cell: object) -> bool:
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return True
    if isinstance(cell, str):
        return cell.strip().casefold() in _BLANK
    return isinstance(cell, float) and np.isnan(cell)


def _number(cell: object, table: IndicatorTable, row: int, column: int) -> float:
    if _is_gap(cell):
        return float("nan")
    if isinstance(cell, str):
        text = cell.strip()
        if text.casefold().lstrip("+-") in ("inf", "infinity"):
            raise UserError(f"{table.place(row, column)}: '{text}' is infinite; give a number")
        if not _NUMBER.fullmatch(text):
            plain = text.replace(",", "").replace(" ", "")
            hint = f"; write {plain}" if plain != text and _NUMBER.fullmatch(plain) else ""
            raise UserError(f"{table.place(row, column)}: '{text}' is not a number{hint}")
        value = float(text)
    elif isinstance(cell, (bool, np.bool_)) or not np.isscalar(cell):
        raise UserError(f"{table.place(row, column)}: {cell!r} is not a number")
    else:
        try:
            value = float(cell)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise UserError(f"{table.place(row, column)}: {cell!r} is not a number") from None
    if not np.isfinite(value):
        raise UserError(f"{table.place(row, column)}: {cell!r} is infinite; give a number")
    return value


def fill_gaps(
    table: IndicatorTable, missing: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Fill the gaps of a table in the way that was asked for.

    Parameters
    ----------
    table : IndicatorTable
        The checked table.
    missing : str
        'error': a gap is an error. 'mean' or 'median': of the cities that have the indicator.
        'group-mean' or 'group-median': of those in the same group. Taken on the values as given,
        before any logarithm.

    Returns
    -------
    values : numpy.ndarray of float64, shape (cities, 24)
        Without gaps.
    imputed : numpy.ndarray of bool, shape (cities, 24)
        True where a gap was filled.

    Raises
    ------
    UserError
        If there is a gap and ``missing`` is 'error', if there are no groups, or if no city of the
        group (of the table) has the indicator.
    """
    imputed = np.isnan(table.values)
    if not imputed.any():
        return table.values.copy(), imputed
    row, column = np.argwhere(imputed)[0].tolist()
    if missing == "error":
        raise UserError(
            f"{table.place(row, column)}: the value is missing ({int(imputed.sum())} in all); "
            "fill it in, or have gaps filled and marked with '--missing group-mean' or "
            f"another of {', '.join(MISSING[1:])}"
        )
    by_group = missing.startswith("group-")
    if by_group and table.groups is None:
        raise UserError(
            f"{table.source}: '{missing}' needs a column 'group'; add it or use "
            f"'{missing.removeprefix('group-')}'"
        )
    groups = table.groups if by_group and table.groups else [""] * len(table.cities)
    middle = np.median if missing.endswith("median") else _mean
    values = table.values.copy()
    for row, column in np.argwhere(imputed).tolist():
        if by_group and not groups[row]:
            raise UserError(
                f"{table.place(row, column)}: the value is missing and the city has no group to "
                "fill it from; name its group"
            )
        same = np.array([group == groups[row] for group in groups]) & ~imputed[:, column]
        if not same.any():
            whom = f"group '{groups[row]}'" if by_group else "table"
            raise UserError(
                f"{table.place(row, column)}: no city of the {whom} has a value to fill it from"
            )
        values[row, column] = middle(table.values[same, column])
    return values, imputed


def _mean(values: npt.NDArray[np.float64]) -> np.float64:
    """Return the mean without overflow, within the range of the values."""
    scale = np.abs(values).max() or 1.0
    return np.clip((values / scale).mean() * scale, values.min(), values.max())
