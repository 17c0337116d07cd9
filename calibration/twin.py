"""The expected-flow operator on a small, stratified population: fast enough to fit with.

Every city is given the same number of agents, each standing for as many people as its city's
population says, so small cities are as smooth as large ones. The formulae are the simulator's own
(`sim.expected`, `sim.behaviour`, `sim.population`); only the sampling of people differs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sim.behaviour import Behaviour
from sim.cities import Cities, load_cities
from sim.expected import expect
from sim.kernel import Agents, World
from sim.landscape import Landscape, load_landscape
from sim.obstacles import Obstacles, load_obstacles
from sim.parameters import Parameters
from sim.population import Nursery, Population, identities
from sim.team import Team

PER_CITY = 256
"""Agents a city: the sampling error of a city's outflow is then about 2 %."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The places on which flows are expected: cities, what separates them, how they score."""

    cities: Cities
    obstacles: Obstacles
    scores: np.ndarray

    @classmethod
    def default(cls, landscape: Landscape | None = None) -> Stage:
        """Return the 120 cities with the landscape's centre, or another landscape."""
        cities = load_cities()
        return cls(cities, load_obstacles(cities), (landscape or load_landscape()).scores)

    def resized(self, people: np.ndarray) -> Stage:
        """Return a copy whose cities hold ``people`` ((C,), any unit), students in proportion."""
        now = self.cities.talent_stock + self.cities.students
        share = people / np.maximum(now, 1e-300)
        stock, students = self.cities.talent_stock * share, self.cities.students * share
        return replace(self, cities=replace(self.cities, talent_stock=stock, students=students))


class Twin:
    """Expected flows of one year among the cities of a stage, by parameters.

    Parameters
    ----------
    stage : Stage
    per_city : int
        Agents in each city.
    seed : int
        Seed of who the agents are.
    threads : int, optional
        Threads of the operator; results do not depend on it.
    """

    def __init__(
        self,
        stage: Stage | None = None,
        *,
        per_city: int = PER_CITY,
        seed: int = 1,
        threads: int | None = 1,
    ) -> None:
        self.stage = stage or Stage.default()
        self.per_city = per_city
        self.seed = seed
        self.team = Team(threads)
        self.people = self.stage.cities.talent_stock + self.stage.cities.students

    def agents(self, parameters: Parameters) -> Agents:
        """Return the agents: ``per_city`` of each city, in the order of cities."""
        cities = self.stage.cities
        nursery = Nursery.create(
            cities, self.stage.obstacles, parameters, self.stage.scores, self.seed
        )
        number = len(cities) * self.per_city
        studying = np.rint(self.per_city * cities.students / np.maximum(self.people, 1e-300))
        place = np.repeat(np.arange(len(cities), dtype=np.int16), self.per_city)
        ids = np.concatenate([identities(0, c, 0, self.per_city) for c in range(len(cities))])
        student = np.tile(np.arange(self.per_city), len(cities)) < studying[place]
        population = Population.empty(number)
        population.add(nursery.born(ids, place, student, entry=False))
        return population.living()

    def year(self, parameters: Parameters) -> Year:
        """Return what is expected of a year."""
        stage, agents = self.stage, self.agents(parameters)
        behaviour = Behaviour(parameters, stage.cities, stage.obstacles, stage.scores)
        weight = self.people / self.per_city
        by_area = np.zeros((len(stage.cities), len(stage.cities.area_names)))
        np.add.at(
            by_area, (agents.city, stage.cities.area_of_city[agents.home]), weight[agents.city]
        )
        opportunities = np.maximum(self.people, 1e-12 * self.people.sum())
        none = np.zeros((len(stage.cities),) * 2)

        def seen(colleagues: np.ndarray) -> Year:
            world = behaviour.world(stage.scores, opportunities, by_area, colleagues)
            return Year(agents, world, weight, self.people, by_area, self.team)

        year = seen(none)
        if parameters.switches.colleagues:
            year = seen(year.flows() / (1.0 - parameters.ties.memory))
        return year

    def flows(self, parameters: Parameters) -> np.ndarray:
        """Return the expected moves of a year, people, (C, C); the diagonal is zero.

        Row origin, column destination, in the unit of the stage's populations.
        """
        return self.year(parameters).flows()


@dataclass(frozen=True, eq=False)
class Year:
    """The agents and what they see in a year.

    Attributes
    ----------
    agents : Agents
    world : World
    weight : (C,) array
        People that an agent of each city stands for.
    people : (C,) array
        Stock of each city.
    by_area : (C, A) array
        Residents by citizenship.
    team : Team
    """

    agents: Agents
    world: World
    weight: np.ndarray
    people: np.ndarray
    by_area: np.ndarray
    team: Team

    def flows(self, who: np.ndarray | None = None, **changes: int) -> np.ndarray:
        """Return the expected moves of some or all agents, people, (C, C); diagonal zero.

        Parameters
        ----------
        who : bool or index array, optional
            Agents that are asked; all by default.
        **changes : int
            Traits to give them first, such as ``fresh=1`` (graduated this year) or ``age=30``.
        """
        agents = self.agents if who is None else Agents(*(array[who] for array in self.agents))
        if changes:
            told = {
                k: np.full(len(agents.ids), v, getattr(agents, k).dtype) for k, v in changes.items()
            }
            agents = agents._replace(**told)
        flows, _ = expect(agents, self.world, self.team)
        np.fill_diagonal(flows, 0.0)
        return flows * self.weight[:, None]

    def number(self, who: np.ndarray) -> float:
        """Return how many people the marked agents stand for."""
        return float(self.weight[self.agents.city[who]].sum())


def collect(flows: np.ndarray, group: np.ndarray, number: int) -> np.ndarray:
    """Sum flows of cities by groups of cities, (G, G).

    Parameters
    ----------
    flows : (C, C) array
    group : (C,) int array
        Group of each city; negative: in none.
    number : int
        Number of groups, G.
    """
    inside = np.flatnonzero(group >= 0)
    wide = np.zeros((number, len(group)))
    wide[group[inside], inside] = 1.0
    return wide @ flows @ wide.T
