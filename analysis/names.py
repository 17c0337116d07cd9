"""Chinese city names on pictures, and a font that has them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from analysis.tables import RunTables, places
from sim.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("en", "zh")
FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Noto Sans CJK JP",
    "Droid Sans Fallback",
    "Arial Unicode MS",
)
"""Families with the signs of all the names, best first."""


@dataclass(frozen=True)
class Renamed:
    """A run whose cities bear other names; a :class:`analysis.tables.RunTables`."""

    flows: pd.DataFrame
    cities: pd.DataFrame
    ages: pd.DataFrame
    manifest: Mapping[str, Any]


@functools.cache
def chinese_names() -> dict[str, str]:
    """Return the Chinese name of each city by its English one, both as published (B.11 table 2)."""
    from sim.cities import load_cities

    cities = load_cities()
    return dict(zip(cities.names, cities.names_zh, strict=True))


def in_chinese(run: RunTables) -> Renamed:
    """Return a run with the Chinese names of its cities; those without one keep theirs.

    Parameters
    ----------
    run : RunTables
        The run.

    Returns
    -------
    Renamed
        The same numbers. Give pictures that take ``where`` the table :func:`chinese_places`.
    """
    flows = run.flows.assign(
        origin=_renamed(run.flows["origin"]), destination=_renamed(run.flows["destination"])
    )
    cities = run.cities.assign(city=_renamed(run.cities["city"]))
    return Renamed(flows, cities, run.ages, run.manifest)


def _renamed(column: pd.Series) -> pd.Series:
    """Return a column of city names in Chinese, as a categorical with its order kept."""
    known = chinese_names()
    column = column.astype("category")
    return column.cat.rename_categories([known.get(c, c) for c in column.cat.categories])


def chinese_places() -> pd.DataFrame:
    """Return :func:`analysis.tables.places` indexed by the Chinese names."""
    return places().rename(index=chinese_names())


def chinese_font() -> str:
    """Return the family of an installed font that has the Chinese names.

    Raises
    ------
    UserError
        If there is none, with what to install.
    """
    from matplotlib import font_manager

    def found() -> str | None:
        known = {font.name for font in font_manager.fontManager.ttflist}
        return next((name for name in FONTS if name in known), None)

    family = found()
    if family is None:  # Matplotlib's list may be older than a font
        listed = {font.fname for font in font_manager.fontManager.ttflist}
        for path in sorted(set(font_manager.findSystemFonts()) - listed):
            try:
                font_manager.fontManager.addfont(path)
            except (OSError, RuntimeError):
                continue
        family = found()
    if family is None:
        raise UserError(
            "--lang zh: no font with Chinese signs is installed; install one, such as the package "
            "fonts-noto-cjk (Debian, Ubuntu) or Noto Sans SC (fonts.google.com)"
        )
    return family


def check_language(language: str) -> None:
    """Raise a UserError if there are no city names in a language."""
    if language not in LANGUAGES:
        mend = did_you_mean(language, LANGUAGES)
        raise UserError(f"--lang: there is no language '{language}'{mend} (en or zh)")
