"""Ensembles of runs: simulated by Dask workers, kept run by run, and read back.

See docs/ensembles.md. ``run_ensemble`` is what ``talentflow ensemble`` calls.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.ensemble_cluster import Cluster, connected, execute, require
from sim.ensemble_folder import (
    COLUMNS,
    ENSEMBLE,
    FORMAT_VERSION,
    EnsembleFolder,
    finished,
    manifest_of,
)
from sim.ensemble_plan import Plan
from sim.errors import UserError, did_you_mean
from sim.interruption import Interrupted, Signals
from sim.pair_folder import SCENARIOS, Say
from sim.results import check_file, read_parquet
from sim.run_folder import is_run
from sim.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client


Progress = Callable[[int, int, str], None]
REPORT_SECONDS = 60.0
LARGE = ("cities", "years")
NEEDED = ("summary", "totals", *LARGE)
_MEND = "finish or make it again with 'talentflow ensemble FILE --resume'"


@dataclass(frozen=True)
class Ensemble:
    """A finished ensemble.

    Attributes
    ----------
    folder : pathlib.Path
    scenarios : dict of str to Scenario
        By name, without seeds and draws; the others are compared with the first.
    summary : pandas.DataFrame
        scenario, city (``(all)``: all together), measure (see :data:`sim.measures.MEASURES`),
        mean, low, high (95 % interval), luck, landscape, parameters (its parts), sd, q05, median,
        q95 (spread of the runs), runs.
    totals : pandas.DataFrame
        scenario, year, measure (stock, arrivals, departures, entries, exits: persons in all
        cities) and the same statistics.
    effects : pandas.DataFrame or None
        scenario, city, measure, base, effect, low, high, luck, landscape, parameters, p, q, runs:
        the difference from the first scenario run by run; None where there is one scenario.
    posterior : pandas.DataFrame or None
        posterior, path, value: the draws that were used.
    manifest : dict
    """

    folder: Path
    scenarios: dict[str, Scenario]
    summary: pd.DataFrame = field(repr=False, compare=False)
    totals: pd.DataFrame = field(repr=False, compare=False)
    effects: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    posterior: pd.DataFrame | None = field(default=None, repr=False, compare=False)
    manifest: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def cities(self) -> pd.DataFrame:
        """Every run by city: scenario, posterior, landscape, seed, city and the measures."""
        return _table(self.folder, "cities", self.manifest)

    @cached_property
    def years(self) -> pd.DataFrame:
        """Every run by year: scenario, posterior, landscape, seed, year and the world's totals."""
        return _table(self.folder, "years", self.manifest)

    def of(self, measure: str = "stock", scenario: str | None = None) -> pd.DataFrame:
        """Return the statistics of one measure, by city.

        Parameters
        ----------
        measure : str
            See :data:`sim.measures.MEASURES`.
        scenario : str, optional
            Default: the first.

        Raises
        ------
        UserError
            If there is no such measure or scenario.
        """
        return self._of(self.summary, measure, scenario or next(iter(self.scenarios)))

    def effect(self, measure: str = "stock", scenario: str | None = None) -> pd.DataFrame:
        """Return a scenario's effects against the first one, by city; default: the second.

        Raises
        ------
        UserError
            If there is no such measure or scenario, or only one scenario.
        """
        if self.effects is None:
            raise UserError(f"{self.folder}: has one scenario, so there is nothing to compare")
        return self._of(self.effects, measure, scenario or list(self.scenarios)[1])

    def _of(self, table: pd.DataFrame, measure: str, scenario: str) -> pd.DataFrame:
        chosen = table
        for column, name in (("measure", measure), ("scenario", scenario)):
            known = [str(word) for word in table[column].unique()]
            if name not in known:
                near = did_you_mean(name, known) or f"; known: {', '.join(known)}"
                raise UserError(f"the ensemble has no {column} '{name}'{near}")
            chosen = chosen[chosen[column] == name]
        rows = chosen.drop(columns=["scenario", "measure"]).set_index("city")
        rows.index = rows.index.astype(str)
        return rows


def run_ensemble(
    plan: Plan,
    out: Path,
    cluster: Cluster | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    say: Say = lambda line: None,
) -> Ensemble:
    """Run what is missing of an ensemble and make its tables.

    Parameters
    ----------
    plan : Plan
        As :func:`sim.ensemble_plan.load_plan` returns it.
    out : pathlib.Path
        Folder of the ensemble.
    cluster : Cluster, optional
        Default: one process a processor of this machine.
    overwrite : bool
        Throw a former ensemble in ``out`` away, with its runs.
    resume : bool
        Take up the finished runs in ``out``.
    progress : callable, optional
        ``progress(done, total, message)`` in runs.
    say : callable
        Takes lines for the user.

    Raises
    ------
    UserError
        If the folder cannot be taken or written, no workers can be had, or a run is at fault.
    Interrupted
        On Ctrl-C or SIGTERM; finished runs are kept.
    """
    require()
    cluster = cluster or Cluster()
    if resume and not overwrite and finished(out, plan):
        say(f"the ensemble in {out} is whole; nothing is left to resume")
        EnsembleFolder(out, plan).tidy(lambda notes: True)
        return read_ensemble(out)
    target = EnsembleFolder(out, plan, overwrite, resume)
    with _held(target, plan) as signals:
        missing = target.open()
        total = len(plan.tasks)
        if resume and len(missing) == total:
            say("there are no finished runs to resume from; all are run")
        elif resume:
            say(f"resuming with {total - len(missing)} of {total} runs")
        started = time.perf_counter()
        if missing:
            report = _Report(len(missing), progress, say)
            with _crew(cluster, signals) as client:
                for position, summary in execute(client, plan, missing, cluster.threads, say):
                    target.put(position, summary)
                    report.done(str(plan.tasks[position]))
        seconds = {"simulate": round(time.perf_counter() - started, 3)}
        target.finish({"simulated": len(missing), "seconds": seconds})
    return read_ensemble(out)


@contextlib.contextmanager
def _held(target: EnsembleFolder, plan: Plan) -> Iterator[Signals]:
    """Let the folder go in the end, and say how to go on after an interruption."""
    try:
        with Signals() as signals:
            yield signals
    except KeyboardInterrupt:
        kept = target.kept()
        raise Interrupted(
            f"interrupted with {kept} of {len(plan.tasks)} runs finished; "
            "go on with the same command and --resume"
            if kept
            else "interrupted; nothing was written"
        ) from None
    except UserError as error:
        kept = target.kept() if target.ours else 0
        raise (
            UserError(f"{error}; {kept} finished runs are kept: go on with --resume")
            if kept
            else error
        ) from None
    finally:
        target.release()


@contextlib.contextmanager
def _crew(cluster: Cluster, signals: Signals) -> Iterator[Client]:
    """Give a client of the workers; a signal waits while they are started and ended."""
    with signals.deferred(), connected(cluster) as client:
        if signals.pending:
            raise KeyboardInterrupt
        with signals.prompt():
            yield client


class _Report:
    """Tells progress: to the bar where there is one, else now and then in a line."""

    def __init__(self, total: int, progress: Progress | None, say: Say) -> None:
        self.total, self.progress, self.say = total, progress, say
        self.number = 0
        self.started = self.told = time.monotonic()
        if progress is not None:
            progress(0, total, "waiting for the first run")

    def done(self, message: str) -> None:
        """Count a run."""
        self.number += 1
        now = time.monotonic()
        if self.progress is not None:
            self.progress(self.number, self.total, message)
        elif now - self.told >= REPORT_SECONDS:
            left = (now - self.started) / self.number * (self.total - self.number)
            self.say(f"{self.number} of {self.total} runs; about {left / 60:.0f} min left")
            self.told = now


def read_ensemble(folder: str | Path) -> Ensemble:
    """Read an ensemble that ``talentflow ensemble`` has finished.

    Parameters
    ----------
    folder : str or pathlib.Path

    Raises
    ------
    UserError
        If the folder is no ensemble or an unfinished one, or a file is missing, truncated or
        edited.
    """
    folder = Path(folder)
    if not folder.exists():
        siblings = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise UserError(f"{folder}: no such folder{did_you_mean(folder.name, siblings)}")
    manifest = manifest_of(folder)
    if not is_run(folder, ENSEMBLE) or manifest.get("format_version") != FORMAT_VERSION:
        raise UserError(f"{folder}: is no {ENSEMBLE.format} of this version; {_MEND}")
    if manifest.get("finished") is not True:
        raise UserError(f"{folder}: is not finished; {_MEND}")
    tables = _hashes(manifest)
    if not tables:
        raise UserError(f"{folder}: its manifest is truncated or edited; {_MEND}")
    scenarios = {}
    for name, sha in manifest["scenarios"].items():
        path = folder / SCENARIOS / f"{name}.yaml"
        check_file(path, sha, _MEND)
        scenarios[name] = load_scenario(path)
    eager = {name: _table(folder, name, manifest) for name in tables if name not in LARGE}
    return Ensemble(folder, scenarios, **eager, manifest=manifest)


def _hashes(manifest: dict[str, Any]) -> dict[str, str]:
    """Return the hash of each table; nothing where the manifest does not list what it should."""
    try:
        tables = {name: manifest["tables"][f"{name}.parquet"]["sha256"] for name in NEEDED}
        tables |= {Path(name).stem: table["sha256"] for name, table in manifest["tables"].items()}
        hashes = [*tables.values(), *manifest["scenarios"].values()]
    except (KeyError, TypeError, AttributeError):
        return {}
    listed = len(tables) == len(manifest["tables"]) and set(tables) <= set(COLUMNS)
    known = all(isinstance(sha, str) for sha in hashes)
    return tables if listed and known and manifest["scenarios"] else {}


def _table(folder: Path, name: str, manifest: dict[str, Any]) -> pd.DataFrame:
    path = folder / f"{name}.parquet"
    check_file(path, manifest["tables"][path.name]["sha256"], _MEND)
    return read_parquet(path, _MEND, COLUMNS)
