"""The age profile of moves, beside the schedule of Rogers and Castro."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from analysis import style
from analysis.age_schedule import (
    FUNDAMENTAL,
    age_profile,
    fit_rogers_castro,
    peak_age,
    rate_error,
    rogers_castro,
)
from analysis.metrics import NORMAL_95, Years
from analysis.tables import RunTables, period_of, persons_an_agent


@style.styled
def plot_age_profile(
    run: RunTables,
    *,
    ax: Axes | None = None,
    years: Years = None,
    fewest_agents: int = 200,
) -> Axes:
    """Draw moves per 100 persons by age, with a fitted and the standard schedule.

    Parameters
    ----------
    run : RunTables
        The run.
    ax : Axes, optional
        Where to draw; a figure one column wide by default.
    years : int or (int, int) or None
        Years to sum over; all simulated years by default.
    fewest_agents : int
        Ages at which fewer agents were at risk in all are left out.

    Returns
    -------
    Axes
        Points with 95 % intervals, the fitted curve, and the standard curve scaled to the same
        total.
    """
    period = period_of(run, years)
    persons = persons_an_agent(run)
    profile = age_profile(run.ages, period)
    profile = profile[profile["stock"] >= fewest_agents * persons]
    sheet = style.Sheet(ax, style.COLUMN_MM, 88)
    axes = sheet.ax
    note = "no moves, so no curve is fitted"
    if profile["movers"].sum() > 0:
        age = profile.index.to_numpy(dtype=float)
        rate = profile["rate"].to_numpy()
        axes.fill_between(
            age,
            profile["international_rate"].to_numpy(),
            color=style.SKY,
            alpha=0.5,
            linewidth=0,
            label="of which between countries",
        )
        axes.errorbar(
            age,
            rate,
            yerr=NORMAL_95 * rate_error(profile, persons).to_numpy(),
            fmt="o",
            ms=2.6,
            color=style.BLACK,
            elinewidth=0.7,
            label="all moves, 95 % interval",
            zorder=4,
        )
        note = _curves(axes, age, rate, profile["stock"].to_numpy(dtype=float))
        handles, texts = axes.get_legend_handles_labels()
        order = np.argsort([texts.index(text) if "all" not in text else -1 for text in texts])
        axes.legend([handles[i] for i in order], [texts[i] for i in order], loc="upper right")
    else:
        style.nothing(axes, "no moves")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Age, years")
    axes.set_ylabel("Moves a year per 100 persons")
    axes.grid(axis="y", color=style.PALE, linewidth=0.4)
    sheet.finish(
        f"Who moves city, by age, {style.span(period)}",
        f"Moves between cities by single year of age; intervals from agent counts (Poisson) in "
        f"this one run; {note}.",
        f"{style.run_line(run.manifest, persons)}. Published: form and standard parameters of the "
        "schedule (Rogers and Castro 1981).",
    )
    return axes


def _curves(axes: Axes, age: np.ndarray, rate: np.ndarray, stock: np.ndarray) -> str:
    """Draw the fitted and the standard schedule; return what the fit says."""
    fine = np.linspace(age[0], age[-1], 300)
    standard = rogers_castro(age)
    level = float(stock @ rate) / float(stock @ standard)
    axes.plot(
        fine,
        level * rogers_castro(fine),
        color=style.GREY,
        linestyle=(0, (4, 2)),
        label="Rogers–Castro, standard shape",
        zorder=3,
    )
    try:
        fitted = fit_rogers_castro(age, rate / 100, stock)
    except ValueError:
        return "too few ages for a fitted curve"
    axes.plot(
        fine,
        100 * rogers_castro(fine, fitted),
        color=style.VERMILLION,
        linewidth=1.6,
        label="Rogers–Castro, fitted",
        zorder=5,
    )
    curve = 100 * rogers_castro(fine, fitted)
    top, usual = fine[int(np.argmax(curve))], peak_age(FUNDAMENTAL)
    return f"the fitted curve peaks at {top:.0f} years, the standard one at {usual:.0f}"
