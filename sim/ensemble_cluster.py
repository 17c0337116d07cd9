"""Spreading the runs of an ensemble over Dask workers.

A window of runs is with the workers at any time, a few for each of their threads; as one comes
back the next goes out, so that memory does not grow with the ensemble. Dask gives the runs of a
worker that died to others.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.documents import shown
from sim.ensemble_plan import Plan
from sim.ensemble_task import Summary, run_task
from sim.errors import UserError
from sim.pair_folder import Say
from sim.results import version

if TYPE_CHECKING:
    from distributed import Client

EXTRA = "pip install 'talentflow[distributed]'"
AHEAD = 3  # runs sent out for each thread of the workers: one under way, two waiting
LEAST_WINDOW = 4
POLL = 0.01  # seconds between looks for finished runs
LOOK = 2.0  # seconds between looks at the workers
PATIENCE = 30.0  # seconds without a worker before saying so
CONNECT = "20s"
STARTS = 3  # tries to start workers on this machine


@dataclass(frozen=True)
class Cluster:
    """Where runs are simulated.

    Attributes
    ----------
    address : str or None
        Of a Dask scheduler, such as ``tcp://10.0.0.1:8786``.
    scheduler_file : pathlib.Path or None
        That a Dask scheduler wrote. With neither, workers are started on this machine.
    workers : int or None
        Processes on this machine; None: one for each processor, or each ``threads`` of them.
    threads : int
        Threads of the kernels in each run.
    """

    address: str | None = None
    scheduler_file: Path | None = None
    workers: int | None = None
    threads: int = 1

    @property
    def local(self) -> bool:
        """Whether workers are started on this machine."""
        return self.address is None and self.scheduler_file is None


def require() -> None:
    """Raise a UserError unless Dask is installed."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise UserError(
            f"ensembles need Dask, which is not installed; install it: {EXTRA}"
        ) from None


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[Client]:
    """Give a client of the workers; those that were started for it end with it.

    Raises
    ------
    UserError
        If no scheduler answers.
    """
    require()
    from distributed import Client

    _hush()
    with contextlib.ExitStack() as stack:
        target: Any
        if cluster.local:
            target = stack.enter_context(_local(cluster))
        else:
            target = cluster.address or _address(cluster.scheduler_file)
            _check_address(target)
        try:
            client = Client(target, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise UserError(
                f"{target}: no Dask scheduler answers there ({reason}); check the address, and "
                "that the scheduler runs"
            ) from None
        yield stack.enter_context(client)


def _local(cluster: Cluster) -> Any:
    """Start workers on this machine; once more where one of them died before it was up."""
    from distributed import LocalCluster

    reason = ""
    for _ in range(STARTS):
        try:
            return LocalCluster(
                n_workers=cluster.workers or _processes(cluster.threads),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any free port
                silence_logs=logging.CRITICAL,
            )
        except (RuntimeError, OSError, TimeoutError) as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
    raise UserError(
        f"workers cannot be started on this machine ({reason}); take fewer with --workers, or see "
        "whether memory is left"
    )


def _hush() -> None:
    """Keep Dask's own log off the terminal: what matters is said in one line."""
    for name in ("distributed", *logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _check_address(address: str) -> None:
    """Refuse what Dask would wait for in vain."""
    from distributed.security import Security

    if not re.fullmatch(r"((tcp|tls)://)?\S+:\d{1,5}/?", address):
        raise UserError(
            f"--cluster {shown(address)}: is no address of a Dask scheduler; write it as "
            "tcp://HOST:PORT or tls://HOST:PORT"
        )
    secure = address.startswith("tls://")
    if secure and Security().get_connection_args("client").get("ssl_context") is None:
        raise UserError(
            f"--cluster {address}: needs certificates; name them in Dask's configuration, "
            "distributed.comm.tls, as docs/ensembles.md says"
        )


def _processes(threads: int) -> int:
    from sim.team import Team

    return max(1, Team().threads // threads)


def _address(file: Path | None) -> str:
    """Return the address in a scheduler file."""
    import json

    try:
        assert file is not None
        return str(json.loads(file.read_bytes())["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "not such a file"
        raise UserError(
            f"--scheduler-file {file}: cannot be read ({reason}); give the file that "
            "'dask scheduler --scheduler-file' wrote"
        ) from None


def execute(
    client: Client, plan: Plan, positions: Sequence[int], threads: int, say: Say
) -> Iterator[tuple[int, Summary]]:
    """Simulate runs and yield them as they are finished, with their positions in the plan.

    Parameters
    ----------
    client : distributed.Client
    plan : Plan
    positions : sequence of int
        Of the runs to simulate, in the order in which they are sent out.
    threads : int
        Threads of the kernels in each run.
    say : callable
        Takes lines for the user.

    Raises
    ------
    UserError
        If a run is at fault, brings its workers down, or the scheduler is lost.
    RuntimeError
        If a run fails by an error of talentflow's.
    """
    from distributed import as_completed

    crew = _Crew(client, say)
    waiting = iter(positions)
    under_way: dict[str, int] = {}
    finished = as_completed(loop=client.loop, with_results=True, raise_errors=False)
    try:
        while True:
            while len(under_way) < crew.window():
                position = next(waiting, None)
                if position is None:
                    break
                key = f"talentflow-{plan.keys[position]}-{crew.token}"
                task = plan.tasks[position]
                future = client.submit(run_task, task.scenario, threads, version(), key=key)
                under_way[key] = position
                finished.add(future)
                del future
            if not under_way:
                return
            batch = finished.next_batch(block=False)
            if not batch:
                crew.look()
                time.sleep(POLL)
            failure = None
            for future, result in batch:
                position = under_way.pop(future.key)
                if future.status == "finished":
                    yield position, result
                else:
                    failure = failure or _failure(str(plan.tasks[position]), result)
            if failure is not None:
                raise failure
    finally:
        with contextlib.suppress(Exception):
            client.cancel(list(finished.futures), force=True)


class _Crew:
    """What is known of the workers, looked at now and then."""

    def __init__(self, client: Client, say: Say) -> None:
        import uuid

        self.client, self.say = client, say
        self.token = uuid.uuid4().hex[:8]
        self.threads = 0
        self.seen = time.monotonic()
        self.looked = -LOOK
        self.told = False

    def window(self) -> int:
        """Return how many runs may be with the workers."""
        self.look()
        return max(LEAST_WINDOW, AHEAD * self.threads)

    def look(self) -> None:
        """Count the workers' threads, at most every two seconds."""
        now = time.monotonic()
        if now - self.looked < LOOK:
            return
        self.looked = now
        if self.client.status not in ("running", "connecting"):
            raise _lost()
        try:
            self.threads = sum(self.client.nthreads().values())
        except (OSError, RuntimeError):
            raise _lost() from None
        if self.threads:
            self.seen, self.told = now, False
        elif now - self.seen > PATIENCE and not self.told:
            self.told = True
            self.say("waiting for workers: the scheduler has none")


def _lost() -> UserError:
    return UserError(
        "the connection to the Dask scheduler was lost; finished runs are kept: "
        "go on with the same command and --resume"
    )


def _failure(run: str, result: Any) -> Exception:
    """Return what to raise for a run that came back with an error."""
    from distributed import KilledWorker

    error = result[1] if isinstance(result, tuple) else result
    kept = "finished runs are kept, --resume goes on with them"
    if isinstance(error, CancelledError | TimeoutError) or not isinstance(error, Exception):
        return _lost()
    if type(error).__name__ in ("FutureCancelledError", "CommClosedError"):
        return _lost()
    if isinstance(error, UserError):
        return UserError(f"the run of {run}: {error}; {kept}")
    if isinstance(error, KilledWorker):
        return UserError(
            f"the run of {run} has brought several workers down, for lack of memory perhaps; "
            f"take fewer agents or fewer workers on a machine; {kept}"
        )
    if isinstance(error, ModuleNotFoundError):
        return UserError(
            f"a worker cannot import '{error.name}'; install talentflow there, in this version; "
            f"{kept}"
        )
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return RuntimeError(f"the run of {run} failed: {reason}; {kept}")
