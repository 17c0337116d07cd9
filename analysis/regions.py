"""Ten parts of the world, for pictures in which 120 cities are too many."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis import style
from analysis.metrics import Years, in_years

_AREAS = {
    "United States": "US",
    "Canada": "CA",
    "Latin America": "AR BR CL MX",
    "Europe": "",
    "Middle East, Africa": "AE IL TR ZA",
    "South, South-East Asia": "ID IN MY SG TH VN",
    "Hong Kong, Macau, Taiwan": "HK MO TW",
    "Mainland China": "CN",
    "Japan, South Korea": "JP KR",
    "Oceania": "AU NZ",
}
REGIONS = tuple(_AREAS)
"""In an order in which neighbours on a circle are near each other."""
OTHER = "Elsewhere"
COLORS = dict(zip((*REGIONS, OTHER), (*style.MUTED, "#000000"), strict=True))


def region_of(where: pd.DataFrame) -> pd.Series:
    """Return the part of the world of each city.

    The parts are those of this module, chosen so that each has a few cities of the index and a
    common regime of movement; they are not of the published report.

    Parameters
    ----------
    where : DataFrame
        Indexed by city, columns area (ISO code) and continent.

    Returns
    -------
    Series
        A name of ``REGIONS``, or ``OTHER``, by city.
    """
    known = {area: name for name, areas in _AREAS.items() for area in areas.split()}
    names = [
        known.get(str(area), "Europe" if continent == "Europe" else OTHER)
        for area, continent in zip(where["area"], where["continent"], strict=True)
    ]
    return pd.Series(names, index=where.index.astype(str), dtype=object)


def region_flows(
    flows: pd.DataFrame,
    where: pd.DataFrame,
    years: Years = None,
    *,
    by: tuple[str, ...] = (),
    within: bool = False,
) -> pd.DataFrame:
    """Sum flows by the parts of the world that they come from and go to.

    Parameters
    ----------
    flows : DataFrame
        Columns year, origin, destination, persons and those of ``by``.
    where : DataFrame
        Indexed by city, columns area and continent; moves of other cities are left out.
    years : int or (int, int) or None
        Years to sum over.
    by : tuple of str
        Further columns to tell apart, such as ``field``.
    within : bool
        Whether moves within a part count too.

    Returns
    -------
    DataFrame
        Columns start, end (text), those of ``by``, and persons (int64).
    """
    region = region_of(where)
    keys = ["origin", "destination", *by]
    sums = in_years(flows, years).groupby(keys, observed=True)["persons"].sum().reset_index()
    sums["start"] = sums["origin"].astype(str).map(region)
    sums["end"] = sums["destination"].astype(str).map(region)
    sums = sums.dropna(subset=["start", "end"])
    if not within:
        sums = sums[sums["start"] != sums["end"]]
    keys = ["start", "end", *by]
    total = sums.groupby(keys, observed=True)["persons"].sum().reset_index()
    return total.astype({"persons": np.int64, **dict.fromkeys(keys, str)})
