"""One chain of the reconstruction: from a start of its own to kept scores and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from calibration.constraints import Constraint
from calibration.landscape_formula import carry, move_formula, shifts
from calibration.landscape_model import Model, Parameters
from calibration.landscape_rules import DIMS, Rules, allowed, compile_rules
from calibration.landscape_sampler import (
    Density,
    Lines,
    State,
    move_city,
    move_exchange,
    move_group,
    move_level,
)
from calibration.landscape_start import NoStartError, find_start
from calibration.statements import composite_targets, implied_cells, statements

Array = npt.NDArray[np.float64]

STARTS = 200  # tries at a start
JITTER = 3.0  # index points, standard deviation by which starts are strewn
REACH = 0.3  # first width of a slice along a line of the composite formula

Progress = Callable[[int, int], None]


class Trace(NamedTuple):
    """What a chain kept, K points.

    Attributes
    ----------
    scores : float64 array, shape (K, C, 6)
    weights : float64 array, shape (K, 6)
    scale : float64 array, shape (K, 2)
        Slope and intercept of the weighted mean on the composite.
    """

    scores: Array
    weights: Array
    scale: Array


@dataclass(frozen=True)
class Setup:
    """What all chains share: the rules, the composites and the statistical model."""

    rules: Rules
    targets: Array
    model: Model

    @classmethod
    def of(
        cls,
        constraints: Iterable[Constraint] | None = None,
        implied: dict[tuple[int, int], float] | None = None,
        model: Model | None = None,
    ) -> Setup:
        """Return the setup of the 120 cities; by default with all that is printed of them."""
        targets = composite_targets()
        rules = compile_rules(
            statements() if constraints is None else constraints,
            targets,
            implied_cells() if implied is None else implied,
        )
        return cls(rules, targets, model or Model.of())


def run_chain(
    setup: Setup,
    seed: int,
    *,
    warmup: int,
    sweeps: int,
    every: int,
    progress: Progress | None = None,
) -> Trace:
    """Sample scores, weights and the model's parameters together.

    Parameters
    ----------
    setup : Setup
    seed : int
        Of the chain; on one machine the same seed gives the same trace, bit for bit.
    warmup, sweeps : int
        Rounds of all moves that are thrown away, and that follow.
    every : int
        One round in so many is kept.
    progress : callable, optional
        ``progress(done, total)``, now and then.

    Returns
    -------
    Trace
        ``sweeps // every`` points.

    Raises
    ------
    NoStartError
        If no matrix was found that meets all constraints.
    """
    rng = np.random.default_rng([0x7A1E, seed])
    state, q = _start(setup, rng)
    free = ~np.isfinite(setup.rules.fixed.T)
    lines = _lines(setup, state)
    kept = Trace(*(np.empty((sweeps // every, *shape)) for shape in _shapes(state)))
    total = warmup + sweeps
    for done in range(total):
        setup.model.update(state.x.T, q, rng)
        sweep(state, _density(setup, q, free), setup.rules, lines, setup.targets, rng)
        place, rest = divmod(done + 1 - warmup, every)
        if place > 0 and rest == 0:
            kept.scores[place - 1] = state.x.T
            kept.weights[place - 1] = state.w
            kept.scale[place - 1] = state.scale
        if progress is not None and (done + 1) % 100 == 0:
            progress(done + 1, total)
    return kept


def _shapes(state: State) -> tuple[tuple[int, ...], ...]:
    return state.x.T.shape, state.w.shape, state.scale.shape


def _start(setup: Setup, rng: np.random.Generator) -> tuple[State, Parameters]:
    """Draw parameters, weights and wished scores until a matrix that meets everything is near."""
    model, order = setup.model, np.empty(20, np.int64)
    for _ in range(STARTS):
        q = model.initial(rng)
        weights = rng.dirichlet(np.full(DIMS, 10.0))
        wished = model.mean(q) + JITTER * rng.standard_normal((len(setup.targets), DIMS))
        try:
            found = find_start(setup.rules, setup.targets, np.clip(wished, 51.0, 99.0), weights)
        except NoStartError:
            continue
        x = np.ascontiguousarray(found.scores.T)
        if all(allowed(setup.rules, k, x[k], order) for k in range(DIMS)):
            return State(x, found.weights.copy(), np.array([found.slope, found.intercept])), q
    raise NoStartError(f"no start in {STARTS} tries: do the constraints contradict each other?")


def _lines(setup: Setup, state: State) -> Lines:
    regions = [setup.model.region_of == g for g in range(setup.model.region_of.max() + 1)]
    everyone = np.ones(len(setup.targets), bool)
    tilt = np.array([np.polyfit(setup.targets, row, 1) for row in state.x]).T
    return Lines(np.array([*regions, everyone]), np.ascontiguousarray(tilt), REACH)


def _density(setup: Setup, q: Parameters, free: npt.NDArray[np.bool_]) -> Density:
    prior = setup.model.prior
    return Density(
        mean=np.ascontiguousarray(setup.model.mean(q).T),
        precision=np.asarray(np.linalg.inv(q.sigma), float),
        concentration=np.full(DIMS, prior.concentration),
        free=free,
        level=q.fixed[0],
        level_prior=np.array([prior.level, prior.level_sd]),
    )


@njit(cache=True)
def sweep(
    state: State, density: Density, rules: Rules, lines: Lines, targets: Array, rng: Any
) -> npt.NDArray[np.int64]:
    """Do one round of every kind of move.

    Parameters
    ----------
    state : State
        A point that meets all constraints; changed in place.
    density : Density
    rules : Rules
    lines : Lines
    targets : float64 array, shape (C,)
        Composites.
    rng : numpy.random.Generator

    Returns
    -------
    int64 array, shape (5, 2)
        Tried and done: trades in a city, trades in a group, exchanges, moves of the formula,
        moves of the level.
    """
    order = np.empty(20, np.int64)
    done = np.zeros((5, 2), np.int64)
    n = len(targets)
    for i in range(n):
        for _ in range(5):
            k, m = int(rng.random() * DIMS), int(rng.random() * DIMS)
            if k == m or not (density.free[k, i] and density.free[m, i]):
                continue
            done[0, 0] += 1
            done[0, 1] += move_city(state, density, rules, i, k, m, order, rng)
    for _ in range(60):
        k, m = int(rng.random() * DIMS), int(rng.random() * DIMS)
        if k == m:
            continue
        group = lines.groups[int(rng.random() * len(lines.groups))]
        done[1, 0] += 1
        done[1, 1] += move_group(state, density, rules, group, k, m, order, rng)
        done[4, 0] += 1
        done[4, 1] += move_level(state, density, rules, k, m, order, rng)
    for k in range(DIMS):
        for turn in range(40):
            done[2, 0] += 1
            depth = 30 if turn % 2 else 60
            done[2, 1] += move_exchange(state, density, rules, k, depth, order, rng)
    for _ in range(80):
        done[3, 0] += 1
        done[3, 1] += move_formula(state, density, rules, lines, targets, order, rng)
    shift = np.empty(n)  # takes out rounding that has gathered
    ones = np.ones(DIMS)
    shifts(state.x, density, targets, ones, np.concatenate((state.w, state.scale)), shift)
    state.x[:] = carry(state.x, density, ones, shift)
    return done
