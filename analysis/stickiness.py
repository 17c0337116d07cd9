"""Simulated stickiness against the published composite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis import style
from analysis.labels import place_labels
from analysis.metrics import Years, mean_stickiness, spearman
from analysis.tables import RunTables, period_of, persons_an_agent, places


@style.styled
def plot_stickiness(
    run: RunTables,
    *,
    ax: Axes | None = None,
    years: Years = None,
    labels: int = 14,
    cities: Sequence[str] = (),
    where: pd.DataFrame | None = None,
) -> Axes:
    """Draw each city's simulated stickiness over its published composite.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.
    years : int or (int, int) or None
        Years over which simulated stickiness is averaged.
    labels : int
        How many cities are named at most: those whose two ranks differ most.
    cities : sequence of str
        Cities that are named before all others.
    where : DataFrame, optional
        Indexed by city, columns composite and continent; the index's cities by default.

    Returns
    -------
    Axes
        The scatter, with Spearman's correlation and its 95 % interval.
    """
    where = places() if where is None else where
    table = mean_stickiness(run.cities, years)
    table = table.join(where[["composite", "continent"]], how="inner")
    sheet = style.Sheet(ax, style.WIDE_MM, 114)
    axes = sheet.ax
    for continent, (color, marker) in style.CONTINENTS.items():
        rows = table[table["continent"] == continent]
        if rows.empty:
            continue
        axes.vlines(rows["composite"], rows["low"], rows["high"], color=color, alpha=0.35, lw=0.6)
        axes.scatter(
            rows["composite"],
            rows["stickiness"],
            s=13,
            marker=marker,
            color=color,
            linewidths=0.3,
            edgecolors="white",
            label=f"{continent} ({len(rows)})",
            zorder=3,
        )
    if table.empty:
        style.nothing(axes, "no simulated stickiness")
    else:
        axes.legend(loc="lower right", handletextpad=0.2, labelspacing=0.3)
    axes.set_xlabel("Published composite score, 2024 (50–100)")
    axes.set_ylabel("Simulated stickiness (50–100), mean of the years")
    axes.grid(color=style.PALE, linewidth=0.3)
    axes.margins(0.05)
    found = spearman(table["stickiness"], table["composite"])
    sheet.finish(
        f"Simulated stickiness beside the published index, {style.span(period_of(run, years))}",
        f"{_sentence(found)} Lines: middle 80 % of the yearly values. Named: "
        "cities whose two ranks differ most.",
        f"{style.run_line(run.manifest, persons_an_agent(run))}. Published: composite, Global City "
        f"Talent Stickiness Index 2024 (chapter B.11, table{style.NBSP}2). Estimated: most "
        "dimension scores.",
    )
    _name_outliers(axes, table, labels, cities)
    return axes


def _sentence(found: tuple[float, float, float, int]) -> str:
    """Say the correlation and its interval."""
    rho, low, high, n = found
    if np.isnan(rho):
        return f"Spearman’s ρ is undefined for {n} cities."
    interval = "" if np.isnan(low) else f" (95 % interval {low:.2f} to {high:.2f})"
    return f"Spearman’s ρ = {rho:.2f}{interval}, {n} cities.".replace("-", "−")


def _name_outliers(axes: Axes, table: pd.DataFrame, labels: int, cities: Sequence[str]) -> None:
    """Name the cities whose simulated and published ranks differ most."""
    if table.empty:
        return
    ranks = table[["stickiness", "composite"]].rank()
    apart = (ranks["stickiness"] - ranks["composite"]).abs().to_numpy()
    first = table.index.isin(list(cities))
    order = np.lexsort((-apart, ~first))[: max(labels, len(cities))]
    points = table[["composite", "stickiness"]].to_numpy(dtype=float)
    names = [str(table.index[i]) for i in order]
    place_labels(axes, points[order], names, obstacles=points)
