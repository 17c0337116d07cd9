"""Headline measures of one run, for every city and for all cities together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from sim.cities import Cities

#: What each measure is, and its unit.
MEASURES: dict[str, str] = {
    "stock": "talent at the end, persons",
    "talent_years": "talent at the end of each simulated year, summed, person-years",
    "net_gain": "arrivals less departures of all years, persons",
    "arrivals": "arrivals of all years, persons",
    "departures": "departures of all years, persons",
    "net_gain_top": "net gain of the top tier, all years, persons",
    "attraction": "arrivals a year per 100 of last year's stock, mean over the years",
    "stickiness": "simulated stickiness, 50-100, mean over the years",
    "mobility": "departures to other cities a year per 100 of last year's stock, mean",
    "international": "departures abroad a year per 100 of last year's stock, mean",
    "innovation_potential": "score at the end, index points",
    "economic_foundation": "score at the end, index points",
    "composite": "composite score at the end, index points",
    "rank": "rank by composite at the end, 1 is the highest",
}
#: The name under which all cities together stand in the tables.
ALL = "(all)"


def measure(tables: Mapping[str, pd.DataFrame], cities: Cities) -> np.ndarray:
    """Return the measures of a run.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        ``cities`` and ``flows`` as a simulation returns them.
    cities : Cities
        The C cities, in the order of the categories.

    Returns
    -------
    (C + 1, M) float64 array
        One row a city and a last one for all together, where scores and ranks are NaN and each
        move is one arrival and one departure; columns as ``MEASURES``. Undefined rates are NaN.
    """
    number = len(cities)
    table = tables["cities"]
    years = len(table) // number

    def wide(name: str) -> np.ndarray:
        yearly = table[name].to_numpy(dtype=float).reshape(years, number)
        return np.column_stack([yearly, yearly.sum(1)])

    stock, arrivals, departures = wide("stock"), wide("arrivals"), wide("departures")
    before = np.where(stock[:-1] > 0, stock[:-1], np.nan)
    abroad, top = _abroad(tables["flows"], cities, table), _top(tables["flows"], number)
    scores = {
        name: np.append(table[name].to_numpy(dtype=float)[-number:], np.nan)
        for name in ("innovation_potential", "economic_foundation", "composite", "rank")
    }
    values = {
        "stock": stock[-1],
        "talent_years": stock[1:].sum(0),
        "net_gain": (arrivals - departures).sum(0),
        "arrivals": arrivals.sum(0),
        "departures": departures.sum(0),
        "net_gain_top": np.append(top, top.sum()),
        "attraction": _mean(100.0 * arrivals[1:] / before),
        "stickiness": np.append(_mean(wide("stickiness")[1:, :-1]), np.nan),
        "mobility": _mean(100.0 * departures[1:] / before),
        "international": _mean(100.0 * abroad[1:] / before),
        **scores,
    }
    return np.column_stack([values[name] for name in MEASURES])


def grains(persons: int) -> np.ndarray:
    """Return the step in which each measure is counted, (M,): 0 for continuous ones.

    Parameters
    ----------
    persons : int
        Persons that an agent stands for.
    """
    counted = [about.endswith(("persons", "person-years")) for about in MEASURES.values()]
    steps = np.where(counted, float(persons), 0.0)
    steps[list(MEASURES).index("rank")] = 1.0
    return steps


def stocks(tables: Mapping[str, pd.DataFrame], cities: Cities) -> np.ndarray:
    """Return talent by year and city, persons, (years + 1, C + 1); the last column is all."""
    yearly = tables["cities"]["stock"].to_numpy(dtype=float).reshape(-1, len(cities))
    return np.column_stack([yearly, yearly.sum(1)])


def _mean(yearly: np.ndarray) -> np.ndarray:
    """Return the mean over the years that are defined; NaN where none is."""
    known = np.isfinite(yearly)
    count = known.sum(0)
    total = np.where(known, yearly, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _abroad(flows: pd.DataFrame, cities: Cities, table: pd.DataFrame) -> np.ndarray:
    """Return departures to other areas by year and city, the last column for all."""
    first, last = int(table["year"].iloc[0]), int(table["year"].iloc[-1])
    origin = flows["origin"].cat.codes.to_numpy().astype(np.int64)
    destination = flows["destination"].cat.codes.to_numpy().astype(np.int64)
    area = cities.area_of_city
    out = np.zeros((last - first + 1, len(cities) + 1))
    far = area[origin] != area[destination]
    year = flows["year"].to_numpy().astype(np.int64)[far] - first
    np.add.at(out, (year, origin[far]), flows["persons"].to_numpy()[far])
    out[:, -1] = out[:, :-1].sum(1)
    return out


def _top(flows: pd.DataFrame, number: int) -> np.ndarray:
    """Return each city's net gain of the top tier over all years."""
    tier = flows["tier"].cat
    top = tier.codes.to_numpy() == len(tier.categories) - 1
    persons = flows["persons"].to_numpy()[top]
    net = np.zeros(number)
    np.add.at(net, flows["destination"].cat.codes.to_numpy()[top], persons)
    np.add.at(net, flows["origin"].cat.codes.to_numpy()[top], -persons)
    return net
