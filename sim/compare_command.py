"""The commands ``talentflow compare`` and ``talentflow sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.errors import UserError

if TYPE_CHECKING:
    from sim.scenario import Scenario

SEEDS = 20

Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder for the results; it must not exist. Default: runs/…"),
]
Agents = Annotated[int | None, typer.Option(metavar="N", help="Number of agents of all runs.")]
Years = Annotated[int | None, typer.Option(metavar="N", help="Number of years of all runs.")]
Seed = Annotated[int | None, typer.Option(metavar="N", help="First seed; the others follow it.")]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=1024, help="Threads; the results do not depend on it."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace former results in DIR once the new are whole.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Take up the finished pairs of an interrupted command.")
]
NoPlots = Annotated[bool, typer.Option("--no-plots", help="Draw no pictures.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")
]


def register(app: typer.Typer) -> None:
    """Add ``talentflow compare`` and ``talentflow sweep``.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """
    app.command()(compare)
    app.command()(sweep)


def compare(
    base: Annotated[
        str, typer.Argument(metavar="BASE", help="A shipped name or the path of a YAML file.")
    ],
    policies: Annotated[
        list[str], typer.Argument(metavar="POLICY...", help="Scenarios to compare with the base.")
    ],
    seeds: Annotated[
        int, typer.Option(metavar="N", help="Pairs of runs, each on a seed of its own.")
    ] = SEEDS,
    out: Out = None,
    seed: Seed = None,
    agents: Agents = None,
    years: Years = None,
    threads: Threads = None,
    measure: Annotated[
        str, typer.Option(metavar="NAME", help="Measure whose largest effects are printed.")
    ] = "stock",
    posterior: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.npz",
            help="Draws of the parameters that 'talentflow calibrate --posterior' wrote: their "
            "spread goes into the intervals.",
        ),
    ] = None,
    no_direct: Annotated[
        bool,
        typer.Option("--no-direct", help="Do not tell direct effects from feedback; saves time."),
    ] = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
    no_plots: NoPlots = False,
    as_json: AsJson = False,
) -> None:
    """Compare policies with a base on the same luck: effects, intervals, and whom they moved.

    Ctrl-C keeps the pairs that are finished; --resume goes on with them.
    """
    from sim.cli import _progress, print_json, tell
    from sim.measures import MEASURES

    _known_measure(measure, MEASURES)
    changes = _changes(seed, agents, years)
    scenarios = [_load(name, changes) for name in (base, *policies)]
    folder = out or _default("compare", scenarios, changes, seeds)

    from sim.comparison_folder import run_comparison
    from sim.comparison_summary import as_text, records, summarise
    from sim.posterior import read_posterior

    draws = read_posterior(posterior) if posterior is not None else []
    with _progress() as progress:
        found = run_comparison(
            scenarios[0],
            scenarios[1:],
            folder,
            seeds=seeds,
            direct=not no_direct,
            posterior=draws,
            threads=threads,
            overwrite=overwrite,
            resume=resume,
            pictures=not no_plots,
            progress=progress,
            say=tell,
        )
    summary = summarise(found, measure)
    files = _files(folder)
    if as_json:
        total = found.effects[found.effects["part"] == "total"].drop(columns="part")
        print_json({"out": str(folder), "files": files, **summary, "effects": records(total)})
        return
    typer.echo(as_text(summary))
    _written(files)


def sweep(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A scenario with a 'sweep:', by name or path.")
    ],
    against: Annotated[
        str | None,
        typer.Option(metavar="BASE", help="Scenario to compare each point with."),
    ] = None,
    out: Out = None,
    seed: Seed = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Pairs of runs a point.")] = None,
    agents: Agents = None,
    years: Years = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    resume: Resume = False,
    no_plots: NoPlots = False,
    as_json: AsJson = False,
) -> None:
    """Run a family of scenarios over ranges of numbers, each paired with a base."""
    from sim.cli import _progress, print_json, tell

    changes = _changes(seed, agents, years)
    swept = [*changes, ("--seeds", "sweep.seeds", seeds)] if seeds is not None else changes
    scenario = _load(file, swept)
    if scenario.sweep is None:
        raise UserError(f"{file}: has no 'sweep:'; add one, as docs/compare.md shows")
    base = _base(file, scenario, against, changes)
    folder = out or _default("sweep", [scenario], changes, scenario.sweep.seeds)

    from sim.comparison_summary import records
    from sim.sweep_run import run_sweep

    with _progress() as progress:
        found = run_sweep(
            scenario,
            folder,
            base,
            threads=threads,
            overwrite=overwrite,
            resume=resume,
            pictures=not no_plots,
            progress=progress,
            say=tell,
        )
    cities = list(found.sweep.cities) or found.largest(3)
    curves = {city: found.curve(city) for city in cities}
    files = _files(folder)
    if as_json:
        facts = {"measure": found.sweep.measure, "against": found.against.name}
        tables = {city: records(curve.reset_index()) for city, curve in curves.items()}
        print_json({"out": str(folder), "files": files, **facts, "curves": tables})
        return
    for city, curve in curves.items():
        typer.echo(f"{city}: effect on {found.sweep.measure} against {found.against.name}")
        shown = curve.drop(columns=["base", "p", "pairs"])
        typer.echo(shown.to_string(index=False, float_format=lambda v: f"{v:,.4g}") + "\n")
    _written(files)


def _known_measure(measure: str, known: Any) -> None:
    from sim.errors import did_you_mean

    if measure not in known:
        near = did_you_mean(measure, known) or f"; known: {', '.join(known)}"
        raise UserError(f"--measure: there is no measure '{measure}'{near}")


def _changes(seed: int | None, agents: int | None, years: int | None) -> list[tuple[str, str, Any]]:
    options = (
        ("--seed", "seed", seed),
        ("--agents", "population.agents", agents),
        ("--years", "horizon.years", years),
    )
    return [option for option in options if option[2] is not None]


def _load(name: str, changes: list[tuple[str, str, Any]]) -> Scenario:
    from sim.scenario import load_with

    return load_with(name, changes)


def _base(
    file: str, scenario: Scenario, against: str | None, changes: list[tuple[str, str, Any]]
) -> Scenario | None:
    """Return what a sweep's points are compared with; None: the scenario itself."""
    from sim.documents import Place
    from sim.scenario_files import locate

    if against is not None:
        return _load(against, changes)
    assert scenario.sweep is not None
    if scenario.sweep.against is None:
        return None
    asking = Place(str(locate(file)))
    return _load(str(locate(scenario.sweep.against, asking)), changes)


def _default(
    command: str, scenarios: list[Scenario], changes: list[tuple[str, str, Any]], seeds: int
) -> Path:
    """Return runs/compare-BASE-POLICY-seeds20, with the options that change it."""
    name = "-".join([command, *(scenario.name for scenario in scenarios)])
    if len(name) > 100:
        name = f"{name[:90]}-{len(scenarios) - 1}"
    name += f"-seeds{seeds}"
    return Path("runs") / (name + "".join(f"-{flag[2:]}{value}" for flag, _, value in changes))


def _files(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _written(files: list[str]) -> None:
    typer.echo("\nWritten:")
    for path in files:
        typer.echo(f"  {path}")
