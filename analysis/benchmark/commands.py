"""``talentflow bench``: the benchmark from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _bench(
    agents: Annotated[
        list[int] | None,
        typer.Option(help="Number of agents; may be given several times.", metavar="N", min=1),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads.", min=1, max=1024)] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few agents and repeats, no memory and start-up.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Also write the JSON document here.", metavar="FILE")
    ] = None,
) -> None:
    """Time the decision against other ways of writing it, and this machine's limits."""
    import json

    from analysis.benchmark.suite import as_text, run_suite

    def say(line: str) -> None:
        typer.echo(line, err=True)

    sizes = agents or ([10_000] if quick else [10_000, 100_000, 1_000_000])
    results = run_suite(sorted(set(sizes)), threads, quick=quick, say=say)
    document = json.dumps(results, indent=2)
    typer.echo(document if as_json else as_text(results))
    if out is not None:
        from sim.errors import UserError

        try:
            out.write_text(document + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{out}: cannot be written ({error.strerror})") from None


def register(app: typer.Typer) -> None:
    """Add ``talentflow bench`` to the command line.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """
    app.command(name="bench")(_bench)


def main() -> None:
    """Run the command on its own."""
    typer.run(_bench)
