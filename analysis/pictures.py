"""Drawing kinds of picture, and writing them whole."""

from __future__ import annotations

import contextlib
import inspect
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from analysis import fonts, names, style
from analysis.kinds import KINDS, Kind, Subject
from analysis.tables import RunTables, known_cities
from sim.errors import UserError, did_you_mean

FORMATS = ("png", "svg", "pdf")


def _is_run(path: Path) -> bool:
    from sim.run_folder import is_run

    return is_run(path)


def _read_run(path: Path) -> RunTables:
    from sim.results import read_run

    return read_run(path)


RUN = Subject("run", _is_run, _read_run, KINDS, "analysis.report:write_report")
"""A finished run."""


def draw_kind(
    things: Any,
    kind: str,
    cities: Sequence[str] = (),
    *,
    language: str = "en",
    kinds: Mapping[str, Kind] = KINDS,
) -> Figure:
    """Draw one kind of picture on a figure of its own.

    Parameters
    ----------
    things : RunTables or sequence of RunTables
        The run, or several for the kinds that show several; what else ``kinds`` are of.
    kind : str
        A key of ``kinds``.
    cities : sequence of str
        Cities to single out, in any case, English or Chinese; for a kind that shows one city at
        most one.
    language : {"en", "zh"}
        Language of the cities' names.
    kinds : mapping
        The kinds there are.

    Returns
    -------
    Figure
        Sized for a journal's column.

    Raises
    ------
    UserError
        If there is no such kind, city, language or font, or the kind shows no single cities or no
        several runs.
    """
    chosen = _kind(kind, kinds)
    names.check_language(language)
    several = list(things) if isinstance(things, list | tuple) else [things]
    if len(several) > 1 and not chosen.several:
        can = ", ".join(name for name, other in kinds.items() if other.several)
        raise UserError(f"kind '{kind}' shows one run only; these show several: {can}")
    options: dict[str, Any] = dict(chosen.options)
    if cities:
        wanted = known_cities(several[0], cities)
        if not (chosen.takes_cities or chosen.a_city):
            can = ", ".join(n for n, other in kinds.items() if other.takes_cities or other.a_city)
            raise UserError(f"kind '{kind}' shows no single cities; these do: {can}")
        if chosen.a_city and len(wanted) > 1:
            raise UserError(f"kind '{kind}' shows one city at a time")
        options |= {"city": wanted[0]} if chosen.a_city else {"cities": wanted}
    with _language(language, several, options, chosen) as drawn:
        axes = chosen.draw(drawn if chosen.several else drawn[0], **options)
    figure = axes.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def _kind(name: str, kinds: Mapping[str, Kind]) -> Kind:
    """Return a kind by its name."""
    if name not in kinds:
        mend = did_you_mean(name, kinds) or f"; known: {', '.join(kinds)}"
        raise UserError(f"there is no picture of kind '{name}'{mend}")
    return kinds[name]


@contextlib.contextmanager
def _language(
    language: str, things: list[Any], options: dict[str, Any], kind: Kind
) -> Iterator[list[Any]]:
    """Give what is drawn, and put options, places and font into its language."""
    if language == "en":
        yield things
        return
    known = names.chinese_names()
    if "city" in options:
        options["city"] = known.get(options["city"], options["city"])
    if "cities" in options:
        options["cities"] = [known.get(name, name) for name in options["cities"]]
    if "where" in inspect.signature(kind.draw).parameters:
        options["where"] = names.chinese_places()
    with fonts.also_in(names.chinese_font()):
        yield [names.in_chinese(thing) for thing in things]


def write_figure(figure: Figure, path: Path) -> Path:
    """Write a figure so that the file is there whole or not at all.

    Parameters
    ----------
    figure : Figure
        What to write.
    path : Path
        Where; the suffix says the format (png, svg or pdf). The folder must exist.

    Returns
    -------
    Path
        The path. The same figure gives the same bytes: no date is written.
    """
    suffix = path.suffix.removeprefix(".")
    dated = {"svg": "Date", "pdf": "CreationDate"}
    metadata = {dated[suffix]: None} if suffix in dated else None
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    os.close(handle)
    try:
        with style.look():
            figure.savefig(name, format=suffix, dpi=style.DPI, metadata=metadata)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def draw_pictures(
    things: Any,
    folder: Path,
    kinds: Iterable[str] = (),
    *,
    cities: Sequence[str] = (),
    suffix: str = "png",
    language: str = "en",
    known: Mapping[str, Kind] = KINDS,
) -> list[Path]:
    """Draw pictures of a run, or of several, into a folder.

    Parameters
    ----------
    things : RunTables or sequence of RunTables
        The run or the runs; what else the kinds in ``known`` are of.
    folder : Path
        Made if it is not there.
    kinds : iterable of str
        Keys of ``known``; by default all of them, of several runs those that show several, and
        where cities are named those that show cities.
    cities : sequence of str
        Cities to single out.
    suffix : {"png", "svg", "pdf"}
        Format.
    language : {"en", "zh"}
        Language of the cities' names.
    known : mapping
        The kinds there are.

    Returns
    -------
    list of Path
        The files, in the order drawn. Files with cities singled out carry their names.

    Raises
    ------
    UserError
        For a kind, city, language or format that is not known, a missing font, or a folder that
        cannot be written.
    """
    if suffix not in FORMATS:
        raise UserError(
            f"there is no format '{suffix}'{did_you_mean(suffix, FORMATS)} (png, svg or pdf)"
        )
    several = list(things) if isinstance(things, list | tuple) else [things]
    wanted = list(kinds) or [
        name
        for name, kind in known.items()
        if (kind.several or len(several) == 1) and (kind.takes_cities or kind.a_city or not cities)
    ]
    found = known_cities(several[0], cities) if cities else []
    paths = []
    for name in wanted:
        each = [[city] for city in found] if _kind(name, known).a_city and found else [found]
        for group in each:
            figure = draw_kind(several, name, group, language=language, kinds=known)
            tail = "".join(f"_{city.lower().replace(' ', '-')}" for city in group)
            tail += "" if language == "en" else f"_{language}"
            paths.append(_put(figure, folder, f"{name.replace('-', '_')}{tail}.{suffix}"))
    return paths


def _put(figure: Figure, folder: Path, name: str) -> Path:
    """Write a figure into a folder, which is made where it is not there."""
    from sim.run_folder import write_error

    try:
        folder.mkdir(parents=True, exist_ok=True)
        return write_figure(figure, folder / name)
    except OSError as error:
        raise write_error(folder / name, error) from None


def draw_run(run_folder: Path) -> list[Path]:
    """Draw every kind of picture into the ``plots`` folder of a run.

    Parameters
    ----------
    run_folder : Path
        A run folder, whole.

    Returns
    -------
    list of Path
        The PNG files written.
    """
    from sim.results import read_run

    folder = Path(run_folder)
    return draw_pictures(read_run(folder), folder / "plots")
