"""What a run remembers of each year, and the tidy tables made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.cities import DIMENSIONS, Cities
from sim.landscape import Landscape
from sim.levers import Lever
from sim.lifecycle import Census
from sim.parameters import FIELDS, TIERS

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("stock", "arrivals", "departures", "entries", "exits")
_RATES = ("attraction", "retention", "stickiness")


def stickiness(attraction: np.ndarray, retention: np.ndarray) -> np.ndarray:
    """Return stickiness on 50-100 from attraction and retention of the cities in one year.

    The mean of the two measures, each standardised over the cities, mapped affinely so that the
    best city has 100 and the last 50, as the published composite is (B.11 table 2). Cities whose
    measures are undefined (no stock) get NaN; where all are equal, everybody gets 75.
    """
    total = np.zeros(len(attraction))
    for measure in (attraction, retention):
        spread = np.nanstd(measure) if np.isfinite(measure).any() else 0.0
        if spread > 0:
            total += (measure - np.nanmean(measure)) / spread
    total[~np.isfinite(attraction) | ~np.isfinite(retention)] = np.nan
    if not np.isfinite(total).any():
        return total
    low, high = np.nanmin(total), np.nanmax(total)
    return 50.0 + 50.0 * (total - low) / (high - low) if high > low else total * 0.0 + 75.0


def ranks(scores: np.ndarray) -> np.ndarray:
    """Return ranks, 1 for the highest; ties go to the first, int16."""
    out = np.empty(len(scores), np.int16)
    out[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return out


class Records:
    """Collects the years of a run; all counts are kept in agents and reported in persons."""

    def __init__(
        self,
        cities: Cities,
        landscape: Landscape,
        persons: int,
        interventions: Sequence[Lever] = (),
    ) -> None:
        self.cities = cities
        self.landscape = landscape
        self.persons = persons
        self.interventions = interventions
        self.costs: list[np.ndarray] = []  # (rows, 6): see sim.ledger
        self.years: list[int] = []
        self.counts: list[np.ndarray] = []  # (C, 5)
        self.rates: list[np.ndarray] = []  # (C, 3)
        self.scores: list[np.ndarray] = []  # (C, 6)
        self.ages: list[np.ndarray] = []  # (128, 3): stock, domestic movers, international movers
        self.flows: list[np.ndarray] = []  # (rows, 6): year, origin, destination, field, tier, n

    def start(self, year: int, census: Census, scores: np.ndarray) -> None:
        """Record the population at the start, before any move."""
        counts = np.zeros((len(self.cities), len(_COUNTS)), np.int64)
        counts[:, 0] = census.stock
        ages = np.zeros((len(census.by_age), 3), np.int64)
        ages[:, 0] = census.by_age
        self._append(year, counts, np.full((len(self.cities), 3), np.nan), scores, ages)

    def add(
        self,
        year: int,
        moves: dict[str, np.ndarray],
        flows: np.ndarray,
        entered: np.ndarray,
        exits: np.ndarray,
        census: Census,
        scores: np.ndarray,
    ) -> None:
        """Record a year: its moves, entries and exits, and the population and scores after it."""
        before = self.counts[-1][:, 0]
        arrivals, departures = flows.sum(0), flows.sum(1)
        counts = np.stack([census.stock, arrivals, departures, entered, exits], axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            attraction = np.where(before > 0, 100.0 * arrivals / before, np.nan)
            retention = np.where(before > 0, 100.0 * (1.0 - departures / before), np.nan)
        rates = np.stack([attraction, retention, stickiness(attraction, retention)], axis=1)
        self._append(year, counts, rates, scores, self._ages(moves, census))
        self.flows.append(self._flow_rows(year, moves))

    def _append(self, year: int, *parts: np.ndarray) -> None:
        self.years.append(year)
        for series, part in zip(
            (self.counts, self.rates, self.scores, self.ages), parts, strict=True
        ):
            series.append(part)

    def _ages(self, moves: dict[str, np.ndarray], census: Census) -> np.ndarray:
        area = self.cities.area_of_city
        abroad = area[moves["origin"]] != area[moves["destination"]]
        span = len(census.by_age)
        return np.stack(
            [
                census.by_age,
                np.bincount(moves["age"][~abroad], minlength=span),
                np.bincount(moves["age"][abroad], minlength=span),
            ],
            axis=1,
        )

    def _flow_rows(self, year: int, moves: dict[str, np.ndarray]) -> np.ndarray:
        shape = (len(self.cities), len(self.cities), len(FIELDS), len(TIERS))
        names = ("origin", "destination", "field", "tier")
        keys = np.ravel_multi_index([moves[name].astype(np.int64) for name in names], shape)
        cells, persons = np.unique(keys, return_counts=True)
        columns = np.unravel_index(cells, shape)
        rows = np.column_stack([np.full(len(cells), year), *columns, persons])
        return rows.astype(np.int32)

    def spend(self, rows: np.ndarray) -> None:
        """Record the year's costs: rows of `sim.ledger.Ledger.close`."""
        self.costs.append(rows)

    def state(self) -> dict[str, np.ndarray]:
        """Return everything as arrays, for a checkpoint."""
        flows = np.concatenate([np.zeros((0, 6), np.int32), *self.flows])
        return {
            "record_years": np.array(self.years),
            "record_counts": np.array(self.counts),
            "record_rates": np.array(self.rates),
            "record_scores": np.array(self.scores),
            "record_ages": np.array(self.ages),
            "record_flows": flows,
            "record_costs": np.concatenate([np.zeros((0, 6), np.int64), *self.costs]),
        }

    def restore(self, state: Any) -> None:
        """Take up what `state` returned."""
        self.years = [int(year) for year in state["record_years"]]
        self.counts = list(state["record_counts"])
        self.rates = list(state["record_rates"])
        self.scores = list(state["record_scores"])
        self.ages = list(state["record_ages"])
        self.flows = [state["record_flows"]]
        self.costs = [state["record_costs"]]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tidy tables ``flows``, ``cities`` and ``ages``, in persons.

        And ``costs`` where an intervention has a cost. See docs/data-dictionary.md for columns and
        units.
        """
        tables = {
            "flows": self._flow_table(),
            "cities": self._city_table(),
            "ages": self._age_table(),
        }
        paying = any(getattr(lever, "cost", None) is not None for lever in self.interventions)
        return tables | {"costs": self._cost_table()} if paying else tables

    def _flow_table(self) -> pd.DataFrame:
        import pandas as pd

        rows = np.concatenate([np.zeros((0, 6), np.int32), *self.flows])

        def names(codes: np.ndarray, labels: tuple[str, ...]) -> Any:
            return pd.Categorical.from_codes(codes, categories=pd.Index(labels))

        return pd.DataFrame(
            {
                "year": rows[:, 0].astype(np.int16),
                "origin": names(rows[:, 1], self.cities.names),
                "destination": names(rows[:, 2], self.cities.names),
                "field": names(rows[:, 3], FIELDS),
                "tier": names(rows[:, 4], TIERS),
                "persons": rows[:, 5].astype(np.int64) * self.persons,
            }
        )

    def _cost_table(self) -> pd.DataFrame:
        import pandas as pd

        rows = np.concatenate([np.zeros((0, 6), np.int64), *self.costs])
        costs = [getattr(lever, "cost", None) for lever in self.interventions]
        currencies = np.array(["" if cost is None else cost.currency for cost in costs])
        return pd.DataFrame(
            {
                "year": rows[:, 0].astype(np.int16),
                "intervention": pd.Categorical.from_codes(
                    rows[:, 1], categories=pd.Index([v.name for v in self.interventions])
                ),
                "city": pd.Categorical.from_codes(
                    rows[:, 2], categories=pd.Index(self.cities.names)
                ),
                "currency": pd.Categorical(
                    currencies[rows[:, 1]], categories=sorted(set(currencies) - {""})
                ),
                "grants": rows[:, 3],
                "persons": rows[:, 4],
                "spent": rows[:, 5],
            }
        )

    def _city_table(self) -> pd.DataFrame:
        import pandas as pd

        number = len(self.cities)
        table = pd.DataFrame(
            {
                "year": np.repeat(np.array(self.years, np.int16), number),
                "city": pd.Categorical.from_codes(
                    np.tile(np.arange(number), len(self.years)),
                    categories=pd.Index(self.cities.names),
                ),
            }
        )
        counts, rates = np.concatenate(self.counts), np.concatenate(self.rates)
        for k, name in enumerate(_COUNTS):
            table[name] = counts[:, k].astype(np.int64) * self.persons
        for k, name in enumerate(_RATES):
            table[name] = rates[:, k]
        scores = np.concatenate(self.scores)
        for k, name in enumerate(DIMENSIONS):
            table[name] = scores[:, k]
        composites = [self.landscape.composite(yearly) for yearly in self.scores]
        table["composite"] = np.concatenate(composites)
        table["rank"] = np.concatenate([ranks(composite) for composite in composites])
        return table

    def _age_table(self) -> pd.DataFrame:
        import pandas as pd

        span = len(self.ages[0])
        ages = np.concatenate(self.ages).astype(np.int64) * self.persons
        table = pd.DataFrame(
            {
                "year": np.repeat(np.array(self.years, np.int16), span),
                "age": np.tile(np.arange(span, dtype=np.int16), len(self.years)),
                "stock": ages[:, 0],
                "movers_domestic": ages[:, 1],
                "movers_international": ages[:, 2],
            }
        )
        seen = table.groupby("age")[["stock", "movers_domestic"]].transform("sum").sum(axis=1) > 0
        return table[seen].reset_index(drop=True)
