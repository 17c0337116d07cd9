"""Yearly mobility: how much of talent moves, within and between countries."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis import style
from analysis.metrics import NORMAL_95, mobility
from analysis.tables import RunTables, persons_an_agent, places

_LINES = (
    ("total", style.BLACK, "-", "all moves"),
    ("domestic", style.BLUE, (0, (4, 1.5)), "within a country"),
    ("international", style.VERMILLION, (0, (1, 1)), "between countries"),
)


@style.styled
def plot_mobility(
    run: RunTables, *, ax: Axes | None = None, where: pd.DataFrame | None = None
) -> Axes:
    """Draw the share of talent that moves city each year.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure one column wide by default.
    where : DataFrame, optional
        Indexed by city, column area; the 120 cities of the index by default.

    Returns
    -------
    Axes
        Three lines with 95 % bands of a single run's counting error.
    """
    where = places() if where is None else where
    persons = persons_an_agent(run)
    table = mobility(run.flows, run.cities, where["area"])
    sheet = style.Sheet(ax, style.COLUMN_MM, 75)
    axes = sheet.ax
    years = table.index.to_numpy()
    for name, color, dash, text in _LINES:
        rate = table[f"{name}_rate"].to_numpy(dtype=float)
        stock = table["stock"].to_numpy(dtype=float)
        moved = table[name].to_numpy(dtype=float)
        half = NORMAL_95 * 100 * np.sqrt(persons * moved) / np.maximum(stock, 1)
        axes.fill_between(years, rate - half, rate + half, color=color, alpha=0.2, linewidth=0)
        marker = "o" if len(years) == 1 else None
        axes.plot(years, rate, color=color, linestyle=dash, marker=marker, ms=3, label=text)
    if table["total_rate"].notna().any():
        axes.legend(loc="upper left", ncols=2, handlelength=2.6)
        axes.set_ylim(top=1.4 * max(float(table["total_rate"].max()), 0.1))
        axes.set_xticks(style.year_ticks(int(years[0]), int(years[-1])))
    else:
        style.nothing(axes, "nobody was simulated" if len(years) else "no year was simulated")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Movers a year per 100")
    axes.grid(axis="y", color=style.PALE, linewidth=0.4)
    period = f", {style.span((int(years[0]), int(years[-1])))}" if len(years) else ""
    sheet.finish(
        f"How much of talent moves city in a year{period}",
        "Movers per 100 of last year’s stock. Bands: 95 % interval of agent counts (Poisson) in "
        "this one run. Hong Kong, Macau and Taiwan count as migration areas of their own.",
        f"{style.run_line(run.manifest, persons)}. Initial stocks: estimated.",
    )
    return axes
