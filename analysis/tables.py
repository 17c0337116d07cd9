"""What the pictures need of a run, and where the cities lie."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import pandas as pd

from analysis.metrics import Years, persons_per_agent, simulated_years
from sim.errors import UserError, did_you_mean


class RunTables(Protocol):
    """A run: its tidy tables and its manifest, as ``sim.results.read_run`` returns them."""

    @property
    def flows(self) -> pd.DataFrame:
        """Columns year, origin, destination, field, tier, persons."""

    @property
    def cities(self) -> pd.DataFrame:
        """Columns year, city, stock, arrivals, departures, … rank."""

    @property
    def ages(self) -> pd.DataFrame:
        """Columns year, age, stock, movers_domestic, movers_international."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Version, scenario, seed and the rest of what makes the run again."""


@functools.cache
def places() -> pd.DataFrame:
    """Return the 120 cities of the index as the pictures need them.

    Returns
    -------
    DataFrame
        Indexed by English name, in the order of the published ranks. Columns: area (ISO code;
        Hong Kong, Macau and Taiwan apart), continent, lat, lon (degrees) and composite (published,
        50–100; Annual Report on Development of Beijing's Talent (2024), chapter B.11, table 2).
    """
    from sim.cities import load_cities

    table = load_cities().frame().set_index("city")
    table = table.rename(columns={"latitude": "lat", "longitude": "lon"})
    return table[["area", "continent", "lat", "lon", "composite"]]


def persons_an_agent(run: RunTables) -> int:
    """Return how many persons an agent of the run stands for.

    The manifest says so; where it does not, the counts of the tables tell.
    """
    said = run.manifest.get("persons_per_agent")
    if said is not None:
        return int(said)
    return persons_per_agent(run.flows, run.cities)


def period_of(run: RunTables, years: Years = None) -> tuple[int, int]:
    """Return the years asked for as a pair; all simulated years where none are."""
    if years is None:
        return simulated_years(run.cities)
    return (years, years) if isinstance(years, int) else years


def known_cities(run: RunTables, wanted: Iterable[str]) -> list[str]:
    """Return the cities asked for as the run spells them.

    Parameters
    ----------
    run : RunTables
        The run.
    wanted : iterable of str
        English or Chinese names, in any case, accents aside.

    Returns
    -------
    list of str
        Names of the run, in the order asked for.

    Raises
    ------
    UserError
        If the run has no such city.
    """
    names = [str(name) for name in run.cities["city"].unique()]
    by_fold = {name.casefold(): name for name in names}
    found = []
    for name in wanted:
        known = by_fold.get(name.casefold()) or _of_the_index(name)
        if known not in names:
            raise UserError(f"the run has no city '{name}'{did_you_mean(name, names)}")
        found.append(known)
    return found


def _of_the_index(name: str) -> str:
    """Return the English name of a city of the index, or an empty string."""
    from sim.cities import load_cities

    cities = load_cities()
    try:
        return cities.names[cities.index(name)]
    except UserError:
        return ""
