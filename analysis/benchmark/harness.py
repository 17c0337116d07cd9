"""Checks that all ways of writing the decision agree, then times them side by side."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from analysis.benchmark.problem import Problem, exact_flows, flows_of, make_problem, strays
from analysis.benchmark.rivals import RIVALS, Rival, Step

#: Beyond so many standard deviations of chi-square, flows do not come from the same distribution.
WORST = 6.0
#: Least seconds of a turn: threads of whoever came before have gone to sleep well before its end.
TURN = 0.25
Say = Callable[[str], None]


@dataclass
class Timing:
    """One way of writing the decision at one number of agents.

    Attributes
    ----------
    seconds : float
        Best of the repeats for one year.
    first : float
        Seconds of the first call beyond a later one: compilation and warming up.
    strays : float
        Distance of its flows from the exact ones; see `problem.strays`.
    bytes : float or None
        Peak bytes an agent, measured in a process of its own, arrays of the problem included.
    """

    name: str
    key: str
    agents: int
    cities: int
    seconds: float
    first: float
    strays: float
    bytes: float | None = None

    @property
    def rate(self) -> float:
        """Agent-steps a second."""
        return self.agents / self.seconds


@dataclass
class Comparison:
    """All timings of one run, and why some rivals are missing."""

    timings: list[Timing] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def rate(self, key: str, agents: int) -> float | None:
        """Return agent-steps a second of a rival, None where it was not timed."""
        for timing in self.timings:
            if timing.key == key and timing.agents == agents:
                return timing.rate
        return None

    def ratio(self, key: str, agents: int) -> float | None:
        """Return how many times faster talentflow's dense kernel is."""
        mine, other = self.rate("talentflow", agents), self.rate(key, agents)
        return None if mine is None or other is None else mine / other


class DisagreementError(RuntimeError):
    """A rival's flows do not come from the same distribution."""


def prepare(rivals: list[Rival], problem: Problem, threads: int) -> tuple[dict, dict[str, str]]:
    """Return the ready rivals by key, and a line on each that is not installed."""
    ready: dict[str, tuple[Rival, Step]] = {}
    skipped = {}
    for rival in rivals:
        if problem.agents > rival.most:
            continue
        try:
            ready[rival.key] = rival, rival.prepare(problem, threads)
        except ImportError as error:
            skipped[rival.key] = f"{rival.name}: left out, {error}"
    return ready, skipped


def check(name: str, problem: Problem, step: Step, exact: np.ndarray, year: int = 1) -> float:
    """Return how far a rival's flows stray from the exact ones.

    Raises
    ------
    DisagreementError
        If they stray further than chance explains.
    """
    distance = strays(flows_of(problem, step(year)), exact)
    if abs(distance) > WORST:
        raise DisagreementError(f"{name}: flows stray by {distance:.1f} standard deviations")
    return distance


def _turn(step: Step, year: int) -> tuple[float, float]:
    """Time a step again and again; return the seconds in all and those of the shortest."""
    began, shortest = time.perf_counter(), float("inf")
    while (spent := time.perf_counter() - began) < TURN:
        started = time.perf_counter()
        step(year)
        shortest = min(shortest, time.perf_counter() - started)
    return spent, shortest


def compare(
    agents: int,
    threads: int,
    *,
    rivals: tuple[Rival, ...] = RIVALS,
    cities: int = 120,
    repeats: int = 5,
    budget: float = 20.0,
    say: Say = lambda line: None,
) -> Comparison:
    """Check and time all rivals at one number of agents.

    Rivals take turns, so that whatever else the machine does hits all of them alike; each gets
    ``repeats`` turns, fewer once it has had ``budget`` seconds. A turn is one year, or as many as
    take `TURN` seconds; the best year counts.
    """
    problem = make_problem(agents, cities)
    result = Comparison()
    ready, result.skipped = prepare(list(rivals), problem, threads)
    expected = exact_flows(problem)
    first, distance, spent = {}, {}, dict.fromkeys(ready, 0.0)
    best: dict[str, float] = {}
    for key, (rival, step) in ready.items():
        say(f"{agents:,} agents: checking {rival.name}")
        started = time.perf_counter()
        distance[key] = check(rival.name, problem, step, expected)
        first[key] = time.perf_counter() - started
    for turn in range(repeats):
        for key, (rival, step) in ready.items():
            if spent[key] > budget:
                continue
            say(f"{agents:,} agents: timing {rival.name}, turn {turn + 1} of {repeats}")
            took, shortest = _turn(step, 2 + turn)
            spent[key] += took
            best[key] = min(best.get(key, shortest), shortest)
    for key, (rival, _) in ready.items():
        result.timings.append(
            Timing(
                rival.name,
                key,
                agents,
                cities,
                best[key],
                max(first[key] - best[key], 0.0),
                distance[key],
            )
        )
    return result


def peak_bytes(key: str, agents: int, threads: int) -> float | None:
    """Return peak bytes an agent of a rival, or of a whole model year (key ``year``).

    A process of its own does the work with few agents, then with many; how far it grew at its
    highest is divided by the agents, so that fixed costs fall out.
    """
    command = [sys.executable, "-m", "analysis.benchmark.memory", key, str(agents), str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode else float(done.stdout.split()[-1]) / agents
