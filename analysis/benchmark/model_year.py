"""Times of the whole model: a year, how it grows with agents, cities and groups, and start-up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.benchmark.harness import Say
from analysis.benchmark.limits import best_of
from analysis.benchmark.problem import make_problem

if TYPE_CHECKING:
    from sim.kernel import Agents
    from sim.simulation import Simulation


@dataclass(frozen=True)
class Year:
    """A whole model year, every mechanism on, at the baseline's looking rate.

    Attributes
    ----------
    agents : int
        Agents at the start of the run.
    living : int
        Agents at the start of the year that is reported: people enter and leave.
    seconds : float
        Of the year with the most agent-steps a second.
    setup : float
        Seconds to create the agents.
    movers : float
        Share of agents that moved in the last year.
    """

    agents: int
    living: int
    seconds: float
    setup: float
    movers: float

    @property
    def rate(self) -> float:
        """Agent-steps a second."""
        return self.living / self.seconds


def simulation(agents: int, threads: int) -> Simulation:
    """Return a run of the baseline scenario with ``agents`` agents."""
    from sim.scenario import load_scenario
    from sim.simulation import Simulation

    scenario = load_scenario("baseline", {"population.agents": agents})
    return Simulation(scenario, threads=threads)


def time_year(agents: int, threads: int, years: int = 5) -> Year:
    """Time single years of the baseline; the one with the most agent-steps a second counts."""
    run = simulation(agents, threads)
    timed = []
    for _ in range(min(years, run.scenario.horizon.years)):
        living, started = run.population.n, time.perf_counter()
        run.step()
        timed.append((living, time.perf_counter() - started))
    living, seconds = max(timed, key=lambda year: year[0] / year[1])
    counts = run.records.counts[-1]
    movers = float(counts[:, 1].sum() / counts[:, 0].sum())
    return Year(agents, living, seconds, run.timings["population"], movers)


def exponent(agents: list[int], seconds: list[float]) -> float:
    """Return the power with which time grows with agents (least squares in logarithms)."""
    return float(np.polyfit(np.log(agents), np.log(seconds), 1)[0])


def time_cities(
    cities: tuple[int, ...], agents: int, threads: int, repeats: int = 3
) -> dict[int, float]:
    """Return nanoseconds an agent of the dense kernel by number of cities."""
    from analysis.benchmark.rivals import prepare_kernel

    out = {}
    for number in cities:
        step = prepare_kernel(make_problem(agents, number), threads)
        step(1)
        out[number] = 1e9 * best_of(repeats, partial(step, 2)) / agents
    return out


def time_groups(agents: int, threads: int, repeats: int = 5) -> dict[int, float]:
    """Return nanoseconds of a looker's choice in the whole model by number of groups of agents.

    Groups are stages, fields and tiers; once as the baseline has them, once with one of each.
    """
    from sim.kernel import choose
    from sim.rng import split_seed

    run = simulation(agents, threads)
    world, mixed = run.world(), run.population.living()
    who, out = np.arange(len(mixed.ids)), np.empty(len(mixed.ids), np.int16)
    alike = mixed._replace(
        **{name: np.zeros_like(getattr(mixed, name)) for name in ("stage", "field", "tier")}
    )

    def decide(people: Agents) -> None:
        run.team.share(
            len(who), lambda a, b: choose(people, world, who, 1, *split_seed(1), a, b, out)
        )

    times = {}
    for people in (alike, mixed):
        groups = np.stack([people.stage, people.field, people.tier])
        number = np.unique(groups, axis=1).shape[1]
        times[number] = 1e9 * best_of(repeats, partial(decide, people)) / len(who)
    return times


def _seconds_of(arguments: list[str], repeats: int = 3) -> float | None:
    """Return the best wall time of a talentflow command in a process of its own."""
    command = [sys.executable, "-m", "sim", *arguments]
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False, env=dict(os.environ))
        seconds.append(time.perf_counter() - started)
        if done.returncode:
            return None
    return min(seconds)


def time_start_up(say: Say = lambda line: None) -> dict[str, float | None]:
    """Return seconds of ``--help`` and of a small warm run, each in a process of its own."""
    say("start-up: talentflow --help")
    help_seconds = _seconds_of(["--help"])
    say("start-up: talentflow run baseline --agents 10000")
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["run", "baseline", "--agents", "10000", "--no-plots", "--overwrite"]
        run_seconds = _seconds_of([*arguments, "--out", str(Path(folder) / "run")])
    return {"help": help_seconds, "run": run_seconds}
