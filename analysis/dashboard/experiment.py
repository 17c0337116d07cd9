"""A run that can be watched and stopped: a scenario, and a base with the same luck beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

    from sim.landscape import Landscape

    Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Frame:
    """How far a run has come; nothing in it changes any more.

    Attributes
    ----------
    year : int
        Calendar year that the tables reach.
    done, total : int
        Years simulated, and years to simulate.
    scenario, base : Scenario
        ``base`` is None where nothing is compared.
    tables, base_tables : mapping of str to DataFrame
        As :meth:`sim.simulation.Simulation.tables` gives them, up to the year.
    persons : int
        Persons an agent stands for.
    landscape : Landscape
        Scores that the cities start with.
    """

    year: int
    done: int
    total: int
    scenario: Scenario
    tables: Tables
    persons: int
    landscape: Landscape
    base: Scenario | None = None
    base_tables: Tables | None = None

    @property
    def start(self) -> int:
        """Calendar year of the start."""
        return self.scenario.horizon.start

    @property
    def finished(self) -> bool:
        """Whether the horizon is reached."""
        return self.done == self.total


class Experiment:
    """A scenario to simulate year by year, and a base in step with it.

    Parameters
    ----------
    scenario : Scenario
    base : Scenario, optional
        With the same seed, agents and years.
    threads : int, optional
        Threads of the kernels; results do not depend on it.
    """

    def __init__(
        self, scenario: Scenario, base: Scenario | None = None, *, threads: int | None = None
    ) -> None:
        self.scenario = scenario
        self.base = base
        self.threads = threads
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask the run to end before its next year; may be called from any thread."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    def frames(self) -> Iterator[Frame]:
        """Simulate, yielding the state at the start and after each year, until the end or a stop.

        Raises
        ------
        UserError
            If a policy selects nobody, or the scenario cannot be run otherwise.
        """
        from sim.simulation import Simulation

        runs: list[Any] = []
        for scenario in (self.scenario, self.base):
            if scenario is not None and not self.stopped:
                runs.append(Simulation(scenario, threads=self.threads))
        while not self.stopped:
            yield self._frame(runs)
            if runs[0].finished:
                return
            for run in runs:
                if not self.stopped:
                    run.step()

    def _frame(self, runs: list[Any]) -> Frame:
        first = runs[0]
        return Frame(
            year=first.year,
            done=first.elapsed,
            total=self.scenario.horizon.years,
            scenario=self.scenario,
            tables=first.tables(),
            persons=first.population.persons,
            landscape=first.landscape,
            base=self.base,
            base_tables=runs[1].tables() if len(runs) > 1 else None,
        )
