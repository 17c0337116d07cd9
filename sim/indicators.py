"""The hierarchy of 24 indicators and what is known of their values for the 120 cities.

The hierarchy is table 1 of chapter B.11 of the *Annual Report on Development of Beijing's Talent
(2024)*. The values are a tidy table, one row a figure, each with its source; sources, decisions and
coverage are told in ``sim/data/INDICATORS.md``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from sim.errors import UserError, did_you_mean

DATA = Path(__file__).parent / "data"

COLUMNS = (
    "city",
    "indicator",
    "value",
    "bound",
    "orientation",
    "unit",
    "year",
    "level",
    "kind",
    "source",
)

_BEGIN = "<!-- coverage: written by python -m calibration.build_indicators, do not edit -->"
_END = "<!-- end of coverage -->"


def values_path() -> Path:
    """Return the path of the table of indicator values."""
    return DATA / "indicator_values.csv"


def documentation_path() -> Path:
    """Return the path of the document that explains sources and coverage."""
    return DATA / "INDICATORS.md"


@cache
def hierarchy() -> pd.DataFrame:
    """Return the 24 indicators in the order of B.11 table 1.

    Returns
    -------
    pandas.DataFrame
        24 rows: ``id`` (1–24), ``dimension``, ``indicator`` (English name), ``indicator_zh``,
        ``sign`` ('+' or '-': whether a higher value raises or lowers stickiness), ``heavy_tailed``
        ('yes' for the counts that the log normalisation takes logarithms of; our judgement, the
        report does not say), ``source``.
    """
    return pd.read_csv(DATA / "indicators.csv", keep_default_na=False)


def dimension_names() -> list[str]:
    """Return the six dimensions in the order of the hierarchy."""
    return list(dict.fromkeys(hierarchy()["dimension"]))


def indicator_name(word: str | int) -> str:
    """Return the English name of an indicator given by its name, number or Chinese name.

    Parameters
    ----------
    word : str or int
        English name (case, spaces, hyphens and underscores do not matter), number 1–24, or the
        Chinese name of B.11 table 1.

    Returns
    -------
    str
        The name as in the hierarchy.

    Raises
    ------
    UserError
        If there is no such indicator.
    """
    found = _names().get(_fold(str(word)))
    if found is None:
        raise UserError(
            f"no indicator called '{word}'{indicator_guess(str(word))} "
            "(the 24 indicators go by their English names, Chinese names or numbers 1 to 24)"
        )
    return found


def indicator_guess(word: str, *more: str) -> str:
    """Return "; did you mean '...'?" for what may have been meant, or an empty string.

    Parameters
    ----------
    word : str
        What the user wrote: a misspelt name, or a part of one.
    *more : str
        Names that would have been right beside those of the indicators.

    Returns
    -------
    str
        Text to append to an error message.
    """
    known = [*more, *hierarchy()["indicator"]]
    close = did_you_mean(word, known)
    holding = [name for name in known if _fold(word) and _fold(word) in _fold(name)]
    return close or (f"; did you mean '{holding[0]}'?" if len(holding) == 1 else "")


def _fold(word: str) -> str:
    return " ".join(word.strip().casefold().replace("_", " ").replace("-", " ").split())


@cache
def _names() -> dict[str, str]:
    table = hierarchy()
    return {
        _fold(str(word)): name
        for column in ("indicator", "indicator_zh", "id")
        for word, name in zip(table[column], table["indicator"], strict=True)
    }


@cache
def load_indicator_values() -> pd.DataFrame:
    """Return every known indicator value of the 120 cities, one row a figure.

    Returns
    -------
    pandas.DataFrame
        ``city``; ``indicator`` (name as in the hierarchy); ``value`` (float, in ``unit``);
        ``bound``: '=' or '<=' (the figure is an upper bound, so says a complete published list of
        the leaders); ``orientation``: '+' if a higher value means more of the indicator, '-' if
        less (a rank, a departure from comfort); ``unit``; ``year`` (nullable integer); ``level``:
        'city', or 'country' (the country's figure stands for the city's); ``kind``: 'published'
        (the indicator itself, as printed), 'derived' (by arithmetic from printed figures),
        'proxy' (another quantity in its stead); ``source``: a code explained in
        ``INDICATORS.md``. Several sources may speak of the same city and indicator; a city without
        a row for an indicator has no figure that could be sourced. Treat it as read-only.
    """
    return pd.read_csv(
        values_path(),
        keep_default_na=False,
        na_values={"year": [""]},
    ).astype({"value": "float64", "year": "Int64"})


def indicator_evidence(*, bounds: bool = False) -> pd.DataFrame:
    """Return the values as a wide table, one column for each indicator, source and unit.

    Values are turned so that higher always means more of the indicator (a rank or a departure is
    negated); the indicator's own sign is not applied.

    Parameters
    ----------
    bounds : bool
        Whether to include upper bounds as if they were values. A bound of a value that was negated
        would be a lower bound; there is none in the table.

    Returns
    -------
    pandas.DataFrame
        Index ``city``; column levels ``indicator``, ``source``, ``unit``; NaN where nothing is
        known.
    """
    table = load_indicator_values()
    if not bounds:
        table = table[table["bound"] == "="]
    signed = table["value"].where(table["orientation"] == "+", -table["value"])
    return table.assign(value=signed).pivot(
        index="city", columns=["indicator", "source", "unit"], values="value"
    )


def coverage() -> pd.DataFrame:
    """Count the cities for which each indicator has a figure.

    Returns
    -------
    pandas.DataFrame
        One row an indicator of the hierarchy: ``cities`` with any exact figure, ``city_level`` with
        one of the city itself, ``published`` with the indicator itself as printed (city or
        country), ``bound_only`` with nothing but an upper bound, ``sources``.
    """
    table = load_indicator_values()
    rows = []
    for name in hierarchy()["indicator"]:
        own = table[table["indicator"] == name]
        exact = own[own["bound"] == "="]
        rows.append(
            {
                "indicator": name,
                "cities": exact["city"].nunique(),
                "city_level": exact.loc[exact["level"] == "city", "city"].nunique(),
                "published": exact.loc[exact["kind"] == "published", "city"].nunique(),
                "bound_only": own["city"].nunique() - exact["city"].nunique(),
                "sources": ", ".join(sorted(own["source"].unique())),
            }
        )
    return pd.DataFrame(rows)


def coverage_markdown() -> str:
    """Return the coverage as a Markdown table, for ``INDICATORS.md``."""
    lines = [
        "| # | indicator | cities with a figure | of the city itself | the indicator as printed "
        "| upper bound only | sources |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, row in enumerate(coverage().to_dict("records"), start=1):
        cells = [row[key] for key in ("cities", "city_level", "published", "bound_only", "sources")]
        lines.append(f"| {number} | {row['indicator']} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def with_coverage(document: str, table: str) -> str:
    """Return the document with the text between the coverage marks replaced by the table.

    Raises
    ------
    ValueError
        If the document lacks the marks.
    """
    head, begin, rest = document.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the document has no coverage marks")
    return f"{head}{_BEGIN}\n{table}\n{_END}{tail}"
