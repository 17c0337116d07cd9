"""What the pictures of comparisons and sweeps share: what they draw, its period, its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis import style
from sim.errors import UserError

SHORT = {
    "stock": "talent at the end",
    "talent_years": "talent-years",
    "net_gain": "net gain by moves",
    "net_gain_top": "net gain of the top tier",
    "arrivals": "arrivals",
    "departures": "departures",
    "attraction": "attraction",
    "stickiness": "simulated stickiness",
    "mobility": "departures per 100",
    "international": "departures abroad per 100",
    "innovation_potential": "innovation potential",
    "economic_foundation": "economic foundation",
    "composite": "composite",
    "rank": "rank",
}
"""Measures as titles name them."""
COLORS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE)
"""Of cities that are singled out."""


@dataclass(frozen=True)
class Compared:
    """A comparison or a sweep as the pictures take it; ``policy`` None is the first."""

    result: Any
    policy: str | None = None

    @property
    def cities(self) -> pd.DataFrame:
        """The cities that can be singled out, in column ``city``."""
        table = self.result.effects if hasattr(self.result, "effects") else self.result.response
        names = [name for name in table["city"].cat.categories if name != "(all)"]
        return pd.DataFrame({"city": names})

    @property
    def flows(self) -> pd.DataFrame:
        """Asked for by what draws Chinese names; there are none of comparisons yet."""
        raise UserError("--lang: pictures of comparisons have English names only; leave it out")


def period(base: Any) -> str:
    """Return the simulated years of a scenario as text."""
    return style.span((base.horizon.start + 1, base.horizon.end))


def source(base: str, pairs: int, agents: int, persons: Any) -> str:
    """Return the source line: what was simulated, against what, with how many agents."""
    text = f"Simulated: talentflow, {pairs} pairs of runs against {base}, {agents:,} agents"
    if persons:
        text += f", one agent{style.NBSP}={style.NBSP}{persons:,} persons"
    return f"{text}. Initial stocks: estimated."


def unit_of(measure: str) -> str:
    """Return a comma and the unit of a measure, if it has one besides its name."""
    from sim.measures import MEASURES

    unit = MEASURES[measure].rsplit(", ", 1)[-1]
    return f", {unit}" if unit in ("persons", "person-years", "index points") else ""
