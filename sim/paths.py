"""Where each agent was in a run: a log of moves and entries, and the agents at the end."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from sim.kernel import Agents


def first_city(ids: np.ndarray) -> np.ndarray:
    """Return the city in which agents started or entered, int16; it is part of their id."""
    return ((ids >> np.uint64(32)) & np.uint64(0xFFFF)).astype(np.int16)


def cohort(ids: np.ndarray) -> np.ndarray:
    """Return the year in which agents entered; 0 for the start population."""
    return (ids >> np.uint64(48)).astype(np.int64)


@dataclass
class Paths:
    """The cities that agents lived in during a run, and who they were at its end.

    Attributes
    ----------
    moved : list of (ids, city)
        For each year those who moved or entered, by id, and the city in which they then lived.
    ids, city, field, tier : (n,) arrays
        The living agents at the end, in the order of their ids.
    """

    moved: list[tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=list)
    ids: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.uint64))
    city: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int16))
    field: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.uint8))
    tier: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.uint8))

    def note(self, agents: Agents) -> None:
        """Take down who moved or entered in the year that has just been simulated.

        Both have been in their city for no full year. Where ageing is switched off others may
        be so too; noting where they are changes nothing.
        """
        new = np.flatnonzero(agents.years == 0)
        order = new[np.argsort(agents.ids[new])]
        self.moved.append((agents.ids[order], agents.city[order]))

    def end(self, agents: Agents) -> None:
        """Take down the living agents at the end."""
        order = np.argsort(agents.ids)
        self.ids, self.city = agents.ids[order], agents.city[order]
        self.field, self.tier = agents.field[order], agents.tier[order]

    def entered(self, ids: np.ndarray) -> np.ndarray:
        """Return whether agents ever lived in this run, bool, by id."""
        newcomers = np.concatenate([np.zeros(0, np.uint64), *(who for who, _ in self.moved)])
        return (cohort(ids) == 0) | np.isin(ids, newcomers)

    def places(self, ids: np.ndarray) -> np.ndarray:
        """Return where agents lived at the end of each year, int16 (years + 1, n).

        Parameters
        ----------
        ids : (n,) uint64 array
            In ascending order. For the time before they enter, the city of entry.
        """
        out = np.empty((len(self.moved) + 1, len(ids)), np.int16)
        out[0] = first_city(ids)
        for year, (who, city) in enumerate(self.moved, start=1):
            out[year] = out[year - 1]
            at = np.searchsorted(ids, who)
            known = at < len(ids)
            known[known] = ids[at[known]] == who[known]
            out[year, at[known]] = city[known]
        return out
