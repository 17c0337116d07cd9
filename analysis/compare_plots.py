"""Pictures of comparisons and sweeps: ordered effects, response curves, and all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.compared import COLORS, SHORT, Compared, period, source, unit_of
from analysis.kinds import Kind, Subject

if TYPE_CHECKING:
    from sim.compare import Comparison

KINDS: dict[str, Kind] = {
    "effects": Kind(
        "analysis.compare_plots:plot_effects", "effects on cities, with intervals, in order", True
    ),
    "effects-net-gain": Kind(
        "analysis.compare_plots:plot_effects",
        "effects on net gain, with intervals, in order",
        True,
        (("measure", "net_gain"),),
    ),
    "effects-mobility": Kind(
        "analysis.compare_plots:plot_effects",
        "effects on how many leave, with intervals, in order",
        True,
        (("measure", "mobility"),),
    ),
    "effects-by-year": Kind(
        "analysis.compare_plots:plot_years", "effects on talent, year by year", True
    ),
    "displacement": Kind(
        "analysis.displacement_plot:plot_displacement",
        "from where a city's gain was taken, person by person",
        a_city=True,
    ),
}
"""Pictures of a comparison."""
SWEEP_KINDS: dict[str, Kind] = {
    "response": Kind("analysis.sweep_plot:plot_response", "effect along the swept numbers", True)
}
"""Pictures of a sweep."""

_STRETCH = 25.0
"""How many times the median effect the largest must be for the axis to be stretched near zero."""


@style.styled
def plot_effects(
    compared: Compared,
    *,
    ax: Axes | None = None,
    measure: str = "stock",
    n: int = 10,
    cities: Sequence[str] = (),
) -> Axes:
    """Draw the largest effects of a policy as ordered points with their intervals.

    Parameters
    ----------
    compared : Compared
    ax : Axes, optional
        Where to draw; a figure one column wide by default.
    measure : str
        See :data:`sim.measures.MEASURES`.
    n : int
        How many cities from either end.
    cities : sequence of str
        Cities that are drawn in any case.

    Returns
    -------
    Axes
        A point and its 95 % interval a city; a diamond is the direct effect, feedback frozen.
    """
    from sim.measures import ALL

    found: Comparison = compared.result
    policy = found.policy(compared.policy)
    table = found.of(measure, policy).drop(index=ALL)
    table = table.sort_values("effect", ascending=False, kind="stable")
    place = np.arange(len(table))
    moved = (table["effect"] != 0).to_numpy()
    ends = (place < n) | (place >= len(table) - n)
    shown = table[(moved & ends) | table.index.isin(list(cities))]
    direct = None
    if (found.effects["part"] == "direct").any():
        direct = found.of(measure, policy, "direct")["effect"].reindex(shown.index)
    sheet = style.Sheet(ax, style.COLUMN_MM, 46 + 3.7 * max(len(shown), 4))
    stretched = False
    if len(shown):
        stretched = _points(sheet.ax, shown, direct)
    else:
        style.nothing(sheet.ax, "the runs are the same in every city")
    sheet.ax.set_xlabel(f"Effect on {SHORT.get(measure, measure)}{unit_of(measure)}")
    noticed = int((table["q"] < 0.05).sum())
    text = f"Mean of {found.pairs} pairs of runs on the same luck, with its 95 % interval. "
    text += "Diamonds: direct effect, without feedback. " if direct is not None else ""
    text += "The axis is stretched near zero. " if stretched else ""
    text += f"Filled: told from zero (false discovery rate 5 %), {noticed} of {len(table)} cities."
    sheet.finish(
        f"What {policy} changes: {SHORT.get(measure, measure)}, {period(found.base)}",
        text,
        source(
            found.base.name,
            found.pairs,
            found.base.population.agents,
            found.manifest.get("persons_per_agent"),
        ),
    )
    return sheet.ax


def _points(axes: Axes, shown: pd.DataFrame, direct: pd.Series | None) -> bool:
    """Draw points with intervals from the top down; return whether the axis is stretched."""
    height = np.arange(len(shown))
    value = shown["effect"].to_numpy(dtype=float)
    low, high = (shown[name].to_numpy(dtype=float) for name in ("low", "high"))
    noticed = shown["q"].to_numpy(dtype=float) < 0.05
    colors = np.where(value >= 0, style.GAIN, style.LOSS)
    axes.hlines(height, low, high, color=colors.tolist(), linewidth=1.0)
    faces = np.where(noticed, colors, "white")
    axes.scatter(value, height, s=14, c=faces.tolist(), edgecolors=colors.tolist(), zorder=3)
    if direct is not None:
        axes.scatter(
            direct,
            height + 0.3,
            s=7,
            marker="D",
            facecolors="none",
            edgecolors=style.GREY,
            linewidths=0.6,
            zorder=2,
        )
    axes.axvline(0, color=style.GREY, linewidth=0.6)
    axes.set_yticks(height, [str(city) for city in shown.index])
    axes.set_ylim(len(shown) - 0.3, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=style.PALE, linewidth=0.4)
    size = np.abs(value[value != 0])
    stretched = bool(len(size) > 3 and size.max() > _STRETCH * np.median(size))
    if stretched:
        _stretch(axes, float(np.median(size)), float(np.nanmax(np.abs([low, high, value, value]))))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(style.SIGNED)
    return stretched


def _stretch(axes: Axes, unit: float, most: float) -> None:
    """Give an axis the inverse hyperbolic sine as its scale, with round ticks."""
    axes.set_xscale("asinh", linear_width=unit)
    step = 10.0 ** np.ceil(np.log10(max(unit, 1e-12)))
    ticks = [step * 10**k for k in range(12) if step * 10**k <= most]
    low, high = axes.get_xlim()
    both = [-tick for tick in reversed(ticks)] + [0.0] + ticks
    axes.set_xticks([tick for tick in both if low <= tick <= high])
    axes.minorticks_off()


@style.styled
def plot_years(
    compared: Compared,
    *,
    ax: Axes | None = None,
    cities: Sequence[str] = (),
    n: int = 4,
) -> Axes:
    """Draw how a policy's effect on talent grows and fades over the years.

    Parameters
    ----------
    compared : Compared
    ax : Axes, optional
        Where to draw; a figure one and a half columns wide by default.
    cities : sequence of str
        At most four; default: those with the largest effects at the end.
    n : int
        How many cities by default.

    Returns
    -------
    Axes
        A line with its 95 % interval a city; dashed lines are direct effects, feedback frozen.
    """
    found: Comparison = compared.result
    policy = found.policy(compared.policy)
    largest = found.of("stock", policy).drop(index="(all)")
    shown = (list(cities) or list(largest[largest["effect"] != 0].index[:n]))[: len(COLORS)]
    sheet = style.Sheet(ax, style.WIDE_MM, 86)
    axes = sheet.ax
    rows = found.years[found.years["policy"] == policy]
    direct = (rows["part"] == "direct").any()
    for city, color in zip(shown, COLORS, strict=False):
        mine = rows[rows["city"] == city]
        total = mine[mine["part"] == "total"]
        axes.fill_between(total["year"], total["low"], total["high"], color=color, alpha=0.18, lw=0)
        axes.plot(total["year"], total["effect"], color=color, label=city)
        apart = mine[mine["part"] == "direct"]
        axes.plot(apart["year"], apart["effect"], color=color, linewidth=0.8, linestyle="--")
    if shown:
        axes.legend(loc="best", fontsize=style.SMALL_PT)
    else:
        style.nothing(axes, "the runs are the same in every city")
    axes.axhline(0, color=style.GREY, linewidth=0.6)
    axes.set_xticks(style.year_ticks(found.base.horizon.start, found.base.horizon.end))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(style.SIGNED)
    axes.set_ylabel("Effect on talent, persons")
    axes.grid(axis="y", color=style.PALE, linewidth=0.4)
    sheet.finish(
        f"What {policy} changes over the years",
        f"Effect on talent at the end of each year: mean of {found.pairs} pairs of runs on the "
        "same luck, and its 95 % interval."
        + (" Dashed: direct effect, without feedback." if direct else ""),
        source(
            found.base.name,
            found.pairs,
            found.base.population.agents,
            found.manifest.get("persons_per_agent"),
        ),
    )
    return axes


def _is_comparison(path: Path) -> bool:
    from sim.comparison_folder import COMPARISON
    from sim.run_folder import is_run

    return is_run(path, COMPARISON)


def _is_sweep(path: Path) -> bool:
    from sim.run_folder import is_run
    from sim.sweep_run import SWEEP

    return is_run(path, SWEEP)


def _read_comparison(path: Path) -> Compared:
    from sim.comparison_folder import read_comparison

    return Compared(read_comparison(path))


def _read_sweep(path: Path) -> Compared:
    from sim.sweep_run import read_sweep

    return Compared(read_sweep(path))


COMPARISON = Subject(
    "comparison",
    _is_comparison,
    _read_comparison,
    KINDS,
    "analysis.comparison_report:write_report",
)
"""A finished comparison."""
SWEEP = Subject("sweep", _is_sweep, _read_sweep, SWEEP_KINDS)
"""A finished sweep."""


def draw_comparison(folder: Path, kinds: Iterable[str] = ()) -> list[Path]:
    """Draw every kind of picture of a comparison or a sweep into its ``plots`` folder.

    Parameters
    ----------
    folder : pathlib.Path
        A folder of ``talentflow compare`` or ``talentflow sweep``, whole.
    kinds : iterable of str
        Default: all.

    Returns
    -------
    list of Path
        The PNG files. Of several policies each has its pictures in a folder of its own.
    """
    from analysis.pictures import draw_pictures

    folder = Path(folder)
    if _is_sweep(folder):
        return draw_pictures(_read_sweep(folder), folder / "plots", kinds, known=SWEEP_KINDS)
    compared = _read_comparison(folder)
    policies = list(compared.result.policies)
    paths = []
    for policy in policies:
        place = folder / "plots" if len(policies) == 1 else folder / "plots" / policy
        one = Compared(compared.result, policy)
        paths += draw_pictures(one, place, kinds, known=KINDS)
    return paths
