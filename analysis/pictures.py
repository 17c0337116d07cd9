"""The set of pictures that a run gets, and how they are written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.ages import plot_age_profile
from analysis.distance import plot_distance_decay
from analysis.flow_map import plot_flow_map
from analysis.mobility_plot import plot_mobility
from analysis.net_gain import plot_net_gain, plot_net_gain_map
from analysis.ranks import plot_rank_change
from analysis.stickiness import plot_stickiness
from analysis.tables import RunTables, known_cities
from sim.errors import UserError, did_you_mean

FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Kind:
    """One kind of picture.

    Attributes
    ----------
    draw : callable
        Takes a run and options, returns the Axes.
    about : str
        What it shows, for lists and help.
    takes_cities : bool
        Whether it can single out cities.
    options : dict
        Options that make this kind out of the function.
    """

    draw: Callable[..., Axes]
    about: str
    takes_cities: bool = False
    options: tuple[tuple[str, Any], ...] = ()


KINDS: dict[str, Kind] = {
    "net-gain": Kind(plot_net_gain, "largest net gains and losses, persons", True),
    "net-gain-rate": Kind(
        plot_net_gain, "largest net gains and losses per 100", True, (("unit", "per_100"),)
    ),
    "net-gain-map": Kind(plot_net_gain_map, "net gain and loss on a world map", True),
    "flow-map": Kind(plot_flow_map, "largest flows between cities on a world map", True),
    "flow-map-international": Kind(
        plot_flow_map,
        "largest flows between countries on a world map",
        True,
        (("scope", "international"),),
    ),
    "ranks": Kind(plot_rank_change, "rank by composite over the years", True),
    "stock-ranks": Kind(
        plot_rank_change, "rank by talent stock over the years", True, (("measure", "stock"),)
    ),
    "ages": Kind(plot_age_profile, "moves by age beside the Rogers-Castro schedule"),
    "stickiness": Kind(plot_stickiness, "simulated stickiness beside the published index", True),
    "mobility": Kind(plot_mobility, "share of talent that moves each year"),
    "distance": Kind(plot_distance_decay, "how much cities exchange at each distance"),
}


def draw_kind(run: RunTables, kind: str, cities: Sequence[str] = ()) -> Figure:
    """Draw one kind of picture on a figure of its own.

    Parameters
    ----------
    run : RunTables
        The run.
    kind : str
        A key of ``KINDS``.
    cities : sequence of str
        Cities to single out, in any case.

    Returns
    -------
    Figure
        Sized for a journal's column.

    Raises
    ------
    UserError
        If there is no such kind or city, or the kind shows no single cities.
    """
    if kind not in KINDS:
        known = ", ".join(KINDS)
        mend = did_you_mean(kind, KINDS) or f"; known: {known}"
        raise UserError(f"there is no picture of kind '{kind}'{mend}")
    chosen = KINDS[kind]
    options: dict[str, Any] = dict(chosen.options)
    if cities:
        if not chosen.takes_cities:
            can = ", ".join(name for name, other in KINDS.items() if other.takes_cities)
            raise UserError(f"kind '{kind}' shows no single cities; these do: {can}")
        options["cities"] = known_cities(run, cities)
    figure = chosen.draw(run, **options).get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


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
        with style.matplotlib.rc_context(style.RC):
            figure.savefig(name, format=suffix, dpi=style.DPI, metadata=metadata)
        os.chmod(name, 0o644)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    return path


def draw_pictures(
    run: RunTables,
    folder: Path,
    kinds: Iterable[str] = (),
    *,
    cities: Sequence[str] = (),
    suffix: str = "png",
) -> list[Path]:
    """Draw pictures of a run into a folder.

    Parameters
    ----------
    run : RunTables
        The run.
    folder : Path
        Made if it is not there.
    kinds : iterable of str
        Keys of ``KINDS``; all of them by default, or all that show cities where cities are named.
    cities : sequence of str
        Cities to single out.
    suffix : {"png", "svg", "pdf"}
        Format.

    Returns
    -------
    list of Path
        The files, in the order drawn. Files with cities singled out carry their names.

    Raises
    ------
    UserError
        For a kind, city or format that is not known.
    """
    if suffix not in FORMATS:
        raise UserError(
            f"there is no format '{suffix}'{did_you_mean(suffix, FORMATS)} (png, svg or pdf)"
        )
    wanted = list(kinds) or [
        name for name, kind in KINDS.items() if kind.takes_cities or not cities
    ]
    names = known_cities(run, cities)
    tail = "".join(f"_{name.lower().replace(' ', '-')}" for name in names)
    paths = []
    for kind in wanted:
        figure = draw_kind(run, kind, names)
        folder.mkdir(parents=True, exist_ok=True)
        file = f"{kind.replace('-', '_')}{tail}.{suffix}"
        paths.append(write_figure(figure, folder / file))
    return paths


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
