"""The agent model beside its rivals on a table of real flows.

The agent model is run on the population that the table is about: each place's people are given the
place's *size* (by default half of its arrivals and departures in the training table; the same
sizes that every rival is given), divided over its cities as talent is. One number, the total of
the training table, sets its scale. It has no constant for any place or pair.

``agent_balanced`` differs in one thing: how many people each place holds is not taken to be its
turnover but solved for, so that the model's arrivals and departures together agree with the
training table's. That is one number a place, which says nothing of direction;
``gravity_balanced`` is the rival that knows as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.flows_table import Columns, FlowTable, Level, read_flows
from calibration.rivals import RIVALS, Places
from calibration.scores import all_scores, off_diagonal
from calibration.sizes import read_sizes
from calibration.twin import PER_CITY, Stage, Twin, collect
from sim.cities import Cities
from sim.errors import UserError
from sim.parameters import Parameters

AGENT = "agent"
BALANCED = "agent_balanced"
PERSISTENCE = "persistence"
SMALLEST = 0.5
"""Least size of a place, in the table's unit: half a move, so that logs exist."""
SHOWN = (
    "cpc",
    "cpc_share",
    "log_correlation",
    "spearman",
    "rmse_log",
    "net_sign_accuracy",
    "net_spearman",
    "gini",
    "top_overlap",
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores of the agent model and its rivals.

    Attributes
    ----------
    level : str
    places : tuple of str
        Places compared.
    years, fit_years : tuple of int
        Years scored and years fitted on.
    sizes : str
        Where the sizes come from.
    out_of_sample : bool
        Whether the models were fitted on another table than the one scored.
    observed : (P, P) array
        Mean flow a year.
    flows : dict of str to (P, P) array
        Each model's.
    scores : dict of str to dict of str to float
        By model and measure.
    notes : tuple of str
        What was left out.
    """

    level: str
    places: tuple[str, ...]
    years: tuple[int, ...]
    fit_years: tuple[int, ...]
    sizes: str
    out_of_sample: bool
    observed: np.ndarray
    flows: dict[str, np.ndarray]
    scores: dict[str, dict[str, float]]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return plain values for JSON; what is undefined is null."""
        return {
            "level": self.level,
            "places": list(self.places),
            "years": list(self.years),
            "fit_years": list(self.fit_years),
            "out_of_sample": self.out_of_sample,
            "sizes": self.sizes,
            "scores": {
                model: {k: None if math.isnan(v) else v for k, v in scores.items()}
                for model, scores in self.scores.items()
            },
            "notes": list(self.notes),
        }

    def text(self) -> str:
        """Return a table for the screen, models in rows."""
        width = max(len(model) for model in self.scores)
        head = " ".join(f"{name:>17}" for name in SHOWN)
        lines = [
            f"{len(self.places)} places ({self.level}), "
            f"{'fitted on another table' if self.out_of_sample else 'fitted on the same table'}; "
            f"sizes: {self.sizes}",
            f"{'':<{width}} {head}",
        ]
        for model, scores in self.scores.items():
            values = " ".join(f"{scores[name]:>17.3f}" for name in SHOWN)
            lines.append(f"{model:<{width}} {values}")
        observed = next(iter(self.scores.values()))["gini_observed"]
        lines.append(f"Gini of the observed flows: {observed:.3f}")
        return "\n".join(lines)


def compare(
    observed: FlowTable,
    training: FlowTable | None = None,
    *,
    parameters: Parameters | None = None,
    sizes: str = "fit",
    stage: Stage | None = None,
    top: int = 20,
) -> Comparison:
    """Score the agent model and its rivals on a table of flows.

    Parameters
    ----------
    observed : FlowTable
        Flows to be predicted.
    training : FlowTable, optional
        Flows to fit rivals, scale and sizes on; the observed ones themselves if not given.
    parameters : Parameters, optional
        The agent model's; its defaults if not given.
    sizes : str
        ``fit``: half of arrivals and departures in the training table; ``model``: the model's own
        stock of talent; else the path of a CSV file with columns place and size.
    stage : Stage, optional
        The model's places; the 120 cities by default.
    top : int
        How many of the largest flows ``top_overlap`` looks at.

    Returns
    -------
    Comparison

    Raises
    ------
    UserError
        If the two tables are of different levels or share fewer than three places, or the file of
        sizes is wrong.
    """
    stage = stage or Stage.default()
    notes = list(observed.notes)
    places = observed.places
    if training is not None:
        places = _shared(observed, training, notes)
        notes += [note for note in training.notes if note not in notes]
    fitted = training or observed
    target, train = observed.of(places), fitted.of(places)
    if not train.sum() > 0:
        raise UserError(f"{fitted.source}: no flow between the places that are compared")
    size, told = _sizes(sizes, places, observed.level, train, stage)
    resized = _resized(stage, observed.level, places, size)
    group = membership(stage.cities, observed.level, places)
    facts = separation(resized, group, size)
    told_parameters = parameters or Parameters()
    flows = {AGENT: agent_flows(resized, group, train, told_parameters)}
    if sizes == "fit":
        flows[BALANCED] = balanced_flows(stage, observed.level, places, train, told_parameters)
    flows |= {name: rival(facts, train) for name, rival in RIVALS.items()}
    if training is not None:
        flows[PERSISTENCE] = train
    return Comparison(
        level=observed.level,
        places=places,
        years=observed.years,
        fit_years=fitted.years,
        sizes=told,
        out_of_sample=training is not None,
        observed=target,
        flows=flows,
        scores={name: all_scores(model, target, top) for name, model in flows.items()},
        notes=tuple(notes),
    )


def _shared(observed: FlowTable, training: FlowTable, notes: list[str]) -> tuple[str, ...]:
    """Return the places of both tables; note what only one has."""
    if observed.level != training.level:
        raise UserError(
            f"{training.source}: is a table of {training.level} level, but {observed.source} of "
            f"{observed.level} level; give both at one level"
        )
    both = tuple(place for place in observed.places if place in training.places)
    if len(both) < 3:
        raise UserError(
            f"{training.source}: shares only {len(both)} places with {observed.source}; "
            "at least 3 are needed"
        )
    lonely = [place for place in observed.places if place not in both]
    if lonely:
        notes.append(f"{training.source}: lacks, so these are left out: {', '.join(lonely)}")
    return both


def membership(cities: Cities, level: Level, places: tuple[str, ...]) -> np.ndarray:
    """Return each city's place as a position in ``places``, -1 where it is in none, (C,)."""
    at = {place: k for k, place in enumerate(places)}
    if level == "city":
        return np.array([at.get(name, -1) for name in cities.names])
    return np.array([at.get(cities.area_names[area], -1) for area in cities.area_of_city])


def _sizes(
    sizes: str, places: tuple[str, ...], level: Level, train: np.ndarray, stage: Stage
) -> tuple[np.ndarray, str]:
    if sizes == "fit":
        turnover = (train.sum(0) + train.sum(1)) / 2.0
        return np.maximum(turnover, SMALLEST), "half of arrivals and departures in the fit table"
    if sizes == "model":
        people = stage.cities.talent_stock + stage.cities.students
        group = membership(stage.cities, level, places)
        inside = group >= 0
        size = np.bincount(group[inside], people[inside], minlength=len(places))
        return size, "graduates and students of the model's cities"
    return read_sizes(Path(sizes), places, level), f"the file {sizes}"


def _resized(stage: Stage, level: Level, places: tuple[str, ...], size: np.ndarray) -> Stage:
    """Give each place's people its size; cities outside get the average ratio."""
    group = membership(stage.cities, level, places)
    people = stage.cities.talent_stock + stage.cities.students
    inside = group >= 0
    own = np.bincount(group[inside], people[inside], minlength=len(places))
    ratio = np.full(len(group), size.sum() / own.sum())
    ratio[inside] = (size / np.maximum(own, 1e-300))[group[inside]]
    return stage.resized(people * ratio)


def separation(stage: Stage, group: np.ndarray, size: np.ndarray) -> Places:
    """Return what rivals are told of the places: sizes, distance, language, border.

    Distance between places is the harmonic mean of the distances of their cities weighted by
    people (Mayer and Zignago 2011, CEPII working paper 25), at least 50 km apart.
    """
    number, inside = len(size), group >= 0
    people = stage.cities.talent_stock + stage.cities.students
    weight = np.zeros((number, len(group)))
    weight[group[inside], np.flatnonzero(inside)] = people[inside]
    weight /= np.maximum(weight.sum(1, keepdims=True), 1e-300)
    near = 1.0 / np.maximum(stage.obstacles.distance_km, 50.0)
    area = stage.cities.area_of_city
    language = stage.obstacles.language_of_area[np.ix_(area, area)]
    border = weight @ (~stage.obstacles.same_area).astype(float) @ weight.T
    return Places(
        size, 1.0 / (weight @ near @ weight.T), weight @ language @ weight.T, border > 0.5
    )


def agent_flows(
    stage: Stage,
    group: np.ndarray,
    training: np.ndarray,
    parameters: Parameters,
    per_city: int = PER_CITY,
) -> np.ndarray:
    """Return the agent model's expected flows between places, at the training table's total."""
    flows = collect(Twin(stage, per_city=per_city).flows(parameters), group, len(training))
    np.fill_diagonal(flows, 0.0)
    total = flows.sum()
    return flows * (off_diagonal(training).sum() / total) if total > 0 else flows


def balanced_flows(
    stage: Stage,
    level: Level,
    places: tuple[str, ...],
    training: np.ndarray,
    parameters: Parameters,
    rounds: int = 25,
    per_city: int = PER_CITY,
) -> np.ndarray:
    """Return the agent model's flows with people so that each place's turnover is the table's.

    Sizes are multiplied by the ratio of observed to expected turnover, to a power less than one
    for stability, until they settle.

    Parameters
    ----------
    stage : Stage
    level : 'country' or 'city'
    places : tuple of str
    training : (P, P) array
    parameters : Parameters
    rounds : int
        Most corrections.
    per_city : int
        Agents in each city.

    Returns
    -------
    (P, P) array
        Expected flows at the training table's total.
    """
    group = membership(stage.cities, level, places)
    turnover = np.maximum((training.sum(0) + training.sum(1)) / 2.0, SMALLEST)
    size = turnover.copy()
    for _ in range(rounds):
        resized = _resized(stage, level, places, size)
        flows = agent_flows(resized, group, training, parameters, per_city)
        expected = np.maximum((flows.sum(0) + flows.sum(1)) / 2.0, 1e-300)
        ratio = np.clip(turnover / expected, 0.2, 5.0)
        if np.abs(np.log(ratio)).max() < 1e-3:
            break
        size = size * ratio**0.7
    return flows


def validate_files(
    flows: Path,
    fit_flows: Path | None = None,
    *,
    columns: Columns | None = None,
    parameters: Parameters | None = None,
    sizes: str = "fit",
    top: int = 20,
) -> Comparison:
    """Read the tables and compare; see :func:`compare` and :func:`read_flows`."""
    observed = read_flows(flows, columns)
    training = None if fit_flows is None else read_flows(fit_flows, columns)
    return compare(observed, training, parameters=parameters, sizes=sizes, top=top)
