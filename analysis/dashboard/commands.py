"""``talentflow dashboard``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXTRA = "pip install 'talentflow[dashboard]'"


def register(app: typer.Typer) -> None:
    """Add ``talentflow dashboard`` to the command line."""
    app.command()(dashboard)


def dashboard(
    scenarios: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with scenario files to offer beside the shipped ones. No other file of "
            "yours can be read from the page.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Anyone who can reach it can start runs."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    open: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Try policies by hand on a page in the browser: move numbers, run, look, download."""
    from analysis.dashboard.library import Library, serve
    from sim.errors import UserError

    serve(Library(scenarios))
    try:
        from analysis.dashboard.server import start
    except ModuleNotFoundError as error:
        lacking = (error.name or "").split(".")[0]
        if lacking in ("analysis", "sim"):
            raise
        raise UserError(f"the dashboard needs the package '{lacking}'; {EXTRA}") from None
    start(host, port, browser=open)
