"""The origin–destination matrix as a heat map, ordered by clusters or by parts of the world."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis import style
from analysis.clusters import average_linkage, exchange_distance
from analysis.metrics import Years, origin_destination
from analysis.regions import OTHER, REGIONS, region_of
from analysis.tables import RunTables, period_of, persons_an_agent, places

ORDERS = ("clusters", "regions")
NOBODY = "#F4F4F4"


@style.styled
def plot_heatmap(
    run: RunTables,
    *,
    ax: Axes | None = None,
    order: str = "clusters",
    n: int = 45,
    clusters: int = 9,
    years: Years = None,
    cities: Sequence[str] = (),
    where: pd.DataFrame | None = None,
) -> Axes:
    """Draw persons who moved from each of the busiest cities to each other one.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure two columns wide by default, narrower for few cities.
    order : {"clusters", "regions"}
        Cities that exchange more than their sizes alone would give stand together (average
        linkage), or cities of one part of the world do.
    n : int
        How many cities, those with most arrivals and departures.
    clusters : int
        How many clusters the tree is cut into.
    years : int or (int, int) or None
        Years to sum over; all simulated years by default.
    cities : sequence of str
        Cities that are shown in any case, their names in bold.
    where : DataFrame, optional
        Indexed by city, columns area and continent; the 120 cities of the index by default.

    Returns
    -------
    Axes
        Origins from the top down, destinations from left to right; the scale of colours is
        logarithmic. Frames stand around the groups.

    Raises
    ------
    ValueError
        If the order is not known.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {ORDERS}, not {order!r}")
    where = places() if where is None else where
    everybody = [str(name) for name in pd.unique(run.cities["city"])]
    whole = origin_destination(run.flows, years, cities=everybody)
    shown = busiest(whole, n, cities)
    groups = grouped(whole.loc[shown, shown], order, clusters, where)
    names = [name for group in groups for name in group]
    moved = whole.loc[names, names].to_numpy(dtype=float)
    width = style.PAGE_MM if len(names) > 24 else style.WIDE_MM
    sheet = style.Sheet(ax, width, 58 + max(2.75 * len(names), 50), snug=True)
    axes = sheet.ax
    axes.set_aspect("equal", anchor="N")
    if moved.sum():
        _cells(axes, moved)
        _frames(axes, groups)
        _label(axes, names, cities)
    else:
        style.nothing(axes, "no moves")
        axes.set(xticks=[], yticks=[])
    total = float(whole.to_numpy().sum())
    share = f"{100 * moved.sum() / max(total, 1):.0f}{style.NBSP}%"
    frames = (
        f"{len(groups)} clusters of cities that exchange most beside their sizes (average linkage)"
        if order == "clusters"
        else "parts of the world"
    )
    sheet.finish(
        f"Who moves from where to where, {style.span(period_of(run, years))}",
        f"Persons who moved from the city of the row to that of the column, all years together; "
        f"logarithmic colours, pale where nobody moved. Frames: {frames}. The {len(names)} "
        f"busiest of {len(everybody)} cities, {share} of all moves, in this one run.",
        f"{style.run_line(run.manifest, persons_an_agent(run))}. Initial stocks: estimated.",
    )
    return axes


def busiest(whole: pd.DataFrame, n: int, always: Sequence[str] = ()) -> list[str]:
    """Return the n cities with most arrivals and departures, and some in any case.

    Parameters
    ----------
    whole : DataFrame, shape (cities, cities)
        Persons from row to column.
    n : int
        How many.
    always : sequence of str
        Cities that are among them whatever their moves; they take the places of the last.

    Returns
    -------
    list of str
        In the order of the matrix.
    """
    turnover = whole.sum(axis=0) + whole.sum(axis=1)
    wanted = turnover.index.isin(list(always))
    first = np.lexsort((-turnover.to_numpy(), ~wanted))[: max(n, int(wanted.sum()))]
    return [str(whole.index[i]) for i in sorted(first)]


def grouped(moved: pd.DataFrame, order: str, clusters: int, where: pd.DataFrame) -> list[list[str]]:
    """Return the cities of a matrix in groups, in the order in which they are drawn."""
    names = [str(name) for name in moved.index]
    if order == "clusters":
        tree = average_linkage(exchange_distance(moved.to_numpy()), min(clusters, len(names)))
        return [[names[i] for i in group] for group in tree]
    region = region_of(where).reindex(names).fillna(OTHER)
    parts = [[name for name in names if region[name] == part] for part in (*REGIONS, OTHER)]
    return [part for part in parts if part]


def _cells(axes: Axes, moved: np.ndarray) -> None:
    """Draw the matrix and its scale of colours."""
    colors = matplotlib.colormaps["viridis_r"].with_extremes(bad=NOBODY)
    some = moved[moved > 0]
    norm = LogNorm(float(some.min()), max(float(some.max()), 1.01 * float(some.min())))
    image = axes.imshow(
        np.ma.masked_equal(moved, 0), cmap=colors, norm=norm, interpolation="nearest"
    )
    bar = axes.inset_axes((1.02, 0.0, 0.02, 0.5))
    figure = axes.get_figure(root=True)
    assert figure is not None
    scale = figure.colorbar(image, cax=bar)
    scale.outline.set_visible(False)
    bar.yaxis.set_major_locator(LogLocator(10, subs=(1.0,)))
    bar.yaxis.set_minor_locator(NullLocator())
    bar.yaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short(value)))
    bar.set_title("Persons", fontsize=style.SMALL_PT, loc="left")


def _frames(axes: Axes, groups: list[list[str]]) -> None:
    """Draw a frame around each group of two or more."""
    at = -0.5
    for group in groups:
        if len(group) > 1:
            corner, size = (at, at), len(group)
            for color, width in (("white", 1.8), (style.BLACK, 0.9)):
                axes.add_patch(
                    Rectangle(corner, size, size, fill=False, edgecolor=color, linewidth=width)
                )
        at += len(group)


def _label(axes: Axes, names: list[str], bold: Sequence[str]) -> None:
    """Name rows and columns."""
    ticks = np.arange(len(names))
    axes.set_xticks(ticks, names, rotation=90)
    axes.set_yticks(ticks, names)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.tick_params(length=0, pad=1.5)
    axes.set_xlabel("To", labelpad=7)
    axes.set_ylabel("From")
    for spine in axes.spines.values():
        spine.set_visible(False)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        if label.get_text() in bold:
            label.set_fontweight("bold")
