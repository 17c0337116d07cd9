"""Pairs of runs with the same luck: simulate a base and its policies on one seed.

Each policy is run twice: once with everything, and once with the cities' answers of the base run
(scores, opportunities, co-nationals and colleagues) replayed year by year. The second run's
difference from the base is the policy's direct effect; the rest is feedback.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sim.displacement import displacement
from sim.feedback import Feedback
from sim.lifecycle import Census
from sim.measures import MEASURES, measure, stocks
from sim.paths import Paths
from sim.scenario import Scenario
from sim.simulation import Simulation

Progress = Callable[[str], None]

Costs = dict[str, np.ndarray]


@dataclass
class Answers:
    """What agents saw of the cities' answers at the start of each year of a run."""

    start: Census
    deviation: list[np.ndarray] = field(default_factory=list)  # (C, 6) a year, index points
    growth: list[np.ndarray] = field(default_factory=list)  # (C,) a year
    census: list[Census] = field(default_factory=list)
    colleagues: list[np.ndarray] = field(default_factory=list)  # (C, C) a year

    def note(self, simulation: Simulation) -> None:
        """Take down the present state of a run."""
        self.deviation.append(simulation.feedback.deviation.copy())
        self.growth.append(simulation.feedback.growth.copy())
        self.census.append(simulation.census)
        self.colleagues.append(simulation.colleagues.copy())


class ReplayedFeedback(Feedback):
    """Feedback that follows another run, whoever lives here.

    Parameters
    ----------
    own : Feedback
        The feedback that it replaces.
    answers : Answers
        The run that is followed.
    """

    def __init__(self, own: Feedback, answers: Answers) -> None:
        super().__init__(own.parameters, answers.start, own.area_of_city)
        self.answers = answers
        self.year = 0

    def update(self, census: Census) -> None:
        """Take the deviations that the run that is followed had after this year."""
        self.year += 1
        self.deviation = self.answers.deviation[self.year].copy()
        self.growth = self.answers.growth[self.year].copy()


class FrozenSimulation(Simulation):
    """A run in which cities answer as they did in another run, and ties are those of that run.

    Parameters
    ----------
    scenario : Scenario
    answers : Answers
        Of a whole run of at least as many years.
    threads : int, optional
    """

    def __init__(self, scenario: Scenario, answers: Answers, *, threads: int | None = None) -> None:
        super().__init__(scenario, threads=threads)
        self.answers = answers
        self.feedback = ReplayedFeedback(self.feedback, answers)

    def step(self) -> None:
        """Simulate one year."""
        self.census = self.answers.census[self.elapsed]
        self.colleagues = self.answers.colleagues[self.elapsed]
        super().step()


@dataclass(frozen=True)
class Pair:
    """A base and policies on one seed, one landscape and one set of parameters.

    Attributes
    ----------
    key : str
        Its name among the pairs of a comparison.
    base : Scenario
    policies : tuple of Scenario
        With the seed and landscape of the base.
    draw, parameters : int
        Which landscape draw and which draw of the posterior it uses; −1 for none.
    direct : bool
        Whether to run each policy with feedback frozen, too.
    people : bool
        Whether to tell who was displaced.
    """

    key: str
    base: Scenario
    policies: tuple[Scenario, ...]
    draw: int = -1
    parameters: int = -1
    direct: bool = True
    people: bool = True

    @property
    def runs(self) -> int:
        """How many runs it takes."""
        return 1 + len(self.policies) * (1 + self.direct)


@dataclass
class PairResult:
    """What is kept of a pair.

    Attributes
    ----------
    persons : int
        Persons that an agent stands for.
    base : (C + 1, M) array
        Measures of the base run, as :func:`sim.measures.measure` returns them.
    total, direct : (P, C + 1, M) arrays
        Measures of the policy runs, with feedback and with feedback frozen (NaN if not run).
    stocks : (1 + 2P, years + 1, C + 1) array
        Talent by year, persons: base, policies, and policies with feedback frozen.
    moved : list of (rows, 6) arrays
        Displacement of each policy, and then, if it was run, of each frozen one.
    costs : list of dict
        The table of costs of each run (base, then policies), by column; empty where there is none.
    """

    persons: int
    base: np.ndarray
    total: np.ndarray
    direct: np.ndarray
    stocks: np.ndarray
    moved: list[np.ndarray] = field(default_factory=list)
    costs: list[Costs] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write it to ``path`` (.npz), whole or not at all."""
        arrays = {"persons": np.array(self.persons), "base": self.base}
        arrays |= {"total": self.total, "direct": self.direct, "stocks": self.stocks}
        arrays |= {f"moved_{k}": rows for k, rows in enumerate(self.moved)}
        arrays["runs"] = np.array(len(self.costs))
        for k, costs in enumerate(self.costs):
            arrays |= {f"costs_{k}_{name}": column for name, column in costs.items()}
        draft = path.with_name(f".{path.name}.draft")
        try:
            with draft.open("wb") as stream:
                np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> PairResult | None:
        """Read what :meth:`save` wrote; None where it is damaged or not there."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            moved = [
                arrays[f"moved_{k}"] for k in range(sum(n.startswith("moved") for n in arrays))
            ]
            costs: list[Costs] = [{} for _ in range(int(arrays["runs"]))]
            for name, column in arrays.items():
                if name.startswith("costs_"):
                    _, run, key = name.split("_", 2)
                    costs[int(run)][key] = column
            main = {name: arrays[name] for name in ("base", "total", "direct", "stocks")}
            return cls(int(arrays["persons"]), **main, moved=moved, costs=costs)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def run_pair(pair: Pair, threads: int | None = None, tick: Progress | None = None) -> PairResult:
    """Simulate a pair.

    Parameters
    ----------
    pair : Pair
    threads : int, optional
        Threads of the kernels; results do not depend on it.
    tick : callable, optional
        Called after each simulated year with a few words on what is being simulated.

    Returns
    -------
    PairResult
    """
    base = Simulation(pair.base, threads=threads)
    answers = Answers(base.feedback.start)
    paths = _follow(base, pair, "base", tick, answers)
    cities = base.cities
    tables = base.tables()
    shape = (len(pair.policies), len(cities) + 1, len(MEASURES))
    result = PairResult(
        base.population.persons,
        measure(tables, cities),
        np.full(shape, np.nan),
        np.full(shape, np.nan),
        np.full((1 + 2 * len(pair.policies), *stocks(tables, cities).shape), np.nan),
    )
    result.stocks[0] = stocks(tables, cities)
    result.costs.append(_costs(tables))
    frozen: list[np.ndarray] = []
    for k, policy in enumerate(pair.policies):
        simulation = Simulation(policy, threads=threads)
        ended = _follow(simulation, pair, policy.name, tick)
        tables = simulation.tables()
        result.total[k] = measure(tables, cities)
        result.stocks[1 + k] = stocks(tables, cities)
        result.costs.append(_costs(tables))
        if pair.people:
            result.moved.append(displacement(paths, ended, len(cities)))
        del simulation, ended
        if pair.direct:
            apart = FrozenSimulation(policy, answers, threads=threads)
            ended = _follow(apart, pair, f"{policy.name}, feedback frozen", tick)
            tables = apart.tables()
            result.direct[k] = measure(tables, cities)
            result.stocks[1 + len(pair.policies) + k] = stocks(tables, cities)
            if pair.people:
                frozen.append(displacement(paths, ended, len(cities)))
    result.moved += frozen
    return result


def _follow(
    simulation: Simulation,
    pair: Pair,
    name: str,
    tick: Progress | None,
    answers: Answers | None = None,
) -> Paths:
    """Run a simulation to its end; return who lived where."""
    paths = Paths()
    if answers is not None:
        answers.note(simulation)
    while not simulation.finished:
        simulation.step()
        if pair.people:
            paths.note(simulation.population.living())
        if answers is not None:
            answers.note(simulation)
        if tick is not None:
            tick(f"{pair.key}, {name}, {simulation.year}")
    if pair.people:
        paths.end(simulation.population.living())
    return paths


def _costs(tables: Mapping[str, Any]) -> Costs:
    """Return the table of costs as arrays: whole numbers and text."""
    if "costs" not in tables:
        return {}
    out = {}
    for name, column in tables["costs"].items():
        text = not np.issubdtype(getattr(column.dtype, "type", object), np.integer)
        out[str(name)] = np.array(column.astype(str)) if text else column.to_numpy()
    return {name: a.astype(str) if a.dtype == object else a for name, a in out.items()}
