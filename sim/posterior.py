"""Draws of the parameters' posterior: read, and laid over scenarios that are compared."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sim.errors import UserError
from sim.scenario import Scenario
from sim.sweep import value_at

MAX_DRAWS = 100_000


def read_posterior(path: str | Path) -> list[dict[str, float]]:
    """Read the draws that ``talentflow calibrate --posterior FILE.npz`` writes.

    Parameters
    ----------
    path : str or pathlib.Path
        Holds ``paths`` (p,), such as ``preference.beta``, and ``draws`` (n, p).

    Returns
    -------
    list of dict
        One mapping of paths to values a draw.

    Raises
    ------
    UserError
        If the file cannot be read or holds something else.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            paths, draws = [str(name) for name in file["paths"]], np.asarray(file["draws"], float)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or "not such a file"
        raise UserError(
            f"{path}: cannot be read as draws of a posterior ({reason}); give the file that "
            "'talentflow calibrate --posterior FILE.npz' wrote"
        ) from None
    fits = draws.ndim == 2 and draws.shape[1] == len(paths) and 0 < len(draws) <= MAX_DRAWS
    if not fits or not np.isfinite(draws).all():
        raise UserError(f"{path}: does not hold a finite value of each parameter in each draw")
    return [dict(zip(paths, map(float, row), strict=True)) for row in draws]


def lay_over(scenario: Scenario, base: Scenario, draw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that put a draw into a scenario that is compared with a base.

    Where the scenario's value is not the base's, it is the policy's own and stays.

    Parameters
    ----------
    scenario, base : Scenario
    draw : mapping
        Values by dotted path.

    Raises
    ------
    UserError
        If a path leads to no number.
    """
    return {
        path: value
        for path, value in draw.items()
        if value_at(scenario, path) == value_at(base, path)
    }
