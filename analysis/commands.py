"""Commands that this package adds to ``talentflow``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add ``talentflow plot`` to the command line.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """

    @app.command()
    def plot(
        path: Annotated[Path, typer.Argument(help="Run folder.", metavar="PATH")],
        kind: Annotated[
            list[str] | None,
            typer.Option(
                help="Kind of picture; may be given several times. Default: all. Known: net-gain, "
                "net-gain-rate, net-gain-map, flow-map, flow-map-international, ranks, "
                "stock-ranks, ages, stickiness, mobility, distance."
            ),
        ] = None,
        city: Annotated[
            list[str] | None,
            typer.Option(
                help="City to single out; may be given several times. The flow map then shows "
                "only flows from and to it."
            ),
        ] = None,
        format: Annotated[str, typer.Option(help="png, svg or pdf.")] = "png",
        out: Annotated[
            Path | None, typer.Option(help="Folder for the files. Default: plots in the run.")
        ] = None,
    ) -> None:
        """Draw pictures of a run and print the paths of the files."""
        from analysis.pictures import draw_pictures
        from sim.results import read_run

        run = read_run(path)
        folder = path / "plots" if out is None else out
        for file in draw_pictures(run, folder, kind or (), cities=city or (), suffix=format):
            typer.echo(str(file))
