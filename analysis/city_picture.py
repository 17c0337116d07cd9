"""One city's exchange: who comes from where, and who leaves for where."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis import style
from analysis.alluvial import FIELDS
from analysis.metrics import NORMAL_95, Years, in_years, net_gain
from analysis.tables import RunTables, known_cities, period_of, persons_an_agent


def city_exchange(flows: pd.DataFrame, city: str, years: Years = None) -> pd.DataFrame:
    """Return what a city exchanges with each other one.

    Parameters
    ----------
    flows : DataFrame
        Columns year, origin, destination, persons.
    city : str
        The city.
    years : int or (int, int) or None
        Years to sum over.

    Returns
    -------
    DataFrame
        Indexed by the other city (text), the largest exchange first; columns coming, leaving and
        net (persons, int64). Only cities that exchanged anybody with it.
    """
    table = in_years(flows, years)
    sums = {}
    for name, here, there in (
        ("coming", "destination", "origin"),
        ("leaving", "origin", "destination"),
    ):
        rows = table[table[here].astype(str) == city]
        sums[name] = rows.groupby(rows[there].astype(str))["persons"].sum()
    both = pd.DataFrame(sums).fillna(0).astype(np.int64)
    both["net"] = both["coming"] - both["leaving"]
    order = np.lexsort((both.index, -(both["coming"] + both["leaving"]).to_numpy()))
    return both.iloc[order].rename_axis("city")


@style.styled
def plot_city(
    run: RunTables,
    *,
    ax: Axes | None = None,
    city: str = "",
    n: int = 16,
    years: Years = None,
) -> Axes:
    """Draw the exchange of a city with those that it exchanges most with.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.
    city : str
        The city, in English or Chinese; by default the one that gains most.
    n : int
        How many other cities; the subtitle sums up the rest.
    years : int or (int, int) or None
        Years to sum over; all simulated years by default.

    Returns
    -------
    Axes
        Departures to the left, arrivals to the right, and a diamond at the net gain with the
        95 % interval of agent counts.

    Raises
    ------
    UserError
        If the run has no such city.
    """
    gains = net_gain(run.cities, years)
    if city:
        (name,) = known_cities(run, [city])
    else:
        name = str(gains.index[0]) if len(gains) else str(run.cities["city"].iloc[0])
    table = city_exchange(run.flows, name, years)
    rest = table.iloc[n:]
    shown = table.head(n)
    persons = persons_an_agent(run)
    sheet = style.Sheet(ax, style.WIDE_MM, 46 + 4.0 * max(len(shown), 6))
    axes = sheet.ax
    if len(shown):
        _bars(axes, shown, persons)
    else:
        style.nothing(axes, f"nobody moved to or from {name}")
        axes.set(xticks=[], yticks=[])
    coming, leaving = int(table["coming"].sum()), int(table["leaving"].sum())
    period = style.span(period_of(run, years))
    others = (
        f"Not shown: {len(rest)} other cities ({style.short(float(rest['coming'].sum()))} came, "
        f"{style.short(float(rest['leaving'].sum()))} left). "
        if len(rest)
        else ""
    )
    sheet.finish(
        f"Who comes to {name} and who leaves it, {period}",
        f"Persons who moved, all years together: {style.short(coming)} came, "
        f"{style.short(leaving)} left, net {style.signed(coming - leaving)}. "
        f"{_fields(run, name, years)}{others}Diamond: net gain; whiskers: 95 % interval of agent "
        "counts (Poisson) in this one run.",
        f"{style.run_line(run.manifest, persons)}. Initial stocks: estimated.",
    )
    return axes


def _fields(run: RunTables, city: str, years: Years) -> str:
    """Say in which fields newcomers work most."""
    rows = in_years(run.flows, years)
    rows = rows[rows["destination"].astype(str) == city]
    sums = rows.groupby("field", observed=True)["persons"].sum().sort_values(ascending=False)
    sums = sums[[str(name) != "other" for name in sums.index]]
    total = float(rows["persons"].sum())
    if sums.empty or not total:
        return ""
    largest = [
        f"{FIELDS.get(str(name), str(name))} {100 * value / total:.0f}{style.NBSP}%"
        for name, value in sums.head(3).items()
    ]
    return f"Newcomers’ largest named fields: {'; '.join(largest)}. "


def _bars(axes: Axes, shown: pd.DataFrame, persons: int) -> None:
    """Draw departures to the left, arrivals to the right and the net gain."""
    at = np.arange(len(shown), dtype=float)
    coming = shown["coming"].to_numpy(dtype=float)
    leaving = shown["leaving"].to_numpy(dtype=float)
    axes.barh(at, -leaving, height=0.74, color=style.LOSS, alpha=0.75)
    axes.barh(at, coming, height=0.74, color=style.GAIN, alpha=0.75)
    axes.errorbar(
        coming - leaving,
        at,
        xerr=NORMAL_95 * np.sqrt(persons * (coming + leaving)),
        fmt="D",
        ms=3.2,
        color=style.BLACK,
        mfc="white",
        mew=0.7,
        elinewidth=0.7,
    )
    axes.axvline(0, color=style.BLACK, linewidth=0.7)
    reach = 1.06 * float(max(coming.max(), leaving.max(), persons))
    axes.set_xlim(-reach, reach)
    axes.set_yticks(at, [str(name) for name in shown.index])
    axes.set_ylim(at[-1] + 0.6, -1.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(6, symmetric=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: style.short(abs(value))))
    axes.set_xlabel("Persons")
    axes.grid(axis="x", color=style.PALE, linewidth=0.4)
    axes.spines["left"].set_visible(False)
    for x, text, color in (
        (0.25, "← leave for", style.LOSS),
        (0.75, "come from →", style.GAIN),
    ):
        axes.text(
            x,
            -1.0,
            text,
            transform=axes.get_yaxis_transform(),
            ha="center",
            va="center",
            color=style.ink(color),
            fontweight="bold",
        )
