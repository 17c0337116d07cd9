"""The accounts: what interventions have spent, in whole cents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sim.levers import Lever
from sim.money import Grants, cents


class Ledger:
    """Books what is spent in a year, by intervention and city.

    Parameters
    ----------
    levers : sequence of Lever
    cities : int
    persons : int
        Persons for each agent; each of them is paid.
    """

    def __init__(self, levers: Sequence[Lever], cities: int, persons: int) -> None:
        self.names = [lever.name for lever in levers]
        self.persons = persons
        shape = (len(levers), cities)
        self.grants = np.zeros(shape, np.int64)
        self.spent = np.zeros(shape, np.int64)
        self.paid_ever = np.zeros(len(levers), np.int64)
        self.paid_now = np.zeros(len(levers), np.int64)

    def affordable(self, lever: Any, grant: int) -> int | None:
        """Return how many agents can still be paid a grant (cents a person); None: any number."""
        if not isinstance(lever.cost, Grants) or grant == 0:
            return None
        k = self.names.index(lever.name)
        left = lever.cost.left(int(self.paid_ever[k]), int(self.paid_now[k]))
        return None if left is None else left // (grant * self.persons)

    def pay(self, lever: Any, agents: np.ndarray, grant: int) -> None:
        """Book a grant (cents a person) to agents by city, (C,); free levers book nothing."""
        if lever.cost is None:
            return
        k = self.names.index(lever.name)
        spent = agents.astype(np.int64) * (grant * self.persons)
        self.grants[k] += agents
        self.spent[k] += spent
        if isinstance(lever.cost, Grants) and lever.cost.limited:
            self.paid_ever[k] += spent.sum()
            self.paid_now[k] += spent.sum()

    def fixed(self, lever: Any, where: np.ndarray) -> None:
        """Book the fixed yearly cost of each city selected."""
        cost = getattr(lever, "cost", None)
        if cost is not None:
            self.spent[self.names.index(lever.name)] += where * cents(cost.per_year)

    def close(self, year: int) -> np.ndarray:
        """Return the year's rows and open new accounts.

        Returns
        -------
        (n, 6) int64 array
            year, position of the intervention, city, grants (agents), persons paid, cents spent.
        """
        lever, city = np.nonzero((self.grants != 0) | (self.spent != 0))
        grants, spent = self.grants[lever, city], self.spent[lever, city]
        rows = [np.full(len(lever), year), lever, city, grants, grants * self.persons, spent]
        self.grants[:], self.spent[:], self.paid_now[:] = 0, 0, 0
        return np.column_stack(rows).astype(np.int64)
