"""The structure of the flows as a whole: one-sidedness, concentration, decay with distance."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd

from analysis.metrics import Years, in_years, origin_destination
from sim.obstacles import great_circle_km


def effectiveness(gains: pd.DataFrame) -> float:
    """Return the migration effectiveness index of the whole system.

    ``100 × Σ|arrivals − departures| / Σ(arrivals + departures)``, in [0, 100]: 0 where every move
    is offset by another, 100 where all of them go one way (Bell et al. 2002, Journal of the Royal
    Statistical Society A 165, 435–464).

    Parameters
    ----------
    gains : DataFrame
        As :func:`net_gain` returns it.

    Returns
    -------
    float
        The index, NaN where nobody moved.
    """
    turnover = float((gains["arrivals"] + gains["departures"]).sum())
    return 100 * float(gains["net"].abs().sum()) / turnover if turnover else math.nan


def gini(values: Iterable[float]) -> float:
    """Return Gini's coefficient of concentration.

    Half the relative mean absolute difference, ``Σ_i (2i − n − 1) x_(i) / (n Σ x)`` with values in
    ascending order (Plane and Mulligan 1997, Demography 34, 251–262, use it for flows).

    Parameters
    ----------
    values : iterable of float
        Non-negative numbers, zeros included where they are cases.

    Returns
    -------
    float
        In [0, 1): 0 for equal values, (n − 1)/n where one has everything; NaN for an empty or
        all-zero list.

    Raises
    ------
    ValueError
        If a value is negative.
    """
    ordered = np.sort(np.fromiter(values, dtype=float))
    if ordered.size and ordered[0] < 0:
        raise ValueError("a Gini coefficient needs non-negative values")
    n, total = ordered.size, ordered.sum()
    if total == 0:
        return math.nan
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float(weights @ ordered / (n * total))


def flow_gini(flows: pd.DataFrame, cities: Iterable[str], years: Years = None) -> float:
    """Return Gini's coefficient of the flows between all ordered pairs of cities.

    Parameters
    ----------
    flows : DataFrame
        Columns year, origin, destination, persons.
    cities : iterable of str
        All cities; pairs without a flow count as zero.
    years : int or (int, int) or None
        Years to sum over.

    Returns
    -------
    float
        In [0, 1), NaN where nobody moved.
    """
    matrix = origin_destination(flows, years, cities=cities).to_numpy()
    return gini(matrix[~np.eye(len(matrix), dtype=bool)].tolist())


def top_share(values: Iterable[float], k: int) -> float:
    """Return the share of the k largest values in their sum.

    Parameters
    ----------
    values : iterable of float
        Non-negative numbers.
    k : int
        How many of the largest to count.

    Returns
    -------
    float
        In [0, 1]; NaN where the sum is zero.
    """
    ordered = np.sort(np.fromiter(values, dtype=float))[::-1]
    total = ordered.sum()
    return float(ordered[:k].sum() / total) if total else math.nan


def distances_km(where: pd.DataFrame) -> pd.DataFrame:
    """Return great-circle distances between places.

    Parameters
    ----------
    where : DataFrame
        Indexed by city, columns lat and lon, degrees.

    Returns
    -------
    DataFrame, shape (cities, cities)
        Kilometres; zero on the diagonal.
    """
    lat, lon = (where[name].to_numpy(dtype=float) for name in ("lat", "lon"))
    return pd.DataFrame(great_circle_km(lat, lon), where.index, where.index)


def distance_decay(
    flows: pd.DataFrame,
    cities: pd.DataFrame,
    distance_km: pd.DataFrame,
    *,
    edges_km: Iterable[float] = (0, 250, 500, 1000, 2000, 4000, 8000, 20100),
    years: Years = None,
) -> pd.DataFrame:
    """Return how much cities exchange at each distance, beside what their sizes alone would give.

    With sizes alone a pair would exchange ``k × stock_i × stock_j``, with k such that all pairs
    together exchange what was observed; ``intensity`` is observed over that. It is 1 where distance
    does not matter.

    Parameters
    ----------
    flows : DataFrame
        Columns year, origin, destination, persons.
    cities : DataFrame
        Columns year, city, stock; the sizes are the mean stocks of the years.
    distance_km : DataFrame, shape (cities, cities)
        Great-circle distances in km, rows and columns named by city.
    edges_km : iterable of float
        Limits of the classes of distance, km, ascending.
    years : int or (int, int) or None
        Years to sum over.

    Returns
    -------
    DataFrame
        One row a class that has pairs: from_km, to_km, pairs (ordered), persons, share (of all
        moves) and intensity (NaN where nobody moved at all).
    """
    stock = in_years(cities, years).groupby("city", observed=True)["stock"].mean()
    stock.index = stock.index.astype(str)
    names = [name for name in distance_km.index if name in stock.index]
    size = stock.loc[names].to_numpy(dtype=float)
    observed = origin_destination(flows, years, cities=names).to_numpy(dtype=float)
    off = ~np.eye(len(names), dtype=bool)
    far = distance_km.loc[names, names].to_numpy(dtype=float)[off]
    moved, expected = observed[off], np.outer(size, size)[off]
    limits = np.asarray(list(edges_km), dtype=float)
    bins = np.clip(np.digitize(far, limits) - 1, 0, len(limits) - 2)
    sums = [np.bincount(bins, weight, len(limits) - 1) for weight in (None, moved, expected)]
    table = pd.DataFrame({"from_km": limits[:-1], "to_km": limits[1:], "pairs": sums[0]})
    table["persons"] = sums[1].astype(np.int64)
    total, weight = float(sums[1].sum()), float(sums[2].sum())
    table["share"] = sums[1] / total if total else math.nan
    ratio = sums[1] / np.where(sums[2] > 0, sums[2], math.nan)
    table["intensity"] = ratio * (weight / total) if total else math.nan
    return table[table["pairs"] > 0].reset_index(drop=True)
