"""Fixtures for the tests of scenarios, results and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fake_engine
import pytest
from hypothesis import settings

from sim.errors import UserError

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Always the same examples, so that a failure is the change's; --hypothesis-profile=default seeks.
settings.register_profile("same-examples", derandomize=True)
settings.load_profile("same-examples")

FAKE_PROGRAM = "import fake_engine; fake_engine.install(); import sim.cli; sim.cli.main()"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the engine by the small one of ``fake_engine`` and draw no pictures."""
    monkeypatch.setitem(sys.modules, "sim.simulation", fake_engine)
    monkeypatch.setattr("sim.runner.draw_pictures", lambda folder, say: [])


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fault(call: Callable[..., object], *arguments: object) -> str | None:
    """Call something; return the message of the UserError that it raises, if it does."""
    try:
        call(*arguments)
    except UserError as error:
        return str(error)
    return None


class Program:
    """Starts the program in a child process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = dict(os.environ)
        self.environment.pop("TALENTFLOW_DEBUG", None)
        tests, root = Path(__file__).parent, Path(__file__).parents[1]
        self.environment["PYTHONPATH"] = os.pathsep.join([str(tests), str(root)])

    def start(self, *arguments: str, real: bool = False, **more: object) -> subprocess.Popen[str]:
        """Start it, with the small engine or the real one; ``more`` goes to the environment."""
        head = ["-m", "sim"] if real else ["-c", FAKE_PROGRAM]
        return subprocess.Popen(
            [sys.executable, *head, *arguments],
            cwd=self.folder,
            env=self.environment | {name: str(value) for name, value in more.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
        """Run it to the end."""
        process = self.start(*arguments, **more)  # type: ignore[arg-type]
        out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Start the program in an empty folder."""
    return Program(tmp_path)
