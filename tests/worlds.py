"""Small random worlds for tests: any number of cities and areas, with everything heterogeneous."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.behaviour import Behaviour
from sim.cities import Cities
from sim.kernel import Agents, World
from sim.landscape import Landscape
from sim.levers import Quota
from sim.obstacles import Obstacles
from sim.parameters import FIELDS, Parameters
from sim.scenario import load_scenario
from sim.selectors import Places
from sim.simulation import Simulation


def make_cities(cities: int, areas: int, rng: np.random.Generator, identical: bool) -> Cities:
    area = np.arange(cities) % areas
    vary = 0.0 if identical else 1.0
    return Cities.build(
        names=tuple(f"City {k}" for k in range(cities)),
        areas=tuple(f"A{k}" for k in area),
        latitude=vary * rng.uniform(-60, 60, cities),
        longitude=vary * rng.uniform(-180, 180, cities),
        talent_stock=1e6 * np.exp(vary * rng.normal(0, 0.7, cities)),
        students=2e5 * np.exp(vary * rng.normal(0, 0.7, cities)),
        foreign_share=np.full(cities, 0.15),
        composite=np.linspace(100, 50, cities),
    )


def make_obstacles(c: Cities, rng: np.random.Generator, identical: bool) -> Obstacles:
    n, areas, area = len(c), len(c.area_names), c.area_of_city
    same = area[:, None] == area[None, :]
    own = np.arange(areas)[:, None] == area[None, :]
    language = rng.uniform(0, 1, (areas, areas))
    language = (language + language.T) / 2
    np.fill_diagonal(language, 1.0)
    distance = rng.uniform(50, 15_000, (n, n))
    distance = 1000.0 * np.ones((n, n)) if identical else (distance + distance.T) / 2
    np.fill_diagonal(distance, 0.0)
    return Obstacles.build(
        distance_km=distance,
        same_area=same,
        settlement=np.zeros((n, n)) if identical else rng.uniform(0, 1, (n, n)),
        visa_class=np.where(own, 0, rng.integers(1, 5, (areas, n))),
        language_of_area=language,
    )


def make_landscape(c: Cities, rng: np.random.Generator, identical: bool) -> Landscape:
    n = len(c)
    scores = np.full((n, 6), 75.0) if identical else rng.uniform(55, 100, (n, 6))
    return Landscape.build(cities=c.names, scores=scores)


@dataclass
class SmallWorld:
    """All that the decision depends on, kept in plain units beside the kernel's arrays."""

    cities: Cities
    obstacles: Obstacles
    parameters: Parameters
    scores: np.ndarray
    reference: np.ndarray
    size: np.ndarray
    by_area: np.ndarray
    colleagues: np.ndarray
    world: World = field(init=False)

    def __post_init__(self) -> None:
        self.world = self.with_scores(self.scores)

    def with_scores(self, scores: np.ndarray) -> World:
        behaviour = Behaviour(self.parameters, self.cities, self.obstacles, self.reference)
        return behaviour.world(scores, self.size, self.by_area, self.colleagues)

    def relabelled(self, order: np.ndarray) -> SmallWorld:
        """Return the same world with city ``order[k]`` in place k."""
        c, o = self.cities, self.obstacles
        names = tuple(c.names[k] for k in order)
        cities = Cities.build(
            names=names,
            areas=tuple(c.area_names[c.area_of_city[k]] for k in order),
            latitude=c.latitude[order],
            longitude=c.longitude[order],
            talent_stock=c.talent_stock[order],
            students=c.students[order],
            foreign_share=c.foreign_share[order],
            composite=c.composite[order],
        )
        square = np.ix_(order, order)
        obstacles = Obstacles.build(
            distance_km=o.distance_km[square],
            same_area=o.same_area[square],
            settlement=o.settlement[square],
            visa_class=o.visa_class[:, order],
            language_of_area=o.language_of_area,
        )
        return SmallWorld(
            cities,
            obstacles,
            self.parameters,
            self.scores[order],
            self.reference[order],
            self.size[order],
            self.by_area[order],
            self.colleagues[square],
        )


def make_world(
    cities: int,
    areas: int,
    seed: int,
    parameters: Parameters | None = None,
    identical: bool = False,
    pull: float = 1.0,
) -> SmallWorld:
    """Return a random world; ``pull`` > 1 makes moving easier, so that more people move."""
    rng = np.random.default_rng(seed)
    c = make_cities(cities, areas, rng, identical)
    vary = 0.0 if identical else 1.0
    return SmallWorld(
        cities=c,
        obstacles=make_obstacles(c, rng, identical),
        parameters=eased(parameters or Parameters(), pull),
        scores=make_landscape(c, rng, identical).scores,
        reference=np.full((cities, 6), 75.0) + vary * rng.uniform(-15, 15, (cities, 6)),
        size=1e6 * np.exp(vary * rng.normal(0, 0.7, cities)),
        by_area=rng.integers(1, 1 if identical else 1000, (cities, areas), endpoint=True),
        colleagues=vary * rng.uniform(0, 20, (cities, cities)),
    )


def eased(parameters: Parameters, pull: float) -> Parameters:
    cost = parameters.obstacles.moving / pull**2
    obstacles = parameters.obstacles.model_copy(update={"moving": cost})
    return parameters.model_copy(update={"obstacles": obstacles})


def make_agents(w: SmallWorld, number: int, seed: int) -> Agents:
    rng = np.random.default_rng(seed)
    n = len(w.cities)
    return Agents(
        ids=rng.permutation(np.arange(number, dtype=np.uint64) * np.uint64(2**32 + 11)),
        city=rng.integers(0, n, number).astype(np.int16),
        home=rng.integers(0, n, number).astype(np.int16),
        age=rng.integers(18, 70, number).astype(np.uint8),
        stage=rng.integers(0, 4, number).astype(np.uint8),
        tier=rng.integers(0, 3, number).astype(np.uint8),
        field=rng.integers(0, len(FIELDS), number).astype(np.uint8),
        years=rng.integers(0, 50, number).astype(np.uint8),
        fresh=rng.integers(0, 2, number).astype(np.uint8),
        traits=rng.integers(0, 256, (number, 16)).astype(np.uint8),
        segment=np.zeros(number, np.uint8),
    )


def quota(city: str, persons: float) -> Quota:
    """Return a quota of a city that need not be one of the 120."""
    places = Places.model_construct(city=(city,))
    return Quota.model_construct(name="quota", places=places, persons_per_year=persons)


def simulation(
    *,
    cities: int = 7,
    areas: int = 3,
    agents: int = 2000,
    years: int = 3,
    seed: int = 1,
    parameters: Parameters | None = None,
    interventions: Any = (),
    pull: float = 1.0,
    threads: int | None = None,
) -> Simulation:
    """Return a run of a small random world that is always the same for the same arguments."""
    rng = np.random.default_rng(12)
    c = make_cities(cities, areas, rng, identical=False)
    obstacles = make_obstacles(c, rng, identical=False)
    base = load_scenario("baseline", {"seed": seed, "horizon.years": years})
    from sim.scenario import Population

    scenario = base.model_copy(
        update={
            "population": Population(agents=agents),
            "parameters": eased(parameters or Parameters(), pull),
            "interventions": tuple(interventions),
        }
    )
    landscape = make_landscape(c, rng, identical=False)
    return Simulation(scenario, threads=threads, cities=c, obstacles=obstacles, landscape=landscape)
