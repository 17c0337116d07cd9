"""The engine of policies: who is in which segment, what each segment sees, quotas.

At the start of each year the agents are parted into *segments*: all who are in the same groups of
people that interventions of that year select. Each segment has its own view of the world (scores,
obstacles, utilities); interventions for everybody change the common view. Without interventions
there is one segment and nothing is computed. Money is the matter of `sim.ledger`, training that of
`sim.training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.effects import Effects
from sim.errors import UserError
from sim.kernel import Agents
from sim.ledger import Ledger
from sim.lever_effects import Kind, Surroundings, apply, payment, points_of, strength_of
from sim.levers import Lever, Quota, Retention, Subsidy, Training
from sim.money import Grants
from sim.rng import LOTTERY, words
from sim.selection import MOST_GROUPS, Group, groups_of, tables
from sim.selectors import EVERYBODY
from sim.team import Team
from sim.training import Trainer

if TYPE_CHECKING:
    from sim.population import Population
    from sim.scenario import Scenario
    from sim.simulation import Simulation

MOST_SEGMENTS = 256
_MASKS = 1 << MOST_GROUPS


@dataclass(frozen=True)
class _Act:
    """One effect of an intervention on those whose groups hold all bits of ``need``."""

    lever: Lever
    need: int
    kind: Kind


def limited(lever: Lever) -> bool:
    """Return whether a budget limits whom a lever pays."""
    cost = getattr(lever, "cost", None)
    return isinstance(lever, Subsidy | Retention) and isinstance(cost, Grants) and cost.limited


class Policy:
    """The interventions of a run and what they have done so far.

    Parameters
    ----------
    scenario : Scenario
    around : Surroundings
        Cities, obstacles and landscape of the run; its flows and stock are kept up to date here.
    team : Team
    """

    def __init__(self, scenario: Scenario, around: Surroundings, team: Team) -> None:
        quotas = scenario.parameters.switches.quotas
        levers = [v for v in scenario.interventions if quotas or not isinstance(v, Quota)]
        self.levers = sorted(levers, key=lambda lever: lever.name)  # so that sums keep their order
        self.around = around
        self.team = team
        self.seed = scenario.seed
        self.start = scenario.horizon.start
        self.groups: list[Group] = []
        self.acts = [act for lever in self.levers for act in self._acts(lever)]
        self.tables = tables(self.groups, around.cities)
        self.ledger = Ledger(scenario.interventions, len(around.cities), around.persons)
        self.trainer = Trainer(self.levers, around, self.ledger, scenario, team)
        self.strengths: dict[str, np.ndarray] = {}
        self.masks = np.zeros(0, np.uint16)
        self.present = np.zeros(1, np.int64)
        self.elapsed = 0

    @classmethod
    def create(cls, run: Simulation) -> Policy:
        """Return the interventions' engine of a run before its first year.

        Parameters
        ----------
        run : Simulation
            With its cities, obstacles, landscape, population and census in place.
        """
        cities, parameters = len(run.cities), run.scenario.parameters
        nested = parameters.switches.nest
        around = Surroundings(
            cities=run.cities,
            obstacles=run.obstacles,
            landscape=run.landscape,
            dissimilarity=parameters.choose.dissimilarity if nested else 1.0,
            begin=run.scenario.horizon.start + 1,
            flows=np.zeros((cities, cities), np.int64),
            stock=run.census.stock,
            persons=run.population.persons,
        )
        return cls(run.scenario, around, run.team)

    def _acts(self, lever: Lever) -> list[_Act]:
        """Return the acts of a lever, and remember the groups that they are about."""
        if isinstance(lever, Training):
            return []
        people = getattr(lever, "people", None)
        need = 0
        if people is not None or limited(lever):
            owner = lever.name if limited(lever) else ""
            need = self._bit(Group(people or EVERYBODY, owner=owner))
        if not isinstance(lever, Retention):
            return [_Act(lever, need, "marks" if isinstance(lever, Quota) else "all")]
        acts = [_Act(lever, need, "marks")]
        if lever.stay:
            years = (lever.stay_after_years, 60)
            tenured = self._bit(Group(EVERYBODY, years)) if lever.stay_after_years else 0
            acts.append(_Act(lever, need | tenured, "stay"))
        if lever.looking != 1.0:
            acts.append(_Act(lever, need, "look"))
        if lever.lock_in_years:
            new = self._bit(Group(EVERYBODY, (0, lever.lock_in_years)))
            acts.append(_Act(lever, need | new, "lock_in"))
        return acts

    def _bit(self, group: Group) -> int:
        if group not in self.groups:
            if len(self.groups) == MOST_GROUPS:
                raise UserError(
                    f"interventions: more than {MOST_GROUPS} different groups of people; let "
                    "several interventions share the same 'people'"
                )
            self.groups.append(group)
        return 1 << self.groups.index(group)

    def acting(self) -> list[_Act]:
        """Return the acts of the planned year."""
        return [act for act in self.acts if self.strengths[act.lever.name].any()]

    def plan(self, year: int, agents: Agents) -> None:
        """Settle which interventions act in a calendar year, and part the agents into segments."""
        if not self.levers:
            return
        self.elapsed = year - self.start
        self.strengths = {v.name: strength_of(v, year, self.around) for v in self.levers}
        for lever in self.levers:
            if limited(lever) and self._affordable(lever) == 0:
                self.strengths[lever.name] = np.zeros(len(self.around.cities))
        used = _union(self.acting())
        self.masks = np.zeros(len(agents.ids), np.uint16)
        if used:
            self.masks = groups_of(agents, self.tables, self.team) & np.uint16(used)
            self._offer(agents)
        self._part(agents)

    def _part(self, agents: Agents) -> None:
        """Give every segment that occurs a number, and every agent its segment's."""
        seen = _union([act for act in self.acting() if act.kind != "marks"])
        masks = self.masks & np.uint16(seen)
        self.present = np.flatnonzero(np.bincount(masks, minlength=1))
        if not len(self.present):
            self.present = np.zeros(1, np.int64)
        if len(self.present) > MOST_SEGMENTS:
            raise UserError(
                f"interventions: their 'people' part the agents into {len(self.present)} segments, "
                f"more than {MOST_SEGMENTS}; let several interventions share the same 'people'"
            )
        number = np.zeros(_MASKS, np.uint8)
        number[self.present] = np.arange(len(self.present))
        agents.segment[:] = number[masks]

    def common(self, year: int, base: np.ndarray) -> np.ndarray:
        """Return the points that interventions for everybody add to scores, (C, 6).

        Parameters
        ----------
        year : int
            Calendar year.
        base : (C, 6) array
            Scores without interventions, index points.
        """
        total = np.zeros_like(base)
        for act in self.acts:
            if act.need == 0 and act.kind == "all":
                points = points_of(
                    act.lever, strength_of(act.lever, year, self.around), base, self.around
                )
                total += 0.0 if points is None else points
        return total

    def effects(self, base: np.ndarray) -> list[Effects]:
        """Return what each segment's view adds to the common one, in the planned year."""
        if not self.levers:
            return []
        cities, acting = self.around.cities, self.acting()
        found = []
        for mask in self.present.tolist():
            effects = Effects.none(len(cities), len(cities.area_names))
            for act in acting:
                if mask & act.need == act.need:
                    self._apply(act, base, effects)
            found.append(effects)
        return found

    def _apply(self, act: _Act, base: np.ndarray, effects: Effects) -> None:
        strength = self.strengths[act.lever.name]
        apply(act.lever, act.kind, strength, self.around, effects)
        if act.kind == "all" and act.need:
            points = points_of(act.lever, strength, base, self.around)
            effects.scores += 0.0 if points is None else points

    def _affordable(self, lever: Any) -> int | None:
        """Return how many agents a lever can pay in the planned year; None: all."""
        return self.ledger.affordable(lever, payment(lever, float(self.strengths[lever.name][0])))

    def _offer(self, agents: Agents) -> None:
        """Decide by lottery which residents are offered a retention payment, within the budget."""
        for act in self.acting():
            if act.kind == "marks" and isinstance(act.lever, Retention) and limited(act.lever):
                here = self.around.mask(act.lever.places)[agents.city]
                eligible = np.flatnonzero(here & self._in(act.need))
                self._take_out(agents, eligible, act)

    def _in(self, need: int, who: np.ndarray | slice = slice(None)) -> np.ndarray:
        return (self.masks[who] & np.uint16(need)) == need

    def _take_out(self, agents: Agents, who: np.ndarray, act: _Act) -> np.ndarray:
        """Take the losers of a lottery out of a lever's group; return their places in ``who``."""
        affordable = self._affordable(act.lever)
        if affordable is None or len(who) <= affordable:
            return np.zeros(0, np.int64)
        lost = self._lottery(agents.ids[who])[affordable:]
        self.masks[who[lost]] &= np.uint16(~act.need & 0xFFFF)
        return lost

    def _lottery(self, ids: np.ndarray) -> np.ndarray:
        """Return the order in which agents are drawn this year; it depends on nobody else."""
        luck = words(ids, self.elapsed, LOTTERY, self.seed)
        return np.lexsort((ids, luck[1], luck[0]))

    def overdrawn(self, agents: Agents, lookers: np.ndarray, destination: np.ndarray) -> np.ndarray:
        """Take back subsidies above the budgets; return who must choose again without.

        Returns
        -------
        array of int64
            Positions in ``lookers``; empty once everybody can be paid.
        """
        lost = np.zeros(len(lookers), bool)
        for act in self.acting():
            if isinstance(act.lever, Subsidy) and limited(act.lever):
                paid = np.flatnonzero(self._arrives(act, agents, lookers, destination))
                lost[paid[self._take_out(agents, lookers[paid], act)]] = True
        again = np.flatnonzero(lost)
        if len(again):
            self._part(agents)
        return again

    def _arrives(
        self, act: _Act, agents: Agents, lookers: np.ndarray, destination: np.ndarray
    ) -> np.ndarray:
        """Return which lookers of an act's group move to its places."""
        moves = destination != agents.city[lookers]
        return moves & self.around.mask(act.lever.places)[destination] & self._in(act.need, lookers)

    def ration(self, agents: Agents, lookers: np.ndarray, destination: np.ndarray) -> np.ndarray:
        """Send back, by lottery, arrivals above quotas: they stay where they live."""
        refused = np.zeros(len(lookers), bool)
        for act in self.acting():
            if not isinstance(act.lever, Quota):
                continue
            cap = int(act.lever.persons_per_year // self.around.persons)
            arrives = self._arrives(act, agents, lookers, destination)
            for city in np.flatnonzero(self.around.mask(act.lever.places)):
                coming = np.flatnonzero(arrives & (destination == city))
                if len(coming) > cap:
                    order = self._lottery(agents.ids[lookers[coming]])
                    refused[coming[order[cap:]]] = True
        destination = destination.copy()
        destination[refused] = agents.city[lookers[refused]]
        return destination

    def pay(self, agents: Agents, lookers: np.ndarray, destination: np.ndarray) -> None:
        """Book the payments of the year to movers and stayers, before anybody moves."""
        cities = len(self.around.cities)
        leaves = np.zeros(len(agents.ids), bool)
        leaves[lookers] = destination != agents.city[lookers]
        booked = set()
        for act in self.acting():
            lever = act.lever
            if not isinstance(lever, Subsidy | Retention) or lever.name in booked:
                continue
            booked.add(lever.name)
            if isinstance(lever, Subsidy):
                paid = destination[self._arrives(act, agents, lookers, destination)]
            else:
                here = self.around.mask(lever.places)[agents.city]
                paid = agents.city[here & ~leaves & self._in(act.need)]
            grant = payment(lever, float(self.strengths[lever.name][0]))
            self.ledger.pay(lever, np.bincount(paid, minlength=cities), grant)

    def graduate(self, year: int, population: Population) -> None:
        """Train this year's graduates."""
        if self.trainer.levers:
            agents = population.living()
            self.trainer.train(year, agents, np.flatnonzero(agents.fresh == 1), "graduation")

    def close(self, year: int, flows: np.ndarray, stock: np.ndarray) -> np.ndarray:
        """Remember the year's moves and close its accounts; return its rows of costs."""
        self.around.flows, self.around.stock = flows, stock
        for lever in self.levers:
            if strength_of(lever, year, self.around).any():
                self.ledger.fixed(lever, self.around.mask(lever.places))
        return self.ledger.close(year)

    def state(self) -> dict[str, np.ndarray]:
        """Return everything that later years depend on, for a checkpoint."""
        return {
            "policy_flows": self.around.flows,
            "policy_stock": self.around.stock,
            "policy_spent": self.ledger.paid_ever,
            "policy_carry": self.trainer.carry,
        }

    def restore(self, state: Any) -> None:
        """Take up what `state` returned."""
        self.around.flows = state["policy_flows"]
        self.around.stock = state["policy_stock"]
        self.ledger.paid_ever = state["policy_spent"]
        self.trainer.carry = state["policy_carry"]


def _union(acts: list[_Act]) -> int:
    """Return the bits that any of the acts needs."""
    bits = 0
    for act in acts:
        bits |= act.need
    return bits
