"""The picture of a sensitivity analysis: which parameters and switches results hang on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.kinds import Kind, Subject
from sim.errors import UserError

METHODS = {
    "morris": ("mu_star", "mu_star_ci", "Mean absolute effect (in each result's unit, Morris)"),
    "sobol": ("total", "total_ci", "Share of each result's variance (total Sobol' index)"),
}
"""Index, its interval and what it is, by method."""
SHOWN = 12
"""How many factors are drawn."""
LABEL = 0.27
"""Share of the width that the names of the factors take."""


@style.styled
def plot_sensitivity(analysis: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Draw the indices of the factors that matter most, one panel a result.

    Parameters
    ----------
    analysis : mapping
        What ``talentflow sensitivity`` writes: method, evaluations, indices by result and factor.
    ax : Axes, optional
        Where to draw; a figure two columns wide by default.

    Returns
    -------
    Axes
        Bars with 95 % intervals; factors in order of their largest share of a panel's sum.
    """
    key, ci, about = METHODS[analysis["method"]]
    found = analysis["indices"]
    factors = _leading(found, key)
    sheet = style.Sheet(ax, style.PAGE_MM, 44 + 4.2 * len(factors))
    sheet.ax.set_axis_off()
    width = (1.0 - LABEL) / max(len(found), 1)
    for k, (result, rows) in enumerate(found.items()):
        panel = sheet.ax.inset_axes((LABEL + k * width, 0.0, 0.86 * width, 0.94))
        values = [rows[factor][key] for factor in factors]
        panel.barh(
            range(len(factors)),
            values,
            xerr=[rows[factor][ci] for factor in factors],
            color=style.BLUE,
            error_kw={"elinewidth": 0.7, "ecolor": style.GREY},
        )
        panel.set_ylim(len(factors) - 0.4, -0.6)
        panel.set_yticks(range(len(factors)), factors if k == 0 else [""] * len(factors))
        panel.tick_params(axis="y", length=0)
        panel.set_xlim(left=0)
        panel.xaxis.set_major_locator(MaxNLocator(2))
        panel.set_title(result.replace("_", "\n", 1).replace("_", " "), fontsize=style.SMALL_PT)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="x", color=style.PALE, linewidth=0.4)
    sheet.finish(
        "What the results hang on",
        f"{about} of the {len(factors)} leading parameters and switches. Whiskers: 95 % interval. "
        "Parameters over the 90 % interval of their priors.",
        f"Simulated: expected-flow operator, {analysis['evaluations']:,} evaluations (SALib).",
    )
    return sheet.ax


def _leading(found: Mapping[str, Any], key: str) -> list[str]:
    """Return the factors that have the largest part in some result, the largest first."""
    shares: dict[str, float] = {}
    for rows in found.values():
        total = sum(abs(row[key]) for row in rows.values()) or 1.0
        for factor, row in rows.items():
            shares[factor] = max(shares.get(factor, 0.0), row[key] / total)
    return sorted(shares, key=lambda factor: -shares[factor])[:SHOWN]


def _file(path: Path) -> Path | None:
    """Return the analysis in a folder, Sobol' before Morris; None where there is none."""
    files = [path] if path.is_file() else [path / f"{name}.json" for name in ("sobol", "morris")]
    known = (file for file in files if file.suffix == ".json" and file.stem in METHODS)
    return next((file for file in known if file.is_file()), None)


def _read(path: Path) -> Any:
    file = _file(path)
    assert file is not None
    try:
        analysis = json.loads(file.read_text("utf-8"))
        plot_sensitivity(analysis)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{file}: is no whole sensitivity analysis; make it with 'talentflow sensitivity'"
        ) from None
    return analysis


SENSITIVITY_KINDS: dict[str, Kind] = {
    "sensitivity": Kind(
        "analysis.sensitivity_plot:plot_sensitivity", "what the results hang on, with intervals"
    )
}
"""Pictures of a sensitivity analysis."""
SENSITIVITY = Subject(
    "sensitivity analysis", lambda path: _file(path) is not None, _read, SENSITIVITY_KINDS
)
"""A folder of ``talentflow sensitivity``, or one of its JSON files."""
