"""Distance decay: how much cities exchange beside what their sizes alone would give."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analysis import style
from analysis.flow_structure import distance_decay, distances_km
from analysis.metrics import NORMAL_95, Years
from analysis.tables import RunTables, period_of, persons_an_agent, places


@style.styled
def plot_distance_decay(
    run: RunTables,
    *,
    ax: Axes | None = None,
    years: Years = None,
    where: pd.DataFrame | None = None,
) -> Axes:
    """Draw the intensity of exchange by class of distance, both on logarithmic scales.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure one column wide by default.
    years : int or (int, int) or None
        Years to sum over; all simulated years by default.
    where : DataFrame, optional
        Indexed by city, columns lat and lon; the 120 cities of the index by default.

    Returns
    -------
    Axes
        A point a class of distance with its 95 % interval; the line at 1 is what size alone gives.
    """
    where = places() if where is None else where
    period = period_of(run, years)
    persons = persons_an_agent(run)
    table = distance_decay(run.flows, run.cities, distances_km(where), years=period)
    shown = table[(table["persons"] > 0) & table["intensity"].notna()]
    sheet = style.Sheet(ax, style.COLUMN_MM, 84)
    axes = sheet.ax
    if shown.empty:
        style.nothing(axes, "no moves")
    else:
        _points(axes, shown, persons)
    axes.set_xlabel("Great-circle distance, km")
    axes.set_ylabel("Multiple of size alone")
    sheet.finish(
        f"Moves between cities by their distance, {style.span(period)}",
        "Moves over what stocks alone would give (product of the two stocks, same total). Thin "
        "bars: class of distance; whiskers: 95 % interval of agent counts (Poisson) in this run.",
        f"{style.run_line(run.manifest, persons)}. Initial stocks: estimated.",
    )
    return axes


def _points(axes: Axes, shown: pd.DataFrame, persons: int) -> None:
    """Draw the classes of distance."""
    low = shown["from_km"].clip(lower=100).to_numpy(dtype=float)
    high = shown["to_km"].to_numpy(dtype=float)
    middle = np.sqrt(low * high)
    intensity = shown["intensity"].to_numpy(dtype=float)
    # a ratio's interval is symmetric on the logarithmic scale: relative error 1/√agents
    factor = np.exp(NORMAL_95 * np.sqrt(persons / shown["persons"].to_numpy(dtype=float)))
    axes.hlines(intensity, low, high, color=style.BLUE, alpha=0.5, linewidth=1.0)
    axes.errorbar(
        middle,
        intensity,
        yerr=(intensity - intensity / factor, intensity * factor - intensity),
        fmt="o",
        ms=3.5,
        color=style.BLUE,
        ecolor=style.BLACK,
        elinewidth=0.8,
        capsize=1.5,
    )
    axes.axhline(1, color=style.GREY, linestyle=(0, (4, 2)), linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(low[low > 100].tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda km, _: f"{km:,.0f}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bottom, top = axes.get_ylim()
    ticks = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5)]
    axes.yaxis.set_major_locator(FixedLocator([t for t in ticks if bottom <= t <= top]))
    axes.set_ylim(bottom, top)
    axes.grid(axis="y", color=style.PALE, linewidth=0.4)
