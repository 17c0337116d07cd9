"""The ``talentflow`` command: reads options, calls the library, prints, and sets the exit code.

Exit codes: 0 done, 2 the user's input is at fault, 130 interrupted, 1 a fault of talentflow's.
Heavy packages are imported inside the commands, so that help and errors come at once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from sim.errors import UserError
from sim.interruption import Signals
from sim.plugins import add_commands

if TYPE_CHECKING:
    from sim.runner import Progress
    from sim.scenario import Scenario

USER_ERROR, INTERRUPTED, OUR_ERROR = 2, 130, 1
_debug = False


def tell(line: str) -> None:
    """Print a line for the user on standard error."""
    typer.echo(line, err=True)


class Program(TyperGroup):
    """The command group, which turns every error into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            with Signals():
                found = super().invoke(ctx)
                sys.stdout.flush()
                return found
        except UserError as error:
            tell(f"talentflow: {error}")
            raise typer.Exit(USER_ERROR) from None
        except KeyboardInterrupt as error:
            tell(f"talentflow: {str(error) or 'interrupted'}")
            raise typer.Exit(INTERRUPTED) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except OSError as error:
            raise typer.Exit(_tell_system_error(error)) from None
        except Exception as error:
            if hasattr(error, "exit_code"):  # a wrong option: Typer says what is wrong
                raise
            report_fault(error)
            raise typer.Exit(OUR_ERROR) from None


def _tell_system_error(error: OSError) -> int:
    """Say what the system refused, and return the exit code."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        report_fault(error)
        return OUR_ERROR
    _give_up_output()
    place = error.filename or "standard output or a temporary file"
    tell(f"talentflow: {place}: cannot be written ({error.strerror}); free some space")
    return USER_ERROR


def _give_up_output() -> None:
    """Send what standard output still holds nowhere, else Python fails on it again at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def report_fault(error: Exception) -> None:
    """Say that talentflow itself is at fault; with the traceback where debugging is on."""
    if _debug or os.environ.get("TALENTFLOW_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
        return
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    tell(
        f"talentflow: an error of ours ({reason}); please report it with what "
        "'talentflow --debug ...' prints"
    )


app = typer.Typer(
    cls=Program,
    name="talentflow",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Simulate how talent moves among the 120 cities of the Global City Talent Stickiness "
    "Index 2024, and what policies change. Start with: talentflow run baseline",
    epilog="Exit codes: 0 done, 2 the input is at fault, 130 interrupted, 1 a fault of talentflow.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"talentflow {metadata.version('talentflow')}")
        raise typer.Exit


@app.callback()
def program(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of faults (or TALENTFLOW_DEBUG=1).")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    global _debug
    _debug = debug


ScenarioName = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A shipped name or the path of a YAML file.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")
]


@app.command()
def run(
    scenario: ScenarioName = "baseline",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the results; it must not exist. Default: runs/ and the scenario's "
            "name with the options that change it.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of every random draw, from 0.")
    ] = None,
    agents: Annotated[
        int | None, typer.Option(metavar="N", help="Number of agents, 0 to 50 million.")
    ] = None,
    years: Annotated[
        int | None, typer.Option(metavar="N", help="Number of years, 1 to 200.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=1024, help="Threads; the results do not depend on it."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a value of the scenario, such as preference.beta=0.5 or "
            "horizon.start=2025. May be repeated.",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace a former run in DIR once the new one is whole."),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run for DIR, if any.")
    ] = False,
    no_plots: Annotated[bool, typer.Option("--no-plots", help="Draw no pictures.")] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a scenario; write tables, manifest and pictures to one folder.

    Ctrl-C finishes the year under way and keeps a checkpoint; --resume goes on from it.
    """
    from sim.scenario import load_with

    options = {"--seed": ("seed", seed), "--agents": ("population.agents", agents)}
    options["--years"] = ("horizon.years", years)
    changes = [(flag, path, value) for flag, (path, value) in options.items() if value is not None]
    changes += [_setting(text) for text in settings or []]
    loaded = load_with(scenario, changes)
    folder = out or _default_folder(loaded, changes)

    from sim.results import read_run
    from sim.run_folder import RunFolder
    from sim.runner import finished_already, run_scenario

    if resume and not overwrite and finished_already(loaded, folder):
        read_run(folder)  # damage is told first
        tell(f"the run in {folder} is whole; nothing is left to resume")
        RunFolder(folder).tidy(lambda notes: notes.get("scenario_sha256") == loaded.digest())
    else:
        with _progress() as progress:
            run_scenario(
                loaded,
                folder,
                threads=threads,
                overwrite=overwrite,
                resume=resume,
                pictures=not no_plots,
                progress=progress,
                say=tell,
            )
    _print_run(folder, as_json)


def _setting(text: str) -> tuple[str, str, Any]:
    from sim.documents import parse_value, shown

    path, equals, value = text.partition("=")
    label = f"--set {path.strip()}" if path.isprintable() else "--set"
    if not equals or not path.strip():
        raise UserError(f"--set {shown(text)}: write it as NAME=VALUE, such as preference.beta=0.5")
    try:
        node = parse_value(value, label)
    except UserError as error:  # an option has no lines
        raise UserError(re.sub(r"^(--set [^:]*):\d+", r"\1", str(error))) from None
    return label, path.strip(), None if node is None else node.plain()


def _default_folder(scenario: Scenario, changes: list[tuple[str, str, Any]]) -> Path:
    """Return runs/NAME, with what the command line changes: runs/baseline-seed7-agents20000."""
    name = scenario.name
    for flag in ("--seed", "--agents", "--years"):
        name += "".join(f"-{flag[2:]}{value}" for used, _, value in changes if used == flag)
    if any(label.startswith("--set") for label, _, _ in changes):
        name += f"-{scenario.digest()[:8]}"
    return Path("runs") / name


@contextlib.contextmanager
def _progress() -> Iterator[Progress | None]:
    """Give a progress bar on standard error, or None where that is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Left

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Left())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("preparing", total=None)

        def show(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total, description=message)

        yield show


def _print_run(folder: Path, as_json: bool) -> None:
    from sim.results import read_run
    from sim.summary import as_text, summarise

    run = read_run(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    summary = summarise(run.cities, run.ages)
    seconds = run.manifest.get("seconds", {})
    if as_json:
        keys = ("scenario", "scenario_sha256", "seed", "agents", "persons_per_agent", "years")
        facts = {key: run.manifest.get(key) for key in keys}
        paths = {"out": str(folder), "files": [str(path) for path in files]}
        print_json(facts | paths | {"seconds": seconds, "summary": summary})
        return
    typer.echo(as_text(summary))
    typer.echo(
        f"\nCompile {seconds.get('compile', 0.0):.1f} s, "
        f"simulation {seconds.get('simulate', 0.0):.1f} s ({run.manifest['agents']:,} agents, "
        f"{run.manifest['years']} years, seed {run.manifest['seed']}). Written:"
    )
    for path in files:
        typer.echo(f"  {path}")


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


@app.command()
def scenarios(as_json: AsJson = False) -> None:
    """List the scenarios that come with talentflow."""
    from sim.scenario import load_scenario, shipped

    rows = [(name, load_scenario(name)) for name in shipped()]
    if as_json:
        print_json(
            [
                {"name": n, "title": s.title, "description": s.description, "citation": s.citation}
                for n, s in rows
            ]
        )
        return
    width = max(len(name) for name, _ in rows)
    for name, scenario in rows:
        typer.echo(f"{name:<{width}}  {scenario.title}")


@app.command()
def check(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A YAML file, or the name of a shipped scenario.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a scenario; print it with all that it inherits, and what its policies select."""
    from sim.scenario import load_scenario
    from sim.selection_report import as_comments, selections

    scenario = load_scenario(file)
    rows = selections(scenario)
    if as_json:
        document = scenario.model_dump(mode="json")
        facts = {"file": file, "sha256": scenario.digest()}
        print_json(facts | {"scenario": document, "selects": rows})
        return
    tell(f"{file}: no faults found")
    typer.echo(as_comments(rows), nl=False)
    typer.echo(scenario.resolved_yaml(), nl=False)


@app.command()
def schema() -> None:
    """Print the JSON Schema of scenario files, with descriptions, units, ranges and sources."""
    from sim.scenario import json_schema

    print_json(json_schema())


_plugin_warnings = add_commands(app)


def main() -> None:
    """Run the program on the command line's arguments."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    for warning in _plugin_warnings:
        tell(f"talentflow: warning: {warning}")
    try:
        app(prog_name="talentflow")
    except OSError as error:  # help is printed before any command is invoked
        sys.exit(_tell_system_error(error))
