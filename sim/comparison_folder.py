"""A comparison on disk: run to a folder, and read back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.compare import Comparison, Progress, digest, named, plan, simulate
from sim.comparison_tables import COLUMNS, assemble
from sim.pair_folder import (
    PairFolder,
    Say,
    draw,
    folder_kind,
    held,
    read_results,
    whole_already,
    write_results,
)
from sim.scenario import Scenario

COMPARISON = folder_kind("comparison", COLUMNS)


def run_comparison(
    base: Scenario,
    policies: Sequence[Scenario],
    out: Path,
    *,
    seeds: int = 20,
    direct: bool = True,
    posterior: Sequence[Mapping[str, Any]] = (),
    threads: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    pictures: bool = True,
    progress: Progress | None = None,
    say: Say = lambda line: None,
) -> Comparison:
    """Compare scenarios and put the results in place, whole or not at all.

    Parameters
    ----------
    base : Scenario
    policies : sequence of Scenario
    out : pathlib.Path
        Folder for the results.
    seeds, direct, posterior, threads, progress
        As in :func:`sim.compare.compare`.
    overwrite : bool
        Replace a former comparison in ``out`` once the new one is whole.
    resume : bool
        Take up the finished pairs of an interrupted comparison.
    pictures : bool
        Draw into ``plots/``.
    say : callable
        Takes lines for the user.

    Returns
    -------
    Comparison

    Raises
    ------
    UserError
        If the scenarios cannot be paired, or the folder cannot be written.
    Interrupted
        On Ctrl-C or SIGTERM; finished pairs are kept.
    """
    by_name = named(policies, base)
    pairs = plan(base, by_name, seeds, direct=direct, posterior=posterior)
    key = digest(pairs)
    if resume and not overwrite and whole_already(out, COMPARISON, key):
        found = read_comparison(out)
        say(f"the comparison in {out} is whole; nothing is left to resume")
        PairFolder(out, COMPARISON, key).tidy(lambda notes: notes.get("digest") == key)
        return found
    started = time.perf_counter()
    target = PairFolder(out, COMPARISON, key, overwrite)
    with held(target, resume, say) as store:
        results = simulate(pairs, threads=threads, progress=progress, store=store)
        found = assemble(base, by_name, pairs, results)
        facts = {
            "base": base.name,
            "policies": list(by_name),
            "pairs_sha256": key,
            "pairs": [
                {"seed": pair.base.seed, "draw": pair.draw, "parameters": pair.parameters}
                for pair in pairs
            ],
            "direct": direct,
            "agents": base.population.agents,
            "persons_per_agent": results[0].persons,
            "start": base.horizon.start,
            "years": base.horizon.years,
            "seconds": {"simulate": round(time.perf_counter() - started, 3)},
        }
        with target.staged() as folder:
            scenarios = {base.name: base, **by_name}
            write_results(folder, COMPARISON, found.tables, COLUMNS, scenarios, facts)
            if pictures:
                draw(folder, say)
    return read_comparison(out)


def read_comparison(folder: str | Path) -> Comparison:
    """Read a comparison that ``talentflow compare`` wrote.

    Parameters
    ----------
    folder : str or pathlib.Path

    Returns
    -------
    Comparison

    Raises
    ------
    UserError
        If the folder is no comparison, or one of its files is missing, truncated or edited.
    """
    folder = Path(folder)
    mend = "make it again with 'talentflow compare ... --overwrite'"
    written = read_results(folder, COMPARISON, COLUMNS, mend)
    base = written.scenarios.pop(written.manifest["base"])
    return Comparison(
        base, written.scenarios, **written.tables, manifest=written.manifest, folder=folder
    )
