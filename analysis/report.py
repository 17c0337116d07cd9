"""The report of a run: one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import shlex
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from analysis import findings, report_tables, style
from analysis.kinds import KINDS
from analysis.metrics import simulated_years
from analysis.tables import persons_an_agent, places
from sim.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sim.results import Run
    from sim.scenario import Scenario

PICTURES = (
    *("net-gain", "net-gain-rate", "net-gain-map", "flow-map", "flow-map-international"),
    *("chord", "alluvial", "heatmap", "city", "ranks", "stock-fan", "mobility", "ages"),
    *("distance", "stickiness"),
)
"""Kinds of picture in a report, in their order."""
LARGEST_SVG = 300_000
"""Vector graphics of more bytes than this, such as maps, become pixels."""
PIXELS_AN_INCH = 220
SCREEN = 125
"""CSS pixels an inch: a bit larger than on paper, for eyes farther away."""
SUFFIXES = (".html", ".htm")


class Picture(NamedTuple):
    """A picture of a report: a data URI, its size in CSS pixels, alternative text and title."""

    uri: str
    width: int
    height: int
    alt: str
    title: str


def write_report(path: Path, out: Path | None = None) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    path : Path
        The run's folder.
    out : Path, optional
        The file, ending in .html; by default ``report.html`` in the run's folder. A former one is
        replaced once the new one is whole.

    Returns
    -------
    Path
        The file. The same run gives the same bytes with the same versions of the packages.

    Raises
    ------
    UserError
        If the folder is no whole run, or the file cannot be written.
    """
    from sim.results import read_run

    target = page_file(Path(path), out)
    write_page(target, render_run(read_run(path)))
    return target


def page_file(folder: Path, out: Path | None) -> Path:
    """Return the file to write a page to: ``out``, or ``report.html`` in a folder.

    Raises
    ------
    UserError
        If ``out`` has another ending than .html, or is a folder.
    """
    target = folder / "report.html" if out is None else Path(out)
    if target.suffix.lower() not in SUFFIXES:
        raise UserError(f"{target}: give the report a name that ends in .html")
    if target.is_dir():
        raise UserError(f"{target}: is a folder; give the name of a file with --out")
    return target


def render_run(run: Run) -> str:
    """Return the report of a run as an HTML document.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    str
        Whole: style, script and pictures are within, and its content security policy forbids to
        load anything. All text from files is escaped.
    """
    return render("report.html", **run_facts(run))


def render(template: str, **facts: Any) -> str:
    """Return a template of ``analysis/data`` filled in; every value is escaped.

    Parameters
    ----------
    template : str
        Name of the file.
    **facts
        What it shows. ``style``, ``script`` and ``policy`` are added.

    Returns
    -------
    str
        An HTML document.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("analysis", "data"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    sheet, script = (_asset(name) for name in ("report.css", "report.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(sheet)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    own = {"style": Markup(sheet), "script": Markup(script), "policy": policy}
    return environment.get_template(template).render(**facts, **own)


def _asset(name: str) -> str:
    return (resources.files("analysis") / "data" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the source expression that allows exactly this text (CSP level 2)."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def run_facts(run: Run) -> dict[str, Any]:
    """Return what the template of a run's report shows.

    Parameters
    ----------
    run : Run
        The run.

    Returns
    -------
    dict
        Values by the names in ``data/report.html``.
    """
    from sim.scenario import load_scenario

    where = places()
    scenario, manifest = run.scenario, run.manifest
    first, last = simulated_years(run.cities)
    return {
        "scenario": scenario,
        "kind": f"scenario {scenario.name}",
        "heading": scenario.title or scenario.name,
        "period": style.span((first, last)),
        "persons": persons_an_agent(run),
        "setup": _setup(run),
        "differences": report_tables.difference_table(scenario, load_scenario("baseline")),
        "findings": findings.headlines(run, where),
        "pictures": [draw_for_page(run, kind, where) for kind in PICTURES],
        "tables": [
            report_tables.city_table(run, where),
            report_tables.flow_table(run),
            report_tables.year_table(run, where),
        ],
        "switched_off": _switched_off(scenario),
        "evidence": evidence(scenario),
        "parameters": report_tables.parameter_table(scenario),
        "hashes": report_tables.hash_table(manifest),
        "manifest": manifest,
        "versions": versions(manifest),
        "command": f"talentflow run {shlex.quote(f'{run.folder.name}/scenario.yaml')} --out again",
    }


def draw_for_page(run: Any, kind: str, where: pd.DataFrame) -> Picture:
    """Draw one kind of picture of a run for a page.

    Parameters
    ----------
    run : RunTables
        The run.
    kind : str
        A key of ``analysis.kinds.KINDS``.
    where : DataFrame
        Where the cities lie, as for :func:`analysis.findings.headlines`.

    Returns
    -------
    Picture
        Its alternative text says the kind, the title, and the main finding of the picture.
    """
    from analysis.pictures import draw_kind

    words = findings.in_words(run, kind, where)
    return as_picture(draw_kind(run, kind), KINDS[kind].about, words)


def as_picture(figure: Figure, about: str, words: str = "") -> Picture:
    """Return a figure of :class:`analysis.style.Sheet` as a picture of a page.

    Parameters
    ----------
    figure : Figure
        Drawn by one of the functions of this package, on a figure of its own.
    about : str
        What this kind of picture shows.
    words : str
        A sentence with what this one shows.

    Returns
    -------
    Picture
        Vector graphics, or pixels where these would be too large.
    """
    title, subtitle = (" ".join(text.get_text().split()) for text in figure.texts[:2])
    width, height = (round(SCREEN * inches) for inches in figure.get_size_inches())
    alt = f"{about[:1].upper()}{about[1:]}: {title}. {subtitle} {words}".strip()
    return Picture(_uri(figure), width, height, alt, title)


def _uri(figure: Figure) -> str:
    """Return a data URI with the figure as SVG, or as PNG where that would be too large."""
    drawing = io.BytesIO()
    with style.look():
        figure.savefig(drawing, format="svg", metadata={"Date": None})
        kind = "image/svg+xml"
        if drawing.tell() > LARGEST_SVG:
            drawing, kind = io.BytesIO(), "image/png"
            figure.savefig(drawing, format="png", dpi=PIXELS_AN_INCH)
    return f"data:{kind};base64,{base64.b64encode(drawing.getvalue()).decode()}"


def _setup(run: Run) -> list[tuple[str, str]]:
    """Return the set-up as terms and descriptions."""
    scenario, manifest = run.scenario, run.manifest
    landscape = manifest.get("landscape", "centre")
    scores = (
        f"draw {landscape['draw']} of the reconstruction"
        if isinstance(landscape, dict)
        else {
            "centre": "centre of the reconstruction, which agrees with everything published",
            "ensemble": "ensemble of the reconstruction",
        }.get(str(landscape), str(landscape))
    )
    policies = len(scenario.interventions)
    return [
        ("Scenario", scenario.name),
        ("Years simulated", style.span((scenario.horizon.start + 1, scenario.horizon.end))),
        ("Cities", str(run.cities["city"].nunique())),
        (
            "Agents",
            f"{scenario.population.agents:,}, each for {persons_an_agent(run):,} persons",
        ),
        ("Seed", str(scenario.seed)),
        ("Scores of the cities", scores),
        ("Policies and shocks", str(policies) if policies else "none"),
    ]


def _switched_off(scenario: Scenario) -> list[str]:
    """Return what of the model is switched off in a scenario, in words."""
    return [
        about.rstrip(".")
        for name, value, _, _, about in scenario.parameters.describe()
        if name.startswith("switches.") and value is False
    ]


def evidence(scenario: Scenario) -> list[tuple[str, str, str]]:
    """Return what is published and what estimated: subject, kind and remark."""
    from sim.landscape import load_landscape

    kind = load_landscape().kind
    printed, cells = int((kind == "published").sum()), kind.size
    sources = [
        report_tables.kind_of_source(source) for *_, source, _ in scenario.parameters.describe()
    ]
    numbers = {name: sources.count(name) for name in ("published", "part estimated", "estimated")}
    return [
        (
            "Composite scores and ranks of the cities, 2024",
            "published",
            "Annual Report on Development of Beijing’s Talent (2024), chapter B.11, table 2",
        ),
        (
            "Scores of the six dimensions",
            f"{printed} published, {cells - printed} estimated",
            "B.11, figures 3–8; the other cells are reconstructed so that they agree with "
            "everything that is printed",
        ),
        ("Talent stocks at the start", "estimated", "population by age and attainment"),
        (
            "Parameters of behaviour",
            f"{numbers['published']} published, {numbers['part estimated']} part estimated, "
            f"{numbers['estimated']} estimated",
            "each with its source in the table of parameters",
        ),
        (
            "Moves, stocks, stickiness and ranks after the start",
            "simulated",
            "results of this run; no such flows between all these cities are published",
        ),
    ]


def versions(manifest: Any) -> list[tuple[str, str]]:
    """Return names and versions of the software that made the run."""
    software = manifest.get("software", {})
    found = [("talentflow", str(manifest.get("talentflow", "–")))]
    found.append(("Python", str(software.get("python", "–"))))
    found += [(name, str(version)) for name, version in software.get("packages", {}).items()]
    machine = " ".join(str(software.get(key, "")) for key in ("system", "machine", "cpu"))
    return [*found, ("Machine", machine.strip() or "–")]


def write_page(target: Path, page: str) -> None:
    """Write a page so that it is there whole or not at all."""
    from sim.run_folder import write_error

    name = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".html")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except OSError as error:
        if name:
            with contextlib.suppress(OSError):
                os.unlink(name)
        raise write_error(target, error) from None
