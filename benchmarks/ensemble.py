"""How well ensembles scale on this machine, and what a run costs beside its simulation.

``python benchmarks/ensemble.py`` takes turns between one worker, two workers, and two plain
processes without Dask that share out the same runs: the last is what the machine allows, which on a
machine with other work is less than twice the speed of one.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client

import sim.ensemble_cluster as cluster
from sim.cities import load_cities
from sim.ensemble_plan import Plan, load_plan
from sim.ensemble_task import TOTALS, Summary, run_task, save_part
from sim.measures import MEASURES
from sim.scenario import Scenario


def no_simulation(scenario: Scenario, threads: int, expected: str) -> Summary:
    """Return a summary of the usual size at once, other numbers for other seeds."""
    rng = np.random.default_rng(scenario.seed)
    measures = rng.random((len(load_cities()) + 1, len(MEASURES)))
    years = scenario.horizon.years + 1
    return Summary(1, measures, rng.integers(0, 10**6, (years, len(TOTALS))))


def plan_of(folder: Path, runs: int, agents: int, years: int) -> Plan:
    """Return a plan of so many runs of the baseline."""
    file = folder / f"runs{runs}.yaml"
    file.write_text(f"scenarios: baseline\nseeds: {runs}\nagents: {agents}\nyears: {years}\n")
    return load_plan(file)


def seconds(task: Callable[[], Any]) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def through_dask(client: Client, plan: Plan, folder: Path) -> None:
    """Make all runs of a plan and write their parts."""
    positions = range(len(plan.tasks))
    for k, summary in cluster.execute(client, plan, positions, 1, print):
        save_part(folder / f"part-{k}.parquet", plan.tasks[k], plan.keys[k], summary)


def plainly(pool: Pool, plan: Plan, folder: Path) -> None:
    """Do the same by plain processes."""
    scenarios = [task.scenario for task in plan.tasks]
    for k, summary in enumerate(pool.imap(run_task, scenarios, chunksize=1)):
        save_part(folder / f"part-{k}.parquet", plan.tasks[k], plan.keys[k], summary)


def scaling(folder: Path, runs: int, agents: int, years: int, repeats: int) -> None:
    """Print seconds and efficiencies."""
    plan = plan_of(folder, runs, agents, years)
    warm = plan_of(folder, 4, agents, 1)
    with (
        cluster.connected(cluster.Cluster(workers=1)) as one,
        cluster.connected(cluster.Cluster(workers=2)) as two,
        get_context("spawn").Pool(2) as pool,
    ):
        ways: dict[str, Callable[[Plan], None]] = {
            "one worker": lambda p: through_dask(one, p, folder),
            "two workers": lambda p: through_dask(two, p, folder),
            "two plain processes": lambda p: plainly(pool, p, folder),
        }
        for way in ways.values():
            way(warm)
        found: dict[str, list[float]] = {name: [] for name in ways}
        for k in range(repeats):
            for name, way in ways.items():
                found[name].append(seconds(lambda way=way: way(plan)))  # type: ignore[misc]
            print(k, {name: round(values[-1], 2) for name, values in found.items()}, flush=True)
    alone = found["one worker"]
    print(f"{runs} runs, {statistics.median(alone) / runs:.2f} s a run with one worker (median)")
    for name in ("two workers", "two plain processes"):
        each = [a / (2 * b) for a, b in zip(alone, found[name], strict=True)]
        best = min(alone) / (2 * min(found[name]))
        print(
            f"{name}: efficiency {statistics.median(each):.3f} (median of turns, "
            f"{min(each):.3f} to {max(each):.3f}), {best:.3f} by the fastest turns"
        )
    against = [
        p / t for p, t in zip(found["two plain processes"], found["two workers"], strict=True)
    ]
    print(f"two workers against two plain processes: {statistics.median(against):.3f} of the speed")


def overhead(folder: Path, repeats: int) -> None:
    """Print what a run costs beside its simulation, and the memory that the client has used."""
    cluster.run_task = no_simulation  # type: ignore[assignment]
    with cluster.connected(cluster.Cluster(workers=1)) as client:
        through_dask(client, plan_of(folder, 20, 500, 20), folder)
        for runs in (200, 1000, 4000):
            plan = plan_of(folder, runs, 500, 20)
            times = [
                seconds(lambda p=plan: through_dask(client, p, folder)) for _ in range(repeats)
            ]  # type: ignore[misc]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            least, middle = (1000 * f(times) / runs for f in (min, statistics.median))
            print(
                f"{runs} runs without simulation: {least:.1f} ms a run (median {middle:.1f}), "
                f"client's peak {peak:.0f} MiB",
                flush=True,
            )
    size = (folder / "part-0.parquet").stat().st_size
    print(f"a part has {size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--agents", type=int, default=1_000_000)
    parser.add_argument("--years", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", choices=("scaling", "overhead"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.only != "overhead":
            scaling(Path(name), options.runs, options.agents, options.years, options.repeats)
        if options.only != "scaling":
            overhead(Path(name), min(3, options.repeats))
