"""The command ``talentflow index``: a user's own table of indicators scored by the engine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from sim.index import IndexResult

FORMATS = (".csv", ".parquet")


def register(app: typer.Typer) -> None:
    """Add ``talentflow index`` to the command line.

    Parameters
    ----------
    app : typer.Typer
        The application of the command line.
    """

    @app.command()
    def index(
        file: Annotated[
            Path,
            typer.Argument(
                help="CSV with a column 'city', the 24 indicators (English or Chinese names, or "
                "numbers 1 to 24) and perhaps 'group'.",
                metavar="FILE",
            ),
        ],
        out: Annotated[
            Path | None,
            typer.Option(help="Write the scores here (.csv or .parquet) and not to the screen."),
        ] = None,
        normalise: Annotated[
            str, typer.Option(help="minmax, zscore, percentile or log.")
        ] = "minmax",
        log: Annotated[
            str | None,
            typer.Option(
                help="Indicators to take logarithms of, with commas between; '--normalise log' "
                "takes the heavy-tailed counts if this is not given.",
                metavar="NAMES",
            ),
        ] = None,
        weights: Annotated[
            str,
            typer.Option(
                help="equal, entropy, pca, or 'NAME=WEIGHT,...' for dimensions or indicators "
                "(others weigh 1), or a CSV file with columns name, weight.",
            ),
        ] = "equal",
        missing: Annotated[
            str,
            typer.Option(
                help="error, or how to fill gaps: mean, median, group-mean, group-median."
            ),
        ] = "error",
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        """Score a table of cities: 24 indicators, 6 dimensions, composite and ranks on 50–100."""
        from sim.index import compute_index

        if out is not None:
            check_out(out, file)
        result = compute_index(
            file,
            normalise=normalise,
            weights=parse_weights(weights),
            missing=missing,
            log=None if log is None else [part for part in log.split(",") if part.strip()],
        )
        if out is not None:
            write_result(result, out)
        if as_json:
            import json

            typer.echo(json.dumps(as_document(result, out), ensure_ascii=False, indent=2))
        elif out is None:
            typer.echo(as_text(result))
        else:
            typer.echo(f"{out}: {len(result.composite)} cities. {result.statement}", err=True)


def parse_weights(text: str) -> str | dict[str, float]:
    """Read the option ``--weights``.

    Parameters
    ----------
    text : str
        The name of a scheme, ``name=weight`` pairs with commas between, or the path of a CSV file
        with columns ``name`` and ``weight``.

    Returns
    -------
    str or dict of str to float
        The scheme, or the weights by name.

    Raises
    ------
    UserError
        If it is none of these, or a weight is not a number, or a name comes twice.
    """
    from sim.index import WEIGHTS

    if text in WEIGHTS:
        return text
    if "=" in text:
        pairs = [part.rpartition("=")[::2] for part in text.split(",") if part.strip()]
        return _weights(
            "--weights", [(f"'{name}={weight}'", name, weight) for name, weight in pairs]
        )
    path = Path(text)
    if path.suffix.casefold() == ".csv" or path.exists():
        return _weights(str(path), _weight_lines(path))
    raise UserError(
        f"--weights '{text}' is not known{did_you_mean(text, WEIGHTS)}; use one of "
        f"{', '.join(WEIGHTS)}, 'NAME=WEIGHT,...', or a CSV file with columns name, weight"
    )


def _weights(source: str, entries: list[tuple[str, str, str]]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for place, name, text in entries:
        name = name.strip()
        if name in weights:
            raise UserError(f"{source}: {place}: '{name}' comes twice; keep one")
        try:
            weights[name] = float(text)
        except ValueError:
            raise UserError(f"{source}: {place}: weight '{text.strip()}' is not a number") from None
    return weights


def _weight_lines(path: Path) -> list[tuple[str, str, str]]:
    import csv

    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: the weights cannot be read ({error})") from None
    if not rows or [title.strip() for title in rows[0]] != ["name", "weight"]:
        raise UserError(f"{path}: the first line of a weights file must be 'name,weight'")
    entries = []
    for line, row in enumerate(rows[1:], start=2):
        if not any(field.strip() for field in row):
            continue
        if len(row) != 2:
            raise UserError(f"{path}: line {line} has {len(row)} fields; it needs name and weight")
        entries.append((f"line {line}", row[0], row[1]))
    return entries


def check_out(out: Path, file: Path) -> None:
    """Refuse, before any work, a target that could not be written or is the input itself.

    Raises
    ------
    UserError
        If the ending is not .csv or .parquet, the folder does not exist, or the target is a
        folder or the input.
    """
    if out.suffix.casefold() not in FORMATS:
        raise UserError(
            f"--out {out}: the ending '{out.suffix}' is not known"
            f"{did_you_mean(out.suffix, FORMATS)}; use .csv or .parquet"
        )
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: the folder {out.parent} does not exist; make it first")
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; give the name of a file")
    if out.exists() and file.exists() and out.samefile(file):
        raise UserError(f"--out {out} is the input file; give another name")


def write_result(result: IndexResult, out: Path) -> None:
    """Write the table of a result, whole or not at all.

    The file is written beside the target under a hidden name, brought to the disk and renamed, so
    the target is always the former file or the whole new one.

    Parameters
    ----------
    result : IndexResult
        What to write; the method stands in the column ``method``.
    out : Path
        A .csv or .parquet file in a folder that exists.

    Raises
    ------
    UserError
        If the operating system refuses.
    """
    table = result.table()
    if out.suffix.casefold() == ".csv":

        def write(name: str) -> None:
            table.to_csv(name, index=False, lineterminator="\n")
    else:

        def write(name: str) -> None:
            table.to_parquet(name, index=False)

    try:
        _write_whole(out, write)
    except OSError as error:
        raise UserError(
            f"--out {out}: cannot be written ({error.strerror or error}); check the disk and the "
            "folder"
        ) from None


def _write_whole(out: Path, write: Callable[[str], None]) -> None:
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.", suffix=out.suffix)
    os.close(handle)
    try:
        write(name)
        with open(name, "rb+") as stream:
            os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, out.stat().st_mode & 0o777 if out.exists() else 0o666 & ~mask)
        os.replace(name, out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def as_document(result: IndexResult, out: Path | None) -> dict[str, Any]:
    """Return the result as one JSON document (plain values, cities in the order of ranks)."""
    order = result.ranks["composite"].sort_values(kind="stable").index
    return {
        "method": result.method,
        "weights": {
            "dimensions": result.dimension_weights.to_dict(),
            "indicators": result.indicator_weights.to_dict(),
        },
        "out": None if out is None else str(out),
        "cities": [
            {
                "city": city,
                "rank": int(result.ranks.loc[city, "composite"]),
                "composite": float(result.composite[city]),
                "dimensions": {k: float(v) for k, v in result.dimensions.loc[city].items()},
                "ranks": {
                    name: int(result.ranks.loc[city, name]) for name in result.dimensions.columns
                },
                "imputed": result.imputed.columns[result.imputed.loc[city]].tolist(),
            }
            for city in order
        ],
    }


def as_text(result: IndexResult) -> str:
    """Return a table for the screen: scores with two decimals, and the method below."""
    table = result.table()
    shown = table[["rank", "city", "composite", *result.dimensions.columns]].copy()
    marked = table["imputed"] != ""
    shown["city"] = shown["city"].where(~marked, shown["city"] + " *")
    lines = [shown.to_string(index=False, float_format=lambda value: f"{value:.2f}")]
    if marked.any():
        lines.append("* some indicators of this city were missing and have been filled")
    return "\n".join([*lines, *(f"{key}: {phrase}" for key, phrase in result.method.items())])
