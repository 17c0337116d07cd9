"""The state of one open page, and what its buttons do; no Solara in it.

What the visitor sets is changed on the thread that serves the page. A run goes on in a thread of
its own, which replaces ``frame`` by a new one after each year; a frame never changes, so the page
can be drawn from it at any time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from analysis.dashboard.dials import MOST_AGENTS, Dial, dials, turned
from analysis.dashboard.experiment import Experiment, Frame
from analysis.dashboard.library import Library
from sim.errors import UserError
from sim.scenario import Scenario, load_scenario

log = logging.getLogger(__name__)

BASELINE = "baseline"
AGAINST = {
    "baseline": "the baseline",
    "file": "the scenario as its file has it",
    "nothing": "nothing",
}
"""What a run is compared with, and what that is called."""
QUICK_AGENTS = 100_000
"""Agents that a page begins with, where the scenario has more."""
LIMITS = {"agents": (0, MOST_AGENTS), "years": (1, 200), "seed": (0, 2**53 - 1)}
PAUSE = 0.25
"""Least seconds between two drawings of a run."""


class Pace:
    """Says when the next year of a run may be drawn.

    While the page is drawn no click is answered, and a thread that asks for a drawing meanwhile
    makes the drawing thread go on at once. So a run asks only when the last drawing is over and
    as much time has passed since as it took.
    """

    def __init__(self) -> None:
        self._began = 0.0
        self._ended = 0.0
        self._drawing = False

    def begin(self) -> None:
        """Note that a drawing begins."""
        if not self._drawing:
            self._began, self._drawing = time.monotonic(), True

    def end(self) -> None:
        """Note that a drawing is over."""
        self._ended, self._drawing = time.monotonic(), False

    def ready(self) -> bool:
        """Return whether the next one may begin."""
        if self._drawing:
            return False
        return time.monotonic() - self._ended >= max(PAUSE, self._ended - self._began)


class Desk:
    """What a page shows and is set to.

    Parameters
    ----------
    library : Library
        What may be picked.
    notify : callable
        Called without arguments, from any thread, whenever something has changed.
    threads : int, optional
        Threads of the kernels.

    Attributes
    ----------
    name : str
        Scenario that is picked.
    scenario : Scenario or None
        It, as its file has it; None if the file is wrong.
    dials : list of Dial
        Its numbers.
    values : dict of str to float
        Where its dials stand, by key.
    settings : dict
        agents, years, seed.
    against : str
        A key of :data:`AGAINST`.
    frame : Frame or None
        What the run has come to.
    running : bool
    runs : int
        How many have begun.
    fault : str
        What is wrong with the scenario, the dials or the run; empty if nothing is.
    """

    def __init__(
        self,
        library: Library,
        notify: Callable[[], None] = lambda: None,
        *,
        threads: int | None = None,
    ) -> None:
        self.library = library
        self.notify = notify
        self.threads = threads
        self.pace = Pace()
        self.against = BASELINE
        self.frame: Frame | None = None
        self.running = False
        self.fault = ""
        self.stopping = False
        self.runs = 0
        self._experiment: Experiment | None = None
        self._busy = threading.Lock()
        self.scenario: Scenario | None = None
        self.dials: list[Dial] = []
        self.values: dict[str, float] = {}
        self.settings: dict[str, int] = {}
        self._ran: tuple[Any, ...] | None = None
        self.choose(BASELINE)

    def choose(self, name: str) -> None:
        """Pick a scenario; its dials and settings take the place of the former ones."""
        self.name = name
        self.scenario, self.dials, self.fault = None, [], ""
        try:
            self.scenario = self.library.load(name)
            self.dials = dials(self.scenario)
        except UserError as error:
            self.fault = str(error)
        else:
            agents = min(self.scenario.population.agents, QUICK_AGENTS)
            years = self.scenario.horizon.years
            self.settings = {"agents": agents, "years": years, "seed": self.scenario.seed}
        self.reset()

    def reset(self) -> None:
        """Put all dials back to what the file says."""
        self.values = {dial.key: dial.value for dial in self.dials}
        self._check()

    def turn(self, key: str, value: float) -> None:
        """Set a dial; the fault says so if the scenario does not hold with it."""
        if key in self.values:
            self.values[key] = value
            self._check()

    def set(self, name: str, value: float) -> None:
        """Set agents, years or seed; numbers out of bounds go to the nearest one within."""
        low, high = LIMITS[name]
        self.settings[name] = int(min(max(value, low), high))
        self._check()

    def compare_with(self, against: str) -> None:
        """Set what the next run is compared with."""
        if against in AGAINST:
            self.against = against
            self.notify()

    def token(self) -> tuple[Any, ...]:
        """Return all that the settings' side of the page depends on, for comparison."""
        return (self._wanted(), self.running, self.stopping, self.fault, id(self.scenario))

    @property
    def outdated(self) -> bool:
        """Whether something was changed since the run that is shown began."""
        return self._ran is not None and self._ran != self._wanted()

    def planned(self) -> tuple[Scenario, Scenario | None]:
        """Return the scenario to run and the base to compare it with.

        Raises
        ------
        UserError
            If the scenario, a dial or a setting is wrong.
        """
        if self.scenario is None:
            raise UserError(self.fault or "no scenario is picked")
        scenario = turned(self.scenario, self.values, self.settings)
        base = None
        if self.against == "file":
            base = turned(self.scenario, {}, self.settings)
        elif self.against == BASELINE:
            plain = scenario.model_dump(mode="json")
            same = ("seed", "population", "horizon", "landscape")
            base = load_scenario(BASELINE, {key: plain[key] for key in same})
        return scenario, None if base == scenario else base

    def run(self) -> None:
        """Simulate what is planned, to the end or until :meth:`stop`; for a thread of its own.

        A second call while a run is going on does nothing.
        """
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._run()
        except UserError as error:
            self.fault = str(error)
        except Exception as error:
            log.exception("the run failed")
            self.fault = f"the run failed: {type(error).__name__}: {error}"
        finally:
            self.running = self.stopping = False
            self._experiment = None
            self._busy.release()
            self.notify()

    def stop(self) -> None:
        """Ask the run to end before its next year; what it has come to stays."""
        experiment = self._experiment
        if experiment is not None:
            self.stopping = True
            experiment.stop()
            self.notify()

    def _run(self) -> None:
        scenario, base = self.planned()
        self._ran, self.fault = self._wanted(), ""
        self._experiment = Experiment(scenario, base, threads=self.threads)
        self.runs += 1
        self.frame, self.running = None, True
        self.notify()
        for frame in self._experiment.frames():
            self.frame = frame
            if self.pace.ready():
                self.notify()

    def _wanted(self) -> tuple[Any, ...]:
        """Return all that a run depends on."""
        return (
            self.name,
            self.against,
            tuple(self.values.items()),
            tuple(sorted(self.settings.items())),
        )

    def _check(self) -> None:
        """Say what is wrong with the dials as they stand."""
        if self.scenario is not None:
            try:
                turned(self.scenario, self.values, self.settings)
                self.fault = ""
            except UserError as error:
                self.fault = str(error)
        self.notify()
