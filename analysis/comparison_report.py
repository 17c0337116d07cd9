"""The report of a comparison: one HTML file that needs nothing beside it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis import report_tables, style
from analysis.compare_plots import KINDS
from analysis.compared import SHORT, Compared
from analysis.comparison_findings import headlines
from analysis.report import Picture, as_picture, evidence, page_file, render, versions, write_page
from analysis.report_tables import Cell, Table, count, number
from sim.measures import ALL, MEASURES

if TYPE_CHECKING:
    from sim.compare import Comparison

COLUMNS = ("stock", "net_gain", "talent_years", "stickiness", "composite")
"""Measures in the table of effects."""
SOURCES = 100
"""How many rows of the displacement of a city are listed."""


def write_report(path: Path, out: Path | None = None) -> Path:
    """Write the report of a comparison.

    Parameters
    ----------
    path : Path
        The comparison's folder.
    out : Path, optional
        The file, ending in .html; by default ``report.html`` in the folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If the folder is no whole comparison, or the file cannot be written.
    """
    from sim.comparison_folder import read_comparison

    target = page_file(Path(path), out)
    write_page(target, render_comparison(read_comparison(path)))
    return target


def render_comparison(found: Comparison) -> str:
    """Return the report of a comparison as an HTML document; all text from files is escaped."""
    policies = list(found.policies)
    titles = [found.policies[name].title or name for name in policies]
    base = found.base
    return render(
        "comparison.html",
        kind=f"comparison with {base.name}",
        heading=titles[0] if len(titles) == 1 else f"{len(titles)} policies compared",
        period=style.span((base.horizon.start + 1, base.horizon.end)),
        base=base,
        setup=_setup(found),
        policies=[_policy(found, name) for name in policies],
        overview=overview_table(found),
        money=money_table(found),
        evidence=evidence(base),
        parameters=report_tables.parameter_table(base),
        hashes=_hashes(found),
        manifest=found.manifest,
        versions=versions(found.manifest),
        command=_command(found),
    )


def _policy(found: Comparison, name: str) -> dict[str, Any]:
    """Return what the page shows of one policy."""
    scenario = found.policies[name]
    one = Compared(found, name)
    return {
        "name": name,
        "scenario": scenario,
        "title": scenario.title or name,
        "findings": headlines(found, name),
        "differences": report_tables.difference_table(
            scenario, found.base, key=f"differences-{name}", ours="This policy"
        ),
        "pictures": [_picture(one, kind) for kind in KINDS],
        "tables": [effect_table(found, name), *source_tables(found, name)],
    }


def _picture(one: Compared, kind: str) -> Picture:
    from analysis.pictures import draw_kind

    return as_picture(draw_kind(one, kind, kinds=KINDS), KINDS[kind].about)


def _setup(found: Comparison) -> list[tuple[str, str]]:
    base, persons = found.base, found.manifest["persons_per_agent"]
    draws = found.runs["draw"].nunique()
    sets = found.runs["parameters"].nunique()
    rows = [
        ("Base", base.title or base.name),
        ("Policies", ", ".join(found.policies)),
        ("Pairs of runs", f"{found.pairs}, each on the same luck with and without the policy"),
        (
            "Agents",
            f"{base.population.agents:,}, each for {persons:,} persons",
        ),
        ("Years simulated", style.span((base.horizon.start + 1, base.horizon.end))),
        ("First seed", str(base.seed)),
        ("Scores of the cities", f"{draws} draws" if draws > 1 else str(base.landscape)),
        ("Sets of parameters", str(sets) if sets > 1 else "one"),
    ]
    return rows


def overview_table(found: Comparison) -> Table:
    """Return a row a policy: the city that changes most, and how many change at all."""
    rows = []
    for name in found.policies:
        stock = found.of("stock", name).drop(index=ALL)
        first = stock.iloc[0]
        changed = bool(first["effect"] != 0)
        rows.append(
            [
                Cell(name),
                Cell(str(stock.index[0]) if changed else "–"),
                *(count(first[key]) for key in ("effect", "low", "high")),
                number(float((stock["q"] < 0.05).sum()), 0),
                number(float((stock["effect"] == 0).sum()), 0),
            ]
        )
    columns = [
        ("Policy", False),
        ("City that changes most", False),
        ("Effect on its talent", True),
        ("From", True),
        ("To", True),
        ("Cities told from zero", True),
        ("Cities not touched", True),
    ]
    caption = "Policies: persons at the end, with 95 % interval. Simulated."
    return Table("overview", caption, columns, rows)


def effect_table(found: Comparison, policy: str) -> Table:
    """Return a policy's effects on every city and on all together, the largest first."""
    stock = found.of("stock", policy)
    others = {name: found.of(name, policy)["effect"] for name in COLUMNS[1:]}
    parts = found.effects[found.effects["policy"] == policy]["part"].unique()
    split = [part for part in ("direct", "feedback") if part in parts]
    shares = {part: found.of("stock", policy, part)["effect"] for part in split}
    rows = []
    for city, row in stock.iterrows():
        name = str(city)
        cells = [Cell("All cities" if name == ALL else name)]
        cells += [count(row[key]) for key in ("base", "effect", "low", "high")]
        cells += [count(shares[part][name]) for part in split]
        cells += [number(row["q"], 3)]
        cells += [_effect(measure, values[name]) for measure, values in others.items()]
        rows.append(cells)
    columns = [("City", False), ("Talent without", True), ("Effect", True), ("From", True)]
    columns += [("To", True), *((part.capitalize(), True) for part in split), ("Adjusted p", True)]
    columns += [(f"Effect on {SHORT[name]}", True) for name in others]
    caption = (
        f"What {policy} changes: persons at the end with 95 % interval, then other measures "
        "(persons, person-years, index points). Simulated."
    )
    return Table(f"effects-{policy}", caption, columns, rows)


def _effect(measure: str, value: float) -> Cell:
    return count(value) if "person" in MEASURES[measure] else number(value, 3)


def source_tables(found: Comparison, policy: str) -> list[Table]:
    """Return from where the city that changes most has its gain, or to where its loss went."""
    stock = found.of("stock", policy).drop(index=ALL)
    if not len(found.displacement) or not (stock["effect"] != 0).any():
        return []
    city = str(stock.index[0])
    table = found.sources(city, policy).reset_index()
    table["size"] = table["gained"] + table["lost"]
    table = table.sort_values("size", ascending=False, kind="stable").head(SOURCES)
    rows = [
        [Cell(str(row["city"]) or "–"), Cell(str(row["kind"]))]
        + [count(row[key]) for key in ("gained", "lost", "net")]
        for row in table.to_dict("records")
    ]
    columns = [("Other city", False), ("What changed", False), ("Gained", True), ("Lost", True)]
    columns.append(("Net", True))
    caption = f"From where {city} has its people under {policy}: persons, mean of the runs."
    return [Table(f"sources-{policy}", caption, columns, rows)]


def money_table(found: Comparison) -> Table | None:
    """Return what was spent and what a talent-year costs; None where nobody spends."""
    if found.money is None:
        return None
    rows = [
        [
            Cell(f"{row['policy']}: {'all cities' if row['city'] == ALL else row['city']}"),
            Cell(str(row["currency"])),
            number(row["spent"], 2),
            count(row["talent_years"]),
            *(_bound(row[key]) for key in ("cost", "low", "high")),
        ]
        for row in found.money.to_dict("records")
    ]
    columns = [("Policy and city", False), ("Currency", False), ("Spent a run", True)]
    columns += [("Additional talent-years", True), ("Cost of one", True), ("From", True)]
    columns.append(("To", True))
    caption = "Money: means of the runs beyond the base; Fieller’s 95 % interval. Simulated."
    return Table("money", caption, columns, rows)


def _bound(value: float) -> Cell:
    finite = not pd.isna(value) and abs(value) != float("inf")
    return number(value, 0) if finite else Cell("no bound")


def _hashes(found: Comparison) -> Table:
    tables = found.manifest.get("tables", {})
    rows = [[Cell(name), count(f["rows"]), Cell(f["sha256"])] for name, f in tables.items()]
    columns = [("File", False), ("Rows", True), ("SHA-256", False)]
    return Table("hashes", "Tables of the comparison’s folder.", columns, rows)


def _command(found: Comparison) -> str:
    folder = found.folder or Path("comparison")
    files = [f"{folder.name}/scenarios/{name}.yaml" for name in (found.base.name, *found.policies)]
    words = ["talentflow", "compare", *files, "--seeds", str(found.pairs), "--out", "again"]
    return shlex.join(words)
