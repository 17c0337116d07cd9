"""The counter-based generator: known answers, independence of order, quality of the draws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.jit import kernel
from sim.rng import LANES, RACE, philox, race_words, split_seed, uniforms, words


@kernel
def _encrypt(counter, key0, key1, rounds):
    return philox(counter[0], counter[1], counter[2], counter[3], key0, key1, rounds)


@kernel
def _race(agent, year, first, key0, key1, out):
    race_words(agent, year, first, key0, key1, out)


# Known answers of Philox 4x32 from the Random123 distribution (Salmon et al. 2011).
KNOWN = [
    (10, [0] * 4, [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    (10, [0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        10,
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
    (7, [0] * 4, [0, 0], [0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48]),
    (7, [0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662]),
]


@pytest.mark.parametrize(("rounds", "counter", "key", "expected"), KNOWN)
def test_known_answers(rounds, counter, key, expected):
    state = np.array(counter, np.uint64)
    assert list(_encrypt(state, np.uint32(key[0]), np.uint32(key[1]), rounds)) == expected


def test_race_words_are_those_of_the_cipher():
    agent, found = 2**40 + 17, np.empty((4, LANES), np.uint32)
    _race(np.uint64(agent), 3, RACE, np.uint32(7), np.uint32(9), found)
    for j in (0, 1, LANES - 1):
        counter = np.array([17, 2**8, 3, RACE + j], np.uint64)
        assert list(_encrypt(counter, np.uint32(7), np.uint32(9), 7)) == found[:, j].tolist()


@settings(deadline=None)  # the first call may compile
@given(st.integers(0, 2**63 - 1), st.integers(0, 200), st.integers(0, 9), st.randoms())
def test_draws_do_not_depend_on_order(seed, year, draw, random):
    ids = np.arange(50, dtype=np.uint64) * np.uint64(2**33 + 7)
    order = list(range(50))
    random.shuffle(order)
    assert np.array_equal(
        words(ids[order], year, draw, seed), words(ids, year, draw, seed)[:, order]
    )


@pytest.mark.parametrize("change", [{"year": 2}, {"draw": 4}, {"seed": 6}, {"seed": 5 + 2**40}])
def test_every_part_of_the_key_matters(change):
    ids = np.arange(1000, dtype=np.uint64)
    base = {"year": 1, "draw": 3, "seed": 5}
    same = words(ids, **base) == words(ids, **(base | change))
    assert same.mean() < 1e-3


def test_uniforms_are_uniform_and_uncorrelated():
    draws = uniforms(np.arange(200_000, dtype=np.uint64), 3, 1, 11)
    n = draws.shape[1]
    for row in draws:
        counts = np.histogram(row, 100, (0, 1))[0]
        chi2 = ((counts - n / 100) ** 2 / (n / 100)).sum()
        assert abs(chi2 - 99) < 5 * np.sqrt(2 * 99)
    correlation = np.corrcoef(draws) - np.eye(4)
    assert np.abs(correlation).max() < 5 / np.sqrt(n)
    successive = np.corrcoef(draws[0, :-1], draws[0, 1:])[0, 1]
    assert abs(successive) < 5 / np.sqrt(n)


def test_seed_is_split_in_halves():
    assert split_seed(2**40 + 3) == (3, 2**8)
