"""Threads for kernels that release the interpreter lock.

Plain threads rather than Numba's own: kernels compile in half the time, and a run may be started
from any thread (a page, a Dask worker), which Numba's default threading layer forbids.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

#: Parts of a sum in floating point: a fixed number, so that no sum depends on the threads.
PARTS = 16
_LEAST = 4096  # items that are worth a call of their own


def edges(n: int, parts: int) -> list[tuple[int, int]]:
    """Split ``range(n)`` into at most ``parts`` contiguous, nearly equal, non-empty ranges."""
    parts = max(1, min(parts, n))
    return [(k * n // parts, (k + 1) * n // parts) for k in range(parts)]


class Team:
    """A number of threads that share out ranges of agents.

    Parameters
    ----------
    threads : int, optional
        None or 0: one for each processor that this process may use.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or len(os.sched_getaffinity(0)) if _HAS_AFFINITY else threads or 1
        self._pool = ThreadPoolExecutor(self.threads) if self.threads > 1 else None

    def share(self, n: int, task: Callable[[int, int], Any]) -> list[Any]:
        """Call ``task(start, stop)`` for parts of ``range(n)``; return the results in order.

        Several parts a thread, so that a thread that is held up does not hold up the others.
        """
        parts = self.threads if self.threads == 1 else min(8 * self.threads, -(-n // _LEAST))
        return self.each(edges(n, parts), task)

    def each(self, ranges: list[tuple[int, int]], task: Callable[[int, int], Any]) -> list[Any]:
        """Call ``task(start, stop)`` for each range; return the results in order."""
        if self._pool is None or len(ranges) == 1:
            return [task(start, stop) for start, stop in ranges]
        return list(self._pool.map(lambda ends: task(*ends), ranges))


_HAS_AFFINITY = hasattr(os, "sched_getaffinity")
