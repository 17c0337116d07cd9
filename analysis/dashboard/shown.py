"""What stands on the page: numbers, marks on the map and rows of tables, made of a frame.

Everything here is plain data and text. The page's templates write text as text, so nothing that
comes from a file can become markup.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from analysis import style
from analysis.dashboard.experiment import Frame
from analysis.flow_map import PANELS
from analysis.tables import places
from analysis.world import WORLD, View, outline, project
from sim.cities import DIMENSIONS, load_cities

Row = list[dict[str, Any]]
"""Cells of a table's row: ``text``, and perhaps ``city`` (a button), ``bar``, ``share``."""

MEASURES = {
    "change": "Change of talent since {start}",
    "net": "Net gain by moves since {start}",
    "stock": "Talent",
}
"""What the circles show."""
VIEWS = {view.name: view for view in (WORLD, *PANELS)}
"""Parts of the world that the map can show, by name."""
WIDTH = 1000.0
"""Width of the world map in its own units."""
LARGEST = 0.034
"""Radius of the largest circle as a share of the map's width."""


@functools.cache
def land() -> str:
    """Return the outlines of the land as the path of an SVG image, in map units."""
    parts = []
    for ring in outline():
        middle = float(ring[:, 0].min() + ring[:, 0].max()) / 2
        shift = float(WORLD.from_centre(np.array(middle))) - middle
        points = _map_units(project(ring[:, 0] + shift, ring[:, 1]))
        parts.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(parts)


@functools.cache
def positions() -> pd.DataFrame:
    """Return where the cities lie on the map: x and y in map units, by city."""
    where = places()
    at = WORLD.positions(where["lon"].to_numpy(), where["lat"].to_numpy())
    return pd.DataFrame(_map_units(at), index=where.index, columns=["x", "y"])


def box(view: View) -> list[float]:
    """Return a part of the world as the view box of an SVG image: left, top, width, height."""
    edge = np.linspace(0, 1, 30)
    longitude = np.concatenate([view.west + edge * (view.east - view.west)] * 2)
    latitude = np.repeat([view.south, view.north], len(edge))
    if view is WORLD:
        (left, right), (low, high) = WORLD.limits()
        corners = _map_units(np.array([[left, high], [right, low]]))
    else:
        corners = _map_units(WORLD.positions(longitude, latitude))
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return [round(float(v), 1) for v in (left, top, right - left, bottom - top)]


def _map_units(points: np.ndarray) -> np.ndarray:
    """Return map coordinates in units of which the world is 1000 wide, y downwards."""
    (left, right), (_, high) = WORLD.limits()
    scale = WIDTH / (right - left)
    return np.column_stack([(points[:, 0] - left) * scale, (high - points[:, 1]) * scale])


def counts(cities: pd.DataFrame, year: int) -> pd.DataFrame:
    """Return what the cities have come to by a year, in persons.

    Parameters
    ----------
    cities : DataFrame
        A run's table of cities.
    year : int
        Calendar year.

    Returns
    -------
    DataFrame
        By city: stock, change (since the start), arrivals, departures and net (all years after the
        start, to the year).
    """
    table = cities[cities["year"] <= year]
    name = table["city"].astype(str)
    now = table[table["year"] == year].set_index(name[table["year"] == year])["stock"]
    first = int(table["year"].min())
    start = table[table["year"] == first].set_index(name[table["year"] == first])["stock"]
    moves = table.groupby(name, sort=False)[["arrivals", "departures"]].sum().loc[now.index]
    moves.insert(0, "stock", now)
    moves.insert(1, "change", now - start)
    moves["net"] = moves["arrivals"] - moves["departures"]
    return moves.rename_axis("city")


def measured(frame: Frame, measure: str, year: int) -> dict[str, pd.Series]:
    """Return a measure by city, for what is run, for the base if there is one, and the difference.

    Returns
    -------
    dict
        ``scenario``; with a base also ``base`` and ``difference``; persons.
    """
    found = {"scenario": counts(frame.tables["cities"], year)[measure]}
    if frame.base_tables is not None:
        found["base"] = counts(frame.base_tables["cities"], year)[measure]
        found["difference"] = found["scenario"] - found["base"]
    return found


def marks(values: pd.Series, largest: float, view: View, chosen: str) -> list[dict[str, Any]]:
    """Return the circles of a map, the largest first so that small ones lie on top.

    Areas are in proportion to the values. A gain is a full circle, a loss an empty one.

    Parameters
    ----------
    values : Series
        Persons by city.
    largest : float
        Value of the largest circle, the same for maps that are to be compared.
    view : View
        Part of the world; circles keep their size on the page.
    chosen : str
        The city that is picked out.
    """
    names = [str(name) for name in values.index]
    unit = box(view)[2] * LARGEST / math.sqrt(max(largest, 1.0))
    dot = box(view)[2] * 0.0016
    radii = np.maximum(unit * np.sqrt(np.abs(values.to_numpy(dtype=float))), dot)
    where = positions().loc[names].to_numpy()
    found = [
        {
            "name": name,
            "x": round(float(x), 2),
            "y": round(float(y), 2),
            "r": round(float(radius), 2),
            "loss": value < 0,
            "colour": style.LOSS if value < 0 else style.GAIN,
            "text": f"{value:,}",
            "chosen": name == chosen,
        }
        for name, (x, y), radius, value in zip(names, where, radii, values.tolist(), strict=True)
    ]
    return sorted(found, key=lambda mark: -float(mark["r"]))


def legend(largest: float, view: View) -> list[dict[str, Any]]:
    """Return the radius and the text of the circles that explain the others."""
    if largest <= 0:
        return []
    unit = box(view)[2] * LARGEST / math.sqrt(largest)
    steps = style.round_steps(largest)
    return [{"r": round(unit * math.sqrt(n), 2), "text": style.short(n)} for n in steps]


def summary(values: pd.Series, n: int = 3) -> str:
    """Return a map in words: the cities that gain and lose most."""
    order = values.sort_values()
    gains = [f"{c} {v:+,}" for c, v in order.iloc[::-1].head(n).items() if v > 0]
    losses = [f"{c} {v:+,}" for c, v in order.head(n).items() if v < 0]
    parts = [
        f"{word}: {', '.join(found)}"
        for word, found in (("most", gains), ("least", losses))
        if found
    ]
    return "; ".join(parts) or "no city differs from zero"


def difference_rows(found: dict[str, pd.Series], n: int = 8) -> list[Row]:
    """Return the rows of the cities with the largest differences: city, with, without, difference.

    Parameters
    ----------
    found : dict
        Of :func:`measured`, with a base.
    n : int
        How many on either side.
    """
    gap = found["difference"]
    order = gap.index[np.argsort(-gap.to_numpy(), kind="stable")]
    shown = [c for c in order[:n] if gap[c] > 0] + [c for c in order[-n:] if gap[c] < 0]
    largest = max(float(gap.abs().max()), 1.0)
    rows: list[Row] = [
        [
            {"text": city, "city": city},
            {"text": f"{found['scenario'][city]:,}"},
            {"text": f"{found['base'][city]:,}"},
            {"text": f"{gap[city]:+,}", "bar": round(float(gap[city]) / largest, 4)},
        ]
        for city in shown
    ]
    return rows


def dimension_rows(frame: Frame, city: str, year: int) -> list[Row]:
    """Return the rows of a city's dimensions: name, score now, of the base, at the start, how sure.

    Estimated scores carry a mark and the interval of the ensemble that they were reconstructed by.
    """
    scape = frame.landscape
    row = scape.cities.index(city)
    now = _row(frame.tables["cities"], city, year)
    base = None if frame.base_tables is None else _row(frame.base_tables["cities"], city, year)
    rows = []
    for k, name in enumerate(DIMENSIONS):
        estimated = scape.kind[row, k] != "published"
        low, high = scape.low[row, k], scape.high[row, k]
        sure = f"estimated, {low:.1f} to {high:.1f}" if estimated else "published"
        cells: Row = [
            {"text": name.replace("_", " ")},
            {"text": f"{now[name]:.2f}", "share": float(np.clip((now[name] - 50) / 50, 0, 1))},
            *([] if base is None else [{"text": f"{base[name]:.2f}"}]),
            {"text": f"{scape.scores[row, k]:.2f}"},
            {"text": sure, "estimated": estimated, "words": True},
        ]
        rows.append(cells)
    return rows


def fact_rows(frame: Frame, city: str, year: int) -> list[Row]:
    """Return the rows of a city's headline numbers: what, of the scenario, of the base."""
    sides = [frame.tables] + ([] if frame.base_tables is None else [frame.base_tables])
    found = [
        (counts(side["cities"], year).loc[city], _row(side["cities"], city, year)) for side in sides
    ]
    since = f"{frame.start + 1}-{year}"
    rows: list[tuple[str, list[str]]] = [
        (f"talent at the end of {year}, persons", [f"{c['stock']:,}" for c, _ in found]),
        (f"came {since}", [f"{c['arrivals']:,}" for c, _ in found]),
        (f"left {since}", [f"{c['departures']:,}" for c, _ in found]),
        (f"net gain by moves {since}", [f"{c['net']:+,}" for c, _ in found]),
        (f"arrivals per 100 in {year}", [_rate(r["attraction"]) for _, r in found]),
        (f"per cent who stayed in {year}", [_rate(r["retention"]) for _, r in found]),
        ("composite of the scores", [f"{r['composite']:.2f}" for _, r in found]),
        ("rank by composite", [f"{r['rank']}" for _, r in found]),
    ]
    return [[{"text": name}, *({"text": text} for text in texts)] for name, texts in rows]


def exchange_rows(frame: Frame, city: str, year: int, direction: str, n: int = 10) -> list[Row]:
    """Return the rows of whom a city gets from where, or loses for where.

    Parameters
    ----------
    frame : Frame
    city : str
    year : int
        All years after the start, to this one.
    direction : {"coming", "leaving"}
    n : int
        How many cities; a last row sums up the others.
    """
    mine = _exchange(frame.tables["flows"], city, year, direction)
    base = (
        None
        if frame.base_tables is None
        else _exchange(frame.base_tables["flows"], city, year, direction)
    )
    largest = float(mine.max()) if len(mine) else 1.0
    rows = [
        _exchange_row(other, persons, base, {"city": other, "share": persons / largest})
        for other, persons in mine.head(n).items()
    ]
    rest = mine.iloc[n:]
    if len(rest):
        others = None if base is None else base.drop(mine.index[:n], errors="ignore").sum()
        name = f"{len(rest)} other cities"
        total = None if others is None else pd.Series({name: others})
        rows.append(_exchange_row(name, rest.sum(), total, {}))
    return rows


def _exchange_row(name: Any, persons: Any, base: pd.Series | None, more: dict[str, Any]) -> Row:
    place = {"text": str(name)} | ({"city": str(more["city"])} if "city" in more else {})
    number = {"text": f"{persons:,}"} | ({"share": more["share"]} if "share" in more else {})
    return [place, number, *([] if base is None else [{"text": f"{base.get(name, 0):,}"}])]


def _exchange(flows: pd.DataFrame, city: str, year: int, direction: str) -> pd.Series:
    here, there = ("destination", "origin") if direction == "coming" else ("origin", "destination")
    rows = flows[(flows["year"] <= year) & (flows[here] == city)]
    sums = rows.groupby(rows[there].astype(str))["persons"].sum()
    return sums.iloc[np.lexsort((sums.index, -sums.to_numpy()))]


def _row(cities: pd.DataFrame, city: str, year: int) -> pd.Series:
    return cities[(cities["year"] == year) & (cities["city"] == city)].iloc[0]


def _rate(value: float) -> str:
    return "not yet" if math.isnan(value) else f"{value:.2f}"


def policies(scenario: Any) -> list[dict[str, str]]:
    """Return what each intervention of a scenario is, in words.

    Returns
    -------
    list of dict
        ``name``, ``lever``, ``about`` (what the lever does), ``places``, ``people``, ``sources``.
    """
    cities = load_cities()
    found = []
    for lever in scenario.interventions:
        names = [cities.names[k] for k in np.flatnonzero(lever.places.mask(cities))]
        people = lever.model_dump(mode="json").get("people") or {}
        found.append(
            {
                "name": lever.name,
                "lever": lever.lever.replace("_", " "),
                "about": (type(lever).__doc__ or "").split("\n")[0],
                "places": _listed(names, len(cities)),
                "people": "; ".join(
                    f"{k.replace('_', ' ')}: {_plain(v)}" for k, v in people.items()
                )
                or "everybody",
                "sources": "; ".join(lever.citation),
            }
        )
    return found


def _listed(names: list[str], every: int, n: int = 8) -> str:
    if len(names) == every:
        return f"all {every} cities"
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more


def _plain(value: Any) -> str:
    """Return a selector's value as words."""
    if isinstance(value, dict):
        return ", ".join(k if v is True else f"{k} {_plain(v)}" for k, v in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(_plain, value))
    return str(value).replace("_", " ")
