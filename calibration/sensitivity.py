"""Sensitivity of headline results to parameters and structure: Morris and Sobol' (SALib)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from calibration.free import Box, to_parameters
from calibration.moments import Moments
from sim.errors import UserError
from sim.parameters import Parameters
from sim.run_folder import whole_file

Progress = Callable[[int, int, str], None]
SWITCHES = ("gate", "loss_aversion", "size", "home", "conationals", "colleagues", "nest", "visa")
"""Terms of the model that are turned on (0.5 and above) and off as factors of their own."""
RESULTS = (
    "stickiness_spearman",
    "international_rate",
    "domestic_rate_us",
    "return_share",
    "distance_elasticity",
    "cn_graduates_stay_us",
)
METHODS = ("morris", "sobol")
LEVELS = 4


class Problem:
    """The factors: free parameters over the 90 % interval of their priors, and switches.

    Parameters
    ----------
    box : Box, optional
    switches : tuple of str
    """

    def __init__(self, box: Box | None = None, switches: tuple[str, ...] = SWITCHES) -> None:
        self.box = box or Box()
        self.switches = switches
        self.names = [*self.box.paths, *(f"switches.{name}" for name in switches)]
        low = np.maximum(self.box.low, self.box.mean - 1.645 * self.box.spread)
        high = np.minimum(self.box.high, self.box.mean + 1.645 * self.box.spread)
        bounds = [[float(a), float(b)] for a, b in zip(low, high, strict=True)]
        self.definition = {
            "num_vars": len(self.names),
            "names": self.names,
            "bounds": bounds + [[0.0, 1.0]] * len(switches),
        }

    def parameters(self, point: np.ndarray) -> Parameters:
        """Return the parameters at a point of the factors."""
        number = len(self.box.free)
        data = to_parameters(
            dict(zip(self.box.paths, point[:number], strict=True)), self.box.base
        ).model_dump()
        for name, value in zip(self.switches, point[number:], strict=True):
            data["switches"][name] = bool(value >= 0.5)
        return Parameters.model_validate(data)


def points(problem: Problem, method: str, size: int, seed: int) -> np.ndarray:
    """Return the design: ``size`` Morris trajectories, or a Saltelli sample of ``size``.

    Returns
    -------
    (n, k) array
        ``size (k + 1)`` rows for morris, ``size (k + 2)`` for sobol.
    """
    if method == "morris":
        from SALib.sample import morris

        return morris.sample(problem.definition, size, num_levels=LEVELS, seed=seed)
    from SALib.sample import sobol

    return sobol.sample(problem.definition, size, calc_second_order=False, seed=seed)


def evaluate(
    moments: Moments,
    problem: Problem,
    design: np.ndarray,
    state: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    every: int = 50,
) -> np.ndarray:
    """Return the results at each point of the design, (n, results); resumable.

    Raises
    ------
    UserError
        If the state belongs to another design.
    """
    outputs = np.full((len(design), len(RESULTS)), np.nan)
    done = 0
    if resume and state is not None and state.exists():
        try:
            with np.load(state, allow_pickle=False) as kept:
                before, former = kept["design"], kept["outputs"]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"{state}: not a whole state ({error}); run without --resume") from None
        if before.shape != design.shape or not np.array_equal(before, design):
            raise UserError(f"{state}: belongs to another design; run without --resume")
        outputs, done = former, int(np.isfinite(former[:, 0]).sum())
    for k in range(done, len(design)):
        if progress is not None:
            progress(k, len(design), "evaluating the operator")
        found = moments(problem.parameters(design[k]))
        outputs[k] = [found[name] for name in RESULTS]
        if state is not None and (k + 1) % every == 0:
            with whole_file(state) as draft, draft.open("wb") as file:
                np.savez(file, design=design, outputs=outputs)
    return outputs


def analyse(
    problem: Problem, method: str, design: np.ndarray, outputs: np.ndarray, seed: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return indices with 95 % intervals, by result and factor.

    Returns
    -------
    dict
        morris: mu_star (mean absolute elementary effect), mu_star_ci, sigma; sobol: first, total
        and their intervals. Results that do not vary are left out.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for column, result in enumerate(RESULTS):
        y = outputs[:, column]
        if not np.all(np.isfinite(y)) or np.ptp(y) == 0:
            continue
        if method == "morris":
            from SALib.analyze import morris

            s: Any = morris.analyze(problem.definition, design, y, num_levels=LEVELS, seed=seed)
            keys = {"mu_star": "mu_star", "mu_star_ci": "mu_star_conf", "sigma": "sigma"}
        else:
            from SALib.analyze import sobol

            s = sobol.analyze(problem.definition, y, calc_second_order=False, seed=seed)
            keys = {"first": "S1", "first_ci": "S1_conf", "total": "ST", "total_ci": "ST_conf"}
        found[result] = {
            name: {ours: float(s[theirs][k]) for ours, theirs in keys.items()}
            for k, name in enumerate(problem.names)
        }
    return found
