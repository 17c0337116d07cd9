"""The numbers of a scenario's policies that can be moved, read off the typed models of the levers.

Whatever number a lever has is a dial, with the bounds, unit and description that its model states;
a new lever needs nothing here. Selections of places and people are no dials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sim.lever_parts import ObstacleAdditions, Points
from sim.scenario import Scenario

NOT_MAGNITUDES = ("places", "people", "origins")
MOST_AGENTS = 2_000_000
"""Agents that a run from the page may have: about a gigabyte of memory."""

LEAST_REACH = {"factor": 2.0, "index points": 5.0, "years": 5.0}
"""How far a slider reaches at least, by unit; 1 for the others."""

Step = str | int


@dataclass(frozen=True)
class Dial:
    """One number of an intervention.

    Attributes
    ----------
    key : str
        Path in the scenario with dots: ``interventions.0.points.social_welfare``.
    policy : str
        Name of the intervention.
    label : str
        What it is called on the page.
    value : float
        Value in the scenario's file.
    low, high : float
        Bounds of the lever's model.
    slide : (float, float, float)
        Lowest and highest value and step of the slider, a useful part of the bounds.
    unit, description : str
    whole : bool
        Whether it is a whole number.
    given : bool
        Whether the file states it; else it is at its default.
    """

    key: str
    policy: str
    label: str
    value: float
    low: float
    high: float
    slide: tuple[float, float, float]
    unit: str
    description: str
    whole: bool
    given: bool


def dials(scenario: Scenario) -> list[Dial]:
    """Return all dials of a scenario, intervention by intervention."""
    found: list[Dial] = []
    for position, lever in enumerate(scenario.interventions):
        mine = [
            _dial(lever.name, path, value, info, given, scenario)
            for path, value, info, given in _numbers(lever, ("interventions", position))
        ]
        found += sorted(mine, key=lambda dial: (not dial.given, ".schedule." in dial.key))
    return found


def turned(
    scenario: Scenario, values: Mapping[str, float], settings: Mapping[str, Any]
) -> Scenario:
    """Return a scenario with its dials turned and its settings changed, checked as a file would be.

    Parameters
    ----------
    scenario : Scenario
        As its file has it.
    values : mapping of str to float
        By the dials' keys; those of no dial of the scenario are an error.
    settings : mapping
        ``agents``, ``years`` and ``seed``, where they differ.

    Returns
    -------
    Scenario
        Its name ends in ``-changed`` if a dial is not at the file's value.

    Raises
    ------
    UserError
        If a value is out of bounds, or the policies no longer do anything.
    """
    known = {dial.key: dial for dial in dials(scenario)}
    moved = {key: value for key, value in values.items() if value != known[key].value}
    paths = {"agents": "population.agents", "years": "horizon.years", "seed": "seed"}
    changes: dict[str, Any] = {paths[name]: value for name, value in settings.items()}
    if moved:
        document = scenario.model_dump(mode="json")
        for key, value in moved.items():
            _put(document, key, _exact(value, known[key].whole))
        changes |= {"interventions": document["interventions"], "name": _renamed(scenario.name)}
    return scenario.with_changes(changes)


def _renamed(name: str) -> str:
    return f"{name[:56]}-changed"


def _exact(value: float, whole: bool) -> float:
    return int(value) if whole and float(value).is_integer() else value


def _put(document: Any, key: str, value: float) -> None:
    *path, last = key.split(".")
    for step in path:
        if isinstance(document, list):
            document = document[int(step)]
        else:
            document = document.setdefault(step, {})
    document[last] = value


def _numbers(
    model: BaseModel, path: tuple[Step, ...], *, within: bool = False
) -> Iterator[tuple[tuple[Step, ...], float, FieldInfo, bool]]:
    """Yield path, value, field and whether it is given, for the numbers of a model and its parts.

    Of a lever itself and of its tables of points and additions the numbers left at their defaults
    come too; of its other parts only those given.
    """
    written = model.model_dump(mode="json")
    for name, info in type(model).model_fields.items():
        value, here = getattr(model, name), (*path, name)
        if name in NOT_MAGNITUDES:
            continue
        if isinstance(value, BaseModel):
            tables = (Points, ObstacleAdditions)
            yield from _numbers(value, here, within=not isinstance(value, tables))
        elif isinstance(value, tuple):
            for k, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _numbers(item, (*here, k), within=True)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            bounded = _bounds(info) is not None
            if bounded and (name in written or not within):
                yield here, value, info, name in written


def _bounds(info: FieldInfo) -> tuple[float, float] | None:
    low = next((m.ge for m in info.metadata if hasattr(m, "ge")), None)
    high = next((m.le for m in info.metadata if hasattr(m, "le")), None)
    return None if low is None or high is None else (float(low), float(high))


def _dial(
    policy: str,
    path: tuple[Step, ...],
    value: float,
    info: FieldInfo,
    given: bool,
    scenario: Scenario,
) -> Dial:
    bounds = _bounds(info)
    assert bounds is not None
    extra = info.json_schema_extra
    unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
    whole = isinstance(value, int) and "int" in str(info.annotation)
    horizon = scenario.horizon
    if unit == "calendar year":
        slide = (min(horizon.start + 1.0, value), max(float(horizon.end), value), 1.0)
    else:
        far = max(2 * abs(value), LEAST_REACH.get(unit, 1.0))
        slide = reach(far, *bounds, whole=whole)
    return Dial(
        key=".".join(map(str, path)),
        policy=policy,
        label=_label(path[2:]),
        value=value,
        low=bounds[0],
        high=bounds[1],
        slide=slide,
        unit=unit,
        description=info.description or "",
        whole=whole,
        given=given,
    )


def _label(path: tuple[Step, ...]) -> str:
    """Return what a number is called: ``points: social welfare``, ``changes 2: range``."""
    words = [str(step + 1) if isinstance(step, int) else step.replace("_", " ") for step in path]
    head = " ".join(words[:-1])
    return f"{head}: {words[-1]}" if head else words[-1]


def reach(far: float, low: float, high: float, *, whole: bool) -> tuple[float, float, float]:
    """Return lowest value, highest value and step of a slider for a number with wide bounds.

    Parameters
    ----------
    far : float
        How far from zero it shall reach at least; it goes to the next round number.
    low, high : float
        Bounds of the number.
    whole : bool
        Whether the number is whole.

    Examples
    --------
    >>> reach(1.2, 0.0, 10.0, whole=False)
    (0.0, 2.0, 0.01)
    >>> reach(200000.0, 0.0, 1e8, whole=False)
    (0.0, 200000.0, 1000.0)
    >>> reach(5, -50.0, 50.0, whole=True)
    (-5.0, 5.0, 1.0)
    """
    far = _round_up(far)
    step = float(math.ceil(far / 200)) if whole else _round_up(far / 200)
    bottom = max(low, -far)
    return math.ceil(bottom / step - 1e-9) * step, min(high, far), step


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten."""
    scale = 10.0 ** math.floor(math.log10(value))
    return next(n * scale for n in (1, 2, 5, 10) if n * scale >= value * (1 - 1e-9))
