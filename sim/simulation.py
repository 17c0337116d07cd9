"""A run: the yearly cycle of the model, and the tables that it leaves.

A year is: agents age and some retire; everybody sees the cities' scores; some consider moving and
choose; budgets and quotas ration arrivals; movers move; students enter; cities answer. For every
city

    stock(t) = stock(t - 1) + arrivals - departures + entries - exits

holds exactly, in persons.
"""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sim.behaviour import Behaviour
from sim.cities import Cities, load_cities
from sim.errors import UserError
from sim.expected import expect
from sim.feedback import Feedback
from sim.kernel import Agents, World, choose, consider
from sim.landscape import Landscape, load_landscape, n_draws
from sim.lifecycle import Census, census, live, rates
from sim.obstacles import Obstacles, load_obstacles
from sim.parameters import Parameters
from sim.policy import Policy
from sim.population import Nursery, Population, entries, identities
from sim.records import Records
from sim.rng import split_seed, words
from sim.team import Team, edges

if TYPE_CHECKING:
    import pandas as pd

    from sim.scenario import Scenario

Progress = Callable[[int, int, str], None]


def productivity(parameters: Parameters) -> np.ndarray:
    """Return productivity by tier and quantile within the tier, int64 (T, 256), base about 100.

    A Pareto distribution with exponent ``people.pareto``, cut at the tiers' mean shares: the top
    tier is its upper tail. Whole numbers, so that sums are exact in any order.
    """
    p = parameters.people
    edges = np.array([0.0, 1.0 - p.high_share - p.top_share, 1.0 - p.top_share, 1.0])
    within = (np.arange(256) + 0.5) / 256
    rank = edges[:-1, None] + within[None, :] * np.diff(edges)[:, None]
    return np.rint(100.0 * (1.0 - rank) ** (-1.0 / p.pareto)).astype(np.int64)


def _draw(scenario: Scenario) -> int | None:
    """Return the landscape's draw; in an ensemble each seed takes its own."""
    if scenario.landscape == "centre":
        return None
    if scenario.landscape == "ensemble":
        return scenario.seed % n_draws()
    return scenario.landscape.draw


class Simulation:
    """One run of a scenario, year by year.

    Parameters
    ----------
    scenario : Scenario
    threads : int, optional
        Threads of the kernel; results do not depend on it.
    cities, obstacles, landscape : optional
        Another world than the 120 cities (for tests and studies).

    Attributes
    ----------
    year : int
        Calendar year of the present state.
    timings : dict of str to float
        Seconds spent on each part.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        threads: int | None = None,
        cities: Cities | None = None,
        obstacles: Obstacles | None = None,
        landscape: Landscape | None = None,
    ) -> None:
        self._prepare(scenario, threads, cities, obstacles, landscape)
        started = time.perf_counter()
        self.population = Population.start(self.nursery, scenario.population.agents)
        self._time("population", started)
        self.census = self._count()
        self.feedback = Feedback(self.parameters, self.census, self.cities.area_of_city)
        self.policy = Policy.create(self)
        self.colleagues = self._first_colleagues()
        self.records = Records(
            self.cities, self.landscape, self.population.persons, self.scenario.interventions
        )
        self.records.start(self.year, self.census, self.scores())

    def _prepare(
        self,
        scenario: Scenario,
        threads: int | None,
        cities: Cities | None,
        obstacles: Obstacles | None,
        landscape: Landscape | None,
    ) -> None:
        """Set up all that does not change during a run."""
        self.scenario = scenario
        self.parameters = scenario.parameters
        self.team = Team(threads)
        self.cities = cities or load_cities()
        self.obstacles = obstacles or load_obstacles(self.cities)
        self.landscape = landscape or load_landscape(_draw(scenario))
        self.timings: dict[str, float] = {}
        self._key = split_seed(scenario.seed)
        self._rates = rates(self.parameters)
        self._output = productivity(self.parameters)
        self.nursery = Nursery.create(
            self.cities, self.obstacles, self.parameters, self.landscape.scores, scenario.seed
        )
        self.behaviour = Behaviour(
            self.parameters, self.cities, self.obstacles, self.landscape.scores
        )
        self.elapsed = 0
        self._warm()

    @property
    def year(self) -> int:
        """Calendar year of the present state."""
        return self.scenario.horizon.start + self.elapsed

    @property
    def finished(self) -> bool:
        """Whether the horizon is reached."""
        return self.elapsed >= self.scenario.horizon.years

    def scores(self) -> np.ndarray:
        """Return the present dimension scores, index points of 2024, (C, 6).

        They are anchored to the landscape at the start and may leave 50-100. What interventions for
        everybody add is in them; what a policy changes for selected people only is not.
        """
        return self._scores(self.year)

    def _scores(self, year: int) -> np.ndarray:
        base = self.landscape.scores + self.feedback.deviation
        return base + self.policy.common(year, base) if self.policy.levers else base

    def world(self) -> World:
        """Return what agents see in the coming year; their segments are set to fit."""
        return self._world(self.year + 1)

    def _world(self, year: int) -> World:
        """Return what agents see in a calendar year, with its interventions."""
        self.policy.plan(year, self.population.living())
        return self._view(year)

    def _view(self, year: int) -> World:
        return self.behaviour.world(
            self._scores(year),
            self.feedback.opportunities(),
            self.census.by_area,
            self.colleagues,
            self.policy.effects(self.landscape.scores + self.feedback.deviation),
        )

    def expected_flows(self) -> np.ndarray:
        """Return the expected moves of the present population, agents, (C, C) float64.

        Row is origin, column destination; the diagonal holds lookers who stay. The present
        population is the one before this year's ageing. Policies of the coming year act, but no
        quota or budget binds.
        """
        world = self.world()
        flows, _ = expect(self.population.living(), world, self.team)
        return flows

    def step(self) -> None:
        """Simulate one year."""
        started = time.perf_counter()
        self.elapsed += 1
        exits = self._live()
        self.policy.graduate(self.year, self.population)
        destination, lookers = self._choose()
        moves = self._move(destination, lookers)
        entered = self._enter()
        self.census = self._count()
        self.feedback.update(self.census)
        flows = np.zeros((len(self.cities), len(self.cities)), np.int64)
        np.add.at(flows, (moves["origin"], moves["destination"]), 1)
        self.colleagues = self.parameters.ties.memory * self.colleagues + flows
        self.records.add(self.year, moves, flows, entered, exits, self.census, self.scores())
        if self.policy.levers:
            self.records.spend(self.policy.close(self.year, flows, self.census.stock))
        self._time("simulate", started)

    def compile(self) -> float:
        """Return the seconds that compiling the kernels, or loading them from disk, has taken."""
        return self.timings["compile"]

    def run(self, progress: Progress | None = None) -> Simulation:
        """Simulate to the horizon, calling ``progress(done, total, message)`` after each year."""
        while not self.finished:
            self.step()
            if progress is not None:
                progress(self.elapsed, self.scenario.horizon.years, str(self.year))
        return self

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tidy tables of the years so far: flows, cities, ages (persons)."""
        return self.records.tables()

    def save(self, path: Path) -> None:
        """Write the whole state to ``path`` (.npz), atomically.

        A run that is loaded from it and continued ends with the same tables.
        """
        state = {
            "elapsed": np.array(self.elapsed),
            "persons": np.array(self.population.persons),
            "digest": np.array(self.scenario.digest()),
            "deviation": self.feedback.deviation,
            "growth": self.feedback.growth,
            "colleagues": self.colleagues,
            **_census_state("start", self.feedback.start),
            **_census_state("now", self.census),
            **{f"agents_{k}": v for k, v in self.population.living()._asdict().items()},
            **self.policy.state(),
            **self.records.state(),
        }
        partial = path.with_name(f".{path.name}.partial")
        try:
            with partial.open("wb") as file:
                np.savez(file, **state)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(
        cls,
        path: Path,
        scenario: Scenario,
        *,
        threads: int | None = None,
        cities: Cities | None = None,
        obstacles: Obstacles | None = None,
        landscape: Landscape | None = None,
    ) -> Simulation:
        """Take up a run saved by `save`.

        Raises
        ------
        UserError
            If the file is no whole checkpoint, or of another scenario.
        """
        self = cls.__new__(cls)
        self._prepare(scenario, threads, cities, obstacles, landscape)
        try:
            with np.load(path, allow_pickle=False) as file:
                state = {name: file[name] for name in file.files}
            if str(state["digest"]) != scenario.digest():
                raise UserError(
                    f"{path}: the checkpoint belongs to another scenario or other settings; "
                    "run the same command again without --resume to start anew"
                )
            self._restore(state)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{path}: not a whole talentflow checkpoint ({error}); "
                "run again without --resume to start anew"
            ) from None
        return self

    def _restore(self, state: dict[str, np.ndarray]) -> None:
        self.elapsed = int(state["elapsed"])
        agents = Agents(*(state[f"agents_{name}"] for name in Agents._fields))
        self.population = Population(agents, len(agents.ids), int(state["persons"]))
        self.census = _census_from("now", state)
        start = _census_from("start", state)
        self.feedback = Feedback(self.parameters, start, self.cities.area_of_city)
        self.feedback.deviation = state["deviation"]
        self.feedback.growth = state["growth"]
        self.colleagues = state["colleagues"]
        self.policy = Policy.create(self)
        self.policy.restore(state)
        self.records = Records(
            self.cities, self.landscape, self.population.persons, self.scenario.interventions
        )
        self.records.restore(state)

    def _warm(self) -> None:
        """Call every kernel on nobody, so that compilation is timed apart."""
        started = time.perf_counter()
        cities, areas = len(self.cities), len(self.cities.area_names)
        nobody, team, key = Population.empty().living(), Team(1), self._key
        world = self.behaviour.world(
            self.landscape.scores,
            np.ones(cities),
            np.ones((cities, areas)),
            np.zeros((cities,) * 2),
        )
        words(nobody.ids, 0, 0, 0)
        census(nobody, self.cities.area_of_city, areas, self._output, team)
        expect(nobody, world, team)
        consider(nobody, world, 0, *key, 0, 0, np.zeros(0, np.uint8))
        choose(nobody, world, np.zeros(0, np.int64), 0, *key, 0, 0, np.zeros(0, np.int16))
        live(nobody, self._rates, 0, *key, 0, 0, np.zeros(0, np.uint8))
        self._time("compile", started)

    def _time(self, part: str, started: float) -> None:
        self.timings[part] = self.timings.get(part, 0.0) + time.perf_counter() - started

    def _count(self) -> Census:
        agents, area = self.population.living(), self.cities.area_of_city
        return census(agents, area, len(self.cities.area_names), self._output, self.team)

    def _first_colleagues(self) -> np.ndarray:
        """Return the network that steady expected flows, without any policy, would have left."""
        none = np.zeros((len(self.cities), len(self.cities)))
        if not self.parameters.switches.colleagues:
            return none
        size, residents = self.feedback.opportunities(), self.census.by_area
        world = self.behaviour.world(self.landscape.scores, size, residents, none)
        flows, _ = expect(self.population.living(), world, self.team)
        np.fill_diagonal(flows, 0.0)
        return flows / (1.0 - self.parameters.ties.memory)

    def _live(self) -> np.ndarray:
        """Age everybody; return the exits by city."""
        population, cities = self.population, len(self.cities)
        if not self.parameters.switches.ageing:
            return np.zeros(cities, np.int64)
        agents, leaves = population.agents, np.zeros(population.n, np.uint8)
        self.team.share(
            population.n,
            lambda a, b: live(agents, self._rates, self.elapsed, *self._key, a, b, leaves),
        )
        gone = population.agents.city[: population.n][leaves.view(bool)]
        population.remove(leaves, self.team)
        return np.bincount(gone, minlength=cities)

    def _choose(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the destinations of those who look around, and their positions."""
        world = self._world(self.year)
        agents, n = self.population.agents, self.population.n
        year, key, look = self.elapsed, self._key, np.zeros(n, np.uint8)
        self.team.share(n, lambda a, b: consider(agents, world, year, *key, a, b, look))
        lookers = np.flatnonzero(look.view(bool))
        destination = self._pick(world, lookers)
        if self.policy.levers:
            destination = self._settle(lookers, destination)
        return destination, lookers

    def _pick(self, world: World, lookers: np.ndarray) -> np.ndarray:
        """Return where each of the lookers chooses to go."""
        agents, year, key = self.population.agents, self.elapsed, self._key
        destination = np.empty(len(lookers), np.int16)
        self.team.share(
            len(lookers),
            lambda a, b: choose(agents, world, lookers, year, *key, a, b, destination),
        )
        return destination

    def _settle(self, lookers: np.ndarray, destination: np.ndarray) -> np.ndarray:
        """Keep budgets and quotas, and pay: who loses a subsidy chooses again, same luck."""
        agents, policy = self.population.living(), self.policy
        again = policy.overdrawn(agents, lookers, destination)
        while len(again):
            destination[again] = self._pick(self._view(self.year), lookers[again])
            again = policy.overdrawn(agents, lookers, destination)
        destination = policy.ration(agents, lookers, destination)
        policy.pay(agents, lookers, destination)
        return destination

    def _move(self, destination: np.ndarray, lookers: np.ndarray) -> dict[str, np.ndarray]:
        """Move the movers; return who they were."""
        agents = self.population.agents
        moving = destination != agents.city[lookers]
        who, target = lookers[moving], destination[moving]
        moves = {
            "origin": agents.city[who],
            "destination": target,
            "field": agents.field[who],
            "tier": agents.tier[who],
            "age": agents.age[who],
        }
        agents.city[who] = target
        agents.years[who] = 0
        return moves

    def _enter(self) -> np.ndarray:
        """Let this year's students enter; return the entries by city."""
        number = entries(self.cities, self.parameters, self.population.persons, self.elapsed)
        number = self.policy.trainer.entries(self.year, number)
        ids = [identities(self.elapsed, c, 0, int(k)) for c, k in enumerate(number)]
        city = np.repeat(np.arange(len(self.cities), dtype=np.int16), number)
        if len(city):
            everyone = np.concatenate(ids)
            student = np.ones(len(city), bool)

            def born_of(first: int, last: int) -> Agents:
                part = slice(first, last)
                return self.nursery.born(everyone[part], city[part], student[part], entry=True)

            parts = self.team.each(edges(len(city), self.team.threads), born_of)
            born = Agents(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
            self.policy.trainer.train(self.year, born, np.arange(len(city)), "entry")
            self.population.add(born)
        return number


def _census_state(name: str, census: Census) -> dict[str, np.ndarray]:
    return {f"{name}_{key}": value for key, value in vars(census).items()}


def _census_from(name: str, state: dict[str, np.ndarray]) -> Census:
    return Census(*(state[f"{name}_{key}"] for key in Census.__dataclass_fields__))
