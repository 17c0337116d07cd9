"""The short account of a run that the command line prints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10


def summarise(cities: pd.DataFrame, ages: pd.DataFrame) -> dict[str, Any]:
    """Return the headline figures of a run.

    Parameters
    ----------
    cities, ages : pandas.DataFrame
        Tables of a run; the categories of ``city`` stand in the order of the published ranks.

    Returns
    -------
    dict
        ``start``, ``end`` (calendar years); ``stock_start``, ``stock_end`` (persons);
        ``mobility``: ``total``, ``domestic``, ``international``, moves per 100 persons of last
        year's stock, mean over the years; ``stickiness_spearman``: rank correlation over the cities
        of mean simulated stickiness with the published composite; ``gains``, ``losses``: up to ten
        cities each with ``net`` (persons, arrivals less departures over all years) and ``percent``
        of the first year's stock. What is undefined, such as mobility without people, is None.
    """
    start, end = int(cities["year"].min()), int(cities["year"].max())
    stock = cities.groupby("year")["stock"].sum()
    movers = ages.groupby("year")[["movers_domestic", "movers_international"]].sum()
    rates = 100.0 * movers.loc[start + 1 :].div(stock.shift().loc[start + 1 :], axis=0)
    mobility = {
        "total": _number(rates.sum(axis=1, skipna=False).mean()),
        "domestic": _number(rates["movers_domestic"].mean()),
        "international": _number(rates["movers_international"].mean()),
    }
    gains, losses = _extremes(cities, start)
    return {
        "start": start,
        "end": end,
        "stock_start": int(stock.loc[start]),
        "stock_end": int(stock.loc[end]),
        "mobility": mobility,
        "stickiness_spearman": _spearman(cities),
        "gains": gains,
        "losses": losses,
    }


def _extremes(cities: pd.DataFrame, start: int) -> tuple[list[dict[str, Any]], ...]:
    flows = cities.groupby("city", observed=True)[["arrivals", "departures"]].sum()
    net = (flows["arrivals"] - flows["departures"]).sort_values(kind="stable")
    first = cities[cities["year"] == start].set_index("city")["stock"]
    percent = 100.0 * net / first.reindex(net.index)
    rows: list[tuple[int, dict[str, Any]]] = [
        (persons, {"city": str(city), "net": int(persons), "percent": _number(share)})
        for city, persons, share in zip(net.index, net, percent, strict=True)
    ]
    gains = [row for persons, row in reversed(rows) if persons > 0]
    losses = [row for persons, row in rows if persons < 0]
    return gains[:SHOWN], losses[:SHOWN]


def _spearman(cities: pd.DataFrame) -> float | None:
    mean = cities.groupby("city", observed=True)["stickiness"].mean()
    codes = cities["city"].cat.categories.get_indexer(mean.index)
    known = mean.notna().to_numpy()
    if known.sum() < 2:
        return None
    published = mean[known].copy()
    published[:] = -codes[known].astype(float)
    return _number(mean[known].rank().corr(published.rank()))


def _number(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def as_text(summary: dict[str, Any]) -> str:
    """Return the summary as lines for a terminal of 80 columns."""
    lines = [
        f"Net gain and loss of talent, {summary['start']} to {summary['end']} "
        "(persons, and per cent of the first stock)",
        "",
        f"  {'ten largest gains':<36}    ten largest losses",
    ]
    gains, losses = summary["gains"], summary["losses"]
    for k in range(max(len(gains), len(losses), 1)):
        left = _row(gains[k]) if k < len(gains) else "" if gains or k else "none"
        right = _row(losses[k]) if k < len(losses) else "" if losses or k else "none"
        lines.append(f"  {left:<36}    {right:<36}".rstrip())
    mobility, spearman = summary["mobility"], summary["stickiness_spearman"]
    likeness = "-" if spearman is None else f"{spearman:.2f}"
    lines += [
        "",
        "Talent that moves city in a year: "
        f"{_per_cent(mobility['total'])} (within countries {_per_cent(mobility['domestic'])}, "
        f"between them {_per_cent(mobility['international'])})",
        f"Simulated stickiness against the published composite, Spearman: {likeness}",
        f"Talent in the 120 cities: {summary['stock_start']:,} persons at the start, "
        f"{summary['stock_end']:,} at the end",
    ]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    percent = "" if row["percent"] is None else f"{row['percent']:+.1f}%"
    return f"{row['city']:<16} {row['net']:>+11,} {percent:>7}"


def _per_cent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} %"
