"""Kills the commands at random moments and looks at what they leave.

``python tests/killing.py 50 --seed 1`` strikes fifty times at ``run``, ``compare``, ``calibrate``
and ``ensemble``. After each kill every reader must give a whole result or refuse in one line; after
the resumed command the results must be those of an undisturbed one, byte for byte, with nothing
left beside them and nothing run again that was whole. It stops at the first violation.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from conftest import Program

import sim
from sim.comparison_folder import read_comparison
from sim.errors import UserError
from sim.pairing import PairResult
from sim.run_folder import RunFolder

PATIENCE = 600.0
NOTES = (
    *("resuming ", "there are no finished ", "there is no checkpoint "),
    *("the run in ", "the comparison in ", "the ensemble in "),
)
# Checkpoints often, so that a run has something to lose.
OFTEN = (
    "import sim.runner; sim.runner.run_scenario.__kwdefaults__['checkpoint_seconds'] = 0.2; "
    "import sim.cli; sim.cli.main()"
)
RUNS = ("run", "pictures")
FILES = {
    "up.yaml": "interventions:\n  - name: up\n    lever: dimension_shift\n    places: Shanghai\n"
    "    points: {economic_foundation: 20.0}\n",
    "study.yaml": "scenarios: [baseline, up.yaml]\nseeds: 6\nagents: 40000\nyears: 8\n",
}


class ViolationError(AssertionError):
    """Something was lost, half-written or left behind."""


class Victim(NamedTuple):
    """A command, the options of another result in the place of its own, and the file or folder."""

    command: str
    former: str | None = None
    out: str = "out"


COMMANDS = {
    "run": Victim(
        "run baseline --agents 100000 --years 25 --no-plots --out out", "--seed 9 --years 1"
    ),
    "pictures": Victim("run baseline --agents 2000 --years 2 --out out", "--seed 9 --no-plots"),
    "compare": Victim(
        "compare baseline up.yaml --seeds 3 --agents 30000 --years 5 --no-plots --out out",
        "--seeds 2 --agents 2000 --years 1",
    ),
    "calibrate": Victim("calibrate --starts 2 --per-city 8 --out out.json", out="out.json"),
    "ensemble": Victim(
        "ensemble study.yaml --workers 2 --out out", "--seeds 2 --agents 2000 --years 2"
    ),
}


def results(path: Path) -> dict[str, bytes]:
    """Return the bytes of all results in a file or folder."""
    if path.is_file():
        return {"": path.read_bytes()}
    found = (p for p in path.rglob("*") if p.suffix in (".parquet", ".yaml"))
    return {str(p.relative_to(path)): p.read_bytes() for p in found}


def read(name: str, path: Path) -> bool:
    """Return whether a result is whole, by its reader; a refusal must be one line."""
    readers: dict[str, Any] = {"compare": read_comparison, "ensemble": sim.read_ensemble}
    if name == "calibrate":
        return path.exists() and bool(json.loads(path.read_bytes())["parameters"])
    try:
        readers.get(name, sim.read_run)(path)
    except UserError as error:
        if len(str(error).splitlines()) != 1:
            raise ViolationError(f"refused in several lines: {error}") from None
        return False
    return True


def kept(name: str, folder: Path) -> dict[str, Any]:
    """Return what is finished and not yet in place: its name and what must not change of it."""
    if name in RUNS:
        notes = RunFolder(folder / "out").read_checkpoint()
        return {"checkpoint": notes["year"]} if notes else {}
    if name == "calibrate":
        with contextlib.suppress(FileNotFoundError):
            return dict(enumerate(json.loads((folder / ".out.json.state").read_text())["starts"]))
        return {}
    if name == "compare":
        parts = [p for p in folder.glob(".out.partial/pair-*.npz") if PairResult.load(p)]
    else:
        parts = list(folder.glob("out/runs/*/part-*.parquet"))
    return {str(path): path.stat().st_mtime_ns for path in parts}


def children(pid: int) -> list[int]:
    """Return the worker processes of a client."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        return [p.pid for p in psutil.Process(pid).children() if "spawn_main" in str(p.cmdline())]
    return []


class Range:
    """A folder to shoot in: undisturbed results and times, and episodes of kills.

    Parameters
    ----------
    folder : pathlib.Path
        An empty folder.
    commands : dict of str to Victim
    """

    def __init__(self, folder: Path, commands: dict[str, Victim] | None = None) -> None:
        self.folder = folder
        self.commands = COMMANDS if commands is None else commands
        self.whole: dict[str, dict[str, bytes]] = {}
        self.seconds: dict[str, float] = {}
        self.former: dict[str, Path] = {}
        self.said = folder / "said"

    def prepare(self, name: str) -> None:
        """Run a command undisturbed, twice, for kernels are compiled once."""
        victim = self.commands[name]
        for take in range(2):
            place = self._place(f"{name}-{take}")
            started = time.perf_counter()
            self._finish(self.start(name, place))
            took = time.perf_counter() - started
            self.seconds[name] = min(took, self.seconds.get(name, took))
            found = results(place / victim.out)
            if self.whole.setdefault(name, found) != found or not found:
                raise ViolationError(f"{name}: two undisturbed commands differ")
        if victim.former is not None:
            place = self._place(f"{name}-former")
            self._finish(self.start(name, place, *victim.former.split()))
            self.former[name] = place / victim.out

    def _place(self, name: str) -> Path:
        place = self.folder / name
        place.mkdir()
        for file, text in FILES.items():
            (place / file).write_text(text)
        return place

    def start(self, name: str, place: Path, *more: str) -> subprocess.Popen[str]:
        """Start a command."""
        program = Program(place)
        program.environment["OPENBLAS_NUM_THREADS"] = "1"
        head = ["-c", OFTEN] if name in RUNS else ["-m", "sim"]
        self.said = place.with_name(f"{place.name}-{time.monotonic_ns()}.err")
        return subprocess.Popen(
            [sys.executable, *head, *self.commands[name].command.split(), *more],
            cwd=place,
            env=program.environment,
            stdout=subprocess.DEVNULL,
            stderr=self.said.open("w"),
            text=True,
        )

    def _finish(self, process: subprocess.Popen[str]) -> str:
        code, said = process.wait(PATIENCE), self.said.read_text()
        if code != 0 or any(not line.startswith(NOTES) for line in said.splitlines()):
            raise ViolationError(f"exit code {code}, said {said!r}")
        return said

    def episode(self, number: int, name: str, rng: random.Random) -> list[tuple[str, str]]:
        """Kill a command, and perhaps the resumed one; resume; return kills and outcomes."""
        place, victim = self._place(f"episode-{number}"), self.commands[name]
        before = {path.name for path in place.iterdir()}
        more: list[str] = []
        if name in self.former and rng.random() < 0.4:
            shutil.copytree(self.former[name], place / victim.out)
            more = ["--overwrite"]
        replacing = bool(more)
        story: list[tuple[str, str]] = []
        while not story or rng.random() < 0.4:
            orphans, how, code = self._strike(name, place, more, rng)
            said = self.said.read_text()
            story.append((how, self._outcome(how, code, said)))
            self._look(name, place, replacing)
            more = self._again(name, place, replacing)
        had = kept(name, place)
        said = self._finish(self.start(name, place, *more))
        if had and not replacing and "resum" not in said:
            raise ViolationError(f"had {len(had)} finished parts, but said {said!r}")
        if results(place / victim.out) != self.whole[name] or not read(name, place / victim.out):
            raise ViolationError("the resumed command gives other results")
        after = {path.name for path in place.iterdir()} - before
        hidden = [str(path) for path in place.rglob(".*")]
        if after != {victim.out} or hidden:
            raise ViolationError(f"left behind: {sorted(after)} {hidden}")
        if any(running(pid) for pid in orphans):
            raise ViolationError("a worker outlives its client")
        shutil.rmtree(place)
        return story

    def _strike(
        self, name: str, place: Path, more: list[str], rng: random.Random
    ) -> tuple[list[int], str, int]:
        had = kept(name, place)
        sign, at = rng.choice((signal.SIGTERM, signal.SIGKILL)), rng.uniform(0, self.seconds[name])
        worker = name == "ensemble" and rng.random() < 0.3
        process = self.start(name, place, *more)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(at)
        crew, how = children(process.pid), sign.name
        if worker and crew:
            how = f"{sign.name} to a worker"
            with contextlib.suppress(ProcessLookupError):
                os.kill(rng.choice(crew), sign)
        elif process.poll() is None:
            process.send_signal(sign)
        else:
            how = "none: it was done"
        code = process.wait(PATIENCE)
        now = kept(name, place)
        whole = results(place / self.commands[name].out) == self.whole[name]
        lost = [part for part, what in had.items() if not self._still(name, what, now.get(part))]
        if lost and not whole and "--overwrite" not in more:
            raise ViolationError(f"{how} at {at:.2f} s: lost or made again: {lost}")
        return crew, f"{how} at {at:.2f} s", code

    @staticmethod
    def _still(name: str, before: Any, now: Any) -> bool:
        return now is not None and (now >= before if name in RUNS else now == before)

    @staticmethod
    def _outcome(how: str, code: int, said: str) -> str:
        """Return what a killed command said in the end; it must be one line, but after SIGKILL."""
        if how.startswith("SIGKILL at"):  # Python's own helper process tells of the murder
            said = said.partition("/multiprocessing/resource_tracker.py")[0].rpartition("\n")[0]
        told = [line for line in said.splitlines() if not line.startswith(NOTES)]
        if code == 0 and not told:
            return "done"
        if how.startswith("SIGKILL at") and code == -signal.SIGKILL and not told:
            return "dead"
        if how.startswith("SIGTERM at"):
            if code == -signal.SIGTERM and not told:
                return "dead before or after all work"
            if code == 130 and len(told) == 1 and told[0].startswith("talentflow: interrupted"):
                return told[0].removeprefix("talentflow: ")
        raise ViolationError(f"{how}: exit code {code}, said {said!r}")

    def _look(self, name: str, place: Path, replacing: bool) -> None:
        """Make sure that what stands there is whole, or is refused."""
        out = place / self.commands[name].out
        if not read(name, out):
            return
        known = [self.whole[name], *([results(self.former[name])] if replacing else [])]
        if results(out) not in known:
            raise ViolationError("what a killed command left is taken for whole")

    def _again(self, name: str, place: Path, replacing: bool) -> list[str]:
        """Return the options to go on with: replace the former result while it stands."""
        stands = replacing and results(place / self.commands[name].out) != self.whole[name]
        if name != "ensemble":
            return ["--resume", *(["--overwrite"] if stands else [])]
        manifest = place / "out" / "manifest.json"
        if stands and (not manifest.exists() or json.loads(manifest.read_text())["runs"] == 4):
            return ["--overwrite"]
        return ["--resume"]


def running(pid: int) -> bool:
    """Return whether a process runs, by Linux's table of processes."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX"
    return False


def main() -> int:
    """Kill as often as asked for; print one line a kill, and what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("number", type=int, help="kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="episode to begin with")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    chosen = parser.parse_args()
    counts: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        shooting = Range(Path(folder))
        for name in chosen.commands:
            shooting.prepare(name)
            say(f"{name}: {shooting.seconds[name]:.1f} s undisturbed")
        number = chosen.first
        while sum(counts.values()) < chosen.number:
            name = chosen.commands[number % len(chosen.commands)]
            try:
                story = shooting.episode(number, name, random.Random(f"{chosen.seed} {number}"))
            except ViolationError as violation:
                names = " ".join(chosen.commands)
                say(f"episode {number}, {name}: VIOLATION: {violation}")
                say(f"again: --seed {chosen.seed} --first {number} --commands {names}")
                return 1
            for how, outcome in story:
                say(f"episode {number}, {name}: {how}: {outcome}")
                if not how.startswith("none"):
                    counts[name, how.partition(" at ")[0], outcome.partition(" ")[0]] += 1
            number += 1
    for (name, how, outcome), count in sorted(counts.items()):
        say(f"{count:4} {name:10} {how:20} {outcome}")
    say(f"{sum(counts.values())} kills, no violation")
    return 0


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
