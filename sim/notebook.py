"""How objects show themselves in a notebook: short tables of HTML, with all text escaped."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.cities import DIMENSIONS

if TYPE_CHECKING:
    from sim.api import Results, Study
    from sim.compare import Comparison
    from sim.landscape import Landscape
    from sim.results import Run
    from sim.scenario import Scenario
    from sim.sweep_run import SweepResult

ROWS = 8
"""Rows that a table shows at most; a line below says how many more there are."""


def table(
    headings: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "", of: int = 0
) -> str:
    """Return a table of HTML.

    Parameters
    ----------
    headings : sequence of str
        Of the columns; none for a table of names and values.
    rows : sequence of sequences
        Anything that has a text; the first cell of a row is its heading.
    caption : str
        Above the table.
    of : int
        How many rows there are in all, where not all are shown.
    """
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in headings)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    above = f"<caption>{_text(caption)}</caption>" if caption else ""
    top = f"<thead><tr>{head}</tr></thead>" if headings else ""
    more = f"<p>and {of - len(rows):,} more</p>" if of > len(rows) else ""
    return f"<table>{above}{top}<tbody>{body}</tbody></table>{more}"


def run_html(run: Run) -> str:
    """Return a run read from its folder: what was simulated, and the largest net gains."""
    tables = ", ".join(f"{name} ({len(rows):,} rows)" for name, rows in run.tables.items())
    facts = _facts(run.scenario) | {"folder": run.folder, "tables": tables}
    return table((), list(facts.items()), caption="Run") + _gains(run)


def results_html(results: Results) -> str:
    """Return a run in memory: what was simulated, and the largest net gains."""
    return table((), list(_facts(results.scenario).items()), caption="Results") + _gains(results)


def study_html(study: Study) -> str:
    """Return a study: its settings, its policies, and what it was loaded from."""
    facts = _facts(study.scenario)
    if study.scenario != study.origin:
        facts["loaded from"] = study.origin.name
    shown = table((), list(facts.items()), caption="Study")
    levers = study.scenario.interventions
    if not levers:
        return shown
    rows = [(lever.name, lever.lever, _cities(lever)) for lever in levers[:ROWS]]
    return shown + table(("policy", "lever", "places"), rows, of=len(levers))


def comparison_html(comparison: Comparison) -> str:
    """Return a comparison: of each policy the largest effects on talent, with their intervals."""
    from sim.measures import ALL

    base = comparison.base
    caption = (
        f"Talent at the end of {base.horizon.end}, persons, beside {base.name}; "
        f"{comparison.pairs} pairs of {base.population.agents:,} agents"
    )
    parts = []
    for name in comparison.policies:
        found = comparison.of("stock", name).drop(index=ALL)
        moved = found[found["effect"] != 0]
        rows = [
            (city, *(_number(row[key]) for key in ("base", "effect", "low", "high")), _p(row["q"]))
            for city, row in moved.head(ROWS).iterrows()
        ]
        headings = ("city", base.name, "effect", "95 % from", "to", "q")
        parts.append(table(headings, rows, caption=f"{name}. {caption}", of=len(moved)))
    return "".join(parts)


def sweep_html(swept: SweepResult) -> str:
    """Return a sweep: the response of the city that responds most, point by point."""
    city = swept.largest(1)[0]
    curve = swept.curve(city)
    paths = list(swept.sweep.over)
    keys = [*paths, "effect", "low", "high"]
    rows = [
        (number, *(_number(row[key]) for key in keys))
        for number, row in curve.head(ROWS).iterrows()
    ]
    caption = f"{swept.sweep.measure} of {city}, beside {swept.against.name}"
    headings = ("point", *paths, "effect", "95 % from", "to")
    return table(headings, rows, caption=caption, of=len(curve))


def landscape_html(landscape: Landscape) -> str:
    """Return a landscape: scores of its first cities; estimated ones are marked with ≈."""
    composite = landscape.composite()
    order = np.argsort(-composite, kind="stable")[:ROWS]
    rows = [
        (
            landscape.cities[city],
            f"{composite[city]:.2f}",
            *(
                f"{'' if kind == 'published' else '≈ '}{score:.2f}"
                for score, kind in zip(landscape.scores[city], landscape.kind[city], strict=True)
            ),
        )
        for city in order
    ]
    published = int((landscape.kind == "published").sum())
    which = "centre" if landscape.draw is None else f"draw {landscape.draw}"
    caption = (
        f"Landscape ({which}): {len(landscape)} cities, index points. {published} of "
        f"{landscape.kind.size} scores are published, those with ≈ are estimated"
    )
    headings = ("city", "composite", *(name.replace("_", " ") for name in DIMENSIONS))
    return table(headings, rows, caption=caption, of=len(landscape))


def _facts(scenario: Scenario) -> dict[str, Any]:
    """Return what a scenario simulates, by name."""
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "years": f"{scenario.horizon.start} to {scenario.horizon.end}",
        "agents": f"{scenario.population.agents:,}",
        "seed": scenario.seed,
        "policies": len(scenario.interventions),
    }


def _gains(run: Run | Results) -> str:
    """Return the largest net gains and losses of a run."""
    from sim.summary import summarise

    found = summarise(run.cities, run.ages)
    half = ROWS // 2
    rows = [
        (row["city"], f"{row['net']:+,}", "" if (p := row["percent"]) is None else f"{p:+.1f} %")
        for row in [*found["gains"][:half], *reversed(found["losses"][:half])]
    ]
    caption = f"Largest net gains and losses by moves, {found['start'] + 1} to {found['end']}"
    return table(("city", "persons", "of the first stock"), rows, caption=caption)


def _cities(lever: Any) -> str:
    from sim.cities import load_cities

    cities = load_cities()
    mask = lever.places.mask(cities)
    names = [cities.names[k] for k in np.flatnonzero(mask)]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _number(value: Any) -> str:
    """Return a number as text: persons whole, small numbers with four digits."""
    number = float(value)
    if not math.isfinite(number):
        return "–"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _p(value: Any) -> str:
    number = float(value)
    return "–" if math.isnan(number) else "< 0.001" if number < 0.001 else f"{number:.3f}"


def _text(value: Any) -> str:
    return html.escape(str(value))
