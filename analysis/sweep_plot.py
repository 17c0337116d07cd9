"""The picture of a sweep: how cities respond to the numbers that it runs over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.compared import COLORS, SHORT, Compared, period, source, unit_of

if TYPE_CHECKING:
    from sim.sweep_run import SweepResult


@style.styled
def plot_response(
    compared: Compared,
    *,
    ax: Axes | None = None,
    measure: str | None = None,
    cities: Sequence[str] = (),
) -> Axes:
    """Draw how cities respond to the numbers that a sweep runs over.

    Parameters
    ----------
    compared : Compared
        Of a sweep.
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.
    measure : str, optional
        Default: the sweep's.
    cities : sequence of str
        Default: the sweep's, or the three that respond most.

    Returns
    -------
    Axes
        One panel a path (up to four). With one path a line and its 95 % interval a city; with
        several, every point of the design.
    """
    found: SweepResult = compared.result
    measure = measure or found.sweep.measure
    shown = (list(cities) or list(found.sweep.cities) or found.largest(3, measure))[:4]
    paths = list(found.sweep.over)[:4]
    wide = style.WIDE_MM if len(paths) == 1 else style.PAGE_MM
    sheet = style.Sheet(ax, wide, 82)
    panels = [sheet.ax]
    if len(paths) > 1:
        sheet.ax.set_axis_off()
        gap = 0.09
        width = (1 - gap * (len(paths) - 1)) / len(paths)
        panels = [
            sheet.ax.inset_axes((k * (width + gap), 0.0, width, 1.0)) for k in range(len(paths))
        ]
    curves = {city: found.curve(city, measure) for city in shown}
    for panel, path in zip(panels, paths, strict=True):
        _panel(panel, curves, path, joined=len(found.sweep.over) == 1)
    panels[0].set_ylabel(f"Effect on {SHORT.get(measure, measure)}{unit_of(measure)}")
    panels[0].legend(loc="best", fontsize=style.SMALL_PT)
    pairs = int(found.response["pairs"].max())
    kind = "grid" if found.sweep.design == "grid" else "Latin hypercube"
    sheet.finish(
        f"How {SHORT.get(measure, measure)} responds in {found.scenario.name}, "
        f"{period(found.scenario)}",
        f"Effect against {found.against.name} on the same luck: mean of {pairs} pairs of runs a "
        f"point and its 95 % interval; {found.points['point'].nunique()} points, {kind}.",
        source(
            found.against.name,
            pairs,
            found.scenario.population.agents,
            found.manifest.get("persons_per_agent"),
        ),
    )
    return sheet.ax


def _panel(axes: Axes, curves: dict[str, pd.DataFrame], path: str, joined: bool) -> None:
    """Draw the response along one path."""
    for (city, curve), color in zip(curves.items(), COLORS, strict=False):
        rows = curve.sort_values(path, kind="stable")
        x, y = rows[path].to_numpy(dtype=float), rows["effect"].to_numpy(dtype=float)
        low, high = (rows[name].to_numpy(dtype=float) for name in ("low", "high"))
        if joined:
            axes.fill_between(x, low, high, color=color, alpha=0.18, linewidth=0)
            axes.plot(x, y, marker="o", markersize=3, color=color, label=city)
        else:
            axes.vlines(x, low, high, color=color, linewidth=0.6, alpha=0.5)
            axes.plot(x, y, "o", markersize=3, color=color, label=city)
    axes.axhline(0, color=style.GREY, linewidth=0.6)
    steps = path.split(".")
    axes.set_xlabel(f"{'.'.join(steps[:-1])}.\n{steps[-1]}" if len(path) > 24 else path)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(style.SIGNED)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color=style.PALE, linewidth=0.4)
