"""Person by person: who ends elsewhere, of what kind, and that everybody is counted once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.displacement import (
    DIVERTED,
    DRAWN,
    ENTERED,
    KEPT,
    KINDS,
    LOST,
    NOWHERE,
    REMAINED,
    SAME,
    displacement,
    matrix,
    sources,
    table,
)
from sim.paths import Paths, cohort, first_city
from sim.population import identities

CITIES = 4
TIERS = 3


def identity(city: int, number: int, year: int = 0) -> int:
    return int(identities(year, city, number, 1)[0])


def walk(histories: dict[int, list[int | None]], years: int) -> Paths:
    """Return the paths of agents by id, each a list of cities at the end of years 0, 1, ...

    None before the first city: not yet entered; after it: gone.
    """
    paths = Paths()
    for year in range(1, years + 1):
        new = sorted(
            (who, path[year])
            for who, path in histories.items()
            if path[year] is not None and path[year] != path[year - 1]
        )
        paths.moved.append(
            (np.array([w for w, _ in new], np.uint64), np.array([c for _, c in new], np.int16))
        )
    alive = sorted(who for who, path in histories.items() if path[years] is not None)
    paths.ids = np.array(alive, np.uint64)
    paths.city = np.array([histories[who][years] for who in alive], np.int16)
    paths.field = np.array([who % 7 for who in alive], np.uint8)
    paths.tier = np.array([who % TIERS for who in alive], np.uint8)
    return paths


def kind_of(base: list[int | None], policy: list[int | None]) -> int:
    """Tell the kind of one agent's two histories, straight from the definition."""
    here, there = base[-1], policy[-1]
    if there is None:
        return LOST
    if here is None:
        return REMAINED if any(city is not None for city in base) else ENTERED
    if here == there:
        return SAME
    together = [a for a, b in zip(base, policy, strict=True) if a == b and a is not None]
    last = together[-1]
    return KEPT if last == there else DRAWN if last == here else DIVERTED


def test_ids_tell_city_and_cohort():
    ids = identities(3, 17, 5, 2)
    assert first_city(ids).tolist() == [17, 17]
    assert cohort(ids).tolist() == [3, 3]


@pytest.mark.parametrize(
    ("base", "policy", "kind"),
    [
        ([0, 0, 0], [0, 0, 0], SAME),
        ([0, 0, 1], [0, 0, 0], KEPT),
        ([0, 0, 0], [0, 2, 2], DRAWN),
        ([0, 1, 1], [0, 2, 2], DIVERTED),
        ([0, 1, 2], [0, 1, 1], KEPT),
        ([0, 1, 0], [0, 2, 0], SAME),
        ([0, 1, 1], [0, 0, 1], SAME),
        ([0, 1, None], [0, 1, 1], REMAINED),
        ([None, None, None], [None, 0, 0], ENTERED),
        ([0, 0, 0], [0, 0, None], LOST),
    ],
)
def test_kinds(base, policy, kind):
    who = identity(0, 1, year=1 if base[0] is None else 0)
    keep = {who: base} if any(city is not None for city in base) else {}
    rows = displacement(walk(keep, 2), walk({who: policy}, 2), CITIES)
    assert rows[:, 2].tolist() == [kind]
    assert rows[:, 5].tolist() == [1]


@st.composite
def two_runs(draw):
    years = draw(st.integers(1, 4))
    base, policy = {}, {}
    for number in range(draw(st.integers(0, 25))):
        start = draw(st.integers(0, CITIES - 1))
        entry = draw(st.integers(0, years))
        gone = draw(st.integers(entry + 1, years + 3))
        who = identity(start, number, year=entry)
        for runs in (base, policy):
            path: list[int | None] = [None] * entry + [start]
            for _ in range(entry, years):
                stays = draw(st.booleans())
                path.append(path[-1] if stays else draw(st.integers(0, CITIES - 1)))
            shift = draw(st.integers(0, 1))
            runs[who] = [city if y < gone + shift else None for y, city in enumerate(path)]
    return base, policy, years


@settings(deadline=None, max_examples=80)
@given(two_runs())
def test_everybody_is_counted_once_and_with_the_right_kind(runs):
    base, policy, years = runs
    rows = displacement(walk(base, years), walk(policy, years), CITIES)
    for column, histories in ((0, base), (1, policy)):
        stock = np.bincount(rows[:, column], rows[:, 5], CITIES + 1)[:CITIES]
        ends = [path[-1] for path in histories.values() if path[-1] is not None]
        assert stock.tolist() == np.bincount(np.array(ends, int), minlength=CITIES).tolist()
    living = [who for who in base if base[who][-1] is not None or policy[who][-1] is not None]
    expected = np.bincount([kind_of(base[who], policy[who]) for who in living], minlength=7)
    assert np.bincount(rows[:, 2], rows[:, 5], len(KINDS)).tolist() == expected.tolist()
    assert (rows[:, 5] > 0).all()
    assert len(np.unique(rows[:, :5], axis=0)) == len(rows)


def test_matrix_and_sources_of_a_table():
    names = ("Beijing", "Shanghai", "Tokyo")
    one = np.array(
        [
            [0, 0, SAME, 0, 0, 10],
            [0, 1, DRAWN, 0, 1, 2],
            [2, 1, DIVERTED, 6, 2, 1],
            [1, 2, DRAWN, 0, 0, 1],
            [3, 1, ENTERED, 0, 0, 1],
        ]
    )
    frame = table(one, 100, names)
    moved = pd.concat([frame.assign(pair=0), frame.iloc[:2].assign(pair=1)], ignore_index=True)
    wide = matrix(moved, 2)
    assert wide.loc["Beijing", "Beijing"] == 1000
    assert wide.loc["Beijing", "Shanghai"] == 200
    assert wide.loc[NOWHERE, "Shanghai"] == 50
    assert list(wide.index) == list(wide.columns) == [*names, NOWHERE]
    found = sources(moved, "Shanghai", 2)
    assert found.loc[("drawn", "Beijing"), "net"] == 200
    assert found.loc[("drawn", "Tokyo"), "lost"] == 50
    assert found.loc[("entered", NOWHERE), "gained"] == 50
    assert found["net"].sum() == 200 + 50 + 50 - 50
    row = found.loc[("diverted", "Tokyo")]
    assert row["low"] < row["net"] < row["high"]
