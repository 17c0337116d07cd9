"""Moves of the composite formula: weights, slope and intercept go, and the scores give way.

Measure: the scores that remain free in each city, the weights on the simplex, slope and intercept.
The 120 equations turn the density of the scores into one of the free coordinates with the factor
slope^(C-2) prod_i 1/(w.h_i), where h_i is the direction along which city i gives way: C raw values
become slope, intercept and C - 2 published composites (the first and the last, 100 and 50, only
define the scale).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from calibration.landscape_rules import DIMS, Rules, allowed
from calibration.landscape_sampler import SHRINKS, Density, Lines, State
from sim.landscape import HIGH, LOW

Array = npt.NDArray[np.float64]

MIDDLE = 70.0  # lines pivot near the middle of the composites


@njit(cache=True)
def shifts(
    x: Array, density: Density, targets: Array, h: Array, formula: Array, out: Array
) -> float:
    """Write how far each city goes along h to meet its composite under another formula.

    Returns the sum of log(w.h_i) over the cities, h_i being h on the free cells. ``formula`` holds
    the six weights, slope and intercept.
    """
    volume = 0.0
    for i in range(len(targets)):
        along, raw = 0.0, 0.0
        for k in range(DIMS):
            raw += formula[k] * x[k, i]
            if density.free[k, i]:
                along += formula[k] * h[k]
        out[i] = (formula[6] * targets[i] + formula[7] - raw) / along
        volume += np.log(along)
    return volume


@njit(cache=True)
def _formula_density(
    x: Array, density: Density, targets: Array, h: Array, formula: Array, shift: Array
) -> float:
    """Return the log density of a formula, the scores and alpha carried along h.

    Each city goes by its own shift, alpha by the mean shift: given the coordinates across h, this
    is a change of the formula alone.
    """
    if formula[6] <= 0.0:
        return -np.inf
    total = (len(targets) - 2) * np.log(formula[6])
    for k in range(DIMS):
        if formula[k] <= 0.0:
            return -np.inf
        total += (density.concentration[k] - 1.0) * np.log(formula[k])
    total -= shifts(x, density, targets, h, formula, shift)
    common = shift.mean()
    for k in range(DIMS):
        away = density.level[k] + h[k] * common - density.level_prior[0, k]
        total -= 0.5 * (away / density.level_prior[1, k]) ** 2
    e = np.empty(DIMS)
    for i in range(len(targets)):
        for k in range(DIMS):
            moved = x[k, i]
            if density.free[k, i]:
                moved += h[k] * shift[i]
                if moved < LOW or moved > HIGH:
                    return -np.inf
            e[k] = moved - density.mean[k, i] - h[k] * common
        for k in range(DIMS):
            f = 0.0
            for m in range(DIMS):
                f += density.precision[k, m] * e[m]
            total -= 0.5 * e[k] * f
    return total


@njit(cache=True)
def carry(x: Array, density: Density, h: Array, shift: Array) -> Array:
    """Return the scores, shifted along h."""
    moved = x.copy()
    for i in range(x.shape[1]):
        for k in range(DIMS):
            if density.free[k, i]:
                moved[k, i] += h[k] * shift[i]
    return moved


@njit(cache=True)
def move_formula(
    state: State,
    density: Density,
    rules: Rules,
    lines: Lines,
    targets: Array,
    order: Any,
    rng: Any,
) -> bool:
    """Move weights, slope and intercept along a random line, the scores giving way."""
    x, w, scale = state.x, state.w, state.scale
    h, dw = np.empty(DIMS), np.empty(DIMS)
    for k in range(DIMS):
        h[k] = np.exp(2.0 * rng.standard_normal())
        dw[k] = rng.standard_normal()
    if rng.random() < 0.6:  # few statements hold innovation and public life in place
        h[1] *= 20.0
        h[5] *= 20.0
    dw -= dw.mean()
    if rng.random() < 0.3:
        dw[:] = 0.0
    line = np.empty(8)
    line[:6] = dw
    line[6] = (dw * lines.tilt[0]).sum() + 0.05 * rng.standard_normal()
    line[7] = (dw * (lines.tilt[1] + MIDDLE * lines.tilt[0])).sum() - MIDDLE * line[6]
    line[7] += 3.0 * rng.standard_normal()
    reach = lines.reach * np.exp(-3.0 * rng.random())
    here = np.concatenate((w, scale))
    shift = np.empty(len(targets))
    level = _formula_density(x, density, targets, h, here, shift) + np.log(1.0 - rng.random())
    low = -reach * rng.random()
    high = low + reach
    for _ in range(SHRINKS):
        t = low + (high - low) * rng.random()
        there = here + t * line
        if _formula_density(x, density, targets, h, there, shift) >= level:
            moved = carry(x, density, h, shift)
            fine = True
            for k in range(DIMS):
                if not allowed(rules, k, moved[k], order):
                    fine = False
                    break
            if fine:
                x[:] = moved
                w[:] = there[:6] / there[:6].sum()
                scale[:] = there[6:]
                for k in range(DIMS):
                    density.level[k] += h[k] * shift.mean()
                    density.mean[k] += h[k] * shift.mean()
                return True
        if t < 0.0:
            low = t
        else:
            high = t
    return False
