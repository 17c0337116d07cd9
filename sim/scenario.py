"""Scenarios: what a run simulates, read from YAML and checked strictly.

A scenario file says only what differs. It extends ``baseline`` unless it says otherwise
(``extends: other``, a path beside the file, or ``extends: null`` to stand on the built-in defaults
alone): mappings merge key by key, lists and single values are replaced. ``name``, ``title``,
``description`` and ``citation`` are never inherited.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from sim import documents
from sim.documents import Node, Place
from sim.errors import UserError
from sim.explain import explain
from sim.intervention_checks import check_interventions
from sim.levers import Intervention
from sim.parameters import Parameters
from sim.scenario_files import DEFAULT_BASE, change, locate, read_chain, shipped
from sim.selectors import Strict, as_tuple
from sim.sweep import Sweep

__all__ = [
    "Horizon",
    "LandscapeDraw",
    "Population",
    "Scenario",
    "json_schema",
    "load_scenario",
    "load_with",
    "shipped",
]

MAX_AGENTS = 50_000_000


def _landscape_kind(value: Any) -> str | None:
    if isinstance(value, dict | LandscapeDraw):
        return "draw"
    return "word" if value in ("centre", "ensemble") else None


class Population(Strict):
    """How many agents stand for the talent of the 120 cities."""

    agents: int = Field(
        default=1_000_000,
        ge=0,
        le=MAX_AGENTS,
        description="Number of agents; each stands for the same number of persons.",
        json_schema_extra={"unit": "agents"},
    )


class Horizon(Strict):
    """The years that a run covers."""

    start: int = Field(
        default=2024,
        ge=1900,
        le=2200,
        description="Calendar year of the landscape; flows begin in the year after.",
        json_schema_extra={"unit": "calendar year"},
    )
    years: int = Field(
        default=20,
        ge=1,
        le=200,
        description="Number of years simulated.",
        json_schema_extra={"unit": "years"},
    )

    @property
    def end(self) -> int:
        """The last calendar year simulated."""
        return self.start + self.years


class LandscapeDraw(Strict):
    """One draw of the reconstruction ensemble in place of its centre."""

    draw: int = Field(
        ge=0,
        le=1_000_000,
        description="Number of the draw, from 0.",
        json_schema_extra={"unit": "index of the draw"},
    )


Landscape = Annotated[
    Annotated[Literal["centre", "ensemble"], Tag("word")] | Annotated[LandscapeDraw, Tag("draw")],
    Discriminator(
        _landscape_kind,
        custom_error_type="landscape",
        custom_error_message="must be 'centre', 'ensemble' or a mapping 'draw: NUMBER'",
    ),
]


class Scenario(Strict):
    """Everything that decides a run's results, checked and with all defaults filled in.

    Two scenarios that are equal give byte-identical tables on one machine.
    """

    name: str = Field(
        default="scenario",
        pattern=r"^\w[\w.-]{0,63}$",
        description="Short name: letters, digits, '-', '_' and '.'. A file's default is its stem.",
    )
    title: str = Field(
        default="", max_length=200, description="One line saying what the scenario is."
    )
    description: str = Field(
        default="",
        max_length=20_000,
        description="What is assumed and what to look at in the results.",
    )
    citation: Annotated[
        tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | list[str])
    ] = Field(default=(), description="Sources of the scenario's figures: one text or a list.")
    seed: int = Field(
        default=1,
        ge=0,
        lt=2**63,
        description="Seed of every random draw.",
        json_schema_extra={"unit": "-"},
    )
    population: Population = Population()
    horizon: Horizon = Horizon()
    landscape: Landscape = Field(
        default="centre",
        description="Scores that the cities start with: the reconstruction's centre, its whole "
        "ensemble (for comparisons), or one of its draws.",
    )
    parameters: Parameters = Field(
        default=Parameters(), description="The model's parameters, by group."
    )
    interventions: tuple[Intervention, ...] = Field(
        default=(), description="Policies and shocks; their order does not matter."
    )
    sweep: Sweep | None = Field(
        default=None, description="Numbers that 'talentflow sweep' runs over; a run ignores it."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Scenario:
        check_interventions(self)
        return self

    def with_changes(self, changes: Mapping[str, Any]) -> Scenario:
        """Return a copy with changes laid over it, checked as a file would be.

        Parameters
        ----------
        changes : mapping
            As the overrides of :func:`load_scenario`.

        Raises
        ------
        UserError
            If a change is wrong.

        Examples
        --------
        >>> load_scenario("baseline").with_changes({"seed": 7}).seed
        7
        """
        document = documents.from_plain(self.model_dump(mode="json"), Place(self.name))
        for path, value in changes.items():
            document = documents.merge(document, change("override", path, value))
        return _validated(document)

    def resolved_yaml(self) -> str:
        """Return the whole scenario as YAML that loads back to an equal scenario.

        Returns
        -------
        str
            Deterministic text; it extends nothing, so later changes of defaults do not touch it.
        """
        data = self.model_dump(mode="json")
        head = {"name": data.pop("name"), "extends": None}
        return documents.dump(head | data)

    def digest(self) -> str:
        """Return the SHA-256 of :meth:`resolved_yaml` in hexadecimal digits."""
        return hashlib.sha256(self.resolved_yaml().encode()).hexdigest()


class ScenarioFile(Scenario):
    """A scenario as it is written in a file: every key may be left out."""

    extends: str | None = Field(
        default=DEFAULT_BASE,
        description="Scenario that this one changes: a shipped name, a path beside the file, or "
        "null for the built-in defaults.",
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of scenario files, for editors to complete and check.

    Returns
    -------
    dict
        Fields carry ``description``, ranges, and where known ``unit`` and ``source``.
    """
    schema = ScenarioFile.model_json_schema()
    return (
        {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        | schema
        | {"title": "talentflow scenario"}
    )


def load_scenario(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Load a scenario, with everything that it extends, and check it.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        A shipped name (see :func:`shipped`) or the path of a YAML file.
    overrides : mapping, optional
        Values laid over the file: nested mappings, or dotted paths such as
        ``{"population.agents": 20_000, "preference.beta": 0.5}``. A path that starts with a group
        of parameters may leave ``parameters.`` out.

    Returns
    -------
    Scenario
        Frozen, with all defaults filled in.

    Raises
    ------
    UserError
        If the file, anything that it extends, or an override is wrong: one line with file, line,
        path in the document and the mend.

    Examples
    --------
    >>> load_scenario("baseline", {"population.agents": 1000}).population.agents
    1000
    """
    changes = [("override", path, value) for path, value in (overrides or {}).items()]
    return load_with(name_or_path, changes)


def load_with(name_or_path: str | Path, changes: Sequence[tuple[str, str, Any]]) -> Scenario:
    """Load a scenario and lay changes over it, each of them (label, dotted path, value).

    The label says in messages where the value came from, such as ``--seed``. A fault of the file is
    told even if a change would cover it. See :func:`load_scenario`.
    """
    document = read_chain(locate(str(name_or_path)))
    if changes:
        _validated(document)
    for label, path, value in changes:
        document = documents.merge(document, change(label, path, value))
    return _validated(document)


def _validated(document: Node) -> Scenario:
    for path, node in document.walk():
        if isinstance(node.value, float) and not abs(node.value) < float("inf"):
            raise UserError(
                f"{node.place}: {documents.path_text(path)}: is not a finite number; "
                "give a number within the range that 'talentflow schema' states"
            )
    try:
        return Scenario.model_validate_json(_json(document), strict=True)
    except ValidationError as error:
        raise explain(error, document, Scenario) from None


def _json(document: Node) -> str:
    try:
        return json.dumps(document.plain(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"{document.place}: holds what YAML cannot say ({error})") from None
