"""The whole benchmark in one run: rivals, limits, model years, growth, start-up."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from typing import Any

from analysis.benchmark.harness import Comparison, Say, Timing, compare, peak_bytes
from analysis.benchmark.limits import measure_limits
from analysis.benchmark.model_year import (
    exponent,
    time_cities,
    time_groups,
    time_start_up,
    time_year,
)
from analysis.benchmark.report import table, targets, targets_table
from analysis.benchmark.rivals import KERNEL
from sim.team import Team

LARGEST = 10_000_000  # the kernel alone and the model's growth go so far


def _memory(comparison: Comparison, agents: int, threads: int, say: Say) -> None:
    for timing in comparison.timings:
        say(f"{agents:,} agents: peak memory of {timing.name}")
        timing.bytes = peak_bytes(timing.key, agents, threads)


def _machine(threads: int) -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "threads": threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def run_suite(
    sizes: list[int], threads: int | None = None, *, quick: bool = False, say: Say = lambda _: None
) -> dict[str, Any]:
    """Run the benchmark.

    Parameters
    ----------
    sizes : list of int
        Numbers of agents at which all rivals are compared; targets are judged at the largest.
    threads : int, optional
        None: one for each processor.
    quick : bool
        Leave out memory, start-up, growth and ten million agents.
    say : callable
        Takes lines of progress.

    Returns
    -------
    dict
        Ready for JSON: machine, limits, timings, years, growth, cities, groups, start_up, targets.
    """
    team = Team(threads)
    threads, scale = team.threads, 20 if quick else 1
    say("limits of this machine")
    before = measure_limits(team, scale=scale)
    comparisons = [
        compare(n, threads, repeats=3 if quick else 15, budget=2.0 if quick else 20.0, say=say)
        for n in sizes
    ]
    judged = comparisons[-1]
    if not quick:
        _memory(judged, sizes[-1], threads, say)
        comparisons.append(compare(LARGEST, threads, rivals=(KERNEL,), repeats=3, say=say))
    growth_sizes = [sizes[-1]] if quick else [100_000, 1_000_000, LARGEST]
    years = []
    for n in growth_sizes:
        say(f"{n:,} agents: whole model years")
        years.append(time_year(n, threads, years=3 if quick else 15))
    after = measure_limits(team, scale=scale)
    limits = max(before, after, key=lambda found: found.dense_bound(120))
    say("cities")
    cities = time_cities((60, 120, 240, 480), 20_000 if quick else 500_000, threads)
    say("groups")
    groups = time_groups(20_000 if quick else 300_000, threads)
    results: dict[str, Any] = {
        "machine": _machine(threads),
        "limits": asdict(limits),
        "bound": limits.dense_bound(120),
        "timings": [asdict(t) | {"rate": t.rate} for c in comparisons for t in c.timings],
        "skipped": judged.skipped,
        "years": [asdict(y) | {"rate": y.rate} for y in years],
        "nanoseconds_by_cities": cities,
        "nanoseconds_by_groups": groups,
        "rates": {t.key: t.rate for t in judged.timings},
        "year": next((y.rate for y in years if y.agents == sizes[-1]), None),
        "judged_at": sizes[-1],
    }
    if not quick:
        results["exponent"] = exponent([y.living for y in years], [y.seconds for y in years])
        say("peak memory of whole years")
        results["year_bytes"] = peak_bytes("year", sizes[-1], threads)
        results["start_up"] = time_start_up(say)
    results["targets"] = targets(results)
    return results


def as_text(results: dict[str, Any]) -> str:
    """Return the results of `run_suite` as text."""
    fields = Timing.__dataclass_fields__
    timings = [Timing(**{k: v for k, v in t.items() if k in fields}) for t in results["timings"]]
    limits = results["limits"]
    lines = [table([Comparison(timings)]), "", *results["skipped"].values()]
    lines += [
        f"limits: {limits['fma'] / 1e9:.0f} G multiply-adds/s, {limits['exp'] / 1e9:.1f} G exp/s, "
        f"{limits['copy'] / 1e9:.0f} GB/s copied; they bound a dense decision among 120 cities at "
        f"{results['bound'] / 1e6:.0f} M/s",
        *(
            f"whole model year, {y['agents']:,} agents: {y['seconds']:.3f} s, "
            f"{y['rate'] / 1e6:.3g} M steps/s, {100 * y['movers']:.2f} % move"
            for y in results["years"]
        ),
        "nanoseconds an agent of the dense kernel by cities: "
        + ", ".join(f"{c}: {t:.0f}" for c, t in results["nanoseconds_by_cities"].items()),
        "nanoseconds of a choice in the whole model by groups of agents: "
        + ", ".join(f"{g}: {t:.0f}" for g, t in results["nanoseconds_by_groups"].items()),
    ]
    if "exponent" in results:
        start = {k: "failed" if v is None else f"{v:.2f} s" for k, v in results["start_up"].items()}
        lines += [
            f"time grows with agents to the power {results['exponent']:.3f}",
            f"start-up: --help {start['help']}, run with 10,000 agents {start['run']}",
        ]
    lines += ["", f"judged at {results['judged_at']:,} agents", targets_table(results["targets"])]
    return "\n".join(lines)
