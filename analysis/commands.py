"""Commands that this package adds to ``talentflow``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analysis.kinds import KINDS


def register(app: typer.Typer) -> None:
    """Add ``talentflow plot`` and ``talentflow report`` to the command line.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """
    app.command()(plot)
    app.command()(report)


def plot(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Folder of a run, a comparison or a sweep. Several runs, such as those of other "
            "seeds, give the pictures that show the range over runs.",
            metavar="PATH...",
        ),
    ],
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of picture; may be given several times. Default: all that fit. Of a run: "
            f"{', '.join(KINDS)}."
        ),
    ] = None,
    city: Annotated[
        list[str] | None,
        typer.Option(
            help="City to single out, in English or Chinese; may be given several times. The flow "
            "map then shows only flows from and to it."
        ),
    ] = None,
    format: Annotated[str, typer.Option(help="png, svg or pdf.")] = "png",
    lang: Annotated[str, typer.Option(help="Language of the cities' names: en or zh.")] = "en",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the files. Default: plots in the (first) run."),
    ] = None,
) -> None:
    """Draw pictures of a run, of several, of a comparison or a sweep; print the files' paths."""
    from analysis.kinds import subject_of
    from analysis.pictures import draw_pictures

    subject = subject_of(paths[0])
    things = [subject.read(path) for path in paths]
    folder = paths[0] / "plots" if out is None else out
    options = {"cities": city or (), "suffix": format, "language": lang, "known": subject.kinds}
    for file in draw_pictures(things, folder, kind or (), **options):  # type: ignore[arg-type]
        typer.echo(str(file))


def report(
    path: Annotated[
        Path, typer.Argument(help="Folder of a run or of a comparison.", metavar="PATH")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="File to write; a former one is replaced. Default: report.html in the folder.",
        ),
    ] = None,
) -> None:
    """Write one HTML file on a run or a comparison: findings, pictures, tables, sources."""
    from analysis.kinds import load, subject_of
    from sim.errors import UserError

    subject = subject_of(path)
    if not subject.report:
        raise UserError(f"{path}: is a {subject.noun}, of which there is no report yet")
    typer.echo(str(load(subject.report)(path, out)))
