"""Leave-one-out: hide a printed score, predict it, and compare with naive rules.

``python -m calibration.landscape_evaluation`` does it; it needs the extra ``build``. Each of the 24
printed scores is hidden in turn and predicted from everything else. How much goes with it matters,
for the report prints the scores of the leaders only, and that a score is printed tells that it is
high:

- *among the leaders* hides the score and the order of the dimension's printed cities, and keeps
  that they are its leaders, which is what being printed means;
- *rank known* hides the score and keeps all ranks; a score of 100 is left out, for the best city
  has it by the scale's convention;
- *nothing known* hides the score, its rank, and that it was printed.

What is judged is the median, and whether the 80 % and 95 % intervals hold the truth. Intervals need
not hold what was chosen for being extreme unless they know of the choice, so the last way is the
hard one, and no test of the intervals. That the best city has 100 is the scale's convention and
never hidden, only who it is. The result goes to ``sim/data/landscape_evaluation.json``.

Rivals, each of them what one could do without a model:

- *composite*: the city's composite, for every dimension;
- *regional mean*: the mean composite of the cities of its region;
- *printed mean*: the mean of the other printed scores of the dimension. It knows that a hidden cell
  was printed, which means that it is among the leaders; the reconstruction is not told.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from calibration.constraints import Cell, Constraint, Maximum, RankBetween
from calibration.landscape_chain import Setup, run_chain
from calibration.landscape_diagnostics import record
from calibration.landscape_model import REGIONS
from calibration.statements import PrintedCell, printed_cells, statements
from sim.cities import DIMENSIONS, Cities, load_cities
from sim.landscape import HIGH

Array = npt.NDArray[np.float64]

SEED = 77
WARMUP, SWEEPS, EVERY = 1_000, 3_000, 5
LEVELS = (0.80, 0.95)
NOTHING_KNOWN, RANK_KNOWN, LEADERS_KNOWN = "nothing known", "rank known", "among the leaders"
WAYS = (NOTHING_KNOWN, RANK_KNOWN, LEADERS_KNOWN)


class Prediction(NamedTuple):
    """A hidden cell and what was predicted of it, index points."""

    city: str
    dimension: str
    truth: float
    median: float
    intervals: tuple[tuple[float, float], ...]


def scored_cells() -> list[PrintedCell]:
    """Return the cells that are printed with a score."""
    return [cell for cell in printed_cells() if cell.score is not None]


def without(cell: PrintedCell, constraints: list[Constraint], way: str) -> list[Constraint]:
    """Return the constraints less those that come from one printed cell.

    Parameters
    ----------
    cell : PrintedCell
    constraints : list of Constraint
    way : str
        One of ``WAYS``.

    Returns
    -------
    list of Constraint
    """
    named = [c for c in scored_cells() if c.dimension == cell.dimension]
    printed = tuple(c.city for c in named)
    unranked = {RANK_KNOWN: (), LEADERS_KNOWN: printed, NOTHING_KNOWN: (cell.city,)}[way]

    def hidden(c: Constraint) -> bool:
        if c.column != cell.dimension:
            return False
        if isinstance(c, Cell):
            return c.city == cell.city
        if isinstance(c, Maximum):
            return cell.score == HIGH
        return isinstance(c, RankBetween) and len(c.cities) == 1 and c.cities[0] in unranked

    kept = [c for c in constraints if not hidden(c)]
    if way == LEADERS_KNOWN:
        name = f"{DIMENSIONS[cell.dimension]}: the printed cities lead"
        head = (name, cell.dimension, "B.11", "printed")
        kept.append(RankBetween(*head, cities=printed, low=named[0].rank, high=named[-1].rank))
    return kept


def predict(cell: PrintedCell, way: str, sweeps: int = SWEEPS) -> Prediction:
    """Hide a cell and predict it."""
    setup = Setup.of(without(cell, statements(), way))
    seed = SEED + 7 * cell.city + 1000 * cell.dimension + 100_000 * WAYS.index(way)
    trace = run_chain(setup, seed, warmup=WARMUP, sweeps=sweeps, every=EVERY)
    values = on_scale(trace.scores[:, :, cell.dimension], cell)
    spans = [np.quantile(values, ((1 - level) / 2, (1 + level) / 2)) for level in LEVELS]
    return Prediction(
        load_cities().names[cell.city],
        DIMENSIONS[cell.dimension],
        float(cell.score or np.nan),
        float(np.median(values)),
        tuple((float(low), float(high)) for low, high in spans),
    )


def on_scale(scores: Array, cell: PrintedCell) -> Array:
    """Return the draws of a hidden cell, with the scale's convention where it was hidden as well.

    Hiding a score of 100 hides who the best city is, not that the best city has 100.

    Parameters
    ----------
    scores : ndarray, shape (draws, cities)
        Draws of the cell's dimension, index points.
    cell : PrintedCell

    Returns
    -------
    ndarray, shape (draws,)
    """
    values = scores[:, cell.city]
    if cell.score != HIGH:
        return values
    return np.where(values >= scores.max(axis=1), HIGH, values)


def rivals(cell: PrintedCell, cities: Cities) -> dict[str, float]:
    """Return what each naive rule predicts for a cell, index points."""
    region = np.array([REGIONS[cities.area_names[a]] for a in cities.area_of_city])
    same = (region == region[cell.city]) & (np.arange(len(cities)) != cell.city)
    others = [
        c.score
        for c in scored_cells()
        if c.dimension == cell.dimension and c.city != cell.city and c.score is not None
    ]
    return {
        "composite": float(cities.composite[cell.city]),
        "regional mean": float(cities.composite[same].mean()),
        "printed mean": float(np.mean(others)) if others else float(cities.composite[cell.city]),
    }


def summary(errors: Array) -> dict[str, float]:
    """Return mean absolute and root mean square error, index points."""
    return {
        "mean_absolute_error": round(float(np.abs(errors).mean()), 2),
        "root_mean_square_error": round(float(np.sqrt((errors**2).mean())), 2),
    }


def judge(predictions: list[Prediction], cells: list[PrintedCell]) -> dict[str, Any]:
    """Return errors of all predictors, and how often the intervals hold the truth."""
    cities = load_cities()
    truth = np.array([p.truth for p in predictions])
    naive = [rivals(cell, cities) for cell in cells]
    report: dict[str, Any] = {
        "cells": len(predictions),
        "reconstruction": summary(np.array([p.median for p in predictions]) - truth),
    }
    for name in naive[0]:
        report[name] = summary(np.array([row[name] for row in naive]) - truth)
    for at, level in enumerate(LEVELS):
        held = [p.intervals[at][0] <= p.truth <= p.intervals[at][1] for p in predictions]
        width = np.mean([p.intervals[at][1] - p.intervals[at][0] for p in predictions])
        report[f"coverage_{level:.0%}"] = {
            "held": int(sum(held)),
            "of": len(held),
            "mean_width": round(float(width), 2),
        }
    report["predictions"] = [
        {
            "city": p.city,
            "dimension": p.dimension,
            "truth": p.truth,
            "median": round(p.median, 2),
            **{
                f"interval_{level:.0%}": [round(bound, 2) for bound in span]
                for level, span in zip(LEVELS, p.intervals, strict=True)
            },
            **{name: round(value, 2) for name, value in row.items()},
        }
        for p, row in zip(predictions, naive, strict=True)
    ]
    return report


def main(ways: list[str]) -> None:
    """Hide every printed score in turn, and record how well it was predicted.

    Parameters
    ----------
    ways : list of str
        Those of ``WAYS`` to do; empty: all.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    tasks = [
        (cell, way)
        for way in ways or WAYS
        for cell in scored_cells()
        if way != RANK_KNOWN or cell.score != HIGH
    ]
    done: dict[int, Prediction] = {}
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        jobs = {pool.submit(predict, *task): at for at, task in enumerate(tasks)}
        for job in as_completed(jobs):
            done[jobs[job]] = job.result()
            sys.stderr.write(f"{len(done)} of {len(tasks)}\n")
    for way in ways or WAYS:
        chosen = [at for at, task in enumerate(tasks) if task[1] == way]
        report = judge([done[at] for at in chosen], [tasks[at][0] for at in chosen])
        record(f"leave_one_out, {way}", report)


if __name__ == "__main__":
    main(sys.argv[1:])
