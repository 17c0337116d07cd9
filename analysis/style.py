"""The look of every picture: sizes, colours, titles, source lines, number formats.

A picture that makes its own figure is laid out here: a header of bold title and plain subtitle
over the whole width, the axes, and a source line under them. On Axes that the caller gives, the
title and the source line go above and below those Axes and nothing else is touched.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from analysis.fonts import NBSP, families, wrap

P = ParamSpec("P")
R = TypeVar("R")

COLUMN_MM = 85.0
"""Width of one column of a journal, millimetres."""
WIDE_MM = 114.0
"""Width of one and a half columns, millimetres."""
PAGE_MM = 174.0
"""Width of two columns, millimetres."""
DPI = 300
TITLE_PT, TEXT_PT, SMALL_PT = 9.0, 7.5, 7.0
MARGIN_PT = 5.0
LINE = 1.25
"""Line height, in font sizes."""

# Okabe and Ito (2008), Color Universal Design: distinguishable with any colour vision
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, BLACK = "#56B4E9", "#CC79A7", "#000000"
GREY, PALE, LAND = "#6B6B6B", "#BDBDBD", "#E6E6E2"
GAIN, LOSS = BLUE, VERMILLION

CONTINENTS = {
    "Europe": (BLUE, "o"),
    "North America": (VERMILLION, "s"),
    "Asia": (GREEN, "^"),
    "Oceania": (PURPLE, "D"),
    "South America": (ORANGE, "v"),
    "Africa": (BLACK, "X"),
}
"""Colour and marker of each continent, so that neither has to be told by colour alone."""

# Tol (2021), Colour schemes, "muted": nine colours apart with any colour vision, and a grey
MUTED = (
    *("#332288", "#88CCEE", "#44AA99", "#117733", "#999933"),
    *("#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777"),
)

RC: Any = {
    "font.size": TEXT_PT,
    "axes.titlesize": TITLE_PT,
    "axes.labelsize": TEXT_PT,
    "axes.linewidth": 0.6,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": SMALL_PT,
    "legend.edgecolor": "none",
    "legend.facecolor": "white",
    "legend.framealpha": 0.85,
    "legend.fancybox": False,
    "lines.linewidth": 1.2,
    "svg.hashsalt": "talentflow",
    "axes.unicode_minus": True,
}


def styled(plot: Callable[P, R]) -> Callable[P, R]:
    """Wrap a plotting function so that it draws in the style without changing global settings."""

    @functools.wraps(plot)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with look():
            return plot(*args, **kwargs)

    return wrapper


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Make Matplotlib's settings those of the style, for the time of the context."""
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)  # it warns of each weight that a font lacks
    try:
        with matplotlib.rc_context({**RC, "font.family": families()}):
            yield
    finally:
        log.setLevel(level)


class Sheet:
    """The Axes to draw on, and the header and footer that belong to them.

    Parameters
    ----------
    ax : Axes or None
        The caller's Axes, or None for a figure of its own.
    width, height : float
        Size of that figure, millimetres.
    snug : bool
        Whether the figure is cut to the height that Axes of fixed aspect really take.
    """

    def __init__(self, ax: Axes | None, width: float, height: float, *, snug: bool = False) -> None:
        self.own = ax is None
        self.snug = snug
        if ax is None:
            figure = Figure(figsize=(width / 25.4, height / 25.4), dpi=DPI)
            FigureCanvasAgg(figure)
            ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        self.ax: Axes = ax

    def finish(self, title: str, subtitle: str, source: str) -> None:
        """Write title, subtitle and source line, and lay out the figure if it is our own.

        Parameters
        ----------
        title : str
            The frame of the finding: what, of whom, when.
        subtitle : str
            Measure, units and how to read the marks.
        source : str
            What is simulated, what published, what estimated.
        """
        if self.own:
            self._lay_out(title, subtitle, source)
        else:
            self._annotate(title, subtitle, source)

    def _lay_out(self, title: str, subtitle: str, source: str) -> None:
        figure = self.ax.get_figure(root=True)
        assert isinstance(figure, Figure)
        width, height = (72 * inches for inches in figure.get_size_inches())
        room = width - 2 * MARGIN_PT
        top = height - MARGIN_PT
        for text, size, bold in ((title, TITLE_PT, True), (subtitle, TEXT_PT, False)):
            broken = wrap(text, room, size, bold=bold)
            figure.text(
                MARGIN_PT / width,
                top / height,
                broken,
                va="top",
                fontsize=size,
                fontweight="bold" if bold else "normal",
                linespacing=LINE,
            )
            top -= size * LINE * 1.05 * (broken.count("\n") + 1) + 2
        broken = wrap(source, room, SMALL_PT)
        figure.text(
            MARGIN_PT / width,
            MARGIN_PT / height,
            broken,
            va="bottom",
            fontsize=SMALL_PT,
            color=GREY,
            linespacing=LINE,
        )
        bottom = MARGIN_PT + SMALL_PT * LINE * 1.05 * (broken.count("\n") + 1) + 4
        self._fit(figure, (MARGIN_PT, bottom, width - MARGIN_PT, top - 4))
        tight = self.ax.get_tightbbox()
        slack = tight.y0 * 72 / figure.dpi - bottom if tight is not None else 0.0
        if self.snug and slack > 2:
            self.snug = False
            for written in list(figure.texts):
                written.remove()
            figure.set_size_inches(width / 72, (height - slack) / 72)
            self._lay_out(title, subtitle, source)

    def _fit(self, figure: Figure, frame: tuple[float, float, float, float]) -> None:
        """Set the Axes so that they, their labels included, fill the frame (points)."""
        size = 72 * figure.get_size_inches()
        left, bottom, right, top = frame
        box = [left, bottom, right, top]
        # tick labels change with the size of the Axes, so what juts out is measured again
        for turn in range(8):
            self.ax.set_position(
                (
                    box[0] / size[0],
                    box[1] / size[1],
                    (box[2] - box[0]) / size[0],
                    (box[3] - box[1]) / size[1],
                )
            )
            figure.draw_without_rendering()
            tight = self.ax.get_tightbbox()
            if tight is None:
                return
            scale = 72 / figure.dpi
            off = np.array(frame) - scale * np.array([tight.x0, tight.y0, tight.x1, tight.y1])
            if turn > 2:  # other ticks may jut out in turns: from now on inwards only
                off = np.array([*np.maximum(off[:2], 0), *np.minimum(off[2:], 0)])
            if np.abs(off).max() < 0.2:
                return
            box = (np.array(box) + off).tolist()
            box[2:] = [max(box[2], box[0] + 20), max(box[3], box[1] + 20)]

    def _annotate(self, title: str, subtitle: str, source: str) -> None:
        figure = self.ax.get_figure(root=True)
        assert isinstance(figure, Figure)
        figure.draw_without_rendering()
        room = self.ax.get_window_extent().width * 72 / figure.dpi
        self.ax.spines[["top", "right"]].set_visible(False)
        head = wrap(title, room, TEXT_PT) + "\n" + wrap(subtitle, room, TEXT_PT)
        self.ax.set_title(head, loc="left", fontsize=TEXT_PT)
        tight = self.ax.get_tightbbox()
        below = 0.0 if tight is None else tight.y0 - self.ax.get_window_extent().y0
        self.ax.annotate(
            wrap(source, room, SMALL_PT),
            (0, 0),
            (0, min(below, 0.0) * 72 / figure.dpi - 5),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            fontsize=SMALL_PT,
            color=GREY,
            annotation_clip=False,
        )


def short(value: float) -> str:
    """Return a count in at most four signs and a unit: 950, 12 k, 1.3 M."""
    for limit, unit in ((1e6, f"{NBSP}M"), (1e3, f"{NBSP}k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def ink(color: str) -> str:
    """Return a colour darkened until text in it stands out from white by 4.5 to 1 (WCAG 2.1)."""
    rgb = np.array(to_rgb(color))
    while True:
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        if 1.05 / (0.05 + float(linear @ (0.2126, 0.7152, 0.0722))) >= 4.5:
            return to_hex((float(rgb[0]), float(rgb[1]), float(rgb[2])))
        rgb = rgb * 0.95


def signed(value: float) -> str:
    """Return a count as :func:`short` does, with a plus sign before a gain."""
    return f"+{short(value)}" if value > 0 else short(value)


def round_steps(largest: float) -> list[float]:
    """Return up to three round numbers (1, 2 or 5 times a power of ten) below the largest value.

    Parameters
    ----------
    largest : float
        Positive number that a legend has to explain.

    Returns
    -------
    list of float
        Descending.
    """
    scale = 10 ** math.floor(math.log10(largest))
    return [step * scale for step in (5, 2, 1, 0.5, 0.2) if step * scale <= largest][:3]


def year_ticks(first: int, last: int) -> list[int]:
    """Return about six evenly spaced years from the first on."""
    return list(range(first, last + 1, max(1, round((last - first) / 5))))


SIGNED = FuncFormatter(lambda value, _: signed(value))


def span(years: tuple[int, int]) -> str:
    """Return a pair of years as text: 2025–2044, or one year alone."""
    first, last = years
    return str(first) if first == last else f"{first}–{last}"


def spread_out(wanted: np.ndarray, gap: float, low: float, high: float) -> np.ndarray:
    """Move positions as little as needed for labels beside an axis not to overlap.

    Parameters
    ----------
    wanted : ndarray
        Where the labels would stand.
    gap : float
        Least distance between two of them.
    low, high : float
        Limits; the positions stay within them if there is room for all.

    Returns
    -------
    ndarray
        Positions in the same order, at least ``gap`` apart.
    """
    order = np.argsort(wanted, kind="stable")
    placed = np.clip(wanted[order].astype(float), low, high)
    for _ in range(200):
        overlap = gap - np.diff(placed)
        if not len(overlap) or overlap.max() <= 1e-9 * gap:
            break
        push = np.maximum(overlap, 0) / 2
        placed[:-1] -= push
        placed[1:] += push
        if gap * (len(placed) - 1) <= high - low:
            placed = np.clip(placed, low, high)
    placed = np.maximum.accumulate(placed - gap * np.arange(len(placed)))
    result = np.empty_like(placed)
    result[order] = placed + gap * np.arange(len(placed))
    return result


def nothing(ax: Axes, text: str) -> None:
    """Say in the middle of empty Axes why there is nothing to see."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=GREY)


def run_line(manifest: Mapping[str, Any], persons: int) -> str:
    """Return the part of a source line that says which run it is.

    Parameters
    ----------
    manifest : mapping
        The run's manifest; scenario, seed and version are used where they are there.
    persons : int
        Persons an agent stands for.

    Returns
    -------
    str
        One sentence without a full stop.
    """
    scenario = manifest.get("scenario")
    words = ["Simulated: talentflow"]
    if manifest.get("talentflow"):
        words[0] += f" {manifest['talentflow']}"
    if scenario:
        words.append(f"scenario {scenario}")
    if manifest.get("seed") is not None:
        words.append(f"seed{NBSP}{manifest['seed']}")
    number = f"{persons:,}{NBSP}persons" if persons > 1 else f"one{NBSP}person"
    words.append(f"one agent{NBSP}={NBSP}{number}")
    return ", ".join(words)
