"""Which agents fit which groups of people, for all agents in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim.cities import Cities
from sim.jit import kernel
from sim.kernel import Agents
from sim.parameters import FIELDS, STAGES, TIERS
from sim.selectors import Persons
from sim.team import Team

#: Groups of people that one scenario can tell apart: bits of a mask.
MOST_GROUPS = 16
_AGES, _YEARS = 128, 61


class Tables(NamedTuple):
    """For every value of an attribute, the groups that it fits: uint16 masks."""

    by_field: np.ndarray
    by_tier: np.ndarray
    by_stage: np.ndarray
    by_age: np.ndarray
    by_years: np.ndarray
    by_home: np.ndarray
    by_city: np.ndarray
    by_fresh: np.ndarray
    by_abroad: np.ndarray
    area_of_city: np.ndarray


@dataclass(frozen=True)
class Group:
    """Persons whom interventions tell apart.

    Attributes
    ----------
    people : Persons
    years : (int, int)
        Whole years in the present city, in addition to what ``people`` says.
    owner : str
        Name of the intervention that has the group for itself, or empty: a lottery may take agents
        out of such a group.
    """

    people: Persons
    years: tuple[int, int] = (0, 60)
    owner: str = ""

    def allowed(self, cities: Cities) -> list[np.ndarray]:
        """Return which values of each attribute fit, in the order of `Tables`."""
        p, everywhere = self.people, np.ones(len(cities), bool)
        years = np.arange(_YEARS)
        low, high = p.years_in_city or (0, 60)
        age_low, age_high = p.age or (0, _AGES)
        age = np.arange(_AGES)
        return [
            _listed(FIELDS, p.field),
            _listed(TIERS, p.tier),
            _listed(STAGES, p.stage),
            (age >= age_low) & (age <= age_high),
            (years >= max(low, self.years[0])) & (years <= min(high, self.years[1])),
            everywhere if p.citizenship is None else p.citizenship.mask(cities),
            everywhere if p.origin is None else p.origin.mask(cities),
            _switch(p.graduating),
            _switch(p.abroad),
        ]


def _listed(names: tuple[str, ...], chosen: tuple[str, ...]) -> np.ndarray:
    return np.array([not chosen or name in chosen for name in names])


def _switch(wanted: bool | None) -> np.ndarray:
    return np.array([wanted is not True, wanted is not False])


def tables(groups: list[Group], cities: Cities) -> Tables:
    """Return the tables of a list of at most 16 groups; group k has bit k."""
    sizes = (
        len(FIELDS),
        len(TIERS),
        len(STAGES),
        _AGES,
        _YEARS,
        len(cities),
        len(cities),
        2,
        2,
    )
    masks = [np.zeros(size, np.uint16) for size in sizes]
    for bit, group in enumerate(groups):
        for mask, allowed in zip(masks, group.allowed(cities), strict=True):
            mask |= allowed.astype(np.uint16) << np.uint16(bit)
    return Tables(*[*masks, cities.area_of_city])


@kernel
def match(agents, tables, start, stop, out):
    """Write to ``out`` (uint16) the groups that agents ``start`` to ``stop`` are in, as bits."""
    area = tables.area_of_city
    for i in range(start, stop):
        city, home = agents.city[i], agents.home[i]
        abroad = np.int64(area[city] != area[home])
        mask = tables.by_field[agents.field[i]] & tables.by_tier[agents.tier[i]]
        mask &= tables.by_stage[agents.stage[i]] & tables.by_age[agents.age[i]]
        mask &= tables.by_years[agents.years[i]] & tables.by_fresh[agents.fresh[i]]
        mask &= tables.by_home[home] & tables.by_city[city] & tables.by_abroad[abroad]
        out[i] = mask


def groups_of(agents: Agents, tables: Tables, team: Team) -> np.ndarray:
    """Return the groups that each agent is in, as bits, uint16 (N,)."""
    out = np.zeros(len(agents.ids), np.uint16)
    team.share(len(out), lambda a, b: match(agents, tables, a, b, out))
    return out
