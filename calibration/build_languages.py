"""Rebuild ``sim/data/languages.csv``: which languages the people of each area speak.

``python -m calibration.build_languages`` writes the table from the CLDR territory data that Babel
ships (Unicode licence); it needs the ``build`` extra. Regional and script variants of a language
count as one. CLDR counts whole populations; among the tertiary-educated English is wider known, so
a floor is put under it and marked as estimated.
"""

from __future__ import annotations

from pathlib import Path

from sim.cities import load_cities

TARGET = Path(__file__).parent.parent / "sim" / "data" / "languages.csv"
SMALLEST = 0.02
#: Least share of English speakers among the tertiary-educated; estimated.
ENGLISH_FLOOR = 0.35


def build() -> list[tuple[str, str, float, str, str]]:
    """Return rows (area, language, share of speakers, kind, source)."""
    from babel.core import get_global

    territories = get_global("territory_languages")
    rows = []
    for area in load_cities().area_names:
        shares: dict[str, float] = {}
        for code, facts in territories[area].items():
            language = code.split("_")[0]
            share = facts["population_percent"] / 100.0
            shares[language] = min(1.0, max(share, shares.get(language, 0.0)))
        for language, share in sorted(shares.items()):
            if language != "en" and share >= SMALLEST:
                rows.append((area, language, round(share, 3), "published", "CLDR"))
        english = shares.get("en", 0.0)
        if english >= ENGLISH_FLOOR:
            rows.append((area, "en", round(english, 3), "published", "CLDR"))
        else:
            rows.append((area, "en", ENGLISH_FLOOR, "estimated", "EST-ENGLISH"))
    return rows


def text() -> str:
    """Return the table as CSV text."""
    lines = ["area,language,share,kind,source"]
    lines += [",".join(str(cell) for cell in row) for row in build()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    print(f"wrote {TARGET.name}")
