"""Signals: prompt, deferred, swallowed by others, and the exit code in the end."""

import os
import signal
import subprocess
import sys

import pytest

from sim.interruption import Interrupted, Signals

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
LOADING = """
import os, signal, sys
from sim.interruption import Signals
try:
    with Signals():
        exec(f"os.kill(os.getpid(), {NUMBER})")
except KeyboardInterrupt:
    sys.exit(130)
"""


def receive(number: int) -> None:
    """Send a signal to this very process, and swallow what comes of it."""
    with pytest.raises(Interrupted):
        os.kill(os.getpid(), number)


@BOTH
def test_a_signal_interrupts_at_once_and_the_former_handler_comes_back(number):
    former = signal.getsignal(number)
    with pytest.raises(Interrupted), Signals():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) == former


@BOTH
def test_a_deferred_signal_waits_and_the_second_one_does_not(number):
    with Signals() as signals:
        with signals.deferred():
            os.kill(os.getpid(), number)
            assert signals.pending
            receive(number)
        with signals.prompt():
            receive(number)


@BOTH
def test_a_swallowed_signal_stops_the_work_before_it_begins(number):
    former = signal.getsignal(number)
    with Signals():
        with Signals():
            pass
        receive(number)
        with pytest.raises(Interrupted), Signals():
            raise AssertionError("the work began")
    assert signal.getsignal(number) == former
    with Signals():
        pass


@BOTH
def test_an_interruption_while_packages_are_loaded_sets_the_exit_code(tmp_path, number):
    (tmp_path / "loading.py").write_text(LOADING.replace("NUMBER", str(int(number))))
    ended = subprocess.run(
        [sys.executable, "-m", "loading"], cwd=tmp_path, env=os.environ, capture_output=True
    )
    assert (ended.returncode, ended.stderr) == (130, b"")
