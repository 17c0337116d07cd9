"""The tables of a report, as rows of cells with a text to read and a value to sort by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.metrics import mean_stickiness, mobility, net_gain, pair_flows
from analysis.regions import OTHER, region_of
from analysis.tables import RunTables

if TYPE_CHECKING:
    from sim.scenario import Scenario

FLOWS = 100
"""How many of the largest flows are listed."""


@dataclass(frozen=True)
class Cell:
    """A cell: its text, and the number to sort by where it is one."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes
    ----------
    key : str
        Identifier within the page.
    caption : str
        What the table holds, its units and kind.
    columns : sequence of (str, bool)
        Heading of each column, and whether it holds numbers.
    rows : list of list of Cell
        The first cell of a row names it.
    """

    key: str
    caption: str
    columns: Sequence[tuple[str, bool]]
    rows: list[list[Cell]]


def count(value: float) -> Cell:
    """Return a cell of whole persons."""
    return Cell("–") if pd.isna(value) else Cell(f"{int(value):,}".replace("-", "−"), float(value))


def number(value: float, digits: int = 2) -> Cell:
    """Return a cell of a measure."""
    if pd.isna(value):
        return Cell("–")
    return Cell(f"{value:.{digits}f}".replace("-", "−"), float(value))


def city_table(run: RunTables, where: pd.DataFrame) -> Table:
    """Return what happened to each city, the largest net gain first.

    Parameters
    ----------
    run : RunTables
        The run.
    where : DataFrame
        Indexed by city, columns area, continent and composite.

    Returns
    -------
    Table
        One row a city.
    """
    cities = run.cities.astype({"city": str})
    years = sorted(cities["year"].unique())
    by_year = cities.set_index(["year", "city"]).sort_index()
    first, last = by_year.loc[years[0]], by_year.loc[years[-1]]
    gains = net_gain(run.cities)
    sticky = mean_stickiness(run.cities)["stickiness"]
    region = region_of(where)
    names = [*gains.index, *(name for name in first.index if name not in gains.index)]
    gains = gains.reindex(names)
    rows = []
    for name in names:
        gain = gains.loc[name]
        rows.append(
            [
                Cell(str(name)),
                Cell(str(region.get(name, OTHER))),
                count(first.loc[name, "stock"]),
                count(last.loc[name, "stock"]),
                *(count(gain[column]) for column in ("arrivals", "departures", "net")),
                number(gain["per_100"]),
                number(sticky.get(name, float("nan")), 1),
                number(where["composite"].get(name, float("nan"))),
                number(last.loc[name, "composite"]),
                number(last.loc[name, "rank"], 0),
            ]
        )
    columns = [
        ("City", False),
        ("Part of the world", False),
        (f"Stock {years[0]} (estimated)", True),
        (f"Stock {years[-1]}", True),
        ("Arrivals", True),
        ("Departures", True),
        ("Net gain", True),
        ("Net gain a year per 100", True),
        ("Stickiness, mean of the years", True),
        ("Composite 2024 (published)", True),
        (f"Composite {years[-1]}", True),
        (f"Rank {years[-1]}", True),
    ]
    caption = (
        "Every city: persons, all years together; scores on the index’s scale of 50 to 100. "
        "Simulated unless marked."
    )
    return Table("cities", caption, columns, rows)


def flow_table(run: RunTables) -> Table:
    """Return the largest flows between cities, persons over all years."""
    pairs = pair_flows(run.flows)
    total = float(pairs["persons"].sum())
    rows = [
        [Cell(start), Cell(end), count(persons), number(100 * persons / total, 3)]
        for start, end, persons in pairs.head(FLOWS).to_numpy().tolist()
    ]
    caption = f"The {len(rows)} largest of {len(pairs):,} flows: persons, all years together."
    columns = [("From", False), ("To", False), ("Persons", True), ("% of all moves", True)]
    return Table("flows", caption, columns, rows)


def year_table(run: RunTables, where: pd.DataFrame) -> Table:
    """Return stock and moves of all cities together, by year."""
    table = mobility(run.flows, run.cities, where["area"])
    others = run.cities.groupby("year")[["entries", "exits", "stock"]].sum()
    table = table.drop(columns="stock").join(others, how="left")
    rows = [
        [
            Cell(str(year), float(year)),
            *(count(row[column]) for column in ("stock", "domestic", "international")),
            number(row["total_rate"]),
            *(count(row[column]) for column in ("entries", "exits")),
        ]
        for year, row in zip(table.index.tolist(), table.to_dict("records"), strict=True)
    ]
    columns = [
        ("Year", True),
        ("Stock at its end", True),
        ("Moves within a country", True),
        ("Moves between countries", True),
        ("Moves per 100", True),
        ("Began to study", True),
        ("Retired", True),
    ]
    return Table("years", "All cities together, by year: persons.", columns, rows)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(item) for item in value) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_shown(item)}" for key, item in value.items())
    return "–" if value is None else str(value)


def kind_of_source(source: str) -> str:
    """Return whether a parameter's value is estimated, published, both, or a setting."""
    if source == "-":
        return "setting"
    estimated = "estimated" in source.casefold()
    if estimated:
        return "estimated" if source.casefold().startswith("estimated") else "part estimated"
    return "convention" if source == "convention" else "published"


def parameter_table(scenario: Scenario) -> Table:
    """Return every parameter with its value, unit, kind and source."""
    rows = [
        [
            Cell(name),
            Cell(_shown(value)),
            Cell(unit),
            Cell(kind_of_source(source)),
            Cell(source if source != "-" else ""),
            Cell(about),
        ]
        for name, value, unit, source, about in scenario.parameters.describe()
    ]
    columns = [
        (heading, False) for heading in ("Parameter", "Value", "Unit", "Kind", "Source", "Meaning")
    ]
    return Table("parameters", "Every parameter of this run.", columns, rows)


def difference_table(
    scenario: Scenario, base: Scenario, key: str = "differences", ours: str = "This run"
) -> Table:
    """Return in what a scenario differs from another one, apart from its name and texts."""
    here, there = (_flat(one.model_dump(mode="json")) for one in (scenario, base))
    texts = {"name", "title", "description", "citation"}
    rows = [
        [Cell(name), Cell(_shown(there.get(name))), Cell(_shown(here.get(name)))]
        for name in {**there, **here}
        if name not in texts and here.get(name) != there.get(name)
    ]
    columns = [(heading, False) for heading in ("Setting", base.name, ours)]
    caption = f"{ours}: what differs from the scenario ‘{base.name}’."
    return Table(key, caption, columns, rows)


def _flat(document: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by their dotted paths."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{path}{key}.")
        else:
            found[f"{path}{key}"] = value
    return found


def hash_table(manifest: Any) -> Table:
    """Return the files of a run with their rows and SHA-256."""
    rows = [
        [Cell(name), count(facts.get("rows", float("nan"))), Cell(facts["sha256"])]
        for name, facts in manifest["tables"].items()
    ]
    rows.append([Cell("scenario.yaml"), Cell("–"), Cell(manifest["scenario_sha256"])])
    columns = [("File", False), ("Rows", True), ("SHA-256", False)]
    return Table("hashes", "Files of the run folder.", columns, rows)
