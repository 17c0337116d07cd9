"""Fans: talent stocks and yearly net gains of cities over the years, over runs of several seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import style
from analysis.several import as_list, band, band_name, runs_line, seeds_of
from analysis.tables import RunTables, persons_an_agent

MEASURES = ("stock", "net")
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)))


@style.styled
def plot_fan(
    runs: RunTables | Sequence[RunTables],
    *,
    ax: Axes | None = None,
    measure: str = "stock",
    n: int = 3,
    cities: Sequence[str] = (),
) -> Axes:
    """Draw stocks or yearly net gains of some cities over the years.

    Parameters
    ----------
    runs : RunTables or sequence of RunTables
        One run, or several of the same cities and years, such as other seeds.
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.
    measure : {"stock", "net"}
        Stock as a percentage of that at the start, or arrivals less departures of each year as a
        percentage of last year's stock.
    n : int
        How many cities from either end, by the last stock or the mean net gain, median of runs.
    cities : sequence of str
        Cities that are drawn instead.

    Returns
    -------
    Axes
        A line a city, the median of the runs, and a band: the range of the runs, from 20 runs on
        their 5 % and 95 % points. A single run has no band for stocks, and for net gains the 95 %
        interval of its agent counts (Poisson).

    Raises
    ------
    UserError
        If the runs are not of the same cities and years, or none is given.
    ValueError
        If the measure is not known.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {MEASURES}, not {measure!r}")
    several = as_list(runs)
    tables = [_table(run, measure) for run in several]
    names = [str(name) for name in tables[0][0].columns]
    rows = slice(-1, None) if measure == "stock" else slice(None)
    means = [table.iloc[rows].mean().to_numpy(dtype=float) for table, _ in tables]
    change = np.median(means, axis=0)
    chosen = list(cities) or _ends(names, change, n)
    years = tables[0][0].index.to_numpy()
    values = np.array([table[chosen].to_numpy(dtype=float) for table, _ in tables])
    errors = np.array([error[chosen].to_numpy(dtype=float) for _, error in tables])
    sheet = style.Sheet(ax, style.WIDE_MM, 92)
    axes = sheet.ax
    if len(years) and values.size:
        _fan(axes, years, values, errors, chosen)
    else:
        style.nothing(axes, "no year was simulated")
    axes.set_ylabel(
        "Stock, percentage of that at the start"
        if measure == "stock"
        else "Net gain a year, % of the stock"
    )
    sheet.finish(*_texts(several, measure, chosen, years, bool(cities)))
    return axes


def _table(run: RunTables, measure: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the measure and its counting error by year and city, percentages."""
    cities = run.cities.astype({"city": str})
    names = list(dict.fromkeys(cities["city"]))
    wide = {
        column: cities.pivot(index="year", columns="city", values=column)[names].astype(float)
        for column in ("stock", "arrivals", "departures")
    }
    stock = wide["stock"]
    if measure == "stock":
        start = stock.iloc[0]
        return 100 * stock / start.where(start > 0), 0 * stock
    before = stock.shift(1).iloc[1:]
    before = before.where(before > 0)
    coming, leaving = wide["arrivals"].iloc[1:], wide["departures"].iloc[1:]
    error = 100 * (persons_an_agent(run) * (coming + leaving)) ** 0.5 / before
    return 100 * (coming - leaving) / before, error


def _ends(names: list[str], change: np.ndarray, n: int) -> list[str]:
    """Return the cities with the largest and with the smallest values."""
    order = [i for i in np.argsort(-change, kind="stable") if np.isfinite(change[i])]
    ends = order[:n] + [i for i in order[-n:] if i not in order[:n]] if n else []
    return [names[i] for i in ends]


def _fan(
    axes: Axes, years: np.ndarray, values: np.ndarray, errors: np.ndarray, names: list[str]
) -> None:
    """Draw lines and bands, and name them at the right; values are runs by years by cities."""
    palette = (style.BLUE, style.GREEN, style.SKY, style.ORANGE, style.PURPLE, style.VERMILLION)
    middle = np.median(values, axis=0)
    low, high = band(values, errors)
    for k, _ in enumerate(names):
        color = palette[k % len(palette)]
        axes.fill_between(years, low[:, k], high[:, k], color=color, alpha=0.22, linewidth=0)
        axes.plot(
            years,
            middle[:, k],
            color=color,
            linestyle=_DASHES[k // len(palette) % len(_DASHES)],
            marker="o" if len(years) == 1 else None,
            ms=3,
        )
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    room = max(top - bottom, 1.0) * 0.05
    axes.set_ylim(bottom - room, top + room)
    axes.set_xlim(years[0], max(years[-1], years[0] + 1))
    axes.set_xticks(style.year_ticks(int(years[0]), int(years[-1])))
    axes.grid(axis="y", color=style.PALE, linewidth=0.4)
    _names_at_right(axes, middle[-1], names, palette)
    level = 100.0 if bottom > 0 else 0.0
    axes.axhline(level, color=style.GREY, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
    marks = [Line2D([], [], color=style.GREY), Patch(facecolor=style.GREY, alpha=0.3)]
    several = len(values) > 1
    if several or np.nansum(errors) > 0:
        name = band_name(len(values)) if several else "95 % interval of agent counts"
        texts = ["median of the runs" if several else "this run", name]
        axes.legend(marks, texts, loc="upper left", ncols=2)
        axes.set_ylim(top=top + 3 * room)


def _names_at_right(axes: Axes, ends: np.ndarray, names: list[str], palette: Sequence[str]) -> None:
    """Name the lines beside their ends, without overlap."""
    low, high = axes.get_ylim()
    heights = style.spread_out(np.nan_to_num(ends, nan=low), (high - low) * 0.052, low, high)
    for k, (name, height) in enumerate(zip(names, heights, strict=True)):
        if not np.isfinite(ends[k]):
            continue
        color = palette[k % len(palette)]
        value = (f"{ends[k]:.0f}" if abs(ends[k]) >= 20 else f"{ends[k]:+.2g}").replace("-", "−")
        axes.annotate(
            f"{name} {value}",
            (1, ends[k]),
            (1.05, height),
            xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=style.SMALL_PT,
            color=style.ink(color),
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "lw": 0.6, "shrinkA": 1, "shrinkB": 0},
        )


def _texts(
    runs: Sequence[RunTables], measure: str, chosen: list[str], years: np.ndarray, named: bool
) -> tuple[str, str, str]:
    """Return title, subtitle and source line."""
    which = (
        "Cities asked for"
        if named
        else {
            "stock": f"The {len(chosen)} cities whose stocks grow and shrink most",
            "net": f"The {len(chosen)} cities that gain and lose most for their size",
        }[measure]
    )
    what = {
        "stock": "How talent stocks grow and shrink",
        "net": "How net gains by moves change from year to year",
    }[measure]
    spread = (
        "One run: other seeds would differ, and no such spread is shown."
        if len(runs) == 1
        else f"{seeds_of(runs)}: the spread is that of chance and of what differs between the "
        "runs, not that of the model’s form."
    )
    period = f", {style.span((int(years[0]), int(years[-1])))}" if len(years) else ""
    return (
        what + period,
        f"{which}; numbers at the right: last year. {spread}",
        f"{runs_line(runs)}. Initial stocks: estimated.",
    )
