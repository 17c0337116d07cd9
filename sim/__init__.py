"""Talentflow's simulator: cities, agents, the yearly kernel, scenarios and results.

``import sim as tf`` and then ``tf.load("baseline")``, ``tf.read_run(folder)``,
``tf.read_comparison(folder)``, ``tf.read_sweep(folder)`` or ``tf.read_ensemble(folder)``: they are
imported when they are used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.api import Study as Study
    from sim.api import load as load
    from sim.comparison_folder import read_comparison as read_comparison
    from sim.ensemble import read_ensemble as read_ensemble
    from sim.errors import UserError as UserError
    from sim.results import read_run as read_run
    from sim.sweep_run import read_sweep as read_sweep

_LAZY = {
    "Study": "sim.api",
    "UserError": "sim.errors",
    "load": "sim.api",
    "read_comparison": "sim.comparison_folder",
    "read_ensemble": "sim.ensemble",
    "read_run": "sim.results",
    "read_sweep": "sim.sweep_run",
}
__all__ = [
    "Study",
    "UserError",
    "load",
    "read_comparison",
    "read_ensemble",
    "read_run",
    "read_sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
