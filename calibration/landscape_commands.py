"""The command ``talentflow landscape``: reconstructed scores, their doubt and their evidence."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.errors import UserError, did_you_mean

FORMATS = (".parquet", ".csv")
BUILD_PACKAGES = ("arviz_stats",)


def register(app: typer.Typer) -> None:
    """Add ``talentflow landscape`` to the command line.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """

    @app.command()
    def landscape(
        check: Annotated[
            bool,
            typer.Option(
                "--check",
                help="Test every statement of the report on every draw and on the centre; exit 1 "
                "if one is broken.",
            ),
        ] = False,
        city: Annotated[
            str | None,
            typer.Option(
                metavar="NAME",
                help="Six scores of a city with 80 and 90 % intervals, kinds and ranks.",
            ),
        ] = None,
        draw: Annotated[
            int | None,
            typer.Option(
                metavar="N",
                help="Take this draw (from 0) in the place of the centre; alone, print its table.",
            ),
        ] = None,
        evaluate: Annotated[
            bool,
            typer.Option(
                "--evaluate",
                help="Print how well published scores are predicted when hidden, how the chains "
                "mixed, and how probable the report's statements in words are.",
            ),
        ] = False,
        export: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE",
                help="Write a tidy table (.parquet or .csv): draw, city, dimension, score, kind; "
                "draw -1 is the centre.",
            ),
        ] = None,
        plot: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR", help="Write pictures: a heat map, and with --city a strip."
            ),
        ] = None,
        rebuild: Annotated[
            bool,
            typer.Option(
                "--rebuild",
                help="First make the ensemble anew from its sources (some five minutes; needs the "
                "extra 'build').",
            ),
        ] = False,
        as_json: Annotated[
            bool,
            typer.Option(
                "--json",
                help="Print one JSON document on standard output, nothing else: a key for each "
                "thing asked for (summary, city, draw, evaluation, check, written).",
            ),
        ] = False,
    ) -> None:
        """Show the 120 x 6 dimension scores: what is published, what estimated, and how sure.

        Without options it prints a short summary. Options that print or write can be combined.
        """
        from sim.cities import load_cities
        from sim.landscape import load_landscape

        if export is not None:
            check_target(export)
        if city is not None:
            load_cities().index(city)
        if rebuild:
            rebuild_ensemble()
        load_landscape(draw)
        written = []
        if export is not None:
            written.append(write_export(export, draw))
        if plot is not None:
            written += write_pictures(plot, city, draw)
        parts = _parts(check, city, draw, evaluate, quiet=bool(written))
        if as_json:
            _print_json(parts, written)
        else:
            _print_text(parts, written)
        if check and not parts["check"]["all_satisfied"]:
            raise typer.Exit(1)


def _parts(
    check: bool, city: str | None, draw: int | None, evaluate: bool, *, quiet: bool
) -> dict[str, Any]:
    """Return the documents that were asked for, in the order of printing."""
    from calibration import landscape_quality as quality
    from calibration import landscape_tables as tables

    parts: dict[str, Any] = {}
    if city is not None:
        parts["city"] = tables.city_document(city, draw)
    if evaluate:
        parts["evaluation"] = quality.evaluation_document()
    if check:
        parts["check"] = tables.check_document(draw)
    if not parts and not quiet:
        if draw is None:
            parts["summary"] = tables.summary_document()
        else:
            parts["draw"] = tables.draw_document(draw)
    return parts


def _print_json(parts: dict[str, Any], written: list[Path]) -> None:
    document = parts | ({"written": [str(path) for path in written]} if written else {})
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def _print_text(parts: dict[str, Any], written: list[Path]) -> None:
    from calibration import landscape_quality as quality
    from calibration import landscape_tables as tables

    texts = {
        "summary": tables.summary_text,
        "city": tables.city_text,
        "draw": tables.draw_text,
        "evaluation": quality.evaluation_text,
        "check": tables.check_text,
    }
    blocks = [texts[name](document) for name, document in parts.items()]
    if blocks:
        typer.echo("\n\n".join(blocks))
    for path in written:
        typer.echo(f"written: {path}", err=True)


def check_target(path: Path) -> None:
    """Refuse, before any work, a file that could not be written.

    Raises
    ------
    UserError
        If the ending is not .parquet or .csv, the folder does not exist, or the path is a folder.
    """
    if path.suffix.casefold() not in FORMATS:
        raise UserError(
            f"--export {path}: the ending '{path.suffix}' is not known"
            f"{did_you_mean(path.suffix, FORMATS)}; use .parquet or .csv"
        )
    if not path.parent.is_dir():
        raise UserError(f"--export {path}: the folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise UserError(f"--export {path} is a folder; give the name of a file")


def write_export(path: Path, draw: int | None = None) -> Path:
    """Write the ensemble as a tidy table, whole or not at all.

    A Parquet file also carries, as JSON under the key ``talentflow`` of its schema, unit, number of
    the centre, and weights, intercept and slope of each draw's composite.

    Parameters
    ----------
    path : Path
        A .parquet or .csv file in a folder that exists.
    draw : int, optional
        This draw alone; default: the centre (draw -1) and all draws.

    Returns
    -------
    Path
        The file. The same ensemble gives the same bytes.

    Raises
    ------
    UserError
        If there is no such draw or the operating system refuses.
    """
    from calibration.landscape_tables import CENTRE, export_frame, formulas

    frame = export_frame(draw)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            if path.suffix.casefold() == ".csv":
                frame.to_csv(name, index=False, lineterminator="\n")
            else:
                about = {"unit": "index points", "centre": CENTRE, "composite": formulas(draw)}
                _write_parquet(name, frame, about)
            with open(name, "rb+") as stream:
                os.fsync(stream.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"--export {path}: cannot be written ({error.strerror or error}); check the disk and "
            "the folder"
        ) from None
    return path


def _write_parquet(name: str, frame: Any, about: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({"talentflow": json.dumps(about)})
    with open(name, "wb") as stream:  # a file of our own, so that a full disk is an OSError
        pq.write_table(table, stream, compression="zstd")


def write_pictures(folder: Path, city: str | None, draw: int | None) -> list[Path]:
    """Draw the heat map, and the strip of a city, into a folder that is made if need be.

    Returns
    -------
    list of Path
        ``landscape.png`` and perhaps ``landscape_CITY.png``; a draw's names end in ``_drawN``.

    Raises
    ------
    UserError
        If there is no such city or draw, or the folder cannot be written.
    """
    from analysis.landscape_plots import city_strip, heat_map
    from analysis.pictures import write_figure
    from sim.cities import load_cities
    from sim.landscape import load_landscape

    landscape = load_landscape(draw)
    which = "" if draw is None else f"_draw{draw}"
    drawn = {f"landscape{which}": heat_map(landscape)}
    if city is not None:
        name = landscape.cities[load_cities().index(city)]
        drawn[f"landscape_{name.lower().replace(' ', '-')}{which}"] = city_strip(landscape, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [
            write_figure(axes.get_figure(root=True), folder / f"{stem}.png")  # type: ignore[arg-type]
            for stem, axes in drawn.items()
        ]
    except OSError as error:
        raise UserError(
            f"--plot {folder}: cannot be written ({error.strerror or error}); check the disk and "
            "the folder"
        ) from None


def rebuild_ensemble() -> None:
    """Make the shipped ensemble anew.

    Raises
    ------
    UserError
        If a package of the extra ``build`` is missing, or the file cannot be written.
    """
    missing = [name for name in BUILD_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"--rebuild needs the extra 'build' ('{missing[0]}' is missing); install it with: "
            "pip install 'talentflow[build]'"
        )
    from calibration import reconstruct

    try:
        reconstruct.main()
    except OSError as error:
        raise UserError(
            f"--rebuild: the ensemble cannot be written ({error.strerror or error}); check the "
            "disk and the folder of the installed package"
        ) from None
