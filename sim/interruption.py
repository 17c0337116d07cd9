"""Ctrl-C and SIGTERM: both interrupt, and wait where something must be finished first."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or a termination signal stopped the work; the message says how to go on.

    A class of its own also because Python ends by SIGINT, whatever the exit code, if a bare
    KeyboardInterrupt has ever left a text under ``exec``, as many packages use on their import.
    """


class Signals:
    """Makes SIGTERM an interruption, and lets both signals wait for the end of a step.

    Within :meth:`deferred` the first signal only sets ``pending``; a second one interrupts at once.
    Outside of it a signal interrupts at once. Off the main thread nothing is changed.

    Raises
    ------
    Interrupted
        At the entry, if the surrounding ``Signals`` has received one that was swallowed: some
        packages drop exceptions while they are imported.
    """

    def __init__(self) -> None:
        self.pending = False
        self._received = False
        self._deferring = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            around = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
            if isinstance(around, Signals) and around._received:
                raise Interrupted("interrupted")
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: object) -> None:
        if self._deferring and not self.pending:
            self.pending = True
            return
        self._received = True
        raise Interrupted("interrupted")

    def deferred(self) -> contextlib.AbstractContextManager[None]:
        """Let a signal wait until the caller asks for ``pending``."""
        return self._while(True)

    def prompt(self) -> contextlib.AbstractContextManager[None]:
        """Let a signal interrupt at once, inside of :meth:`deferred`."""
        return self._while(False)

    @contextlib.contextmanager
    def _while(self, deferring: bool) -> Iterator[None]:
        former, self._deferring = self._deferring, deferring
        try:
            yield
        finally:
            self._deferring = former
