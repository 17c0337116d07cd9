"""Calibration: the parameters at which the expected-flow operator meets the targets best.

Maximum a posteriori by bounded nonlinear least squares (SciPy's trust-region reflective method)
from several starts: residuals are (simulated - target) / spread over the targets marked ``fit``,
and (value - prior mean) / prior spread over the parameters. The first start is the prior's centre,
the others are draws of the prior. After each start the state is written, so that an interrupted
calibration resumes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from calibration.flows_table import FlowTable
from calibration.free import Box
from calibration.moments import Moments
from calibration.scores import cpc_share
from calibration.targets import Target, load_targets, table
from calibration.validate import balanced_flows
from sim.errors import UserError
from sim.parameters import Parameters
from sim.run_folder import whole_file

Progress = Callable[[int, int, str], None]
Say = Callable[[str], None]
ROUNDS = 8
"""Corrections of the sizes of places in each evaluation of real flows."""
STEP = 0.02
"""Step of finite differences in the unit cube: above the jitter that sampled homes cause."""


@dataclass
class Start:
    """One start of the optimiser: where it began, where it ended, and its cost there."""

    begun: list[float]
    ended: list[float]
    cost: float
    evaluations: int


@dataclass
class State:
    """What an interrupted calibration needs to go on."""

    key: dict[str, Any]
    starts: list[Start] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write, whole or not at all."""
        with whole_file(path) as draft:
            draft.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, path: Path, key: dict[str, Any]) -> State:
        """Take up a state.

        Raises
        ------
        UserError
            If it is no whole state, or belongs to other settings.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            starts = [Start(**start) for start in data["starts"]]
            found = data["key"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}: not a whole state of a calibration ({error}); run without --resume"
            ) from None
        if found != json.loads(json.dumps(key)):
            raise UserError(
                f"{path}: belongs to a calibration with other settings; run without --resume"
            )
        return cls(key, starts)


@dataclass(frozen=True, eq=False)
class Fit:
    """A finished calibration.

    Attributes
    ----------
    parameters : Parameters
    unit : (p,) array
        The point in the unit cube.
    cost : float
        Half the sum of squared residuals, targets and priors.
    simulated : dict of str to float
        Every moment there.
    starts : list of Start
    """

    parameters: Parameters
    unit: np.ndarray
    cost: float
    simulated: dict[str, float]
    starts: list[Start]


class FlowMoment:
    """Moments with one more: the common part of commuters with a table of real flows.

    Parameters
    ----------
    moments : Moments
    table : FlowTable
        Flows that only the user has; how many people each place holds is solved for so that the
        turnover agrees, as for ``agent_balanced`` of `calibration.validate`.
    """

    def __init__(self, moments: Moments, table: FlowTable) -> None:
        self.twin, self.cities, self.moments = moments.twin, moments.cities, moments
        self.table = table

    def __call__(self, parameters: Parameters) -> dict[str, float]:
        """Return every moment and ``flows_cpc``."""
        return self.with_cities(parameters)[0]

    def with_cities(self, parameters: Parameters) -> tuple[dict[str, float], np.ndarray]:
        """Return every moment and stickiness by city."""
        found, sticky = self.moments.with_cities(parameters)
        flows = balanced_flows(
            self.twin.stage,
            self.table.level,
            self.table.places,
            self.table.flows,
            parameters,
            rounds=ROUNDS,
            per_city=min(self.twin.per_city, 64),
        )
        return found | {FLOWS_CPC.name: cpc_share(flows, self.table.flows)}, sticky


FLOWS_CPC = Target(
    "flows_cpc",
    0.84,
    0.01,
    "share",
    "fit",
    "bilateral",
    "derived",
    "the table given with --flows",
    "common part of commuters of shares; 0.84 is the agreement of two bibliographic sources",
)


class Objective:
    """Residuals of targets and priors at a point of the unit cube.

    Parameters
    ----------
    moments : callable
        Moments by name, from parameters.
    box : Box
    targets : tuple of Target
        All; only those marked ``fit`` count.
    """

    def __init__(
        self,
        moments: Callable[[Parameters], dict[str, float]],
        box: Box,
        targets: tuple[Target, ...],
    ) -> None:
        self.moments = moments
        self.box = box
        self.targets = tuple(target for target in targets if target.use == "fit")
        self.evaluations = 0

    def residuals(self, unit: np.ndarray) -> np.ndarray:
        """Return the residuals, in spreads: targets first, then priors."""
        self.evaluations += 1
        simulated = self.moments(self.box.parameters(unit))
        of_targets = [target.residual(simulated[target.name]) for target in self.targets]
        return np.concatenate([of_targets, self.box.prior_residuals(unit)])


def calibrate(
    moments: Moments | FlowMoment,
    *,
    box: Box | None = None,
    targets: tuple[Target, ...] | None = None,
    starts: int = 6,
    seed: int = 1,
    steps: int = 12,
    state_file: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    say: Say = lambda line: None,
) -> Fit:
    """Find the parameters that meet the targets best.

    Parameters
    ----------
    moments : Moments
        The operator.
    box : Box, optional
        Free parameters; the project's by default.
    targets : tuple of Target, optional
        The project's by default.
    starts : int
        Starts of the optimiser.
    seed : int
        Seed of the starts.
    steps : int
        Most steps of a start.
    state_file : pathlib.Path, optional
        Where the state is kept.
    resume : bool
        Whether to go on from the state.
    progress : callable, optional
        Called as ``progress(done, total, message)``.
    say : callable
        Takes lines for the user.

    Returns
    -------
    Fit

    Raises
    ------
    UserError
        If the state to resume from is none or of other settings.
    """
    from scipy.optimize import least_squares

    box, targets = box or Box(), targets or load_targets()
    begin = np.vstack([box.unit(box.mean)[None, :], box.draw(max(starts - 1, 0), seed)])[:starts]
    key = {
        "seed": seed,
        "steps": steps,
        "free": [asdict(f) for f in box.free],
        "targets": [asdict(target) for target in targets],
        "per_city": moments.twin.per_city,
        "base": box.base.model_dump(mode="json"),
    }
    state = State(key)
    if resume and state_file is not None:
        if state_file.exists():
            state = State.read(state_file, key)
        done = min(len(state.starts), starts)
        say(
            f"resuming with {done} of {starts} starts"
            if done
            else "there are no finished starts to resume from; all are run"
        )
    for number in range(len(state.starts), starts):
        if progress is not None:
            progress(number, starts, f"start {number + 1} of {starts}")
        objective = Objective(moments, box, targets)
        found = least_squares(
            objective.residuals,
            np.clip(begin[number], 0.01, 0.99),
            bounds=(0.0, 1.0),
            diff_step=STEP,
            max_nfev=steps,
            xtol=1e-4,
            ftol=1e-4,
        )
        state.starts.append(
            Start(
                begin[number].tolist(), found.x.tolist(), float(found.cost), objective.evaluations
            )
        )
        if state_file is not None:
            state.write(state_file)
    if progress is not None:
        progress(starts, starts, "done")
    best = min(state.starts[:starts], key=lambda start: start.cost)
    unit = np.array(best.ended)
    parameters = box.parameters(unit)
    return Fit(parameters, unit, best.cost, moments(parameters), state.starts[:starts])


def document(
    fit: Fit,
    box: Box,
    moments: Moments | FlowMoment,
    seed: int,
    targets: tuple[Target, ...] | None = None,
) -> dict[str, Any]:
    """Return the calibrated parameters with their provenance, as plain values."""
    values = box.values(fit.unit)
    years = moments.table.years if isinstance(moments, FlowMoment) else ()
    span = f"{years[0]}-{years[-1]}" if years else "unknown"
    tabled = isinstance(moments, FlowMoment)
    command = f"talentflow calibrate --starts {len(fit.starts)} --seed {seed}"
    command += f" --per-city {moments.twin.per_city}" + (" --flows FILE.csv" if tabled else "")
    return {
        "parameters": {path: round(float(v), 4) for path, v in zip(box.paths, values, strict=True)},
        "priors": {f.path: [f.mean, f.spread] for f in box.free},
        "bounds": {f.path: [f.low, f.high] for f in box.free},
        "cost": round(fit.cost, 4),
        "costs_of_starts": [round(start.cost, 4) for start in fit.starts],
        "provenance": {
            "method": "maximum a posteriori through the expected-flow operator; multi-start "
            "trust-region least squares (scipy.optimize.least_squares)",
            "command": command,
            "targets": "calibration/data/targets.csv",
            "flows": "A. Akbaritabar, T. Theile, E. Zagheni (2023), MPIDR WP-2023-018, OpenAlex, "
            "CC BY 4.0: coefficients measured on 2005-2011 enter by the targets"
            + (f"; so does the table given, years {span}" if tabled else ""),
        },
        "targets": [
            {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
            for row in table(fit.simulated, targets)
        ],
    }
