"""Person by person: where a policy's gains were taken from.

The same agent has the same luck in both runs of a pair, so whoever ends elsewhere was moved by the
policy, or by what others did on account of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.parameters import FIELDS, TIERS
from sim.paths import Paths

if TYPE_CHECKING:
    import pandas as pd

#: What became of an agent, seen from the city where the policy run ends (``policy_city``).
KINDS: dict[str, str] = {
    "same": "is in the same city in both runs",
    "kept": "lived there already and would have left for base_city",
    "drawn": "would have stayed in base_city and was drawn away from it",
    "diverted": "would have gone from a third city to base_city instead",
    "remained": "would have left the work of talent for good by then",
    "entered": "would never have entered",
    "lost": "lives in no city any more, and would have been in base_city",
}
#: The place of those who are in no city at the end of a run.
NOWHERE = "(none)"
SAME, KEPT, DRAWN, DIVERTED, REMAINED, ENTERED, LOST = range(7)
_COLUMNS = ("base_city", "policy_city", "kind", "field", "tier", "agents")


def displacement(base: Paths, policy: Paths, cities: int) -> np.ndarray:
    """Count the agents of two runs by the place where each run ends for them.

    Of somebody who ends in different cities, the kind tells what the policy changed. It goes by
    the last city in which both runs had the agent at the end of the same year: whoever is still
    there in the policy run was kept; whoever would still be there without the policy was drawn
    away; all others were diverted.

    Parameters
    ----------
    base, policy : Paths
        Runs of the same seed.
    cities : int
        Number of cities C; C also stands for no city.

    Returns
    -------
    (rows, 6) int32 array
        ``base_city``, ``policy_city`` (0 to C), ``kind`` (position in ``KINDS``), ``field``,
        ``tier``, ``agents``; sorted, one row a combination that occurs. Summed over
        ``policy_city`` the agents are the base run's stocks, and the other way round.
    """
    ids = np.union1d(base.ids, policy.ids)
    here, field, tier = _at_end(base, ids, cities)
    there, other_field, other_tier = _at_end(policy, ids, cities)
    absent = here == cities
    field[absent], tier[absent] = other_field[absent], other_tier[absent]
    kind = np.full(len(ids), SAME, np.int64)
    kind[there == cities] = LOST
    kind[absent] = np.where(base.entered(ids[absent]), REMAINED, ENTERED)
    apart = (here != there) & ~absent & (there != cities)
    kind[apart] = _parting(base, policy, ids[apart], here[apart], there[apart])
    shape = (cities + 1, cities + 1, len(KINDS), len(FIELDS), len(TIERS))
    keys = np.ravel_multi_index((here, there, kind, field, tier), shape)
    cells, agents = np.unique(keys, return_counts=True)
    return np.column_stack([*np.unravel_index(cells, shape), agents]).astype(np.int32)


def _at_end(paths: Paths, ids: np.ndarray, cities: int) -> tuple[np.ndarray, ...]:
    """Return city (C where absent), field and tier of agents at a run's end, int64."""
    out = np.full(len(ids), cities), np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
    at = np.searchsorted(ids, paths.ids)
    for column, value in zip(out, (paths.city, paths.field, paths.tier), strict=True):
        column[at] = value
    return out


def _parting(
    base: Paths, policy: Paths, ids: np.ndarray, here: np.ndarray, there: np.ndarray
) -> np.ndarray:
    """Return the kind of those who end in different cities."""
    one, other = base.places(ids), policy.places(ids)
    together = one[0].copy()
    for a, b in zip(one, other, strict=True):
        np.copyto(together, a, where=a == b)
    return np.where(together == there, KEPT, np.where(together == here, DRAWN, DIVERTED))


def table(rows: np.ndarray, persons: int, names: tuple[str, ...]) -> pd.DataFrame:
    """Return rows of :func:`displacement` as a tidy table.

    Parameters
    ----------
    rows : (rows, 6) array
    persons : int
        Persons that an agent stands for.
    names : tuple of str
        The cities.

    Returns
    -------
    pandas.DataFrame
        base_city, policy_city, kind, field, tier (categoricals), persons (int64).
    """
    import pandas as pd

    labels = ((*names, NOWHERE), (*names, NOWHERE), tuple(KINDS), FIELDS, TIERS)
    columns = {
        name: pd.Categorical.from_codes(rows[:, k], categories=pd.Index(known))
        for k, (name, known) in enumerate(zip(_COLUMNS, labels, strict=False))
    }
    return pd.DataFrame({**columns, "persons": rows[:, 5].astype(np.int64) * persons})


def matrix(moved: pd.DataFrame, pairs: int) -> pd.DataFrame:
    """Return the displacement matrix of a table, mean persons a pair of runs.

    Parameters
    ----------
    moved : pandas.DataFrame
        Rows of a comparison's displacement table: of one policy and part, perhaps of one field or
        tier.
    pairs : int
        How many pairs of runs they are of.

    Returns
    -------
    pandas.DataFrame
        Row: the city without the policy; column: the city with it; ``(none)`` is no city. Rows
        add up to the stocks of the base run, columns to those of the policy run.
    """
    keys = ["base_city", "policy_city"]
    cells = moved.groupby(keys, observed=True)["persons"].sum().reset_index()
    places = list(moved["base_city"].cat.categories)
    wide = cells.pivot(index="base_city", columns="policy_city", values="persons")
    wide = wide.reindex(index=places, columns=places).fillna(0.0) / max(pairs, 1)
    wide.index, wide.columns = wide.index.astype(str), wide.columns.astype(str)
    return wide.rename_axis(index="base_city", columns="policy_city")


def sources(moved: pd.DataFrame, city: str, pairs: int) -> pd.DataFrame:
    """Return where a city's gain was taken from, and where its losses went, persons a run.

    Parameters
    ----------
    moved : pandas.DataFrame
        Rows of a comparison's displacement table of one policy and part.
    city : str
        English name.
    pairs : int
        How many pairs of runs they are of.

    Returns
    -------
    pandas.DataFrame
        Indexed by kind (see ``KINDS``) and other city. Columns gained, lost, net, with low and high
        (95 % interval of net by the luck of the pairs, NaN for one); largest exchange first. A loss
        is seen from the other side: ``drawn`` there means that the policy drew people from ``city``
        to the other one. ``net`` sums to the policy's effect on the city's stock.

    Raises
    ------
    UserError
        If there is no such city.
    """
    import pandas as pd

    from sim.cities import load_cities
    from sim.paired_effects import interval

    cities = load_cities()
    city = cities.names[cities.index(city)]
    apart = moved[moved["kind"] != "same"]
    tables = {}
    for name, mine, other in (
        ("gained", "policy_city", "base_city"),
        ("lost", "base_city", "policy_city"),
    ):
        rows = apart[apart[mine] == city]
        sums = rows.groupby(["kind", other, "pair"], observed=True)["persons"].sum().reset_index()
        sums = sums.rename(columns={other: "city"}).astype({"kind": str, "city": str})
        tables[name] = sums.pivot(index=["kind", "city"], columns="pair", values="persons")
    index = tables["gained"].index.union(tables["lost"].index)
    wide = {
        name: table.reindex(index=index, columns=range(pairs)).fillna(0.0).to_numpy().T
        for name, table in tables.items()
    }
    net = interval(wide["gained"] - wide["lost"])
    out = pd.DataFrame(
        {
            "gained": wide["gained"].mean(0),
            "lost": wide["lost"].mean(0),
            "net": net.mean,
            "low": net.low,
            "high": net.high,
        },
        index=index,
    )
    order = np.argsort(-(out["gained"] + out["lost"]).to_numpy(), kind="stable")
    return out.iloc[order]
