"""What a change of indicators does to dimension scores, by the rules of the index engine.

The engine (`sim.index`) normalises an indicator by its range over the cities (min-max), takes the
mean over the dimension's indicators, and maps the means of all cities to 50-100. So a change by
``x`` of indicator ``j``, with sign ``s``, among ``n`` indicators of the dimension is worth

    50 s x / (n range_j R)

points, where ``R`` is the range of the means over the cities. ``R`` is 1 where one city leads in
all indicators of the dimension and another trails in all, and is taken as 1 here, since no complete
table of the 120 cities is published: the points are a lower bound of what the engine would give.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sim.cities import DIMENSIONS, load_cities

if TYPE_CHECKING:
    from sim.cities import Cities
    from sim.levers import IndicatorChange, IndicatorShift

SCALE = 50.0


@cache
def _figures(indicator: str) -> tuple[tuple[str, dict[str, float]], ...]:
    """Return (source and unit, value by city) of each source of an indicator, the widest first.

    Only exact figures of which more means more of the indicator: of a rank or a departure neither
    a share nor an amount would mean anything.
    """
    from sim.indicators import load_indicator_values

    table = load_indicator_values()
    usable = (table["bound"] == "=") & (table["orientation"] == "+")
    rows = table[usable & (table["indicator"] == indicator)]
    found = [
        (f"{source}, {unit}", dict(zip(part["city"], part["value"], strict=True)))
        for (source, unit), part in rows.groupby(["source", "unit"], sort=True)
    ]
    return tuple(sorted(found, key=lambda item: -len(item[1])))


def normalised_change(change: IndicatorChange, names: list[str]) -> np.ndarray:
    """Return the change as a share of the indicator's range, for the named cities, (n,).

    Raises
    ------
    ValueError
        If a share or an amount is asked for and a city has no figure.
    """
    from sim.indicators import indicator_name

    if change.range is not None:
        return np.full(len(names), change.range)
    indicator = indicator_name(change.indicator)
    sources = _figures(indicator)
    for _, values in sources:
        spread = max(values.values()) - min(values.values())
        if spread > 0 and set(names) <= values.keys():
            if change.amount is not None:
                return np.full(len(names), change.amount / spread)
            own = np.array([values[name] for name in names])
            assert change.relative is not None
            return change.relative * own / spread
    known = set().union(*(values.keys() for _, values in sources))
    without = [name for name in names if name not in known] or names
    raise ValueError(
        f"no source has a figure of '{indicator}' for {without[0]}"
        + (f" and {len(without) - 1} more" if len(without) > 1 else "")
        + "; give the change as 'range', or leave these cities out"
    )


def check_changes(lever: IndicatorShift) -> None:
    """Raise ValueError where the changes of a lever cannot be turned into points."""
    from sim.indicators import indicator_name

    names = [indicator_name(change.indicator) for change in lever.changes]
    for k, name in enumerate(names):
        if name in names[:k]:
            raise ValueError(f"changes: '{name}' is changed twice; change each indicator once")
    if set(lever.places.city) <= set(load_cities().names):
        indicator_points(lever, load_cities())


def indicator_points(lever: IndicatorShift, cities: Cities) -> np.ndarray:
    """Return the index points that a lever adds at full strength, (C, 6).

    Parameters
    ----------
    lever : IndicatorShift
    cities : Cities

    Returns
    -------
    (C, 6) float64 array
        Zero outside of the lever's places.
    """
    from sim.indicators import hierarchy, indicator_name

    table = hierarchy().set_index("indicator")
    where = np.flatnonzero(lever.places.mask(cities))
    names = [cities.names[k] for k in where]
    points = np.zeros((len(cities), len(DIMENSIONS)))
    for change in lever.changes:
        row = table.loc[indicator_name(change.indicator)]
        among = int((table["dimension"] == row["dimension"]).sum())
        sign = 1.0 if row["sign"] == "+" else -1.0
        gain = SCALE * sign / among * normalised_change(change, names)
        points[where, DIMENSIONS.index(row["dimension"])] += gain
    return points
