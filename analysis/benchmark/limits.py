"""What this machine can do at most: multiply-adds, exponentials, copying; and the bound they set.

All three are measured by small Numba kernels on the same threads as everything else, so that a
busy or throttled machine lowers the limits and the rivals alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.fastmath import exp2_within
from sim.jit import kernel
from sim.team import Team

_CHAIN = 32  # multiply-adds for each load and store; many chains are in flight at a time
_FMA_PER_CITY = 7  # six needs and one obstacle


@kernel
def _multiply_add(rounds, out):
    """Run ``rounds`` times 32 multiply-adds on each lane of ``out``, which lies in the cache."""
    factor, add = np.float32(0.5), np.float32(0.25)
    for _ in range(rounds):
        for j in range(out.shape[0]):
            x = out[j]
            for _ in range(_CHAIN):
                x = x * factor + add
            out[j] = x


@kernel
def _exponentials(rounds, row, out):
    """Write 2**row to ``out``, ``rounds`` times; both lie in the first-level cache."""
    for r in range(rounds):
        shift = np.float32(r & 1)
        for j in range(row.shape[0]):
            out[j] = exp2_within(row[j] + shift)


@kernel
def _copy(source, target):
    for j in range(source.shape[0]):
        target[j] = source[j]


@dataclass(frozen=True)
class Limits:
    """Measured limits of this machine on a number of threads.

    Attributes
    ----------
    fma : float
        Fused multiply-adds in float32 a second.
    exp : float
        Exponentials in float32 a second (talentflow's own polynomial, operands in cache).
    copy : float
        Bytes read plus bytes written a second, copying arrays larger than the caches.
    """

    fma: float
    exp: float
    copy: float

    def dense_bound(self, cities: int) -> float:
        """Return the most decisions a second that multiply-adds and exponentials allow.

        A decision among C cities needs 7 C multiply-adds and C exponentials; that they could
        overlap, and that drawing a city costs something too, are both left out.
        """
        return 1.0 / (cities * (_FMA_PER_CITY / self.fma + 1.0 / self.exp))


def best_of(repeats: int, task: Callable[[], object]) -> float:
    """Return the shortest wall time of several calls of ``task``, in seconds."""
    shortest = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        task()
        shortest = min(shortest, time.perf_counter() - started)
    return float(shortest)


def measure_limits(team: Team, repeats: int = 5, scale: int = 1) -> Limits:
    """Measure the limits; about a second with ``scale`` 1.

    Parameters
    ----------
    team : Team
    repeats : int
        The best of so many repeats counts.
    scale : int
        Divides the work (for tests).
    """
    threads = team.threads
    each = [(k, k + 1) for k in range(threads)]
    rounds = 20_000 // scale
    row = np.linspace(-20, 20, 2048, dtype=np.float32)
    targets = [np.zeros_like(row) for _ in each]
    times = 10_000 // scale
    long = np.ones(32_000_000 // scale, np.float32)
    copies = np.empty_like(long)

    def fma() -> None:
        team.each(each, lambda k, _: _multiply_add(rounds, targets[k]))

    def exp() -> None:
        team.each(each, lambda k, _: _exponentials(times, row, targets[k]))

    def copy() -> None:
        team.share(len(long), lambda a, b: _copy(long[a:b], copies[a:b]))

    _multiply_add(1, targets[0])
    _exponentials(1, row, targets[0])
    _copy(long[:1], copies[:1])
    return Limits(
        fma=threads * rounds * _CHAIN * len(row) / best_of(repeats, fma),
        exp=threads * times * len(row) / best_of(repeats, exp),
        copy=2 * long.nbytes / best_of(repeats, copy),
    )
