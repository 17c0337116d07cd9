"""The kinds of picture there are, by name; light to import, for help and messages.

A kind names its plotting function as ``module:function`` and imports it when it is drawn. What can
be drawn besides runs, such as comparisons, is a :class:`Subject` of its own in ``SUBJECTS``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of picture.

    Attributes
    ----------
    function : str
        ``module:function``; it takes a run (a list of runs if ``several``) and options, and
        returns the Axes.
    about : str
        What it shows, for lists, help and alternative texts.
    takes_cities : bool
        Whether it can single out cities (its option ``cities``).
    options : tuple
        Names and values of options that make this kind out of the function.
    several : bool
        Whether it shows several runs on one picture.
    a_city : bool
        Whether it shows one city (its option ``city``), so that each city gets its own picture.
    """

    function: str
    about: str
    takes_cities: bool = False
    options: tuple[tuple[str, Any], ...] = ()
    several: bool = False
    a_city: bool = False

    @property
    def draw(self) -> Callable[..., Any]:
        """The plotting function."""
        return load(self.function)


@dataclass(frozen=True)
class Subject:
    """Something on disk that pictures and a report can be made of.

    Attributes
    ----------
    noun : str
        What it is called in messages.
    recognises : callable
        Whether a path holds such a thing.
    read : callable
        Reads it; raises UserError where it is damaged.
    kinds : mapping
        The kinds of picture of it, by name.
    report : str
        ``module:function(path, out)`` that writes its report and returns the file; empty if none.
    """

    noun: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path], Any]
    kinds: Mapping[str, Kind]
    report: str = ""


_GAIN, _MAP = "analysis.net_gain:plot_net_gain", "analysis.flow_map:plot_flow_map"
_RANKS, _FAN = "analysis.ranks:plot_rank_change", "analysis.fans:plot_fan"

KINDS: dict[str, Kind] = {
    "net-gain": Kind(_GAIN, "largest net gains and losses, persons", True, several=True),
    "net-gain-rate": Kind(
        _GAIN,
        "largest net gains and losses per 100",
        True,
        (("unit", "per_100"),),
        several=True,
    ),
    "net-gain-map": Kind(
        "analysis.net_gain:plot_net_gain_map", "net gain and loss on a world map", True
    ),
    "flow-map": Kind(_MAP, "largest flows between cities on a world map", True),
    "flow-map-international": Kind(
        _MAP,
        "largest flows between countries on a world map",
        True,
        (("scope", "international"),),
    ),
    "chord": Kind("analysis.chord:plot_chord", "flows between parts of the world in a circle"),
    "alluvial": Kind(
        "analysis.alluvial:plot_alluvial", "flows from part to part of the world, by field"
    ),
    "heatmap": Kind(
        "analysis.heatmap:plot_heatmap", "origin-destination matrix, ordered by clusters", True
    ),
    "heatmap-regions": Kind(
        "analysis.heatmap:plot_heatmap",
        "origin-destination matrix, ordered by parts of the world",
        True,
        (("order", "regions"),),
    ),
    "city": Kind(
        "analysis.city_picture:plot_city",
        "who comes to a city, who leaves it, and for where",
        a_city=True,
    ),
    "ranks": Kind(_RANKS, "rank by composite over the years", True),
    "stock-ranks": Kind(
        _RANKS, "rank by talent stock over the years", True, (("measure", "stock"),)
    ),
    "stock-fan": Kind(
        _FAN, "talent stocks over the years, with their range over runs", True, several=True
    ),
    "flow-fan": Kind(
        _FAN,
        "yearly net gains over the years, with their range over runs",
        True,
        (("measure", "net"),),
        several=True,
    ),
    "ages": Kind(
        "analysis.ages:plot_age_profile", "moves by age beside the Rogers-Castro schedule"
    ),
    "stickiness": Kind(
        "analysis.stickiness:plot_stickiness",
        "simulated stickiness beside the published index",
        True,
    ),
    "mobility": Kind(
        "analysis.mobility_plot:plot_mobility", "share of talent that moves each year"
    ),
    "distance": Kind(
        "analysis.distance:plot_distance_decay", "how much cities exchange at each distance"
    ),
}
"""Pictures of a run."""

SUBJECTS: list[str] = [
    "analysis.pictures:RUN",
    "analysis.compare_plots:COMPARISON",
    "analysis.compare_plots:SWEEP",
    "analysis.sensitivity_plot:SENSITIVITY",
]
"""``module:name`` of each Subject; the first that recognises a path is taken."""


def load(place: str) -> Any:
    """Import what ``module:name`` names."""
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


def subject_of(path: Path) -> Subject:
    """Return what a path holds; a run where nothing is recognised, whose reader then says why.

    Parameters
    ----------
    path : Path
        What the user named.

    Returns
    -------
    Subject
        The first of ``SUBJECTS`` that recognises it.
    """
    subjects: list[Subject] = [load(place) for place in SUBJECTS]
    return next((subject for subject in subjects if subject.recognises(path)), subjects[0])
