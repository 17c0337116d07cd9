"""Sweeps: a family of scenarios that differ in a few numbers, and how they are laid out.

Most magnitudes in policy are unpublished; a sweep shows what hangs on them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field, model_validator

from sim.errors import UserError, did_you_mean
from sim.measures import MEASURES
from sim.parameters import Parameters
from sim.selectors import Strict, as_tuple

if TYPE_CHECKING:
    from sim.scenario import Scenario

MAX_POINTS = 1000
_FORMER = ("seed", "horizon", "population", "landscape", "name")


def _numbers(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Range = Annotated[tuple[float, ...], BeforeValidator(_numbers, json_schema_input_type=list[float])]


class Sweep(Strict):
    """A family of scenarios over ranges of numbers, each paired with the base."""

    design: Literal["grid", "latin_hypercube"] = Field(
        default="grid",
        description="grid: all combinations; latin_hypercube: points spread over all ranges at "
        "once (McKay, Beckman and Conover 1979).",
    )
    points: int = Field(
        default=5,
        ge=2,
        le=MAX_POINTS,
        description="Points a range in a grid; points in all in a Latin hypercube.",
        json_schema_extra={"unit": "points"},
    )
    over: dict[str, Range] = Field(
        min_length=1,
        description="By path, such as 'parameters.obstacles.visa' or 'interventions.NAME.factor': "
        "the lowest and the highest value, or in a grid three values or more that are taken "
        "as they are.",
    )
    seeds: int = Field(
        default=5,
        ge=2,
        le=1000,
        description="Pairs of runs a point.",
        json_schema_extra={"unit": "seeds"},
    )
    measure: str = Field(default="stock", description=f"One of {', '.join(MEASURES)}.")
    cities: Annotated[
        tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | list[str])
    ] = Field(default=(), description="Cities to draw; default: where the response is largest.")
    against: str | None = Field(
        default=None,
        description="Scenario that each point is compared with: a shipped name or a path beside "
        "the file. Null is this scenario at its own values. With a scenario, paths under "
        "'parameters' are changed in both.",
    )

    @model_validator(mode="after")
    def _laid_out(self) -> Sweep:
        for path, values in self.over.items():
            if len(values) < 2 or (len(values) > 2 and self.design != "grid"):
                raise ValueError(f"over: {path}: needs the lowest and the highest value")
            if len(values) == 2 and not values[0] < values[1]:
                raise ValueError(f"over: {path}: the lowest value must be below the highest")
            if len(set(values)) < len(values):
                raise ValueError(f"over: {path}: names a value twice; name each once")
        if self.size > MAX_POINTS:
            raise ValueError(f"points: makes {self.size} points; {MAX_POINTS} are the most")
        if self.measure not in MEASURES:
            near = did_you_mean(self.measure, MEASURES)
            raise ValueError(f"measure: there is no measure '{self.measure}'{near}")
        return self

    @property
    def size(self) -> int:
        """How many points there are."""
        if self.design == "latin_hypercube":
            return self.points
        size = 1
        for values in self.over.values():
            size *= self.points if len(values) == 2 else len(values)
        return size


def lay_out(sweep: Sweep, seed: int) -> np.ndarray:
    """Return the points of a sweep.

    Parameters
    ----------
    sweep : Sweep
    seed : int
        For the Latin hypercube; the same seed gives the same points.

    Returns
    -------
    (points, paths) float64 array
        In a grid the last path runs fastest. In a Latin hypercube each path takes one value in
        each of ``points`` equal parts of its range.
    """
    if sweep.design == "grid":
        axes = [
            np.linspace(values[0], values[1], sweep.points) if len(values) == 2 else values
            for values in sweep.over.values()
        ]
        return np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    rng = np.random.default_rng(seed)
    shape = sweep.points, len(sweep.over)
    order = np.stack([rng.permutation(sweep.points) for _ in range(shape[1])], axis=1)
    unit = (order + rng.random(shape)) / sweep.points
    bounds = np.array(list(sweep.over.values()))
    return bounds[:, 0] + unit * (bounds[:, 1] - bounds[:, 0])


def steps_of(path: str) -> list[str]:
    """Split a path such as ``interventions[0].factor`` or ``obstacles.visa`` into its steps.

    Raises
    ------
    UserError
        If it is no path.
    """
    steps = re.sub(r"\[(\d+)\]", r".\1", path).split(".")
    if not all(steps):
        raise UserError(f"{path!r} is no path; write it as 'group.name'")
    return ["parameters", *steps] if steps[0] in Parameters.model_fields else steps


def about_world(path: str) -> bool:
    """Return whether a path describes the world rather than a policy."""
    return steps_of(path)[0] == "parameters"


def value_at(scenario: Scenario, path: str) -> float | None:
    """Return the number at a path of a scenario; None where it is left open.

    Raises
    ------
    UserError
        If the path leads nowhere or to no number.
    """
    found: float | None = _follow(scenario, steps_of(path), path)[0]
    return found


def at_point(scenario: Scenario, values: Mapping[str, float]) -> Scenario:
    """Return a scenario with numbers put at paths.

    Parameters
    ----------
    scenario : Scenario
    values : mapping of str to float
        By path. In lists a step is a position, or the ``name`` of an entry. Where the scenario
        holds a whole number, the value is rounded to one.

    Raises
    ------
    UserError
        If a path leads nowhere or to no number, or a value is not allowed there.
    """
    plain = scenario.model_dump(mode="json")
    changed = {}
    for path, value in values.items():
        steps = steps_of(path)
        if steps[0] in _FORMER or steps[0] == "sweep":
            raise UserError(f"{path}: is the same in all runs and cannot be swept")
        found, keys = _follow(scenario, steps, path)
        whole = isinstance(found, int)
        node: Any = plain
        for key, after in pairwise(keys):
            if not isinstance(node, list) and key not in node:  # left out, at its default
                node[key] = {} if isinstance(after, str) else []
            node = node[key]
        node[keys[-1]] = round(value) if whole else float(value)
        changed[steps[0]] = plain[steps[0]]
    try:
        return scenario.with_changes(changed)
    except UserError as error:
        where = ", ".join(f"{path} = {value:.6g}" for path, value in values.items())
        raise UserError(f"at {where}: {error}") from None


def _follow(scenario: Scenario, steps: list[str], path: str) -> tuple[Any, list[str | int]]:
    """Return the number at a path and the keys that lead to it."""
    node: Any = scenario
    keys: list[str | int] = []
    for step in steps:
        if isinstance(node, BaseModel):
            known = list(type(node).model_fields)
            found = step in known
            value = getattr(node, step, None)
        elif isinstance(node, tuple):
            names = [getattr(item, "name", None) for item in node]
            place = int(step) if step.isdigit() else names.index(step) if step in names else -1
            known = [name for name in names if name] or [str(k) for k in range(len(node))]
            found = 0 <= place < len(node)
            value = node[place] if found else None
        else:
            known, found, value = [], False, None
        if not found:
            at = ".".join(map(str, keys)) or "a scenario"
            near = did_you_mean(step, known) or (f"; known: {', '.join(known)}" if known else "")
            raise UserError(f"{path}: there is no '{step}' in {at}{near}")
        keys.append(place if isinstance(node, tuple) else step)
        node = value
    if node is not None and (isinstance(node, bool) or not isinstance(node, int | float)):
        raise UserError(f"{path}: leads to no number; name a single number")
    return node, keys
