"""A small made-up run in the shape of the table contract, for tests of measures and pictures.

Nothing of it is data: moves come from a gravity rule and a random generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

START = 2024
PERSONS = 25
"""Persons an agent."""
DIMENSIONS = (
    "economic_foundation",
    "innovation_potential",
    "cultural_openness",
    "ecological_health",
    "social_welfare",
    "public_life",
)

PLACES = pd.DataFrame(
    [
        ("New York", "US", "North America", 40.7, -74.0, 100.0),
        ("San Francisco", "US", "North America", 37.8, -122.4, 98.0),
        ("Paris", "FR", "Europe", 48.9, 2.3, 97.0),
        ("Beijing", "CN", "Asia", 39.9, 116.4, 95.0),
        ("London", "GB", "Europe", 51.5, -0.1, 94.0),
        ("Tokyo", "JP", "Asia", 35.7, 139.7, 90.0),
        ("Shanghai", "CN", "Asia", 31.2, 121.5, 89.5),
        ("Sydney", "AU", "Oceania", -33.9, 151.2, 87.0),
        ("Hong Kong", "HK", "Asia", 22.3, 114.2, 84.0),
        ("Sao Paulo", "BR", "South America", -23.6, -46.6, 60.0),
        ("Johannesburg", "ZA", "Africa", -26.2, 28.0, 52.0),
    ],
    columns=["city", "area", "continent", "lat", "lon", "composite"],
).set_index("city")


@dataclass
class SyntheticRun:
    """Tables and manifest as ``sim.results.read_run`` gives them."""

    flows: pd.DataFrame
    cities: pd.DataFrame
    ages: pd.DataFrame
    manifest: dict[str, object] = field(default_factory=dict)
    path: Path | None = None


def distances(places: pd.DataFrame) -> pd.DataFrame:
    """Great-circle distances, km."""
    lat, lon = (np.radians(places[name].to_numpy(dtype=float)) for name in ("lat", "lon"))
    cosine = np.sin(lat)[:, None] * np.sin(lat) + np.cos(lat)[:, None] * np.cos(lat) * np.cos(
        lon[:, None] - lon
    )
    km = 6371 * np.arccos(np.clip(cosine, -1, 1))
    np.fill_diagonal(km, 0)
    return pd.DataFrame(km, places.index, places.index)


def make_run(
    places: pd.DataFrame = PLACES,
    *,
    years: int = 5,
    mobility: float = 0.03,
    seed: int = 1,
    inhabited: bool = True,
) -> SyntheticRun:
    """Make a run whose stocks balance exactly."""
    rng = np.random.default_rng(seed)
    names, n = list(places.index), len(places)
    score = places["composite"].to_numpy(dtype=float)
    km = distances(places).to_numpy()
    stock = rng.integers(2_000, 20_000, n) * inhabited
    composite = score.copy()
    flow_rows: list[pd.DataFrame] = []
    city_rows, age_rows = [], []
    for t in range(years + 1):
        arrivals = departures = entries = exits = np.zeros(n, dtype=np.int64)
        if t:
            pull = stock * np.exp(score / 25) / (km + 400)
            np.fill_diagonal(pull, 0)
            share = pull / np.maximum(pull.sum(1, keepdims=True), 1e-12)
            moves = rng.poisson(mobility * stock[:, None] * share)
            origin, destination = np.nonzero(moves)
            flow_rows.append(
                pd.DataFrame(
                    {
                        "year": np.int16(START + t),
                        "origin": [names[i] for i in origin],
                        "destination": [names[i] for i in destination],
                        "field": rng.choice(["engineering", "other"], len(origin)),
                        "tier": "base",
                        "persons": moves[origin, destination] * PERSONS,
                    }
                )
            )
            arrivals, departures = moves.sum(0), moves.sum(1)
            entries, exits = rng.poisson(0.03 * stock), rng.poisson(0.03 * stock)
            before = stock
            stock = stock + arrivals - departures + entries - exits
            composite = composite + rng.normal(0, 0.4, n)
            with np.errstate(invalid="ignore"):
                rates = np.array([arrivals, before - departures]) / before
            spread = np.maximum(rates.std(axis=1, keepdims=True), 1e-12)
            both = ((rates - rates.mean(axis=1, keepdims=True)) / spread).mean(axis=0)
            sticky = 50 + 50 * (both - both.min()) / max(np.ptp(both), 1e-12)
            attraction, retention = 100 * rates
        else:
            attraction = retention = sticky = np.full(n, np.nan)
        row = pd.DataFrame({"year": np.int16(START + t), "city": names, "stock": stock * PERSONS})
        for name, count in (
            ("arrivals", arrivals),
            ("departures", departures),
            ("entries", entries),
            ("exits", exits),
        ):
            row[name] = count * PERSONS
        row["attraction"], row["retention"], row["stickiness"] = attraction, retention, sticky
        for name in DIMENSIONS:
            row[name] = composite
        row["composite"] = composite
        row["rank"] = (-composite).argsort(kind="stable").argsort() + 1
        city_rows.append(row)
        age_rows.append(_ages(rng, t, int(stock.sum()), mobility if n > 1 else 0.0))
    text = {"origin": str, "destination": str, "field": str, "tier": str}
    empty = pd.DataFrame({"year": [], **{name: [] for name in text}, "persons": []})
    flows = pd.concat([empty.astype({"year": "int16", "persons": "int64", **text}), *flow_rows])
    flows = flows.astype({"year": "int16", "persons": "int64"})
    for name in ("origin", "destination"):
        flows[name] = pd.Categorical(flows[name], categories=names)
    cities = pd.concat(city_rows, ignore_index=True)
    cities["city"] = pd.Categorical(cities["city"], categories=names)
    return SyntheticRun(
        flows.reset_index(drop=True),
        cities,
        pd.concat(age_rows, ignore_index=True),
        {"scenario": "made-up", "seed": seed, "persons_per_agent": PERSONS},
    )


def _ages(rng: np.random.Generator, t: int, agents: int, mobility: float) -> pd.DataFrame:
    """A year of the table of ages, whose moves peak in the twenties."""
    age = np.arange(18, 71)
    weight = np.exp(-(((age - 38) / 16.0) ** 2))
    stock = np.round(agents * weight / weight.sum()).astype(np.int64)
    shape = np.exp(-0.09 * (age - 22) - np.exp(-0.5 * (age - 22))) + 0.08
    movers = rng.poisson(4 * mobility * shape * stock) if t else np.zeros(len(age), np.int64)
    abroad = rng.binomial(movers, 0.3)
    return pd.DataFrame(
        {
            "year": np.int16(START + t),
            "age": age,
            "stock": stock * PERSONS,
            "movers_domestic": (movers - abroad) * PERSONS,
            "movers_international": abroad * PERSONS,
        }
    )
