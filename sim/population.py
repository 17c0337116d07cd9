"""Talent as arrays: who the agents are at the start, who enters, who leaves.

Each agent stands for a fixed number of persons. An agent's identity is (cohort, city, number), so
its traits, its luck and its place in the start population do not depend on the order of storage,
and the same newcomers enter in every scenario.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.cities import Cities
from sim.kernel import Agents
from sim.lifecycle import AGES, rates
from sim.obstacles import Obstacles
from sim.parameters import STAGES, TIERS, Parameters
from sim.rng import BIRTH, BIRTH_MORE, TRAITS, uniforms, words
from sim.team import Team, edges

_TYPES = {
    "ids": np.uint64,
    "city": np.int16,
    "home": np.int16,
    "age": np.uint8,
    "stage": np.uint8,
    "tier": np.uint8,
    "field": np.uint8,
    "years": np.uint8,
    "fresh": np.uint8,
    "traits": np.uint8,
    "segment": np.uint8,
}
_BATCH = 1 << 17  # births are drawn in batches, to bound memory


def identities(cohort: int, city: int, first: int, number: int) -> np.ndarray:
    """Return the ids of ``number`` agents: cohort (16 bits), city (16 bits), number (32 bits)."""
    base = (cohort << 48) | (city << 32)
    return np.uint64(base) + np.arange(first, first + number, dtype=np.uint64)


def apportion(total: int, shares: np.ndarray) -> np.ndarray:
    """Split ``total`` in whole numbers by shares (largest remainders), int64."""
    if total == 0 or shares.sum() <= 0:
        return np.zeros(len(shares), np.int64)
    exact = total * shares / shares.sum()
    whole = np.floor(exact).astype(np.int64)
    rest = np.argsort(whole - exact, kind="stable")[: total - whole.sum()]
    whole[rest] += 1
    return whole


def home_shares(cities: Cities, obstacles: Obstacles, parameters: Parameters) -> np.ndarray:
    """Return the shares of home cities (columns) among each city's residents (rows), (C, C).

    Foreign citizens take up the city's ``foreign_share``; of the others ``local_share`` are from
    the city itself. Within both, homes are weighted by talent stock and decline with distance, for
    foreigners also with visa and language obstacles.
    """
    p, o = parameters.people, parameters.obstacles
    area = cities.area_of_city
    weight = np.log(np.maximum(cities.talent_stock, 1.0))[None, :] - p.home_distance * np.log1p(
        obstacles.distance_km / 100.0
    )
    foreign_cost = o.visa * np.array(o.visa_by_class)[obstacles.visa_class][area].T + o.language * (
        1.0 - obstacles.language_of_area[np.ix_(area, area)]
    )
    same = area[:, None] == area[None, :]
    own = np.eye(len(cities), dtype=bool)
    inside = np.where(same & ~own, np.exp(weight), 0.0)
    outside = np.where(~same, np.exp(weight - foreign_cost), 0.0)
    shares = np.zeros((len(cities), len(cities)))
    inside_sum, outside_sum = inside.sum(1), outside.sum(1)
    foreign = np.where(outside_sum > 0, cities.foreign_share, 0.0)
    elsewhere = np.where(inside_sum > 0, (1 - foreign) * (1 - p.local_share), 0.0)
    shares += outside * (foreign / np.maximum(outside_sum, 1e-300))[:, None]
    shares += inside * (elsewhere / np.maximum(inside_sum, 1e-300))[:, None]
    shares[own] = 1.0 - foreign - elsewhere
    return shares


def stationary_ages(parameters: Parameters) -> np.ndarray:
    """Return the shares of (tier, age, stage) that the life course itself would settle at.

    Returns
    -------
    (T, 128, 4) array
        Sums to 1 over ages and stages for each tier; cohorts grow by ``people.cohort_growth``.
    """
    life, table = parameters.life, rates(parameters)
    shares = np.zeros((len(TIERS), AGES, len(STAGES)))
    for tier in range(len(TIERS)):
        state = np.zeros(len(STAGES))
        for age in range(life.entry_age, life.last_age):
            leave = float(table.leave[age])
            graduate, mid, senior = np.minimum(table.advance[:3, tier, age], 1.0).tolist()
            state *= (1.0 - leave) / (1.0 + parameters.people.cohort_growth)
            state = np.array(
                [
                    state[0] * (1 - graduate),
                    state[0] * graduate + state[1] * (1 - mid),
                    state[1] * mid + state[2] * (1 - senior),
                    state[2] * senior + state[3],
                ]
            )
            if age < life.entry_age + life.entry_age_span:
                state[0] += 1.0
            shares[tier, age] = state
    return shares / shares.sum((1, 2), keepdims=True)


@dataclass
class Nursery:
    """Draws the attributes of agents at the start and of later newcomers."""

    cities: Cities
    parameters: Parameters
    scores: np.ndarray  # (C, 6), index points, at the start
    home_cdf: np.ndarray  # (C, C)
    seed: int

    @classmethod
    def create(
        cls,
        cities: Cities,
        obstacles: Obstacles,
        parameters: Parameters,
        scores: np.ndarray,
        seed: int,
    ) -> Nursery:
        """Prepare the distributions that births are drawn from."""
        cdf = np.cumsum(home_shares(cities, obstacles, parameters), axis=1)
        return cls(cities, parameters, scores, cdf / cdf[:, -1:], seed)

    def tier_shares(self) -> np.ndarray:
        """Return the shares of the tiers by city, (C, 3): more at the top where labs are."""
        p = self.parameters.people
        innovation = self.scores[:, 1]
        lift = np.exp(p.tier_gradient * (innovation - innovation.mean()) / 10.0)
        top, high = p.top_share * lift, p.high_share * np.sqrt(lift)
        scale = np.maximum(top + high, 0.95) / 0.95  # never more than 95 % above the base tier
        top, high = top / scale, high / scale
        return np.stack([1.0 - top - high, high, top], axis=1)

    def born(self, ids: np.ndarray, city: np.ndarray, student: np.ndarray, entry: bool) -> Agents:
        """Return agents with the given ids and cities.

        Parameters
        ----------
        ids : (n,) uint64 array
        city : (n,) int16 array
        student : (n,) bool array
        entry : bool
            True for newcomers (at entry age, new in town), False for the start population.
        """
        n = len(ids)
        chance = uniforms(ids, 0, BIRTH, self.seed)
        more = uniforms(ids, 0, BIRTH_MORE, self.seed)
        shares = np.cumsum(np.array(self.parameters.people.field_shares))
        field = np.searchsorted(shares[:-1] / shares[-1], chance[0]).astype(np.uint8)
        base, high = np.cumsum(self.tier_shares(), axis=1)[:, :2].T
        tier = (chance[1] > base[city]).astype(np.uint8) + (chance[1] > high[city])
        # all cities in one search: the distribution of city c lies between c and c + 1
        numbers = np.arange(len(self.cities))
        home = np.searchsorted((self.home_cdf + numbers[:, None]).ravel(), chance[3] + city)
        home = np.clip(home - city * numbers.size, 0, numbers.size - 1).astype(np.int16)
        life = self.parameters.life
        if entry:
            age = (life.entry_age + np.floor(chance[2] * life.entry_age_span)).astype(np.uint8)
            stage = np.zeros(n, np.uint8)
            years = np.zeros(n, np.uint8)
        else:
            age, stage = self._ages(tier, student, chance[2])
            adult = np.maximum(age.astype(np.int64) - 18, 0)
            away = np.floor(-np.log(more[0]) * self.parameters.people.years_away)
            years = np.where(home == city, adult, np.minimum(away, adult))
            years = np.minimum(years, 60).astype(np.uint8)
        traits = np.ascontiguousarray(words(ids, 0, TRAITS, self.seed).T).view(np.uint8)
        fresh, segment = np.zeros(n, np.uint8), np.zeros(n, np.uint8)
        return Agents(ids, city, home, age, stage, tier, field, years, fresh, traits, segment)

    def _ages(
        self, tier: np.ndarray, student: np.ndarray, chance: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw age and stage together from the stationary shares, given tier and studying."""
        table = stationary_ages(self.parameters)
        age, stage = np.empty(len(tier), np.uint8), np.empty(len(tier), np.uint8)
        for t in range(len(TIERS)):
            for studying in (True, False):
                joint = table[t].copy()
                joint[:, 1:] *= not studying
                joint[:, 0] *= studying
                cdf = np.cumsum(joint.ravel())
                who = (tier == t) & (student == studying)
                cell = np.searchsorted(cdf / cdf[-1], chance[who])
                age[who], stage[who] = cell // len(STAGES), cell % len(STAGES)
        return age, stage


class Population:
    """The living agents: the first ``n`` entries of arrays with room to grow."""

    def __init__(self, agents: Agents, n: int, persons: int) -> None:
        self.agents = agents
        self.n = n
        self.persons = persons

    @classmethod
    def empty(cls, room: int = 0, persons: int = 1) -> Population:
        """Return a population of nobody with room for ``room`` agents."""
        shapes = {"traits": (room, 16)}
        agents = Agents(**{k: np.zeros(shapes.get(k, (room,)), t) for k, t in _TYPES.items()})
        return cls(agents, 0, persons)

    @classmethod
    def start(cls, nursery: Nursery, number: int) -> Population:
        """Create ``number`` agents, shared out by each city's graduates and students."""
        cities = nursery.cities
        people = cities.talent_stock + cities.students
        by_city = apportion(number, people)
        students = np.rint(by_city * cities.students / np.maximum(people, 1)).astype(np.int64)
        persons = max(1, round(float(people.sum()) / max(number, 1)))
        self = cls.empty(number + number // 16 + 1024, persons)
        for city, (count, studying) in enumerate(zip(by_city, students, strict=True)):
            for first in range(0, int(count), _BATCH):
                size = min(_BATCH, int(count) - first)
                ids = identities(0, city, first, size)
                where = np.full(size, city, np.int16)
                student = np.arange(first, first + size) < studying
                self.add(nursery.born(ids, where, student, entry=False))
        return self

    def add(self, newcomers: Agents) -> None:
        """Append agents, enlarging the arrays where there is no room."""
        number = len(newcomers.ids)
        if self.n + number > len(self.agents.ids):
            room = (self.n + number) * 5 // 4
            self.agents = Agents(*(_enlarged(a, room) for a in self.agents))
        for old, new in zip(self.agents, newcomers, strict=True):
            old[self.n : self.n + number] = new
        self.n += number

    def remove(self, leaves: np.ndarray, team: Team) -> None:
        """Remove the marked agents ((n,) bool or uint8); the last ones move into the gaps."""
        gone = np.flatnonzero(leaves.view(bool))
        kept = self.n - len(gone)
        tail = np.flatnonzero(leaves[kept:] == 0) + kept
        gaps = gone[gone < kept]

        def fill(first: int, last: int) -> None:
            for array in self.agents[first:last]:
                array[gaps] = array[tail]

        team.each(edges(len(self.agents), team.threads), fill)
        self.n = kept

    def living(self) -> Agents:
        """Return views of the living agents."""
        return Agents(*(array[: self.n] for array in self.agents))


def _enlarged(array: np.ndarray, room: int) -> np.ndarray:
    out = np.zeros((room, *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out


def entries(cities: Cities, parameters: Parameters, persons: int, year: int) -> np.ndarray:
    """Return how many agents enter each city in a year (1, 2, …), int64 (C,).

    Students leave their stage after ``study_years`` on average, so as many enter; fractions carry
    over from year to year.
    """
    if not parameters.switches.entry:
        return np.zeros(len(cities), np.int64)
    rate = cities.students / parameters.life.study_years / persons
    return (np.floor(rate * year + 0.5) - np.floor(rate * (year - 1) + 0.5)).astype(np.int64)
