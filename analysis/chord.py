"""The chord diagram: what the parts of the world exchange, around a circle."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Wedge
from matplotlib.path import Path

from analysis import style
from analysis.metrics import Years
from analysis.regions import COLORS, OTHER, REGIONS, region_flows
from analysis.tables import RunTables, period_of, persons_an_agent, places

GAP = np.radians(3.0)
"""Empty angle between two parts."""
RING = (1.0, 1.07)
"""Inner and outer radius of the ring."""
SHORT = 0.07
"""How far chords stay away from the ring at their destination."""
Angles = tuple[float, float]


@style.styled
def plot_chord(
    run: RunTables,
    *,
    ax: Axes | None = None,
    years: Years = None,
    where: pd.DataFrame | None = None,
) -> Axes:
    """Draw the flows between parts of the world as a chord diagram.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.
    years : int or (int, int) or None
        Years to sum over; all simulated years by default.
    where : DataFrame, optional
        Indexed by city, columns area and continent; the 120 cities of the index by default.

    Returns
    -------
    Axes
        A sector a part, as long as departures and arrivals together; a chord touches the ring at
        its origin, has the origin's colour, and stops short of the ring at its destination.
    """
    where = places() if where is None else where
    flows = region_flows(run.flows, where, years)
    everything = region_flows(run.flows, where, years, within=True)
    sheet = style.Sheet(ax, style.WIDE_MM, 122, snug=True)
    axes = sheet.ax
    axes.set_aspect("equal", anchor="N")
    axes.set(xlim=(-1.75, 1.75), ylim=(-1.34, 1.26))
    axes.set_axis_off()
    matrix = _matrix(flows)
    moved, total = int(matrix.to_numpy().sum()), int(everything["persons"].sum())
    if moved:
        sectors, ends = layout(matrix)
        _chords(axes, ends)
        _ring(axes, matrix, sectors)
    else:
        style.nothing(axes, "no moves between parts of the world")
    share = f"{100 * moved / max(total, 1):.0f}{style.NBSP}% of {style.short(total)}"
    sheet.finish(
        f"What parts of the world exchange in talent, {style.span(period_of(run, years))}",
        "Persons who moved from part to part, all years together. A chord has the colour of its "
        "origin and stops short of the ring at its destination; at each name: departures → and "
        f"arrivals ←. Not shown: moves within a part. Shown: {share} moves, in this one run.",
        f"{style.run_line(run.manifest, persons_an_agent(run))}. Initial stocks: estimated.",
    )
    return axes


def _matrix(flows: pd.DataFrame) -> pd.DataFrame:
    """Return persons from part (rows) to part (columns), in the order of the circle."""
    wide = flows.pivot(index="start", columns="end", values="persons")
    names = [name for name in (*REGIONS, OTHER) if name in wide.index or name in wide.columns]
    return wide.reindex(index=names, columns=names).fillna(0).astype(np.int64)


def layout(matrix: pd.DataFrame) -> tuple[dict[str, Angles], dict[tuple[str, str], list[Angles]]]:
    """Return the angles of sectors and of both ends of the chords, radians clockwise from the top.

    Parameters
    ----------
    matrix : DataFrame, shape (parts, parts)
        Persons from row to column; at least one, none on the diagonal.

    Returns
    -------
    dict
        First and last angle of each part's sector, as long as its departures and arrivals.
    dict
        For each pair that exchanged anybody, the angles at its origin and at its destination.
        Within a sector the ends lie so that chords to either side cross little.
    """
    names = [str(name) for name in matrix.index]
    value = matrix.to_numpy(dtype=float)
    turnover = value.sum(0) + value.sum(1)
    unit = (2 * np.pi - GAP * len(names)) / turnover.sum()
    sectors: dict[str, Angles] = {}
    ends: dict[tuple[str, str], list[Angles]] = {}
    at = 0.0
    for i, name in enumerate(names):
        start = at + GAP / 2
        at = start
        # partners from the nearest clockwise to the nearest counter-clockwise, in reverse
        for j in ((i - k) % len(names) for k in range(1, len(names))):
            for a, b, slot in ((i, j, 0), (j, i, 1)):
                if value[a, b]:
                    pair = ends.setdefault((names[a], names[b]), [(0.0, 0.0), (0.0, 0.0)])
                    pair[slot] = (at, at + unit * value[a, b])
                    at = pair[slot][1]
        sectors[name] = (start, at)
        at += GAP / 2
    return sectors, ends


def _at(radius: float, angle: float | np.ndarray) -> np.ndarray:
    """Return the point of a radius and an angle clockwise from the top."""
    return radius * np.stack([np.sin(angle), np.cos(angle)], axis=-1)


def _chords(axes: Axes, ends: dict[tuple[str, str], list[Angles]]) -> None:
    """Draw the chords, the large ones first."""
    pairs = sorted(ends, key=lambda pair: ends[pair][0][0] - ends[pair][0][1])
    for order, pair in enumerate(pairs):
        (a, b), (c, d) = ends[pair]
        source = _at(RING[0] - 0.01, np.linspace(a, b, 24))
        target = _at(RING[0] - SHORT, np.linspace(c, d, 24))
        centre = np.zeros((1, 2))
        points = np.concatenate([source, centre, target, centre, source[:1]])
        line, curve = int(Path.LINETO), int(Path.CURVE3)
        codes = [int(Path.MOVETO), *[line] * 23, curve, curve, *[line] * 23, curve, curve]
        axes.add_patch(
            PathPatch(
                Path(points, codes),
                facecolor=COLORS[pair[0]],
                edgecolor="white",
                linewidth=0.25,
                alpha=0.72,
                zorder=2 + order / len(pairs),
            )
        )


def _ring(axes: Axes, matrix: pd.DataFrame, sectors: dict[str, Angles]) -> None:
    """Draw the sectors of the ring and their names with departures and arrivals."""
    names, value = list(sectors), matrix.to_numpy()
    middle = np.array([sum(sectors[name]) / 2 for name in names])
    spots = _at(RING[1] + 0.08, middle)
    right = spots[:, 0] >= 0
    heights = np.empty(len(names))
    for half in (right, ~right):
        heights[half] = style.spread_out(spots[half, 1], 0.235, -1.24, 1.16)
    for i, name in enumerate(names):
        first, last = (90 - float(np.degrees(angle)) for angle in sectors[name])
        axes.add_patch(
            Wedge((0, 0), RING[1], last, first, width=RING[1] - RING[0], color=COLORS[name], lw=0)
        )
        leaving, coming = (float(sums[i]) for sums in (value.sum(axis=1), value.sum(axis=0)))
        side = 1 if right[i] else -1
        # beside the circle at its own height, so that a moved label does not run into the ring
        x = side * max(abs(spots[i, 0]), np.sqrt(max(1.15**2 - heights[i] ** 2, 0.0)))
        start = _at(RING[1] + 0.01, middle[i])
        axes.plot([start[0], x], [start[1], heights[i]], color=style.GREY, linewidth=0.5, zorder=1)
        axes.text(
            x + 0.03 * side,
            heights[i],
            f"{name}\n→{style.NBSP}{style.short(leaving)}  ←{style.NBSP}{style.short(coming)}",
            ha="left" if side > 0 else "right",
            va="center",
            fontsize=style.SMALL_PT,
            linespacing=1.1,
        )
