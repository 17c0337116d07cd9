"""Ensembles: the file that says what is run, and the runs that follow from it.

An ensemble crosses scenarios with draws of the parameters' posterior, draws of the landscape and
seeds. Every scenario meets the same draws and seeds, so that scenarios can be compared run by run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, field_validator

from sim import documents
from sim.compare import named
from sim.documents import Node
from sim.errors import UserError, did_you_mean
from sim.explain import explain
from sim.measures import MEASURES
from sim.posterior import lay_over, read_posterior
from sim.results import version
from sim.scenario import MAX_AGENTS, LandscapeDraw, Scenario, load_with
from sim.scenario_files import change, locate, shipped
from sim.selectors import Strict, as_tuple

MAX_RUNS = 200_000
NONE = -1
Change = tuple[str, str, Any]


class Seeds(Strict):
    """Which seeds every scenario is run with."""

    number: int = Field(
        default=20,
        ge=1,
        le=MAX_RUNS,
        description="Number of seeds.",
        json_schema_extra={"unit": "seeds"},
    )
    first: int = Field(
        default=1, ge=0, lt=2**62, description="The first of them; the others follow it."
    )


class PosteriorDraws(Strict):
    """Draws of the model's parameters."""

    file: str = Field(
        min_length=1,
        description="What 'talentflow calibrate --posterior FILE.npz' wrote; beside this file.",
    )
    draws: int | None = Field(
        default=None,
        ge=1,
        le=MAX_RUNS,
        description="How many, spread evenly over the file; null for all.",
        json_schema_extra={"unit": "draws"},
    )


def _seeds(value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return {"number": value} if whole else value


def _landscape_kind(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, int) and not isinstance(value, bool):
        return "number"
    return "word" if value == "ensemble" else None


_Draw = Annotated[int, Field(ge=0, le=1_000_000)]
Landscapes = Annotated[
    Annotated[Literal["ensemble"], Tag("word")]
    | Annotated[Annotated[int, Field(ge=1, le=1_000_000)], Tag("number")]
    | Annotated[
        Annotated[tuple[_Draw, ...], Field(min_length=1), BeforeValidator(as_tuple)], Tag("list")
    ],
    Discriminator(
        _landscape_kind,
        custom_error_type="landscapes",
        custom_error_message="must be a number of draws, a list of draws or 'ensemble' for all",
    ),
]
Texts = Annotated[
    tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | list[str])
]


class Ensemble(Strict):
    """What an ensemble's file says."""

    title: str = Field(default="", max_length=200, description="One line saying what it is for.")
    scenarios: Texts = Field(
        min_length=1,
        max_length=1000,
        description="Shipped names, or paths beside the file; the others are compared with the "
        "first.",
    )
    seeds: Annotated[Seeds, BeforeValidator(_seeds, json_schema_input_type=int | Seeds)] = Field(
        default=Seeds(), description="A number of seeds, or 'number' and 'first'."
    )
    landscapes: Landscapes | None = Field(
        default=None,
        description="Draws of the reconstruction ensemble: a number of them, spread evenly; a list "
        "of them; or 'ensemble' for all. Null: each scenario's own landscape.",
    )
    posterior: PosteriorDraws | None = Field(
        default=None, description="Draws of the parameters; null: each scenario's own parameters."
    )
    agents: int | None = Field(
        default=None,
        ge=0,
        le=MAX_AGENTS,
        description="Agents of every run; null: each scenario's own number.",
        json_schema_extra={"unit": "agents"},
    )
    years: int | None = Field(
        default=None,
        ge=1,
        le=200,
        description="Years of every run; null: each scenario's own.",
        json_schema_extra={"unit": "years"},
    )
    measures: Texts = Field(
        default=tuple(MEASURES), min_length=1, description="Measures that the tables hold."
    )

    @field_validator("measures")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for measure in value:
            if measure not in MEASURES:
                near = did_you_mean(measure, MEASURES) or f"; known: {', '.join(MEASURES)}"
                raise ValueError(f"there is no measure {documents.shown(measure)}{near}")
        return tuple(name for name in MEASURES if name in value)

    @field_validator("landscapes")
    @classmethod
    def _drawn(cls, value: Any) -> Any:
        from sim.landscape import n_draws

        most = n_draws()
        if isinstance(value, int) and value > most:
            raise ValueError(f"the landscape has {most} draws, fewer than {value}")
        if isinstance(value, tuple):
            if len(set(value)) < len(value):
                raise ValueError("names a draw twice; name each once")
            if max(value) >= most:
                raise ValueError(f"the draws are 0 to {most - 1}, so there is no {max(value)}")
        return value


@dataclass(frozen=True)
class Task:
    """One run of an ensemble.

    Attributes
    ----------
    name : str
        The scenario's name in the ensemble.
    world : Scenario
        With the run's landscape and parameters, and any seed.
    posterior, landscape : int
        Draws, by their numbers in the posterior file and in the landscape's ensemble; −1: none.
    seed : int
    """

    name: str
    world: Scenario
    posterior: int
    landscape: int
    seed: int

    @property
    def scenario(self) -> Scenario:
        """What is simulated."""
        return self.world.model_copy(update={"seed": self.seed})

    def __str__(self) -> str:
        parts = [f"{self.name}, seed {self.seed}"]
        parts += [f"landscape {self.landscape}"] if self.landscape != NONE else []
        parts += [f"posterior {self.posterior}"] if self.posterior != NONE else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Plan:
    """All runs of an ensemble, in the order of its tables.

    Attributes
    ----------
    name : str
        The file's stem.
    ensemble : Ensemble
    scenarios : dict of str to Scenario
        By name, without seeds and draws.
    posterior : dict of int to dict
        The values by path of the posterior draws that are used.
    shape : tuple of int
        Numbers of posterior draws, landscapes and seeds; each scenario has their product of runs.
    tasks : tuple of Task
        By scenario, posterior draw, landscape and seed, the last changing fastest.
    keys : tuple of str
        Of each task: a digest of all that decides its results and its place in the ensemble.
    """

    name: str
    ensemble: Ensemble
    scenarios: dict[str, Scenario]
    posterior: dict[int, dict[str, float]]
    shape: tuple[int, int, int]
    tasks: tuple[Task, ...]
    keys: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hash of everything that decides the ensemble's tables."""
        parts = [*self.keys, *self.ensemble.measures]
        return _digest("\n".join(parts))


def load_plan(file: str | Path, changes: Sequence[Change] = ()) -> Plan:
    """Read an ensemble's file and lay out its runs.

    Parameters
    ----------
    file : str or pathlib.Path
        A YAML file; see :class:`Ensemble`.
    changes : sequence of (label, key, value)
        Laid over the file; the label says where the value comes from, such as ``--agents``.

    Raises
    ------
    UserError
        If the file, a scenario or the posterior is wrong: one line with file, line and the mend.
    """
    document = documents.read(Path(file))
    if changes:  # a fault of the file is told even if an option would cover it
        _validated(document)
    for label, path, value in changes:
        document = documents.merge(document, change(label, path, value))
    ensemble = _validated(document)
    stem = re.sub(r"[^\w.-]+", "-", Path(file).stem).strip(".-")[:64] or "ensemble"
    return plan(stem, ensemble, *_parts(document, ensemble))


def _validated(document: Node) -> Ensemble:
    try:
        return Ensemble.model_validate_json(json.dumps(document.plain()), strict=True)
    except ValidationError as error:
        raise explain(error, document, Ensemble) from None


def _parts(document: Node, ensemble: Ensemble) -> tuple[list[Scenario], list[dict[str, float]]]:
    """Load the scenarios and the posterior that a file names, looking beside it."""
    node = document.value["scenarios"]
    entries = node.value if isinstance(node.value, list) else [node]
    values = (("agents", "population.agents"), ("years", "horizon.years"))
    changes = [
        (str(document.value[key].place), path, getattr(ensemble, key))
        for key, path in values
        if getattr(ensemble, key) is not None
    ]
    folder = Path(node.place.source).parent
    loaded = []
    for k, entry in enumerate(entries):
        beside = folder / entry.value
        try:
            own = entry.value not in shipped() and "\0" not in entry.value
            path = beside if own and os.path.isfile(beside) else locate(entry.value)
        except UserError as error:
            raise UserError(f"{entry.place}: scenarios[{k}]: {error}") from None
        loaded.append(load_with(path if os.path.isfile(path) else beside, changes))
    draws = read_posterior(folder / ensemble.posterior.file) if ensemble.posterior else []
    return loaded, draws


def plan(
    name: str,
    ensemble: Ensemble,
    scenarios: Sequence[Scenario],
    posterior: Sequence[dict[str, float]] = (),
) -> Plan:
    """Lay out the runs of an ensemble.

    Parameters
    ----------
    name : str
    ensemble : Ensemble
    scenarios : sequence of Scenario
        In the order of the file.
    posterior : sequence of dict
        All draws of its posterior file.

    Raises
    ------
    UserError
        If there are too many runs, or the scenarios do not fit the rest or one another.
    """
    by_name = {scenarios[0].name: scenarios[0]} | named(scenarios[1:], scenarios[0])
    thetas = _spread(ensemble.posterior.draws, len(posterior)) if ensemble.posterior else [NONE]
    draws = _draws(ensemble.landscapes)
    seeds = range(ensemble.seeds.first, ensemble.seeds.first + ensemble.seeds.number)
    number = len(by_name) * len(thetas) * len(draws) * len(seeds)
    if number > MAX_RUNS:
        raise UserError(f"{name}: makes {number:,} runs; {MAX_RUNS:,} are the most")
    _fit(by_name, draws)
    first = scenarios[0]
    release = version()
    tasks, keys = [], []
    for label, scenario in by_name.items():
        for theta in thetas:
            world = scenario.model_copy(update={"sweep": None, "seed": 0})
            if theta != NONE:
                world = world.with_changes(lay_over(scenario, first, posterior[theta]))
            for draw in draws:
                if draw != NONE:
                    world = world.model_copy(update={"landscape": LandscapeDraw(draw=draw)})
                own = world.landscape.draw if isinstance(world.landscape, LandscapeDraw) else NONE
                text = "\n".join([release, label, str(theta), world.model_dump_json()])
                tasks += [Task(label, world, theta, own, seed) for seed in seeds]
                keys += [_digest(f"{seed}\n{text}")[:32] for seed in seeds]
    return Plan(
        name,
        ensemble,
        by_name,
        {theta: posterior[theta] for theta in thetas if theta != NONE},
        (len(thetas), len(draws), len(seeds)),
        tuple(tasks),
        tuple(keys),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _draws(landscapes: Any) -> list[int]:
    from sim.landscape import n_draws

    if landscapes is None:
        return [NONE]
    if isinstance(landscapes, tuple):
        return list(landscapes)
    return _spread(landscapes if isinstance(landscapes, int) else None, n_draws())


def _spread(number: int | None, total: int) -> list[int]:
    """Return ``number`` draws spread evenly over ``total``; all where there are no more."""
    number = total if number is None else min(number, total)
    return [k * total // number for k in range(number)]


def _fit(by_name: dict[str, Scenario], draws: Sequence[int]) -> None:
    first_name, first = next(iter(by_name.items()))
    for name, scenario in by_name.items():
        if draws == [NONE] and scenario.landscape == "ensemble":
            raise UserError(
                f"{name}: runs over the ensemble of landscapes; say in the ensemble's file which, "
                "by 'landscapes: ensemble' or a number of draws"
            )
        if scenario.horizon != first.horizon:
            raise UserError(
                f"{name} covers other years than {first_name}; give both the same 'horizon', or "
                "'years' in the ensemble's file"
            )
