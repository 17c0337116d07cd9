"""Rebuild the ensemble of landscapes: ``python -m calibration.reconstruct``.

Four chains from starts of their own are run, in as many processes as there are cores; what they
keep is rounded to steps of 0.0001, checked against every statement of the report, and written to
``sim/data/landscape.npz`` with the ensemble's centre. How the chains agree goes to
``sim/data/landscape_evaluation.json``. With the same seed and machine the file is the same, bit for
bit. It needs the extra ``build``.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.constraints import Constraint, check
from calibration.landscape_chain import Setup, Trace, run_chain
from calibration.landscape_diagnostics import mixing, record
from calibration.landscape_start import find_start
from calibration.statements import printed_cells, statements
from sim.cities import load_cities
from sim.landscape import STEP, Landscape, landscape_path
from sim.run_folder import whole_file

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

SEED = 2024
CHAINS = 4
WARMUP, SWEEPS, EVERY = 3_000, 30_000, 10
DRAWS = 240


def sample(seed: int = SEED, *, warmup: int = WARMUP, sweeps: int = SWEEPS) -> list[Trace]:
    """Run the chains and return their traces."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with ProcessPoolExecutor(max_workers=min(CHAINS, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(_chain, CHAINS * seed + k, warmup, sweeps) for k in range(CHAINS)]
        return [job.result() for job in jobs]


def _chain(seed: int, warmup: int, sweeps: int) -> Trace:
    return run_chain(Setup.of(), seed, warmup=warmup, sweeps=sweeps, every=EVERY)


def landscape_of(steps: Ints, weights: Array) -> Landscape:
    """Return a landscape of scores in steps of ``STEP``."""
    scores = np.round(steps * STEP, 4)
    return Landscape.build(cities=load_cities().names, scores=scores, weights=weights)


def thin(traces: list[Trace], rules: list[Constraint], draws: int) -> tuple[Ints, Array]:
    """Pick draws evenly along each chain; a draw that rounding would spoil gives way to the next.

    Returns
    -------
    (int32 array, shape (draws, C, 6), float64 array, shape (draws, 6))
        Scores in steps of ``STEP``, and weights.

    Raises
    ------
    RuntimeError
        If too few points of a chain survive rounding.
    """
    steps: list[Ints] = []
    weights: list[Array] = []
    each = draws // len(traces)
    for trace in traces:
        gap = len(trace.scores) // each
        for first in range(0, each * gap, gap):
            for at in range(first, first + gap):
                rounded = np.rint(trace.scores[at] / STEP).astype(np.int32)
                if bool(
                    (
                        check(rules, [landscape_of(rounded, trace.weights[at])])["satisfied"] == 1
                    ).all()
                ):
                    steps.append(rounded)
                    weights.append(trace.weights[at])
                    break
            else:
                raise RuntimeError("a stretch of a chain has no draw that survives rounding")
    return np.array(steps), np.array(weights)


def centre(
    setup: Setup, steps: Ints, weights: Array, rules: list[Constraint]
) -> tuple[Ints, Array]:
    """Return the matrix that meets everything and is nearest to the ensemble's mean.

    Nearest by the sum of absolute departures, with the ensemble's mean weights.
    """
    mean_weights = weights.mean(axis=0)
    mean = np.round(steps * STEP, 4).mean(axis=0)
    start = find_start(setup.rules, setup.targets, mean, mean_weights)
    rounded = np.rint(start.scores / STEP).astype(np.int32)
    table = check(rules, [landscape_of(rounded, mean_weights)])
    broken = table.loc[table["satisfied"] < 1, "constraint"].tolist()
    if broken:
        raise RuntimeError(f"the centre breaks: {'; '.join(broken)}")
    return rounded, mean_weights


def published() -> npt.NDArray[np.bool_]:
    """Return which cells the report prints, bool (C, 6)."""
    mask = np.zeros((len(load_cities()), 6), bool)
    for cell in printed_cells():
        if cell.score is not None:
            mask[cell.city, cell.dimension] = True
    return mask


def write(path: Path, bundle: dict[str, Any]) -> None:
    """Write the shipped file atomically; equal content gives equal bytes."""
    with whole_file(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **bundle)


def main(seed: int = SEED) -> None:
    """Rebuild and write the ensemble, and what is to be said of its mixing."""
    say = sys.stderr.write
    say(f"{CHAINS} chains of {WARMUP + SWEEPS} rounds: some minutes\n")
    traces = sample(seed)
    rules = statements()
    steps, weights = thin(traces, rules, DRAWS)
    centre_steps, centre_weights = centre(Setup.of(), steps, weights, rules)
    bundle = {
        "centre": centre_steps,
        "centre_weights": centre_weights,
        "draws": steps,
        "weights": weights,
        "published": published(),
        "cities": np.array(load_cities().names),
    }
    write(landscape_path(), bundle)
    report = mixing(traces)
    record("mixing", report | {"seed": seed, "warmup": WARMUP, "rounds": SWEEPS, "kept": DRAWS})
    say(f"wrote {landscape_path().name}: {len(steps)} draws; greatest R-hat {report['rhat_max']}\n")


if __name__ == "__main__":
    main()
