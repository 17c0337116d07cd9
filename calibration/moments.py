"""The simulated value of every target, by the expected-flow operator."""

from __future__ import annotations

import numpy as np

from calibration.auxiliary import Auxiliary
from calibration.scores import pearson, spearman
from calibration.twin import Twin, Year, collect
from sim.parameters import FIELDS, STAGES, Parameters

CONTINENTS = {
    "stickiness_north_america": "North America",
    "stickiness_europe": "Europe",
    "stickiness_asia": "Asia",
}
YEARS_AFTER = 5
"""Years after graduation at which graduates are counted."""


def stickiness(flows: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return stickiness by city, 50 to 100, (C,).

    Attraction is arrivals per 100 people, retention 100 less departures per 100; stickiness is the
    mean of the two standardised, mapped affinely so that the least is 50 and the most 100, as
    `sim.records` does for a run.

    Parameters
    ----------
    flows : (C, C) array
        Moves of a year, diagonal zero.
    people : (C,) array
        Stock at its start.
    """
    attraction = 100.0 * flows.sum(0) / people
    retention = 100.0 * (1.0 - flows.sum(1) / people)
    mean = sum((x - x.mean()) / max(x.std(), 1e-12) for x in (attraction, retention)) / 2.0
    low, high = mean.min(), mean.max()
    return 50.0 + 50.0 * (mean - low) / max(high - low, 1e-12)


class Moments:
    """Computes moments of the expected flows by parameters.

    Parameters
    ----------
    twin : Twin
    """

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.cities = twin.stage.cities
        self.auxiliary = Auxiliary(twin.stage)
        self._inside = self.cities.area_of_city[:, None] == self.cities.area_of_city[None, :]

    def __call__(self, parameters: Parameters) -> dict[str, float]:
        """Return every moment by the name of its target."""
        return self.with_cities(parameters)[0]

    def with_cities(self, parameters: Parameters) -> tuple[dict[str, float], np.ndarray]:
        """Return every moment, and expected stickiness by city, 50 to 100, (C,)."""
        year = self.twin.year(parameters)
        flows = year.flows()
        found = (
            self._index(flows)
            | self._levels(flows)
            | self._bilateral(flows)
            | {"return_share": self._return_share(year, flows)}
            | self._ages(year)
            | self._graduates(year)
            | self._landscape()
        )
        return found, stickiness(flows, self.twin.people)

    def _index(self, flows: np.ndarray) -> dict[str, float]:
        sticky, composite = stickiness(flows, self.twin.people), self.cities.composite
        found = {
            "stickiness_correlation": pearson(sticky, composite),
            "stickiness_spearman": spearman(sticky, composite),
        }
        continent = np.array(self.cities.continent)
        for name, place in CONTINENTS.items():
            found[name] = float(sticky[continent == place].mean() - sticky.mean())
        return found

    def _rate(self, flows: np.ndarray, area: str | None, abroad: bool) -> float:
        """Return moves per 100 people from an area (or all), within or across borders."""
        people = self.twin.people
        of = np.ones(len(people), bool)
        if area is not None:
            of = self.cities.area_of_city == self.cities.area_names.index(area)
        moved = np.where(self._inside == abroad, 0.0, flows)
        return float(100.0 * moved[of].sum() / people[of].sum())

    def _levels(self, flows: np.ndarray) -> dict[str, float]:
        us = self._rate(flows, "US", abroad=True)
        return {
            "international_rate": self._rate(flows, None, abroad=True),
            "domestic_rate_us": self._rate(flows, "US", abroad=False),
            "international_rate_us": us,
            "international_rate_cn_us": self._rate(flows, "CN", abroad=True) / max(us, 1e-12),
        }

    def _areas(self, flows: np.ndarray) -> np.ndarray:
        found = collect(flows, self.cities.area_of_city, len(self.cities.area_names))
        np.fill_diagonal(found, 0.0)
        return found

    def _bilateral(self, flows: np.ndarray) -> dict[str, float]:
        between, number = self._areas(flows), len(self.cities.area_names)
        fitted = self.auxiliary.fit(between)
        people = np.bincount(self.cities.area_of_city, self.twin.people, minlength=number)
        cities = np.bincount(self.cities.area_of_city, minlength=number)
        total = np.bincount(self.cities.area_of_city, self.cities.composite, minlength=number)
        composite = total / cities
        fitted["area_inflow_index"] = spearman(between.sum(0) / people, composite)
        gain = between.sum(0) - between.sum(1)
        return fitted | {"area_net_index": spearman(gain / people, composite)}

    def _return_share(self, year: Year, flows: np.ndarray) -> float:
        """Return the share of international moves that go to the mover's home area."""
        area = self.cities.area_of_city
        home = area[year.agents.home]
        abroad = home != area[year.agents.city]
        back = 0.0
        for a in np.unique(home[abroad]):
            who = np.flatnonzero(abroad & (home == a))
            back += float(year.flows(who)[:, area == a].sum())
        return back / max(float(np.where(self._inside, 0.0, flows).sum()), 1e-12)

    def _ages(self, year: Year) -> dict[str, float]:
        def mobility(low: int, high: int) -> float:
            who = np.flatnonzero((year.agents.age >= low) & (year.agents.age <= high))
            return float(year.flows(who).sum()) / max(year.number(who), 1e-12)

        young = max(mobility(25, 29), 1e-12)
        return {
            "mobility_55_to_27": mobility(53, 57) / young,
            "mobility_40_to_27": mobility(38, 42) / young,
        }

    def _graduates(self, year: Year) -> dict[str, float]:
        """Follow foreign graduates in the United States: a first year, then four more."""
        area, home = self.cities.area_of_city, self.cities.area_of_city[year.agents.home]
        us = self.cities.area_names.index("US")
        there = (area[year.agents.city] == us) & (home != us)
        chinese = there & (home == self.cities.area_names.index("CN"))
        traits = {"age": 28, "stage": STAGES.index("early"), "tier": 1}
        ai = traits | {"field": FIELDS.index("ai_computing")}
        stay, back = self._five_years(year, chinese, us, self.cities.area_names.index("CN"), ai)
        return {
            "cn_graduates_stay_us": stay,
            "cn_graduates_return": back,
            "foreign_graduates_stay_us": self._five_years(year, there, us, us, traits)[0],
        }

    def _five_years(
        self, year: Year, who: np.ndarray, stay: int, back: int, traits: dict[str, int]
    ) -> tuple[float, float]:
        """Return the shares still in area ``stay`` and gone to ``back``; returns are for good."""
        area, kept, returned = self.cities.area_of_city, 1.0, 0.0
        index, number = np.flatnonzero(who), year.number(who)
        if number <= 0:
            return np.nan, np.nan
        for elapsed in range(YEARS_AFTER):
            now = traits | {"age": traits["age"] + elapsed, "fresh": int(elapsed == 0)}
            moves = year.flows(index, **now, years=4 + elapsed)
            leave = float(moves[:, area != stay].sum()) / number
            returned += kept * float(moves[:, area == back].sum()) / number
            kept *= 1.0 - leave
        return kept, returned

    def _landscape(self) -> dict[str, float]:
        scores = self.twin.stage.scores
        return {"public_life_correlation": pearson(scores[:, 5], self.cities.composite)}
