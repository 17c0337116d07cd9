"""Talentflow in a few lines of Python, as short as the YAML.

>>> import sim as tf
>>> small = tf.load("baseline").with_(agents=2000, years=2)
>>> visa = small.with_(name="open", **{"obstacles.visa": 0.1})
>>> visa.compare(seeds=2).of("arrivals").shape
(121, 11)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from sim.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import pandas as pd

    from sim.compare import Comparison, Progress
    from sim.sweep_run import SweepResult

_SHORT = {
    "agents": "population.agents",
    "years": "horizon.years",
    "start": "horizon.start",
}
_SETTINGS = ("seed", "population", "horizon", "landscape")
_BASELINE = "baseline"


@dataclass(frozen=True)
class Results:
    """The tables of one run, as DataFrames; see docs/data-dictionary.md.

    Attributes
    ----------
    scenario : Scenario
    flows, cities, ages : pandas.DataFrame
    costs : pandas.DataFrame or None
    """

    scenario: Scenario
    flows: pd.DataFrame
    cities: pd.DataFrame
    ages: pd.DataFrame
    costs: pd.DataFrame | None = None

    def _repr_html_(self) -> str:
        from sim.notebook import results_html

        return results_html(self)

    def summary(self) -> dict[str, Any]:
        """Return the headline figures; see :func:`sim.summary.summarise`."""
        from sim.summary import summarise

        return summarise(self.cities, self.ages)


@dataclass(frozen=True)
class Study:
    """A scenario to change, run, compare and sweep. Changes give new studies.

    Attributes
    ----------
    scenario : Scenario
    origin : Scenario
        The scenario that was loaded, with the same seed, population, horizon and landscape: what
        :meth:`compare` compares with.
    """

    scenario: Scenario
    origin: Scenario

    def _repr_html_(self) -> str:
        from sim.notebook import study_html

        return study_html(self)

    def with_(self, **changes: Any) -> Study:
        """Return the study with changes.

        Parameters
        ----------
        **changes
            Keys of scenario files; ``agents``, ``years`` and ``start`` for short. Dotted paths go
            as ``**{"obstacles.visa": 0.2}``. ``interventions`` are mappings as in YAML, or
            levers; a single one needs no list.

        Returns
        -------
        Study

        Raises
        ------
        UserError
            If a change is wrong.
        """
        mine = {_SHORT.get(key, key): _plain(value) for key, value in changes.items()}
        if isinstance(mine.get("interventions"), Mapping):
            mine["interventions"] = [mine["interventions"]]
        shared = {key: value for key, value in mine.items() if key.split(".")[0] in _SETTINGS}
        if "name" not in mine and self.scenario == self.origin and len(shared) < len(mine):
            mine["name"] = "changed"
        return Study(self.scenario.with_changes(mine), self.origin.with_changes(shared))

    def run(self, threads: int | None = None) -> Results:
        """Simulate and return the tables."""
        from sim.simulation import Simulation

        return Results(self.scenario, **Simulation(self.scenario, threads=threads).run().tables())

    def compare(
        self,
        against: Study | Scenario | str | Path | None = None,
        *,
        seeds: int = 20,
        direct: bool = True,
        posterior: Sequence[Mapping[str, Any]] = (),
        threads: int | None = None,
        progress: Progress | None = None,
        out: str | Path | None = None,
        overwrite: bool = False,
    ) -> Comparison:
        """Compare with another scenario on the same luck.

        Parameters
        ----------
        against : Study, Scenario, name or path, optional
            The base. Default: what was loaded before its changes or, of an unchanged scenario,
            ``baseline``. A name or path takes over seed, population, horizon and landscape.
        seeds, direct, posterior, threads, progress
            As in :func:`sim.compare.compare`.
        out : str or pathlib.Path, optional
            Folder to write the comparison to, with pictures.
        overwrite : bool
            Whether a former comparison there may be replaced.

        Returns
        -------
        Comparison
        """
        options: dict[str, Any] = {"seeds": seeds, "direct": direct, "posterior": posterior}
        options |= {"threads": threads, "progress": progress}
        base = self._base(against)
        if out is None:
            from sim.compare import compare

            return compare(base, self.scenario, **options)
        from sim.comparison_folder import run_comparison

        return run_comparison(base, [self.scenario], Path(out), overwrite=overwrite, **options)

    def sweep(
        self,
        over: Mapping[str, Sequence[float]] | None = None,
        *,
        against: Study | Scenario | str | Path | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> SweepResult:
        """Run a family of scenarios over ranges of numbers.

        Parameters
        ----------
        over : mapping of str to sequence of float, optional
            Ranges by path; default: the scenario's own ``sweep``.
        against : optional
            What each point is compared with; default: ``sweep.against``, else the scenario itself.
        threads, progress
            As in :meth:`compare`.
        **options
            ``design``, ``points``, ``seeds``, ``measure``, ``cities``: see
            :class:`sim.sweep.Sweep`.

        Returns
        -------
        SweepResult
        """
        from sim.sweep_run import sweep_scenario

        scenario = self.scenario
        if over is not None:
            laid_out = {"over": {path: list(map(float, v)) for path, v in over.items()}, **options}
            scenario = scenario.with_changes({"sweep": None}).with_changes({"sweep": laid_out})
        if against is None and scenario.sweep is not None:
            against = scenario.sweep.against
        base = None if against is None else self._base(against)
        return sweep_scenario(scenario, base, threads=threads, progress=progress)

    def _base(self, against: Study | Scenario | str | Path | None) -> Scenario:
        if isinstance(against, Study):
            return against.scenario
        if isinstance(against, Scenario):
            return against
        if against is None and self.scenario != self.origin:
            return self.origin
        plain = self.scenario.model_dump(mode="json")
        return load_scenario(against or _BASELINE, {key: plain[key] for key in _SETTINGS})


def load(name_or_path: str | Path = _BASELINE, **changes: Any) -> Study:
    """Load a scenario by its shipped name or the path of its file.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
    **changes
        As in :meth:`Study.with_`; they belong to the scenario that is loaded.

    Raises
    ------
    UserError
        If there is no such scenario, or it is wrong.

    Examples
    --------
    >>> load("baseline", agents=1000).scenario.population.agents
    1000
    """
    mine = {_SHORT.get(key, key): _plain(value) for key, value in changes.items()}
    scenario = load_scenario(name_or_path, mine)
    return Study(scenario, scenario)


def _plain(value: Any) -> Any:
    """Return levers and other models as the mappings that files hold."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
