"""The command ``talentflow ensemble``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.errors import UserError

if TYPE_CHECKING:
    from sim.ensemble import Ensemble

SHOWN = 5


def register(app: typer.Typer) -> None:
    """Add ``talentflow ensemble``.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """
    app.command()(ensemble)


def ensemble(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A YAML file; see docs/ensembles.md.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for the results; it must not exist. Default: runs/…"
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Number of seeds.")] = None,
    agents: Annotated[
        int | None, typer.Option(metavar="N", help="Number of agents of all runs.")
    ] = None,
    years: Annotated[
        int | None, typer.Option(metavar="N", help="Number of years of all runs.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=1024,
            help="Processes on this machine, a run at a time each. Default: one a processor.",
        ),
    ] = None,
    threads_per_worker: Annotated[
        int,
        typer.Option(
            metavar="M", min=1, max=1024, help="Threads of a run; results do not depend on it."
        ),
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Dask scheduler to run on, such as tcp://10.0.0.1:8786."
        ),
    ] = None,
    scheduler_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File that the Dask scheduler to run on has written."),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Measure that is printed. Default: the file's first."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Throw a former ensemble in DIR away, with its runs."),
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Run what is missing in DIR: after an interruption, or of a file that has grown.",
        ),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON document on standard output, nothing else."),
    ] = False,
) -> None:
    """Run scenarios over posterior draws, landscapes and seeds, on many processes or machines.

    Runs are kept as they are finished: after Ctrl-C, or whatever else happens, --resume goes on.
    """
    from sim.ensemble_cluster import Cluster, require

    require()
    _one_place(cluster, scheduler_file, workers)
    from sim.cli import _progress, print_json, tell
    from sim.ensemble_plan import load_plan

    changes = _changes(seeds, agents, years)
    plan = load_plan(file, changes)
    measure = _measure(measure, plan.ensemble.measures)
    folder = out or _default(plan.name, changes)

    from sim.ensemble import run_ensemble

    with _progress() as progress:
        found = run_ensemble(
            plan,
            folder,
            Cluster(cluster, scheduler_file, workers, threads_per_worker),
            overwrite=overwrite,
            resume=resume,
            progress=progress,
            say=tell,
        )
    if as_json:
        print_json(_document(found, measure))
        return
    typer.echo(_text(found, measure))
    typer.echo("\nWritten:")
    for path in _files(found):
        typer.echo(f"  {path}")


def _one_place(cluster: str | None, scheduler_file: Path | None, workers: int | None) -> None:
    given = {
        "--cluster": cluster is not None,
        "--scheduler-file": scheduler_file is not None,
        "--workers": workers is not None,
    }
    flags = [flag for flag, used in given.items() if used]
    if len(flags) > 1:
        raise UserError(
            f"{flags[0]} and {flags[1]} exclude each other: runs go to one cluster, or to workers "
            "on this machine; leave one out"
        )


def _changes(
    seeds: int | None, agents: int | None, years: int | None
) -> list[tuple[str, str, Any]]:
    options = (
        ("--seeds", "seeds.number", seeds),
        ("--agents", "agents", agents),
        ("--years", "years", years),
    )
    return [option for option in options if option[2] is not None]


def _measure(name: str | None, known: tuple[str, ...]) -> str:
    from sim.errors import did_you_mean

    if name is None:
        return known[0]
    if name not in known:
        near = did_you_mean(name, known) or f"; the file has {', '.join(known)}"
        raise UserError(f"--measure: there is no measure '{name}'{near}")
    return name


def _default(name: str, changes: list[tuple[str, str, Any]]) -> Path:
    """Return runs/ensemble-NAME, with the options that change it."""
    words = "".join(f"-{flag[2:]}{value}" for flag, _, value in changes)
    return Path("runs") / f"ensemble-{name}{words}"


def _files(found: Ensemble) -> list[str]:
    """Return the files of the results, the runs' data set as one."""
    paths = [path for path in sorted(found.folder.rglob("*")) if path.is_file()]
    runs = found.folder / "runs"
    return [str(path) for path in paths if runs not in path.parents] + [f"{runs}/"]


def _document(found: Ensemble, measure: str) -> dict[str, Any]:
    from sim.comparison_summary import records

    keys = ("runs", "posterior_draws", "landscapes", "seeds", "simulated", "seconds")
    document: dict[str, Any] = {"out": str(found.folder), "files": _files(found)}
    document |= {key: found.manifest.get(key) for key in keys} | {"measure": measure}
    for name, table in (("summary", found.summary), ("effects", found.effects)):
        if table is not None:
            document[name] = records(table[table["measure"] == measure])
    return document | {"totals": records(found.totals)}


def _text(found: Ensemble, measure: str) -> str:
    from sim.measures import ALL, MEASURES

    lines = [
        f"{found.manifest['runs']:,} runs: {len(found.scenarios)} scenarios, "
        f"{found.manifest['posterior_draws']} posterior draws, "
        f"{found.manifest['landscapes']} landscapes, {found.manifest['seeds']} seeds.",
        f"{measure} ({MEASURES[measure]}), mean with 95 % interval:",
    ]

    def row(label: str, values: Any) -> str:
        return f"  {label:<28} " + "  ".join(f"{_figure(float(value)):>14}" for value in values)

    for name in found.scenarios:
        table = found.of(measure, name)
        known = table["mean"].dropna()
        city = ALL if ALL in known or known.empty else str(known.idxmax())
        lines.append(row(f"{name} {city}", table.loc[city, ["mean", "low", "high"]]))
    for name in list(found.scenarios)[1:]:
        table = found.effect(measure, name).drop(index=ALL)
        size = table["effect"].abs()
        order = size[size > 0].sort_values(ascending=False, kind="stable").index[:SHOWN]
        lines.append(f"largest effects of {name} against {next(iter(found.scenarios))}:")
        if order.empty:
            lines.append("  none in any city")
        for city in order:
            lines.append(row(str(city), table.loc[city, ["effect", "low", "high"]]))
    return "\n".join(lines)


def _figure(value: float) -> str:
    if value != value:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:,.4g}"
