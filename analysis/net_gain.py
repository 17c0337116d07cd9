"""Pictures of net gain and loss by city: ordered bars and a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis import style, world
from analysis.labels import place_labels
from analysis.metrics import Years, net_gain, net_gain_error
from analysis.several import as_list, band, band_name, runs_line
from analysis.tables import RunTables, period_of, persons_an_agent, places

UNITS = {
    "persons": ("net", "persons, all years together"),
    "per_100": ("per_100", "persons a year per 100 of the stock"),
}


@style.styled
def plot_net_gain(
    runs: RunTables | Sequence[RunTables],
    *,
    ax: Axes | None = None,
    unit: str = "persons",
    n: int = 12,
    years: Years = None,
    cities: Sequence[str] = (),
) -> Axes:
    """Draw the largest net gains and losses as ordered bars.

    Parameters
    ----------
    runs : RunTables or sequence of RunTables
        One run, or several of the same cities and years, such as other seeds.
    ax : Axes, optional
        Where to draw; a figure one column wide by default.
    unit : {"persons", "per_100"}
        Persons over all the years, or a yearly rate per 100 of the stock.
    n : int
        How many cities from either end.
    years : int or (int, int) or None
        Years to sum over.
    cities : sequence of str
        Cities that are drawn in any case.

    Returns
    -------
    Axes
        Bars with the 95 % interval of a single run's counting error; of several runs, bars of
        their mean with their range, from 20 runs on with their 5 % and 95 % points.

    Raises
    ------
    UserError
        If the runs are not of the same cities and years, or none is given.
    ValueError
        If the unit is not known.
    """
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {sorted(UNITS)}, not {unit!r}")
    column, meaning = UNITS[unit]
    several = as_list(runs)
    gains = _with_bands(several, column, years)
    place = pd.Series(range(len(gains)), index=gains.index)
    chosen = (place < n) | (place >= len(gains) - n) | place.index.isin(list(cities))
    shown = gains[chosen.to_numpy()]
    gaps = np.diff(place[shown.index], prepend=0) > 1
    sheet = style.Sheet(ax, style.COLUMN_MM, 42 + 3.6 * (len(shown) + int(gaps.sum())))
    axes = sheet.ax
    if len(shown):
        _bars(axes, shown, gaps, place)
    else:
        style.nothing(axes, "no year was simulated")
    axes.set_xlabel(f"Net gain, {meaning}")
    period = style.span(period_of(several[0], years))
    mean = "" if len(several) == 1 else "; bars: mean of the runs"
    number = "persons" if unit == "persons" else "relative to the stock"
    sheet.finish(
        f"Cities that gain and lose most talent by moves, {period}"
        if unit == "persons"
        else f"Cities that gain and lose most for their size, {period}",
        f"Arrivals from less departures to the other {max(len(gains) - 1, 0)} cities, "
        f"{number}{mean}. Whiskers: {band_name(len(several))}.",
        f"{runs_line(several)}. Initial stocks: estimated.",
    )
    return axes


def _with_bands(runs: Sequence[RunTables], column: str, years: Years) -> pd.DataFrame:
    """Return net gains by city, largest first: value (mean of the runs), low and high."""
    values, errors = [], []
    for run in runs:
        gains = net_gain(run.cities, years)
        error = net_gain_error(gains, persons_an_agent(run))
        values.append(gains[column])
        errors.append(error if column == "net" else 100 * error / gains["exposure"])
    table = pd.concat(values, axis=1, sort=False)
    wide = pd.concat(errors, axis=1, sort=False).loc[table.index]
    low, high = band(table.to_numpy(dtype=float).T, wide.to_numpy(dtype=float).T)
    found = pd.DataFrame({"value": table.mean(axis=1), "low": low, "high": high}).dropna()
    return found.sort_values("value", ascending=False, kind="stable")


def _bars(axes: Axes, shown: pd.DataFrame, gaps: np.ndarray, place: pd.Series) -> None:
    """Draw bars from the top down, with a gap where cities between are left out."""
    height = np.arange(len(shown)) + np.cumsum(gaps)
    value, low, high = (shown[name].to_numpy() for name in ("value", "low", "high"))
    colors = np.where(value >= 0, style.GAIN, style.LOSS)
    axes.barh(height, value, height=0.72, color=colors.tolist())
    whiskers = {"fmt": "none", "ecolor": style.BLACK, "elinewidth": 0.7, "capsize": 1.5}
    axes.errorbar(value, height, xerr=(value - low, high - value), **whiskers)  # type: ignore[arg-type]
    axes.axvline(0, color=style.GREY, linewidth=0.6)
    axes.set_yticks(height, [str(city) for city in shown.index])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(height[-1] + 0.6, -0.6)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(style.SIGNED)
    axes.grid(axis="x", color=style.PALE, linewidth=0.4)
    axes.spines["left"].set_visible(False)
    ranks = place[shown.index].to_numpy()
    for i in np.flatnonzero(gaps):
        left_out = ranks[i] - (ranks[i - 1] if i else -1) - 1
        axes.text(
            0.5,
            height[i] - 1,
            f"{left_out} cities between",
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
            color=style.GREY,
            fontsize=style.SMALL_PT,
            fontstyle="italic",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )


@style.styled
def plot_net_gain_map(
    run: RunTables,
    *,
    ax: Axes | None = None,
    years: Years = None,
    labels: int = 24,
    cities: Sequence[str] = (),
    where: pd.DataFrame | None = None,
) -> Axes:
    """Draw net gain and loss as circles on a world map.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure two columns wide by default.
    years : int or (int, int) or None
        Years to sum over.
    labels : int
        How many cities to name at most, largest circles first.
    cities : sequence of str
        Cities that are named before all others.
    where : DataFrame, optional
        Indexed by city, columns lat and lon; the 120 cities of the index by default.

    Returns
    -------
    Axes
        The map; the area of a circle is proportional to persons.
    """
    where = places() if where is None else where
    persons = persons_an_agent(run)
    gains = net_gain(run.cities, years)
    gains = gains[gains.index.isin(where.index)]
    sheet = style.Sheet(ax, style.PAGE_MM, 110, snug=True)
    axes = sheet.ax
    world.draw_land(axes)
    spots = world.WORLD.positions(
        where.loc[gains.index, "lon"].to_numpy(), where.loc[gains.index, "lat"].to_numpy()
    )
    net = gains["net"].to_numpy(dtype=float)
    largest = float(np.abs(net).max()) if len(net) else 0.0
    unit = 420 / largest if largest else 0.0
    area = np.maximum(np.abs(net) * unit, 0.5)
    order = np.argsort(-area, kind="stable")
    axes.scatter(
        spots[order, 0],
        spots[order, 1],
        s=area[order],
        c=np.where(net >= 0, style.GAIN, style.LOSS)[order].tolist(),
        alpha=0.72,
        linewidths=0.4,
        edgecolors="white",
        zorder=3,
    )
    _circle_legend(axes, largest, unit)
    sheet.finish(
        f"Where talent is gained and lost by moves, {style.span(period_of(run, years))}",
        "Arrivals less departures of all years together; the area of a circle is proportional to "
        "persons. One run, no interval drawn: see the bars.",
        f"{style.run_line(run.manifest, persons)}. Initial stocks: estimated. "
        "Map: Natural Earth, Equal Earth projection.",
    )
    names = gains.index.to_numpy()
    first = np.isin(names, list(cities))
    order = np.lexsort((-area, ~first))
    place_labels(
        axes,
        spots[order],
        [f"{names[i]} {style.signed(net[i])}" for i in order],
        gaps=np.sqrt(area[order] / np.pi) + 1,
        obstacles=spots,
        limit=max(labels, len(cities)) if largest else 0,
    )
    return axes


def _circle_legend(axes: Axes, largest: float, unit: float) -> None:
    """Explain colours and sizes of the circles."""
    if not largest:
        style.nothing(axes, "no net gain or loss")
        return
    steps = style.round_steps(largest)
    marks = [
        Line2D([], [], marker="o", ls="", color=color, ms=6, mew=0)
        for color in (style.GAIN, style.LOSS)
    ]
    marks += [
        Line2D([], [], marker="o", ls="", mfc="none", mec=style.GREY, mew=0.6, ms=np.sqrt(s * unit))
        for s in steps
    ]
    texts = ["net gain", "net loss", *(f"{style.short(step)} persons" for step in steps)]
    tall = np.sqrt(steps[0] * unit) / style.SMALL_PT if steps else 1.0
    axes.legend(
        marks,
        texts,
        loc="lower left",
        labelspacing=max(0.5, 0.75 * (tall - 0.6)),
        borderaxespad=0.2,
    )
