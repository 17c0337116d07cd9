"""How well the chains of the reconstruction have mixed, and where what is measured is kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from calibration.landscape_chain import Trace
from calibration.landscape_quality import evaluation_path
from sim.cities import DIMENSIONS
from sim.run_folder import whole_file

Array = npt.NDArray[np.float64]


def record(part: str, report: dict[str, Any]) -> None:
    """Put one part of the evaluation into its file, atomically; the other parts stay."""
    path = evaluation_path()
    whole = json.loads(path.read_text("utf-8")) if path.exists() else {}
    whole[part] = report
    with whole_file(path) as draft:
        draft.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n", "utf-8")


def mixing(traces: list[Trace]) -> dict[str, Any]:
    """Return convergence over the chains of every cell that is not given, and of the formula.

    R-hat is rank-normalised, on split chains; effective sample sizes are bulk (Vehtari et al. 2021,
    Bayesian Analysis 16, 667-718), by ArviZ.

    Parameters
    ----------
    traces : list of Trace
        Of equal length.

    Returns
    -------
    dict
        ``chains``, ``points`` (kept, of all chains); ``rhat_max``, ``rhat_p95``, ``ess_min``,
        ``ess_median`` over the cells; the same for the formula; the worst cell of each dimension.
    """
    cells = np.array([t.scores for t in traces])
    formula = np.array([np.concatenate([t.weights, t.scale], axis=1) for t in traces])
    free = cells.std(axis=(0, 1)) > 1e-9
    rhat = np.full(free.shape, np.nan)
    ess = np.full(free.shape, np.nan)
    rhat[free], ess[free] = _converged(cells[:, :, free])
    formula_rhat, formula_ess = _converged(formula)
    return {
        "chains": len(traces),
        "points": int(cells.shape[0] * cells.shape[1]),
        "free_cells": int(free.sum()),
        "rhat_max": round(float(np.nanmax(rhat)), 4),
        "rhat_p95": round(float(np.nanquantile(rhat, 0.95)), 4),
        "ess_min": round(float(np.nanmin(ess))),
        "ess_median": round(float(np.nanmedian(ess))),
        "formula_rhat_max": round(float(formula_rhat.max()), 4),
        "formula_ess_min": round(float(formula_ess.min())),
        "rhat_max_by_dimension": {
            name: round(float(np.nanmax(rhat[:, k])), 4) for k, name in enumerate(DIMENSIONS)
        },
    }


def _converged(values: Array) -> tuple[Array, Array]:
    """Return R-hat and bulk effective sample size; chains and points are the first two axes."""
    from arviz_stats.base import array_stats

    rhat = [array_stats.rhat(values[:, :, k], 0, 1) for k in range(values.shape[2])]
    ess = [array_stats.ess(values[:, :, k], 0, 1) for k in range(values.shape[2])]
    return np.array(rhat, float), np.array(ess, float)
