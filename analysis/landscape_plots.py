"""Pictures of the landscape: all cities in six dimensions with their doubt, and one city alone."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle, RegularPolygon
from matplotlib.transforms import ScaledTranslation

from analysis import style
from sim.cities import DIMENSIONS
from sim.errors import UserError, did_you_mean
from sim.landscape import HIGH, LOW, Landscape

SHORT = ("Economy", "Innovation", "Culture", "Ecology", "Welfare", "Public life")
LONG = tuple(name.replace("_", " ").capitalize() for name in DIMENSIONS)
BLOCK = 40
"""Most cities in one column of the heat map."""
NAME = 7.0
"""Room for a city's rank and name, in cells."""
GAP = 0.5
KEY = 44.0
"""Room that the key below the cells needs, in cells."""
DOUBTFUL = 14.0
"""Spread, index points, at which the filling of a cell would vanish."""
LEAST = 0.35
"""Least side of a filling, in cells, so that its colour can be seen."""
FULL = 0.92
EXAMPLES = (0.0, 2.0, 4.0, 8.0)
SOURCE = (
    "Published: Annual Report on Development of Beijing's Talent (2024), B.11 table 2 and figures "
    "3–8. Estimated: talentflow's reconstruction, see LANDSCAPE.md."
)


def _colours() -> Colormap:
    """Return Matplotlib's viridis from light to dark, even in lightness and in grey print."""
    return matplotlib.colormaps["viridis_r"]


@style.styled
def heat_map(landscape: Landscape, ax: Axes | None = None) -> Axes:
    """Draw the scores of all cities in all dimensions, the surer the fuller the cell.

    Parameters
    ----------
    landscape : Landscape
        Cities are drawn in its order, in columns of at most 40.
    ax : Axes, optional
        Where to draw; a figure two columns wide by default.

    Returns
    -------
    Axes
        One square a cell. Colour is the score on 50–100 index points; the side of the filling falls
        with the spread (standard deviation over the ensemble); published cells are outlined
        and carry a white mark.
    """
    n = len(landscape)
    blocks = max(1, math.ceil(n / BLOCK))
    rows = math.ceil(n / blocks)
    sheet = style.Sheet(ax, style.PAGE_MM, 50 + 4.3 * rows, snug=True)
    axes = sheet.ax
    pitch = NAME + len(DIMENSIONS) + GAP
    for block in range(blocks):
        first = block * rows
        _block(axes, landscape, first, min(first + rows, n), block * pitch)
    width = max(blocks * pitch - GAP, KEY)
    _key(axes, rows, width)
    axes.set_xlim(0, width)
    axes.set_ylim(rows + 5.2, -4.4)
    axes.set_aspect("equal", anchor="N")
    axes.set_axis_off()
    published = int((landscape.kind == "published").sum())
    sheet.finish(
        f"{n} cities in the six dimensions of talent stickiness{_which(landscape)}",
        f"Index points, {LOW:.0f} to {HIGH:.0f}; beside the names the rank by composite. "
        f"{published} marked cells are published, the other {landscape.kind.size - published} "
        "estimated: the emptier a cell, the less sure it is.",
        _source(landscape),
    )
    return axes


def _which(landscape: Landscape) -> str:
    return "" if landscape.draw is None else f": draw {landscape.draw} of the ensemble"


def _source(landscape: Landscape) -> str:
    return SOURCE if (landscape.kind == "published").any() else "A landscape of the user's own."


def _block(axes: Axes, landscape: Landscape, first: int, last: int, left: float) -> None:
    """Draw some cities below each other, with names and the heads of the dimensions."""
    start = left + NAME
    ranks = landscape.rank()
    for k, name in enumerate(SHORT):
        axes.text(start + k + 0.5, -0.35, name, rotation=90, ha="center", va="bottom")
    for row, i in enumerate(range(first, last)):
        axes.text(
            start - 0.25,
            row + 0.5,
            f"{landscape.cities[i]}  {ranks[i]}",
            ha="right",
            va="center_baseline",
            fontsize=style.SMALL_PT,
        )
    _squares(
        axes,
        landscape.scores[first:last],
        landscape.spread[first:last],
        landscape.kind[first:last] == "published",
        (start, 0.0),
    )


def filling(spread: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the side of a cell's filling.

    Parameters
    ----------
    spread : array-like
        Standard deviations, index points, not negative.

    Returns
    -------
    float64 array
        In cells: 0.92 where the spread is 0, falling in proportion to it, at least 0.35.
    """
    return np.maximum(LEAST, FULL * (1 - np.asarray(spread, float) / DOUBTFUL))


def _squares(
    axes: Axes,
    scores: npt.NDArray[np.float64],
    spread: npt.NDArray[np.float64],
    published: npt.NDArray[np.bool_],
    corner: tuple[float, float],
) -> None:
    """Draw cells, down and to the right of a corner."""
    sides = filling(spread)
    norm, colours = Normalize(LOW, HIGH), _colours()
    fills, frames, outlines, marks = [], [], [], []
    for (row, k), side in np.ndenumerate(sides):
        x, y = corner[0] + k, corner[1] + row
        edge = (1 - FULL) / 2
        frames.append(Rectangle((x + edge, y + edge), FULL, FULL))
        inset = (1 - side) / 2
        fills.append(Rectangle((x + inset, y + inset), side, side))
        if published[row, k]:
            outlines.append(frames[-1])
            marks.append(RegularPolygon((x + 0.5, y + 0.5), 4, radius=0.17))
    axes.add_collection(PatchCollection(frames, facecolor="#EDEDED", edgecolor="none"))
    axes.add_collection(
        PatchCollection(fills, facecolor=colours(norm(scores.ravel())), edgecolor="none")
    )
    axes.add_collection(PatchCollection(marks, facecolor="white", edgecolor="none"))
    axes.add_collection(
        PatchCollection(outlines, facecolor="none", edgecolor=style.VERMILLION, linewidth=1.3)
    )


def _key(axes: Axes, rows: int, width: float) -> None:
    """Explain colours, fillings and outlines below the cells."""
    y = rows + 2.0
    steps = np.linspace(LOW, HIGH, 51)
    left, bar = 0.2, 0.3 * width
    axes.text(left, y - 0.35, "Score, index points", va="bottom")
    for low, high in pairwise(steps):
        x0, x1 = (left + bar * (value - LOW) / (HIGH - LOW) for value in (low, high))
        colour = _colours()((0.5 * (low + high) - LOW) / (HIGH - LOW))
        axes.add_patch(Rectangle((x0, y), 1.03 * (x1 - x0), 0.92, facecolor=colour, linewidth=0))
    for value in np.arange(LOW, HIGH + 1, 10):
        x = left + bar * (value - LOW) / (HIGH - LOW)
        axes.text(x, y + 1.15, f"{value:.0f}", ha="center", va="top", fontsize=style.SMALL_PT)
    left = 0.42 * width
    axes.text(left, y - 0.35, "Spread (standard deviation), index points", va="bottom")
    for at, spread in enumerate(EXAMPLES):
        x = left + 2.3 * at
        _squares(axes, np.array([[80.0]]), np.array([[spread]]), np.array([[False]]), (x, y))
        axes.text(x + 0.5, y + 1.15, f"{spread:g}", ha="center", va="top", fontsize=style.SMALL_PT)
    left = 0.86 * width
    axes.text(left, y - 0.35, "Published", va="bottom")
    _squares(axes, np.array([[80.0]]), np.array([[0.0]]), np.array([[True]]), (left, y))


@style.styled
def city_strip(landscape: Landscape, city: str, ax: Axes | None = None) -> Axes:
    """Draw the six scores of a city with their intervals, among those of all cities.

    Parameters
    ----------
    landscape : Landscape
        The scores.
    city : str
        A name in ``landscape.cities``.
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.

    Returns
    -------
    Axes
        A row a dimension: the 5–95 % interval over the ensemble as a bar, the score as a ring, or
        as a filled diamond without bar where it is published; fine strokes are the other cities.

    Raises
    ------
    UserError
        If there is no such city.
    """
    if city not in landscape.cities:
        raise UserError(f"unknown city '{city}'{did_you_mean(city, landscape.cities)}")
    place = landscape.cities.index(city)
    sheet = style.Sheet(ax, style.WIDE_MM, 92)
    axes = sheet.ax
    ranks = 1 + (landscape.scores > landscape.scores[place]).sum(axis=0)
    for k in range(len(DIMENSIONS)):
        _row(axes, landscape, place, k)
        axes.annotate(
            str(ranks[k]),
            (1, k),
            (6, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center_baseline",
        )
    axes.annotate(
        "Rank",
        (1, -0.62),
        (6, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
        color=style.GREY,
    )
    axes.set_yticks(range(len(DIMENSIONS)), LONG)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(DIMENSIONS) - 0.45, -0.75)
    least = float(min(landscape.scores.min(), landscape.low[place].min()))
    axes.set_xlim(math.floor(least / 5) * 5 - 0.5, HIGH + 0.8)
    axes.set_xlabel("Score, index points (the best city has 100)")
    axes.spines["left"].set_visible(False)
    _strip_legend(axes)
    sheet.finish(
        f"{city} in the six dimensions of talent stickiness{_which(landscape)}",
        f"Composite {landscape.composite()[place]:.2f}, rank {landscape.rank()[place]} of "
        f"{len(landscape)}. Bars: 5–95 % interval over the ensemble; ranks are those of the scores "
        "drawn.",
        _source(landscape),
    )
    return axes


def _row(axes: Axes, landscape: Landscape, place: int, k: int) -> None:
    """Draw one dimension of a city."""
    others = np.delete(landscape.scores[:, k], place)
    axes.vlines(others, k - 0.26, k + 0.26, color=style.PALE, linewidth=0.4, zorder=1)
    middle = float(np.median(landscape.scores[:, k]))
    axes.vlines(middle, k - 0.32, k + 0.32, color=style.GREY, linewidth=1.2, zorder=2)
    score = landscape.scores[place, k]
    if landscape.kind[place, k] == "published":
        axes.plot(score, k, **_PUBLISHED)
        return
    bounds = (landscape.low[place, k], landscape.high[place, k])
    axes.plot(bounds, (k, k), **_INTERVAL)
    axes.plot(score, k, **_ESTIMATED)


_PUBLISHED: dict[str, Any] = {
    "marker": "D",
    "color": style.VERMILLION,
    "markeredgecolor": "white",
    "markersize": 7.0,
    "linestyle": "",
    "zorder": 5,
    "clip_on": False,
}
_INTERVAL: dict[str, Any] = {
    "color": style.BLUE,
    "linewidth": 3.2,
    "solid_capstyle": "butt",
    "zorder": 3,
}
_ESTIMATED: dict[str, Any] = {
    "marker": "o",
    "markerfacecolor": "white",
    "markeredgecolor": style.BLUE,
    "markeredgewidth": 1.5,
    "markersize": 6.0,
    "linestyle": "",
    "zorder": 4,
    "clip_on": False,
}


def _strip_legend(axes: Axes) -> None:
    stroke: dict[str, Any] = {"marker": "|", "linestyle": "", "markersize": 8}
    figure = axes.get_figure(root=True)
    assert figure is not None
    marks = [
        Line2D([], [], **{**_PUBLISHED, "zorder": None}),
        Line2D([], [], **{**_INTERVAL, **{"marker": "o", "markerfacecolor": "white"}}),
        Line2D([], [], color=style.PALE, markeredgewidth=0.8, **stroke),
        Line2D([], [], color=style.GREY, markeredgewidth=1.4, **stroke),
    ]
    texts = ["published", "estimated, with interval", "other cities", "median of all"]
    axes.legend(
        marks,
        texts,
        loc="upper center",
        bbox_to_anchor=(0.45, 0.0),
        bbox_transform=axes.transAxes + ScaledTranslation(0, -30 / 72, figure.dpi_scale_trans),
        ncols=2,
        columnspacing=2.0,
        handletextpad=0.5,
        borderaxespad=0.0,
    )
