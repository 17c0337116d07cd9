"""Measures of a run's tables: who moved where, who gained, how much, how unequally.

Every function takes tidy frames (the tables of a run folder) and returns a frame, a series or a
number. Persons are persons, rates are per 100 and a year, and ``years`` always means: None for all
years, one year, or a pair (first, last) with both ends included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

Years = int | tuple[int, int] | None

NORMAL_95 = 1.959964
"""The 97.5 % point of the normal distribution: half-width of a 95 % interval in standard errors."""


class Correlation(NamedTuple):
    """A rank correlation, its 95 % interval and the number of pairs."""

    rho: float
    low: float
    high: float
    n: int


def in_years(frame: pd.DataFrame, years: Years = None) -> pd.DataFrame:
    """Return the rows of the named years.

    Parameters
    ----------
    frame : DataFrame
        Any table with a column ``year``.
    years : int or (int, int) or None
        One year, a pair (first, last) with both ends included, or None for all.

    Returns
    -------
    DataFrame
        The rows, in their order.
    """
    if years is None:
        return frame
    first, last = (years, years) if isinstance(years, int) else years
    return frame[frame["year"].between(first, last)]


def pair_flows(flows: pd.DataFrame, years: Years = None) -> pd.DataFrame:
    """Sum flows over fields, tiers and years.

    Parameters
    ----------
    flows : DataFrame
        Columns year, origin, destination, persons (and others, which are summed over).
    years : int or (int, int) or None
        Years to sum over.

    Returns
    -------
    DataFrame
        Columns origin, destination (text) and persons (int64), largest first; only pairs that
        exchanged anybody.
    """
    chosen = in_years(flows, years)
    pairs = chosen.groupby(["origin", "destination"], observed=True)["persons"].sum().reset_index()
    pairs = pairs.astype({"origin": str, "destination": str, "persons": np.int64})
    order = ["persons", "origin", "destination"]
    return pairs.sort_values(order, ascending=[False, True, True], ignore_index=True)


def origin_destination(
    flows: pd.DataFrame, years: Years = None, *, cities: Iterable[str] | None = None
) -> pd.DataFrame:
    """Return the origin–destination matrix.

    Parameters
    ----------
    flows : DataFrame
        Columns year, origin, destination, persons.
    years : int or (int, int) or None
        Years to sum over.
    cities : iterable of str, optional
        Rows and columns, in this order; by default the cities that occur, in alphabetical order.

    Returns
    -------
    DataFrame, shape (cities, cities)
        Persons who moved from the row's city to the column's, int64; zero where nobody did.
    """
    pairs = pair_flows(flows, years)
    if cities is None:
        cities = sorted({*pairs["origin"], *pairs["destination"]})
    names = list(cities)
    wide = pairs.pivot(index="origin", columns="destination", values="persons")
    return wide.reindex(index=names, columns=names).fillna(0).astype(np.int64)


def persons_per_agent(*tables: pd.DataFrame) -> int:
    """Return how many persons an agent stands for, as the counts of the tables tell.

    Agents stand for equally many persons, so every count is a multiple of that number and their
    greatest common divisor is it, or, in tables of very few moves, a multiple of it.

    Parameters
    ----------
    *tables : DataFrame
        Tables with any of the columns persons, stock, arrivals, departures.

    Returns
    -------
    int
        Persons an agent, at least 1.
    """
    columns = ("persons", "stock", "arrivals", "departures")
    counts = [table[name].to_numpy() for table in tables for name in columns if name in table]
    divisors = [int(np.gcd.reduce(count.astype(np.int64))) for count in counts if len(count)]
    return max(math.gcd(*divisors), 1)


def previous_stock(cities: pd.DataFrame) -> pd.Series:
    """Return last year's stock for each row of the table of cities.

    Parameters
    ----------
    cities : DataFrame
        Columns year, city, stock; the years of a city without gaps.

    Returns
    -------
    Series
        Persons, aligned with the table; NaN in the first year.
    """
    ordered = cities.sort_values("year", kind="stable")
    before = pd.Series(ordered.groupby("city", observed=True)["stock"].shift(1))
    return before.reindex(cities.index).rename("previous_stock")


def simulated_years(cities: pd.DataFrame) -> tuple[int, int]:
    """Return the first and the last year in which people could move.

    Parameters
    ----------
    cities : DataFrame
        The table of cities, whose first year is the state at the start.

    Returns
    -------
    (int, int)
        First and last simulated year; the start year twice where nothing was simulated yet.
    """
    years = np.unique(cities["year"].to_numpy())
    return int(years[min(1, len(years) - 1)]), int(years[-1])


def net_gain(cities: pd.DataFrame, years: Years = None) -> pd.DataFrame:
    """Return what each city gained and lost by moves.

    Parameters
    ----------
    cities : DataFrame
        Columns year, city, stock, arrivals, departures.
    years : int or (int, int) or None
        Years to sum over.

    Returns
    -------
    DataFrame
        Indexed by city (text), largest net gain first. Columns: arrivals, departures, net
        (persons), exposure (sum of last year's stock over the years, person-years), per_100 (net
        a year per 100 of last year's stock) and effectiveness (100 × net / (arrivals +
        departures), in [−100, 100]: how much of the turnover is gain; Shryock, Siegel et al. 1976,
        The Methods and Materials of Demography, ch. 20). Rates of an empty city are NaN.
    """
    table = cities.assign(exposure=previous_stock(cities))
    table = in_years(table, years).dropna(subset="exposure")
    sums = table.groupby("city", observed=True)[["arrivals", "departures", "exposure"]].sum()
    sums.index = sums.index.astype(str)
    sums.insert(2, "net", sums["arrivals"] - sums["departures"])
    turnover = sums["arrivals"] + sums["departures"]
    sums["per_100"] = 100 * sums["net"] / sums["exposure"].where(sums["exposure"] > 0)
    sums["effectiveness"] = 100 * sums["net"] / turnover.where(turnover > 0)
    order = np.lexsort((sums.index, -sums["net"].to_numpy()))
    return sums.iloc[order]


def net_gain_error(gains: pd.DataFrame, persons: int) -> pd.Series:
    """Return the standard error of a single run's net gains that comes from counting agents.

    Arrivals and departures are sums of many rare, independent decisions of agents, close to
    Poisson; an agent stands for ``persons`` people, so the variance of the difference is
    ``persons × (arrivals + departures)``. It is luck within one run: not the uncertainty of
    parameters, landscape or structure.

    Parameters
    ----------
    gains : DataFrame
        As :func:`net_gain` returns it.
    persons : int
        Persons an agent stands for.

    Returns
    -------
    Series
        Standard error of ``net``, persons, by city.
    """
    turnover = (gains["arrivals"] + gains["departures"]).to_numpy(dtype=float)
    return pd.Series(np.sqrt(persons * turnover), index=gains.index, name="error")


def mobility(flows: pd.DataFrame, cities: pd.DataFrame, country: pd.Series) -> pd.DataFrame:
    """Return how many moved each year, within and between countries.

    The rates are crude migration intensities (Bell et al. 2002, Journal of the Royal Statistical
    Society A 165, 435–464): movers per 100 of the population at risk, here last year's stock.

    Parameters
    ----------
    flows : DataFrame
        Columns year, origin, destination, persons.
    cities : DataFrame
        Columns year, city, stock.
    country : Series
        Country or area code by city name; a move between two codes is international.

    Returns
    -------
    DataFrame
        Indexed by simulated year. Columns: stock (of the year before, persons), total, domestic,
        international (persons), total_rate, domestic_rate, international_rate (per 100).

    Raises
    ------
    KeyError
        If a city of the flows has no country.
    """
    yearly = flows.groupby(["year", "origin", "destination"], observed=True)["persons"].sum()
    pairs = yearly.reset_index().astype({"origin": str, "destination": str})
    unknown = sorted({*pairs["origin"], *pairs["destination"]} - set(country.index))
    if unknown:
        raise KeyError(f"no country is given for: {', '.join(unknown)}")
    abroad = pairs["origin"].map(country).to_numpy() != pairs["destination"].map(country).to_numpy()
    stock = cities.groupby("year")["stock"].sum().sort_index().shift(1).dropna()
    result = pd.DataFrame({"stock": stock.astype(np.int64)})
    for name, rows in (
        ("total", pairs),
        ("domestic", pairs[~abroad]),
        ("international", pairs[abroad]),
    ):
        moved = rows.groupby("year")["persons"].sum()
        result[name] = moved.reindex(result.index, fill_value=0).astype(np.int64)
    for name in ("total", "domestic", "international"):
        result[f"{name}_rate"] = 100 * result[name] / result["stock"].where(result["stock"] > 0)
    return result


def spearman(first: pd.Series, second: pd.Series) -> Correlation:
    """Return Spearman's rank correlation of two series, matched by their index.

    Ties get their mean rank and the correlation is Pearson's of the ranks. The interval is
    Fisher's, with the standard error ``sqrt((1 + rho²/2) / (n − 3))`` of Bonett and Wright (2000,
    Psychometrika 65, 23–28).

    Parameters
    ----------
    first, second : Series
        Numbers with a shared index; pairs with a missing value are left out.

    Returns
    -------
    Correlation
        ``rho`` in [−1, 1] with its 95 % interval, NaN where it is undefined (fewer than two
        pairs or no variation; the interval needs four pairs), and the number of pairs.
    """
    pairs = pd.concat([first, second], axis=1, join="inner").dropna()
    n = len(pairs)
    ranks = pairs.rank(method="average").to_numpy(dtype=float)
    if n < 2 or np.any(np.ptp(ranks, axis=0) == 0):
        return Correlation(math.nan, math.nan, math.nan, n)
    rho = float(np.clip(np.corrcoef(ranks, rowvar=False)[0, 1], -1, 1))
    if n < 4:
        return Correlation(rho, math.nan, math.nan, n)
    if abs(rho) > 1 - 1e-12:
        rho = math.copysign(1.0, rho)
        return Correlation(rho, rho, rho, n)
    half = NORMAL_95 * math.sqrt((1 + rho**2 / 2) / (n - 3))
    centre = math.atanh(rho)
    return Correlation(rho, math.tanh(centre - half), math.tanh(centre + half), n)


def mean_stickiness(cities: pd.DataFrame, years: Years = None) -> pd.DataFrame:
    """Return each city's simulated stickiness over the years.

    Parameters
    ----------
    cities : DataFrame
        Columns year, city, stickiness (50–100 within a year).
    years : int or (int, int) or None
        Years to average over.

    Returns
    -------
    DataFrame
        Indexed by city (text). Columns: stickiness (mean), low and high (10 % and 90 % points of
        the yearly values: how much it varies from year to year), years (how many).
    """
    table = in_years(cities, years).dropna(subset="stickiness")
    groups = table.groupby("city", observed=True)["stickiness"]
    result = pd.DataFrame(
        {
            "stickiness": groups.mean(),
            "low": groups.quantile(0.1),
            "high": groups.quantile(0.9),
            "years": groups.size(),
        }
    )
    result.index = result.index.astype(str)
    return result


def stickiness_agreement(
    cities: pd.DataFrame, published: pd.Series, years: Years = None
) -> Correlation:
    """Return the rank correlation of simulated stickiness and the published composite.

    Parameters
    ----------
    cities : DataFrame
        Columns year, city, stickiness.
    published : Series
        The published composite (50–100) by city name.
    years : int or (int, int) or None
        Years over which simulated stickiness is averaged.

    Returns
    -------
    Correlation
        Spearman's rho over the cities with its 95 % interval.
    """
    return spearman(mean_stickiness(cities, years)["stickiness"], published)


def stock_discrepancy(cities: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which people were lost or made, of which a right run has none.

    Parameters
    ----------
    cities : DataFrame
        Columns year, city, stock, arrivals, departures, entries, exits (whole persons).

    Returns
    -------
    DataFrame
        Columns year, city, discrepancy: stock(t) − (stock(t−1) + arrivals − departures + entries −
        exits), persons, where it is not zero. Also, with city ``(all)``, the years in which
        arrivals and departures of all cities differ.
    """
    change = cities["arrivals"] - cities["departures"] + cities["entries"] - cities["exits"]
    before = previous_stock(cities)
    off = (cities["stock"] - change - before).where(before.notna(), 0).astype(np.int64)
    rows = cities.assign(discrepancy=off)[["year", "city", "discrepancy"]]
    rows = rows.astype({"city": str})[off.to_numpy() != 0]
    sums = cities.groupby("year")[["arrivals", "departures"]].sum()
    gap = (sums["arrivals"] - sums["departures"]).rename("discrepancy")
    world = gap[gap != 0].reset_index().assign(city="(all)")[["year", "city", "discrepancy"]]
    return pd.concat([rows, world], ignore_index=True)
