"""One run from scenario to folder: simulate with checkpoints, stop when asked, write, draw."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import UserError
from sim.interruption import Interrupted, Signals
from sim.results import version, write_tables
from sim.run_folder import RunFolder, is_run, write_error
from sim.scenario import Scenario

if TYPE_CHECKING:
    from sim.simulation import Simulation

CHECKPOINT_SECONDS = 60.0
PICTURES_GROUP = "talentflow.pictures"

Progress = Callable[[int, int, str], None]
Say = Callable[[str], None]


@dataclass
class Outcome:
    """What a run left: its folder, its manifest, its files, and whether pictures were cut off."""

    folder: Path
    manifest: dict[str, Any]
    files: list[Path]
    stopped: bool = False


def run_scenario(
    scenario: Scenario,
    out: Path,
    *,
    threads: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    pictures: bool = True,
    progress: Progress | None = None,
    say: Say = lambda line: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Outcome:
    """Simulate a scenario and put its results in place, whole or not at all.

    Parameters
    ----------
    scenario : Scenario
        What to simulate.
    out : pathlib.Path
        Folder for the results.
    threads : int, optional
        Threads of the kernels; results do not depend on it.
    overwrite : bool
        Replace a former run in ``out``, once the new one is whole.
    resume : bool
        Go on from the checkpoint that an interrupted run for ``out`` has left, if there is one.
    pictures : bool
        Draw pictures into ``plots/``.
    progress : callable, optional
        ``progress(years done, years in all, message)``, before the first year and after each.
    say : callable
        Takes lines for the user: what is going on, warnings.
    checkpoint_seconds : float
        Least time between checkpoints.

    Returns
    -------
    Outcome

    Raises
    ------
    UserError
        If the folder may not be written, or the checkpoint is of another scenario.
    Interrupted
        On Ctrl-C or SIGTERM: the year under way is finished and kept as a checkpoint first.
    """
    target = RunFolder(out, overwrite)
    target.claim()
    outcome = None
    try:
        with Signals() as signals:
            run = _Run(scenario, target, signals, progress, say)
            run.begin(threads, resume)
            run.years(checkpoint_seconds)
            outcome = run.complete(pictures)
    except MemoryError:
        raise UserError(
            f"population.agents: {scenario.population.agents} agents do not fit into the memory; "
            "take fewer with --agents"
        ) from None
    except KeyboardInterrupt:
        kept = target.read_checkpoint()
        if kept is None:
            raise Interrupted("interrupted; nothing was written") from None
        raise Interrupted(
            f"interrupted after {kept['year']}; go on with the same command and --resume"
        ) from None
    finally:
        target.release(keep_checkpoint=outcome is None)
    if outcome.stopped:
        raise Interrupted(f"interrupted; the tables in {outcome.folder} are whole")
    return outcome


class _Run:
    """The steps of :func:`run_scenario`."""

    def __init__(
        self,
        scenario: Scenario,
        target: RunFolder,
        signals: Signals,
        progress: Progress | None,
        say: Say,
    ) -> None:
        self.scenario = scenario
        self.target = target
        self.signals = signals
        self.progress = progress
        self.say = say
        self.started = datetime.now(UTC)
        self.seconds: dict[str, float] = {}
        self.resumed_from: int | None = None

    def complete(self, pictures: bool) -> Outcome:
        """Write everything; return what was written."""
        with self.signals.deferred():
            with self.target.staged() as folder:
                self._report("writing tables")
                tables = self.simulation.tables()
                manifest = write_tables(folder, tables, self.scenario, self._facts())
                if pictures and not self.signals.pending:
                    self._draw(folder)
            shown, real = self.target.shown, self.target.folder
            files = sorted(path for path in real.rglob("*") if path.is_file())
            files = [shown / path.relative_to(real) for path in files]
            return Outcome(shown, manifest, files, self.signals.pending)

    def _draw(self, folder: Path) -> None:
        self._report("drawing pictures")
        try:
            with self.signals.prompt():
                draw_pictures(folder, self.say)
        except KeyboardInterrupt:
            self.signals.pending = True

    def begin(self, threads: int | None, resume: bool) -> None:
        """Make the simulation, anew or from a checkpoint, and compile its kernels."""
        with self._timed("build"):
            self.simulation = self._simulation(threads, resume)
            self.seconds["compile"] = self.simulation.compile()
        self.seconds["build"] -= self.seconds["compile"]

    def _simulation(self, threads: int | None, resume: bool) -> Simulation:
        from sim.simulation import Simulation

        notes = self.target.read_checkpoint() if resume else None
        if resume and notes is None:
            self.say("there is no checkpoint to resume from; the run starts at the beginning")
        if notes is None:
            self.target.drop_checkpoint()
            return Simulation(self.scenario, threads=threads)
        if notes.get("scenario_sha256") != self.scenario.digest():
            raise UserError(
                f"{self.target.shown}: its checkpoint is of another scenario or other options; "
                "give those of the interrupted run, or leave --resume out to start anew"
            )
        if notes.get("talentflow") != version():
            raise UserError(
                f"{self.target.shown}: its checkpoint is of talentflow {notes.get('talentflow')}, "
                f"this is {version()}; leave --resume out to start anew"
            )
        self.resumed_from = int(notes["year"])
        self.say(f"resuming after {self.resumed_from}")
        return Simulation.load(notes["path"], self.scenario, threads=threads)

    def years(self, checkpoint_seconds: float) -> None:
        """Simulate to the end, keeping checkpoints; stop after a year when a signal has come."""
        simulation, horizon = self.simulation, self.scenario.horizon
        saved = time.monotonic()
        self._report()
        while not simulation.finished:
            with self.signals.deferred(), self._timed("simulate"):
                simulation.step()
            self._report()
            if simulation.finished:
                break
            due = time.monotonic() - saved >= checkpoint_seconds
            if due or self.signals.pending:
                with self.signals.deferred():
                    self._checkpoint()
                saved = time.monotonic()
            if self.signals.pending:
                raise KeyboardInterrupt
        if simulation.year != horizon.end:
            raise RuntimeError(f"the simulation ended in {simulation.year}, not in {horizon.end}")

    def _report(self, message: str = "") -> None:
        if self.progress is not None:
            horizon, year = self.scenario.horizon, self.simulation.year
            self.progress(year - horizon.start, horizon.years, message or f"year {year}")

    def _checkpoint(self) -> None:
        notes = {
            "talentflow": version(),
            "scenario": self.scenario.name,
            "scenario_sha256": self.scenario.digest(),
            "year": self.simulation.year,
        }
        try:
            self.target.write_checkpoint(self.simulation.save, notes)
        except OSError as error:
            reason = write_error(self.target.held, error)
            self.say(f"warning: no checkpoint after {notes['year']}: {reason}")

    def _facts(self) -> dict[str, Any]:
        simulation = self.simulation
        scores = simulation.landscape.scores
        return {
            "persons_per_agent": int(simulation.population.persons),
            "landscape_draw": simulation.landscape.draw,
            "landscape_sha256": hashlib.sha256(scores.tobytes()).hexdigest(),
            "threads": simulation.team.threads,
            "started": self.started.isoformat(timespec="seconds"),
            "resumed_from": self.resumed_from,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "peak_memory_bytes": peak_memory(),
        }

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - started


def draw_pictures(folder: Path, say: Say) -> list[Path]:
    """Let every installed set of pictures draw into a run folder; failures are only told."""
    paths: list[Path] = []
    for entry in metadata.entry_points(group=PICTURES_GROUP):
        try:
            paths += entry.load()(folder)
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            say(f"warning: no pictures by '{entry.name}': {reason}")
    return paths


def finished_already(scenario: Scenario, out: Path) -> dict[str, Any] | None:
    """Return the manifest of a whole run of this very scenario in ``out``, or None."""
    from sim.results import read_manifest

    if not is_run(out):
        return None
    manifest = read_manifest(out)
    return manifest if manifest["scenario_sha256"] == scenario.digest() else None


def peak_memory() -> int | None:
    """Return the peak resident memory of this process in bytes, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
