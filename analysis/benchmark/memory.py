"""Run as a process of its own: peak resident bytes of a rival or of a model year.

``python -m analysis.benchmark.memory KEY AGENTS THREADS`` prints how many bytes the process grew
by, at its highest, beyond what it held after the same work with few agents.
"""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

_FEW = 2000
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def resident(highest: bool) -> int:
    """Return the resident size of this process in bytes, or its highest since `forget`."""
    if _STATUS.exists():
        name = "VmHWM:" if highest else "VmRSS:"
        lines = (line.split() for line in _STATUS.read_text().splitlines())
        return next(int(words[1]) * 1024 for words in lines if words and words[0] == name)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget() -> None:
    """Let the highest resident size start anew, where the system can (Linux)."""
    gc.collect()
    if _RESET.exists():
        _RESET.write_text("5")


def work(key: str, agents: int, threads: int) -> None:
    """Run two years of what ``key`` names: a rival, or ``year`` for the whole model."""
    if key == "year":
        from analysis.benchmark.model_year import simulation

        run = simulation(agents, threads)
        for _ in range(2):
            run.step()
        return
    from analysis.benchmark.problem import make_problem
    from analysis.benchmark.rivals import RIVALS

    rival = next(r for r in RIVALS if r.key == key)
    step = rival.prepare(make_problem(agents), threads)
    for year in range(2):
        step(year)


def main(key: str, agents: int, threads: int) -> None:
    """Do the work with few agents, then with many, and print the growth."""
    work(key, _FEW, threads)
    forget()
    before = resident(highest=False)
    work(key, agents, threads)
    print(max(resident(highest=True) - before, 0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
