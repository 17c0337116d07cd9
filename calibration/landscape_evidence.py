"""What sourced indicators say of each city in each dimension, as one number a cell.

The figures of ``sim/data/indicator_values.csv`` are made comparable (logarithms of counts, incomes
and concentrations), turned so that more is better for the dimension, and standardised over the
cities that have one. The evidence on a cell is the mean over its dimension's indicators, as an
index with equal weights within the dimension would have it, and standardised again; an indicator
that is not known of a city counts as average there. Evidence only says where a
city stands relative to others; what a step of it is worth in index points is estimated.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.cities import DIMENSIONS, Cities, load_cities
from sim.indicators import hierarchy, load_indicator_values

Array = npt.NDArray[np.float64]

LEADER_LISTS = (
    "papers published",
    "patents published",
    "highly cited scientists",
    "world-leading research institutions",
    "city connectivity",
)
"""Indicators of which only the leaders have figures; all others are known to be below them."""

MOST_CITED_CITIES = (
    *("Beijing", "Shanghai", "Nanjing", "Guangzhou", "Wuhan"),
    *("Tokyo", "London", "San Francisco", "Seoul", "New York"),
)
"""The ten leaders in papers of 2023, named as a set (B.11, text on papers)."""

DEAR = 30.0  # Mercer's rank from which on a city does not stand out as dear


def evidence(cities: Cities | None = None) -> Array:
    """Return standardised evidence on each cell.

    Parameters
    ----------
    cities : Cities, optional
        Default: the 120 cities.

    Returns
    -------
    float64 array, shape (C, 6)
        Mean 0 and standard deviation 1 over the cities in each dimension; higher is better.
    """
    cities = cities or load_cities()
    table = load_indicator_values()
    order = hierarchy()
    result = np.empty((len(cities), len(DIMENSIONS)))
    for k, dimension in enumerate(DIMENSIONS):
        rows = order[order["dimension"] == dimension]
        found = []
        for name, sign in zip(rows["indicator"], rows["sign"], strict=True):
            own = _indicator(name, table[table["indicator"] == name], cities)
            if np.isfinite(own).sum() > 1:
                found.append(_standard(own) * (1.0 if sign == "+" else -1.0))
        result[:, k] = _standard(np.nan_to_num(found).mean(axis=0))
    return result


def size(cities: Cities | None = None) -> Array:
    """Return the standardised logarithm of metropolitan population, shape (C,)."""
    return _standard(np.log((cities or load_cities()).population))


def _standard(values: Array) -> Array:
    result: Array = (values - np.nanmean(values)) / np.nanstd(values)
    return result


def _series(rows: pd.DataFrame, cities: Cities, transform: Callable[[Array], Array]) -> Array:
    """Return a column over the cities; the finest level wins, sources are averaged."""
    values = rows.assign(value=transform(rows["value"].to_numpy(dtype=float)))
    values["value"] *= np.where(values["orientation"] == "+", 1.0, -1.0)
    fine = values[values["level"] == "city"].groupby("city")["value"].mean()
    coarse = values[values["level"] == "country"].groupby("city")["value"].mean()
    return fine.combine_first(coarse).reindex(list(cities.names)).to_numpy(dtype=float)


def _indicator(name: str, rows: pd.DataFrame, cities: Cities) -> Array:
    """Return one indicator over the cities in comparable units; NaN where nothing is known."""
    if name in LEADER_LISTS:
        return _leaders(name, rows, cities)
    if name in ("monthly income", "labour productivity", "physician density", "air quality index"):
        return _series(rows, cities, np.log)
    if name == "unicorn valuation":
        return _series(rows[rows["unit"].str.startswith("US$")], cities, np.log1p)
    if name == "well-known universities":
        return _series(rows, cities, np.log1p)
    if name == "cost of living index":
        price = _series(rows[rows["level"] == "country"], cities, np.log)
        dear = _series(rows[rows["level"] == "city"], cities, lambda rank: np.log(rank / DEAR))
        return _standard(price) + np.nan_to_num(np.maximum(dear, 0.0))
    if name == "share of international students":
        return _series(rows, cities, np.log)
    if name in ("commuting index", "public safety index"):
        return _mixed(rows, cities)
    return _series(rows, cities, np.asarray)


def _leaders(name: str, rows: pd.DataFrame, cities: Cities) -> Array:
    """Return by how much a leader exceeds the bound that all others are below; they have 0."""
    units = []
    for _, own in rows.groupby("unit"):
        bound = own.loc[own["bound"] == "<=", "value"].max()
        if np.isfinite(bound):
            excess = _series(own, cities, lambda v, b=bound: np.log(np.maximum(v, b) / b))  # type: ignore[misc]
            units.append(np.nan_to_num(excess))
    values = np.mean(units, axis=0)
    if name == "papers published":
        values = values + np.isin(cities.names, MOST_CITED_CITIES)
    return np.asarray(values)


def _mixed(rows: pd.DataFrame, cities: Cities) -> Array:
    """Average sources in different units after standardising each over its own cities."""
    columns = []
    for (_, unit), own in rows.groupby(["source", "unit"]):
        heavy = "homicides" in str(unit)
        columns.append(_standard(_series(own, cities, np.log if heavy else np.asarray)))
    counted = np.isfinite(columns).sum(axis=0)
    mean = np.nansum(columns, axis=0) / np.maximum(counted, 1)
    return np.where(counted > 0, mean, np.nan)
