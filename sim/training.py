"""Training: more entrants, and entrants or graduates who reach another tier or field."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sim.kernel import Agents
from sim.ledger import Ledger
from sim.lever_effects import Surroundings, payment
from sim.levers import Lever, Training
from sim.parameters import FIELDS, TIERS
from sim.population import apportion
from sim.rng import TRAINING, uniforms
from sim.selection import Group, groups_of, tables
from sim.selectors import EVERYBODY
from sim.team import Team

if TYPE_CHECKING:
    from sim.scenario import Scenario


class Trainer:
    """The training levers of a run.

    Attributes
    ----------
    carry : (levers, C) float64 array
        Fractions of additional entrants that are still owed.
    """

    def __init__(
        self,
        levers: Sequence[Lever],
        around: Surroundings,
        ledger: Ledger,
        scenario: Scenario,
        team: Team,
    ) -> None:
        self.levers = [lever for lever in levers if isinstance(lever, Training)]
        self.around = around
        self.ledger = ledger
        self.seed = scenario.seed
        self.start = scenario.horizon.start
        self.team = team
        self.study_years = scenario.parameters.life.study_years
        self.enters = scenario.parameters.switches.entry
        self.carry = np.zeros((len(self.levers), len(around.cities)))

    def entries(self, year: int, number: np.ndarray) -> np.ndarray:
        """Return how many agents enter each city, given how many would anyway, int64 (C,)."""
        total = number.copy()
        rate = self.around.cities.students / self.study_years / self.around.persons
        for k, lever in enumerate(self.levers):
            strength = lever.strength(year, self.around.begin)
            if not (self.enters and lever.entries and strength):
                continue
            self.carry[k] += rate * lever.entries * strength * self.around.mask(lever.places)
            more = np.floor(self.carry[k]).astype(np.int64)
            self.carry[k] -= more
            if lever.entries > 0:
                afford = self.ledger.affordable(lever, payment(lever, strength))
                if afford is not None and more.sum() > afford:
                    more = apportion(afford, more.astype(float))
                self.ledger.pay(lever, more, payment(lever, strength))
            total += more
        return np.maximum(total, 0)

    def train(self, year: int, agents: Agents, who: np.ndarray, at: str) -> None:
        """Train some of ``who`` (positions in ``agents``), in place.

        Every lever looks at people as they were before any training of the year: the highest of
        the tiers holds, and of several fields the one whose lever drew the lowest luck.
        """
        strengths = [lever.strength(year, self.around.begin) for lever in self.levers]
        acting = [
            (lever, strength)
            for lever, strength in zip(self.levers, strengths, strict=True)
            if lever.at == at and lever.share * strength
        ]
        if not acting:
            return
        tier, field = agents.tier[who].copy(), agents.field[who].copy()
        best = np.ones(len(who))
        before = Agents(*(array[who] for array in agents))
        for lever, strength in acting:
            chosen, luck = self._chosen(lever, year, strength, before)
            if lever.to_tier is not None:
                tier[chosen] = np.maximum(tier[chosen], TIERS.index(lever.to_tier))
            if lever.to_field is not None:
                first = chosen[luck[chosen] < best[chosen]]
                field[first] = FIELDS.index(lever.to_field)
                best[first] = luck[first]
        agents.tier[who], agents.field[who] = tier, field

    def _chosen(
        self, lever: Training, year: int, strength: float, people: Agents
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return who is trained (positions) and everybody's luck; book the cost."""
        table = tables([Group(lever.people or EVERYBODY)], self.around.cities)
        fits = groups_of(people, table, self.team) == 1
        fits &= self.around.mask(lever.places)[people.city]
        lower = lever.to_tier is not None and people.tier < TIERS.index(lever.to_tier)
        other = lever.to_field is not None and people.field != FIELDS.index(lever.to_field)
        own = self.seed ^ (zlib.crc32(lever.name.encode()) << 32)
        luck = uniforms(people.ids, year - self.start, TRAINING, own)[0]
        chosen = np.flatnonzero(fits & (lower | other) & (luck < lever.share * strength))
        afford = self.ledger.affordable(lever, payment(lever, strength))
        if afford is not None and len(chosen) > afford:
            chosen = chosen[np.lexsort((people.ids[chosen], luck[chosen]))[:afford]]
        by_city = np.bincount(people.city[chosen], minlength=len(self.around.cities))
        self.ledger.pay(lever, by_city, payment(lever, strength))
        return chosen, luck
