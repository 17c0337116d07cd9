"""The life course: ageing, graduation, promotion, retirement; and the yearly census."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.jit import kernel
from sim.kernel import Agents
from sim.parameters import STAGES, TIERS, Parameters
from sim.rng import BLOCK, LIFE, draw_words, unit
from sim.team import Team

AGES = 128


class Rates(NamedTuple):
    """Yearly probabilities of the life course, by age (128)."""

    leave: np.ndarray  # float32 (128,), retirement
    advance: np.ndarray  # float32 (stages, tiers, 128), to the next stage: first by graduation


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
    advance = np.zeros((len(STAGES), len(TIERS), AGES), np.float32)
    advance[0] = graduate
    by_tier = np.array(life.promotion_by_tier)[:, None]
    advance[1], advance[2] = to_mid * by_tier, to_senior * by_tier
    return Rates(leave.astype(np.float32), advance)


@kernel
def live(agents, rates, year, key0, key1, start, stop, leaves):
    """Age agents ``start`` to ``stop`` by a year: retire, graduate, promote.

    Writes ``leaves``, a uint8 array parallel to the agents: 1 for those who leave for good.
    """
    words = np.empty((4, BLOCK), np.uint32)
    while start < stop:
        lanes = min(BLOCK, stop - start)
        draw_words(agents.ids, start, lanes, year, LIFE, key0, key1, words)
        for j in range(lanes):
            i = start + j
            age = min(agents.age[i] + 1, AGES - 1)
            stage = agents.stage[i]
            leaving = unit(words[0, j]) < rates.leave[age]
            advances = unit(words[1, j]) < rates.advance[stage, agents.tier[i], age]
            advances &= not leaving
            agents.age[i] = age
            agents.years[i] = min(agents.years[i] + 1, 60)
            agents.stage[i] = stage + advances
            agents.fresh[i] = advances & (stage == 0)
            leaves[i] = leaving
        start += lanes


@kernel
def _count(agents, area_of_city, output, start, stop, by_area, by_tier, product, by_age):
    for i in range(start, stop):
        city, home = np.uint16(agents.city[i]), np.uint16(agents.home[i])
        tier = agents.tier[i]
        by_area[city, np.uint16(area_of_city[home])] += 1
        by_tier[city, tier] += 1
        by_age[agents.age[i]] += 1
        product[city] += output[tier, agents.traits[i, 13]] * (agents.stage[i] > 0)


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
