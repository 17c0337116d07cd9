"""The life course: ageing, graduation, promotion, retirement; and the yearly census."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.jit import kernel
from sim.kernel import Agents
from sim.parameters import TIERS, Parameters
from sim.rng import BLOCK, LIFE, load_counters, philox_lanes, unit
from sim.team import Team

AGES = 128


class Rates(NamedTuple):
    """Yearly probabilities of the life course, by age (128)."""

    leave: np.ndarray  # float32, retirement
    graduate: np.ndarray  # float32
    to_mid: np.ndarray  # float32
    to_senior: np.ndarray  # float32
    by_tier: np.ndarray  # float32 (tiers,), factor on promotion


def rates(parameters: Parameters) -> Rates:
    """Tabulate the yearly probabilities of the life course by age.

    Retirement rises from 0 at ``retirement_age`` to 1 at ``last_age`` with the square of the way
    between. Graduation is geometric with mean ``study_years``, and certain at ``last_study_age``.
    """
    life = parameters.life
    age = np.arange(AGES)
    leave = np.clip((age - life.retirement_age) / (life.last_age - life.retirement_age), 0, 1) ** 2
    graduate = np.where(age >= life.last_study_age, 1.0, 1.0 / life.study_years)
    to_mid = np.where(age >= life.mid_age, life.mid_rate, 0.0)
    to_senior = np.where(age >= life.senior_age, life.senior_rate, 0.0)
    return Rates(
        leave.astype(np.float32),
        graduate.astype(np.float32),
        to_mid.astype(np.float32),
        to_senior.astype(np.float32),
        np.array(life.promotion_by_tier, np.float32),
    )


@kernel
def live(agents, rates, year, key0, key1, start, stop, leaves):
    """Age agents ``start`` to ``stop`` by a year: retire, graduate, promote.

    Writes ``leaves``, a uint8 array parallel to the agents: 1 for those who leave for good.
    """
    counter = np.empty((4, BLOCK), np.uint32)
    while start < stop:
        lanes = min(BLOCK, stop - start)
        load_counters(agents.ids, start, lanes, year, LIFE, counter)
        philox_lanes(counter, key0, key1, 10)
        for j in range(lanes):
            i = start + j
            age = min(agents.age[i] + 1, AGES - 1)
            agents.age[i] = age
            agents.years[i] = min(agents.years[i] + 1, 60)
            agents.fresh[i] = 0
            stage = agents.stage[i]
            if unit(counter[0, j]) < rates.leave[age]:
                leaves[i] = 1
            elif stage == 0:
                if unit(counter[1, j]) < rates.graduate[age]:
                    agents.stage[i] = 1
                    agents.fresh[i] = 1
            elif stage < 3:
                step = rates.to_mid[age] if stage == 1 else rates.to_senior[age]
                if unit(counter[1, j]) < step * rates.by_tier[agents.tier[i]]:
                    agents.stage[i] = stage + 1
        start += lanes


@kernel
def _count(agents, area_of_city, output, start, stop, by_area, by_tier, product, by_age):
    for i in range(start, stop):
        city = agents.city[i]
        by_area[city, area_of_city[agents.home[i]]] += 1
        by_tier[city, agents.tier[i]] += 1
        by_age[agents.age[i]] += 1
        if agents.stage[i] > 0:
            product[city] += output[agents.tier[i], agents.traits[i, 13]]


@dataclass(frozen=True)
class Census:
    """Who lives where at the end of a year (agents, not persons).

    Attributes
    ----------
    by_area : (C, A) int64 array
        Residents by citizenship.
    by_tier : (C, T) int64 array
        Residents by tier.
    product : (C,) int64 array
        Sum of the productivity of graduates.
    by_age : (128,) int64 array
    """

    by_area: np.ndarray
    by_tier: np.ndarray
    product: np.ndarray
    by_age: np.ndarray

    @property
    def stock(self) -> np.ndarray:
        """Residents by city, int64 (C,)."""
        return self.by_area.sum(1)


def census(
    agents: Agents, area_of_city: np.ndarray, areas: int, output: np.ndarray, team: Team
) -> Census:
    """Count the agents; all sums are of whole numbers, so they are exact in any order.

    Parameters
    ----------
    agents : Agents
    area_of_city : (C,) int16 array
    areas : int
    output : (T, 256) int64 array
        Productivity by tier and quantile.
    team : Team
    """
    cities = len(area_of_city)
    shapes = (cities, areas), (cities, len(TIERS)), (cities,), (AGES,)

    def part(start: int, stop: int) -> list[np.ndarray]:
        sums = [np.zeros(shape, np.int64) for shape in shapes]
        _count(agents, area_of_city, output, start, stop, *sums)
        return sums

    parts = team.share(len(agents.ids), part)
    return Census(*(np.sum(series, axis=0) for series in zip(*parts, strict=True)))
