"""What each intervention of a scenario selects: cities by name, and a share of the agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sim.cities import load_cities
from sim.errors import UserError
from sim.levers import Lever, Training

if TYPE_CHECKING:
    from sim.population import Population
    from sim.scenario import Scenario

MOST_AGENTS = 200_000
"""Agents that the shares are counted on, where the scenario has more."""


def selections(scenario: Scenario) -> list[dict[str, Any]]:
    """Return what each intervention selects.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    list of dict
        ``name``, ``lever``, ``places`` (city names), ``people`` (share of the start population's
        agents that it is about, 0 to 1, or None for trainings and graduates: nobody is in the year
        of graduation at the start).

    Raises
    ------
    UserError
        If an intervention is about nobody in the start population, or all of them together tell
        too many groups of people apart.
    """
    if any(getattr(lever, "people", None) is not None for lever in scenario.interventions):
        _try_engine(scenario)
    return [_selection(k, lever, scenario) for k, lever in enumerate(scenario.interventions)]


def _try_engine(scenario: Scenario) -> None:
    """Set up the engine of policies once, for the faults that only it finds."""
    from sim.landscape import load_landscape
    from sim.lever_effects import Surroundings
    from sim.obstacles import load_obstacles
    from sim.policy import Policy
    from sim.team import Team

    cities = load_cities()
    around = Surroundings(
        cities=cities,
        obstacles=load_obstacles(cities),
        landscape=load_landscape(),
        dissimilarity=1.0,
        begin=scenario.horizon.start + 1,
        flows=np.zeros((len(cities), len(cities)), np.int64),
        stock=np.zeros(len(cities), np.int64),
    )
    Policy(scenario, around, Team(1))


def _selection(position: int, lever: Lever, scenario: Scenario) -> dict[str, Any]:
    cities = load_cities()
    found = {
        "name": lever.name,
        "lever": lever.lever,  # type: ignore[attr-defined]
        "places": [cities.names[k] for k in np.flatnonzero(lever.places.mask(cities))],
    }
    people = getattr(lever, "people", None)
    if isinstance(lever, Training) or scenario.population.agents == 0:
        return found | {"people": None}
    if people is None:
        return found | {"people": 1.0}
    if people.graduating:
        return found | {"people": None}
    from sim.selection import Group, groups_of, tables
    from sim.team import Team

    population = _population(scenario)
    fits = groups_of(population.living(), tables([Group(people)], cities), Team(1))
    if not fits.any():
        raise UserError(
            f"{scenario.name}: interventions[{position}].people: selects nobody among the "
            f"{population.n:,} agents at the start; widen it, or raise population.agents"
        )
    return found | {"people": float(fits.mean())}


_MADE: dict[str, Population] = {}


def _population(scenario: Scenario) -> Population:
    """Return a start population of the scenario; the last one is kept."""
    from sim.landscape import load_landscape
    from sim.obstacles import load_obstacles
    from sim.population import Nursery, Population

    key = scenario.digest()
    if key not in _MADE:
        _MADE.clear()
        cities = load_cities()
        nursery = Nursery.create(
            cities,
            load_obstacles(cities),
            scenario.parameters,
            load_landscape().scores,
            scenario.seed,
        )
        _MADE[key] = Population.start(nursery, min(scenario.population.agents, MOST_AGENTS))
    return _MADE[key]


def as_comments(rows: list[dict[str, Any]], width: int = 96) -> str:
    """Return the selections as YAML comments, a paragraph each."""
    import textwrap

    lines = []
    for row in rows:
        people = row["people"]
        share = "entrants or graduates" if people is None else f"{100 * people:.4g} % of the agents"
        places = row["places"]
        every = len(places) == len(load_cities())
        where = "all 120 cities" if every else f"{', '.join(places)} ({len(places)})"
        text = f"{row['name']} ({row['lever']}): {share}; {where}"
        lines += textwrap.wrap(text, width, initial_indent="# selects ", subsequent_indent="#   ")
    return "".join(f"{line}\n" for line in lines)
