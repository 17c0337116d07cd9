"""The model as users of Mesa expect it.

Cities are Mesa agents in an AgentSet; talent lives in arrays, since a million Python objects would
be slow, and is read through ``model.talent``. `sim.simulation.Simulation` does the work and can be
used without Mesa.
"""

from __future__ import annotations

from typing import Any

import mesa
import numpy as np
import pandas as pd
from mesa.datacollection import DataCollector

from sim.parameters import FIELDS, STAGES, TIERS
from sim.scenario import Scenario, load_scenario
from sim.simulation import Simulation

_CITY_COLUMNS = (
    "stock",
    "arrivals",
    "departures",
    "entries",
    "exits",
    "attraction",
    "retention",
    "stickiness",
)


class City(mesa.Agent):
    """A city: reads its present state from the run.

    Attributes
    ----------
    index : int
        Position in the city table, 0 for the highest published composite.
    name : str
    """

    model: TalentModel

    def __init__(self, model: TalentModel, index: int) -> None:
        super().__init__(model)
        self.index = index
        self.name = model.simulation.cities.names[index]

    @property
    def stock(self) -> int:
        """Talent living here, persons."""
        return self._count(0)

    @property
    def arrivals(self) -> int:
        """Persons who moved here this year."""
        return self._count(1)

    @property
    def departures(self) -> int:
        """Persons who moved away this year."""
        return self._count(2)

    @property
    def entries(self) -> int:
        """Persons who began their studies here this year."""
        return self._count(3)

    @property
    def exits(self) -> int:
        """Persons who retired here this year."""
        return self._count(4)

    @property
    def attraction(self) -> float:
        """Arrivals per 100 persons of last year's stock (NaN in the start year)."""
        return float(self.model.simulation.records.rates[-1][self.index, 0])

    @property
    def retention(self) -> float:
        """Per cent of last year's stock that did not move away (NaN in the start year)."""
        return float(self.model.simulation.records.rates[-1][self.index, 1])

    @property
    def stickiness(self) -> float:
        """Stickiness of the year on 50-100 (NaN in the start year)."""
        return float(self.model.simulation.records.rates[-1][self.index, 2])

    @property
    def scores(self) -> np.ndarray:
        """The six dimension scores, index points of 2024."""
        scores: np.ndarray = self.model.simulation.scores()[self.index]
        return scores

    @property
    def composite(self) -> float:
        """The composite of the present scores, on the published scale."""
        simulation = self.model.simulation
        return float(simulation.landscape.composite(simulation.scores())[self.index])

    def _count(self, column: int) -> int:
        records = self.model.simulation.records
        return int(records.counts[-1][self.index, column]) * records.persons

    def __repr__(self) -> str:
        return f"City({self.name!r}, stock={self.stock:,})"


class Talent(pd.DataFrame):
    """A table of the living agents; ``talent[i]`` is one agent as a Series.

    Columns: id, city, home, citizenship (ISO 3166 alpha-2, Hong Kong, Macau and Taiwan apart),
    age and years_in_city (years), stage, tier, field. Each row stands for
    ``model.simulation.population.persons`` people.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def __getitem__(self, key: Any) -> Any:
        """Return agent ``key`` for a whole number, else what a DataFrame would return."""
        if isinstance(key, int | np.integer) and not isinstance(key, bool):
            return self.iloc[int(key)]
        return super().__getitem__(key)


class TalentModel(mesa.Model):
    """Talent migration among cities; a step is a year.

    Parameters
    ----------
    scenario : str, path or Scenario
        A shipped name, a YAML file or a loaded scenario.
    agents, years : int, optional
        Override the scenario's number of agents and horizon.
    rng : int, optional
        Seed; the scenario's own where absent. (Mesa is retiring ``seed=``.)
    threads : int, optional
        Threads of the kernel; results do not depend on it.
    **parameters
        Overrides of single parameters, ``group__name=value``, as
        ``TalentModel(preference__beta=0.5)``: a form that ``mesa.batch_run`` can vary.

    Attributes
    ----------
    simulation : Simulation
    datacollector : mesa.DataCollector
        Yearly, from the start year on: the model's mobility and each city's counts and rates.

    Examples
    --------
    >>> model = TalentModel(agents=2000, years=3)
    >>> model.step()
    >>> len(model.agents)
    120
    """

    def __init__(
        self,
        scenario: str | Scenario = "baseline",
        *,
        agents: int | None = None,
        years: int | None = None,
        rng: int | None = None,
        threads: int | None = None,
        **parameters: Any,
    ) -> None:
        loaded = _scenario(scenario, agents, years, rng, parameters)
        super().__init__(rng=loaded.seed)
        self.simulation = Simulation(loaded, threads=threads)
        self.cities = [City(self, k) for k in range(len(self.simulation.cities))]
        self.datacollector = DataCollector(
            model_reporters={
                "Year": "year",
                "Stock": "stock",
                "Mobility": "mobility",
                "International mobility": "international_mobility",
            },
            agent_reporters={"City": "name"}
            | {name.capitalize(): name for name in (*_CITY_COLUMNS, "composite")},
        )
        self.datacollector.collect(self)

    def step(self) -> None:
        """Simulate a year and collect its data.

        A step past the horizon changes nothing but ``running``, which becomes False. (Were it to
        become False a step earlier, ``batch_run`` of Mesa 3.3 would leave out the last year.)
        """
        if self.simulation.finished:
            self.running = False
            return
        self.simulation.step()
        self.datacollector.collect(self)

    @property
    def year(self) -> int:
        """Calendar year of the present state."""
        return self.simulation.year

    @property
    def stock(self) -> int:
        """All talent, persons."""
        return self.simulation.population.n * self.simulation.population.persons

    @property
    def mobility(self) -> float:
        """Per cent of last year's stock that moved city this year (NaN in the start year)."""
        return self._moved(slice(1, 3))

    @property
    def international_mobility(self) -> float:
        """Per cent of last year's stock that moved to another area this year."""
        return self._moved(slice(2, 3))

    def _moved(self, columns: slice) -> float:
        records = self.simulation.records
        if len(records.counts) < 2:
            return float("nan")
        before = records.counts[-2][:, 0].sum()
        return 100.0 * float(records.ages[-1][:, columns].sum()) / max(float(before), 1.0)

    @property
    def talent(self) -> Talent:
        """The living agents as a table, made anew at each call."""
        simulation = self.simulation
        agents, cities = simulation.population.living(), simulation.cities

        def named(codes: np.ndarray, names: tuple[str, ...]) -> Any:
            return pd.Categorical.from_codes(codes, categories=pd.Index(names))

        return Talent(
            {
                "id": agents.ids,
                "city": named(agents.city, cities.names),
                "home": named(agents.home, cities.names),
                "citizenship": named(cities.area_of_city[agents.home], cities.area_names),
                "age": agents.age,
                "stage": named(agents.stage, STAGES),
                "tier": named(agents.tier, TIERS),
                "field": named(agents.field, FIELDS),
                "years_in_city": agents.years,
            }
        )


def _scenario(
    scenario: str | Scenario,
    agents: int | None,
    years: int | None,
    seed: int | None,
    parameters: dict[str, Any],
) -> Scenario:
    """Return the scenario with the overrides of the constructor, checked as a file would be."""
    changes: dict[str, Any] = {
        f"parameters.{name.replace('__', '.')}": value for name, value in parameters.items()
    }
    settings = {"population.agents": agents, "horizon.years": years, "seed": seed}
    changes |= {path: value for path, value in settings.items() if value is not None}
    if isinstance(scenario, Scenario):
        return scenario.with_changes(changes) if changes else scenario
    return load_scenario(scenario, changes)
