"""Measures and pictures of talentflow runs.

Every picture is a function ``plot_…(run, *, ax=None, …)`` that draws on the given Matplotlib Axes,
or on a figure of its own in the size of a journal's column, and returns the Axes. The names below
are imported when they are first used, for Matplotlib and pandas take a while to load.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "plot_age_profile": "analysis.ages",
    "plot_alluvial": "analysis.alluvial",
    "plot_chord": "analysis.chord",
    "plot_city": "analysis.city_picture",
    "plot_distance_decay": "analysis.distance",
    "plot_fan": "analysis.fans",
    "plot_flow_map": "analysis.flow_map",
    "plot_heatmap": "analysis.heatmap",
    "plot_mobility": "analysis.mobility_plot",
    "plot_net_gain": "analysis.net_gain",
    "plot_net_gain_map": "analysis.net_gain",
    "plot_rank_change": "analysis.ranks",
    "plot_stickiness": "analysis.stickiness",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import a picture's function on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'analysis' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """List the names that can be imported."""
    return sorted([*globals(), *_HOME])
