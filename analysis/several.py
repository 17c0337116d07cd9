"""Several runs on one picture: whether they fit together, and how far they lie apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis import style
from analysis.metrics import NORMAL_95
from analysis.tables import RunTables, persons_an_agent
from sim.errors import UserError

MANY = 20
"""From this many runs on a band shows quantiles, below it the range of all runs."""


def as_list(runs: RunTables | Sequence[RunTables]) -> list[RunTables]:
    """Return one run or several as a list.

    Raises
    ------
    UserError
        If there is none, or they are not all of the same cities and years.
    """
    several: list[RunTables] = list(runs) if isinstance(runs, Sequence) else [runs]
    if not several:
        raise UserError("there is no run to draw")
    first = several[0].cities
    for run in several[1:]:
        for column, noun in (("city", "cities"), ("year", "years")):
            if set(run.cities[column]) != set(first[column]):
                raise UserError(
                    f"the runs are not of the same {noun}; give runs that differ by seed, "
                    "landscape or parameters only"
                )
    return several


def band(values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper edge of what is known of a measure.

    Parameters
    ----------
    values : ndarray, shape (runs, …)
        The measure in each run.
    errors : ndarray, shape (runs, …)
        Its standard error from counting agents.

    Returns
    -------
    ndarray, ndarray
        Of one run the 95 % interval of agent counts; of several their range; from ``MANY`` runs on
        the 5 % and 95 % points.
    """
    if len(values) == 1:
        half = NORMAL_95 * errors[0]
        return values[0] - half, values[0] + half
    if len(values) < MANY:
        return values.min(axis=0), values.max(axis=0)
    low, high = np.quantile(values, (0.05, 0.95), axis=0)
    return low, high


def band_name(runs: int) -> str:
    """Return what :func:`band` gives for so many runs."""
    if runs == 1:
        return f"95{style.NBSP}% interval of agent counts (Poisson) in this one run"
    if runs < MANY:
        return f"range of {runs} runs"
    return f"middle 90{style.NBSP}% of {runs} runs"


def seeds_of(runs: Sequence[RunTables]) -> str:
    """Return how many runs of how many seeds there are."""
    seeds = {str(run.manifest.get("seed")) for run in runs}
    return f"{len(runs)} runs, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"


def runs_line(runs: Sequence[RunTables]) -> str:
    """Return the part of a source line that says which runs these are."""
    persons = [persons_an_agent(run) for run in runs]
    if len(runs) == 1:
        return style.run_line(runs[0].manifest, persons[0])
    scenarios = sorted({str(run.manifest.get("scenario")) for run in runs})
    facts = {
        "talentflow": runs[0].manifest.get("talentflow"),
        "scenario": ", ".join(scenarios),
    }
    line = style.run_line(facts, max(persons))
    fewest = f" (fewest: {min(persons):,})" if min(persons) < max(persons) else ""
    return f"{line}{fewest}, {seeds_of(runs)}"
