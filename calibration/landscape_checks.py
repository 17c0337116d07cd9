"""What chapter B.11 says of the dimensions in words only, held against the reconstruction.

None of these statements is a constraint: they leave open what "weak", "balanced" or "strong" means,
so a reading is chosen here for each and its probability over the draws reported. They test the
reconstruction with what it has not been told.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.cities import DIMENSIONS, Cities

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

CITATION = "B.11, text on the regions after table 2"
FIRST_QUARTER = 30
"""One reading of "strong": among the first 30 of the 120 cities. The other: rank in the dimension
better than by the composite."""

STRONG_US = DIMENSIONS[:5]
STRONG_EUROPE = ("cultural_openness", "ecological_health", "social_welfare")
NAMED: dict[str, tuple[str, ...]] = {
    "innovation_potential": ("Shenzhen", "Singapore", "Bangalore", "Mumbai"),
    "cultural_openness": ("Hong Kong", "Macau", "Abu Dhabi"),
    "social_welfare": ("Taipei", "Tokyo", "Hong Kong"),
    "public_life": ("Nagoya",),
}
"""Cities that the text calls strong in a dimension and whose rank there is not told elsewhere."""


class Finding(NamedTuple):
    """A statement in words and how probable the reconstruction makes it.

    Attributes
    ----------
    statement : str
        The reading that was checked.
    citation : str
        Place in the report.
    probability : float
        Share of the draws in which it is true, 0 to 1.
    """

    statement: str
    citation: str
    probability: float


def qualitative(scores: Array, cities: Cities) -> list[Finding]:
    """Return how probable each statement in words is over draws of the landscape.

    Parameters
    ----------
    scores : float64 array, shape (K, C, 6)
        Draws, index points.
    cities : Cities
        The C cities; statements on cities that are not among them are left out, as are those on
        parts of the world with fewer than two cities.

    Returns
    -------
    list of Finding
        In the order of the text: United States, Europe, Asia, single cities.

    Raises
    ------
    ValueError
        If the scores have another shape, or there is no draw.
    """
    draws = np.asarray(scores, float)
    if draws.ndim != 3 or draws.shape[1:] != (len(cities), len(DIMENSIONS)) or not len(draws):
        raise ValueError(f"scores must have shape (K, {len(cities)}, 6), not {draws.shape}")
    usa = np.array([code == "US" for code in cities.country])
    europe = np.array([name == "Europe" for name in cities.continent])
    asia = np.array([name == "Asia" for name in cities.continent])
    found: list[Finding] = []
    if min(usa.sum(), europe.sum(), asia.sum()) >= 2:
        found += _united_states(draws, usa)
        found += _europe(draws, europe, {"the United States": usa, "Asia": asia})
        found += _asia(draws, asia, {"the United States": usa, "Europe": europe})
    return found + _named(draws, cities)


def _finding(statement: str, holds: Mask) -> Finding:
    return Finding(statement, CITATION, float(holds.mean()))


def _united_states(draws: Array, usa: Mask) -> list[Finding]:
    found = [
        _finding(
            "United States weak in public life: mean of its cities below that of all others",
            _mean(draws, usa, "public_life") < _mean(draws, ~usa, "public_life"),
        )
    ]
    above = [_mean(draws, usa, name) > _mean(draws, ~usa, name) for name in STRONG_US]
    text = (
        "United States strong in the five other dimensions: mean above that of all others in each"
    )
    return [*found, _finding(text, np.all(above, axis=0))]


def _europe(draws: Array, europe: Mask, others: dict[str, Mask]) -> list[Finding]:
    spread = np.maximum(draws.std(axis=1, keepdims=True), 1e-12)
    standings = (draws - draws.mean(axis=1, keepdims=True)) / spread
    found = []
    for what, values in (("scores", draws), ("standings (standardised scores)", standings)):
        within = values.std(axis=2)  # of a city, over its six dimensions
        found += [
            _finding(
                f"Europe balanced: its cities' {what} differ less over dimensions than in {name}",
                within[:, europe].mean(axis=1) < within[:, group].mean(axis=1),
            )
            for name, group in others.items()
        ]
    above = [_mean(draws, europe, name) > _mean(draws, ~europe, name) for name in STRONG_EUROPE]
    text = "Europe strong in culture, ecology and welfare: mean above that of all others in each"
    return [*found, _finding(text, np.all(above, axis=0))]


def _asia(draws: Array, asia: Mask, others: dict[str, Mask]) -> list[Finding]:
    poorer = [
        _finding(
            f"Asia weaker economically: mean of its cities below that of {name}",
            _mean(draws, asia, "economic_foundation") < _mean(draws, group, "economic_foundation"),
        )
        for name, group in others.items()
    ]
    varied = [
        _finding(
            f"Asia more varied: its cities differ more from each other than those of {name}",
            _between(draws, asia) > _between(draws, group),
        )
        for name, group in others.items()
    ]
    return poorer + varied


def _named(draws: Array, cities: Cities) -> list[Finding]:
    found = []
    overall = cities.rank.astype(int)
    for dimension, names in NAMED.items():
        k = DIMENSIONS.index(dimension)
        for name in names:
            if name not in cities.names:
                continue
            place = cities.names.index(name)
            rank = 1 + (draws[:, :, k] > draws[:, [place], k]).sum(axis=1)
            text = f"{name} strong in {dimension.replace('_', ' ')}:"
            found.append(_finding(f"{text} among the first {FIRST_QUARTER}", rank <= FIRST_QUARTER))
            text = f"{text} rank better than by the composite ({overall[place]})"
            found.append(_finding(text, rank < overall[place]))
    return found


def _mean(draws: Array, group: Mask, dimension: str) -> Array:
    """Return the mean score of a group's cities in each draw, shape (K,)."""
    result: Array = draws[:, group, DIMENSIONS.index(dimension)].mean(axis=1)
    return result


def _between(draws: Array, group: Mask) -> Array:
    """Return the spread between a group's cities, averaged over dimensions, shape (K,)."""
    result: Array = draws[:, group].std(axis=1).mean(axis=1)
    return result
