"""The bump chart: how cities' ranks change over the years."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis import style
from analysis.tables import RunTables, persons_an_agent

MEASURES = {
    "composite": "simulated composite score",
    "stock": "talent stock",
    "stickiness": "simulated stickiness",
}


def rank_table(cities: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return ranks by year and city, 1 the largest.

    Parameters
    ----------
    cities : DataFrame
        Columns year, city and the measure.
    measure : {"composite", "stock", "stickiness"}
        What to rank by.

    Returns
    -------
    DataFrame
        Years by cities (text), ranks from 1; ties keep the order of the previous year, in the
        first year that of the columns. Years without the measure are left out.

    Raises
    ------
    ValueError
        If the measure is not known.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {sorted(MEASURES)}, not {measure!r}")
    table = cities.astype({"city": str})
    names = list(dict.fromkeys(table["city"]))
    wide = table.pivot(index="year", columns="city", values=measure)[names].dropna(how="all")
    before = np.arange(len(names))
    rows = []
    for values in wide.to_numpy(dtype=float):
        order = np.lexsort((before, -values))
        before = np.empty_like(order)
        before[order] = np.arange(len(names))
        rows.append(before + 1)
    return pd.DataFrame(np.array(rows).reshape(len(wide), len(names)), wide.index, wide.columns)


@style.styled
def plot_rank_change(
    run: RunTables,
    *,
    ax: Axes | None = None,
    measure: str = "composite",
    top: int = 30,
    highlight: int = 6,
    cities: Sequence[str] = (),
) -> Axes:
    """Draw the ranks of the leading cities over the years.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.
    measure : {"composite", "stock", "stickiness"}
        What to rank by.
    top : int
        Ranks shown, from 1.
    highlight : int
        How many of the shown cities that moved most are coloured.
    cities : sequence of str
        Cities that are coloured instead; the picture reaches down to the lowest of them.

    Returns
    -------
    Axes
        One line a city; rank 1 at the top.
    """
    ranks = rank_table(run.cities, measure)
    names = np.array([str(name) for name in ranks.columns])
    values = ranks.to_numpy()
    years = ranks.index.to_numpy()
    depth = min(top, len(names))
    if cities and len(values):
        depth = max(depth, int(values[:, np.isin(names, list(cities))].max()))
    sheet = style.Sheet(ax, style.WIDE_MM + 12, 36 + 3.6 * depth)
    axes = sheet.ax
    if len(values):
        chosen = list(cities) or _movers(names, values, depth, highlight)
        _lines(axes, names, values, years, depth, chosen)
    else:
        style.nothing(axes, "no year has this measure")
    period = style.span((int(years[0]), int(years[-1]))) if len(years) else ""
    named = "cities asked for" if cities else "those whose rank changed most"
    sheet.finish(
        f"Rank of the leading cities by {MEASURES[measure]}, {period}",
        f"Ranks 1 to {depth} of {len(names)}; coloured: {named}. Names stand at the first and the "
        "last year, with the change. One run: small changes of rank may be luck.",
        f"{style.run_line(run.manifest, persons_an_agent(run))}. First year: "
        + (
            f"reconstructed to match the published composite (chapter B.11, table{style.NBSP}2)."
            if measure == "composite"
            else "estimated stocks."
            if measure == "stock"
            else "the first simulated one."
        ),
    )
    return axes


def _movers(names: np.ndarray, values: np.ndarray, depth: int, count: int) -> list[str]:
    """Return the shown cities whose rank changed most between the first and the last year."""
    shown = (values[0] <= depth) | (values[-1] <= depth)
    change = np.abs(values[-1] - values[0]) * shown
    order = np.lexsort((values[-1], -change))[:count]
    return [str(names[i]) for i in order if change[i] > 0]


def _lines(
    axes: Axes,
    names: np.ndarray,
    values: np.ndarray,
    years: np.ndarray,
    depth: int,
    chosen: list[str],
) -> None:
    """Draw a line a city, with its name at either end."""
    palette = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
    dashes = ("-", (0, (4, 1)), (0, (1, 0.8)), "-.")
    color = {name: palette[i % len(palette)] for i, name in enumerate(chosen)}
    dash = {name: dashes[i // len(palette) % len(dashes)] for i, name in enumerate(chosen)}
    for name, rank in zip(names, values.T, strict=True):
        if rank.min() > depth:
            continue
        key = str(name)
        marked = key in color
        line = np.where(rank <= depth, rank, np.nan).astype(float)
        axes.plot(
            years,
            np.minimum(rank, depth + 1.0) if np.isnan(line).any() else line,
            color=color.get(key, style.PALE),
            linestyle=dash.get(key, "-"),
            linewidth=1.8 if marked else 0.9,
            zorder=3 if marked else 2,
            clip_on=True,
        )
        if rank[0] <= depth:
            _name(axes, f"{key} {rank[0]}", years[0], rank[0], -1, color.get(key))
        if rank[-1] <= depth:
            change = int(rank[0] - rank[-1])
            step = f" ({change:+d})".replace("-", "−") if change else ""
            _name(axes, f"{rank[-1]} {key}{step}", years[-1], rank[-1], 1, color.get(key))
    axes.set_ylim(depth + 0.7, 0.3)
    axes.set_xlim(years[0], max(years[-1], years[0] + 1))
    axes.set_yticks([])
    axes.set_xticks(style.year_ticks(int(years[0]), int(years[-1])))
    axes.spines["left"].set_visible(False)


def _name(axes: Axes, text: str, year: int, rank: int, side: int, color: str | None) -> None:
    """Write a city's name beside one end of its line, in bold where it is coloured."""
    axes.annotate(
        text,
        (year, rank),
        (5 * side, 0),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="center",
        fontsize=style.SMALL_PT,
        fontweight="bold" if color else "normal",
        color=style.ink(color) if color else "black",
    )
