"""Counter-based random numbers: Philox 4x32 of Salmon, Moraes, Dror and Shaw (SC'11).

A draw is a pure function of (seed, agent, year, draw number), so it does not depend on threads, on
the order in which agents are stored, or on what other agents do: the same agent has the same luck
in every scenario. Seven rounds are the fewest that the authors report as passing BigCrush; ten are
their default with a safety margin. Races among cities use seven, everything else ten.
"""

from __future__ import annotations

import numpy as np

from sim.jit import inline, kernel

#: Draw numbers of the uses of randomness within an agent's year (race draws follow RACE).
TRAITS, BIRTH, BIRTH_MORE, LIFE, LOOK, STAY, LOTTERY, DENSE = range(8)
TRAINING, RACE = 8, 16
LANES = 32
BLOCK = 4 * LANES

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_HALF = np.uint64(32)


@inline
def philox_lanes(counter, key0, key1, rounds):
    """Encrypt ``counter`` (4, n) uint32 in place; columns are lanes, so the loop vectorises."""
    n = counter.shape[1]
    c0, c1, c2, c3 = counter[0], counter[1], counter[2], counter[3]
    k0, k1 = np.uint32(key0), np.uint32(key1)
    for _ in range(rounds):
        for j in range(n):
            p0 = _M0 * np.uint64(c0[j])
            p1 = _M1 * np.uint64(c2[j])
            x0 = np.uint32(np.uint32(p1 >> _HALF) ^ c1[j] ^ k0)
            x2 = np.uint32(np.uint32(p0 >> _HALF) ^ c3[j] ^ k1)
            c0[j] = x0
            c1[j] = np.uint32(p1)
            c2[j] = x2
            c3[j] = np.uint32(p0)
        k0 = np.uint32(k0 + _W0)
        k1 = np.uint32(k1 + _W1)


@inline
def load_counters(ids, start, lanes, year, draw, counter):
    """Fill the counters of ``lanes`` agents from ``start`` on."""
    for j in range(lanes):
        counter[0, j] = np.uint32(ids[start + j])
        counter[1, j] = np.uint32(ids[start + j] >> np.uint64(32))
        counter[2, j] = np.uint32(year)
        counter[3, j] = np.uint32(draw)


@inline
def unit(word):
    """Map a uint32 to a float32 in (0, 1), never 0 or 1: 24 bits, centred."""
    return (np.float32(word >> np.uint32(9)) + np.float32(0.5)) * np.float32(2.0**-23)


@kernel
def _words(ids, year, draw, key0, key1):
    n = ids.shape[0]
    out = np.empty((4, n), np.uint32)
    for i in range(n):
        out[0, i] = np.uint32(ids[i])
        out[1, i] = np.uint32(ids[i] >> np.uint64(32))
        out[2, i] = np.uint32(year)
        out[3, i] = np.uint32(draw)
    philox_lanes(out, key0, key1, 10)
    return out


def split_seed(seed: int) -> tuple[np.uint32, np.uint32]:
    """Return the two 32-bit halves of a seed (the Philox key), low half first."""
    return np.uint32(seed & 0xFFFFFFFF), np.uint32((seed >> 32) & 0xFFFFFFFF)


def words(ids: np.ndarray, year: int, draw: int, seed: int) -> np.ndarray:
    """Return four random 32-bit words for each agent.

    Parameters
    ----------
    ids : (n,) uint64 array
        Identities of the agents.
    year : int
        Years since the start of the simulation; 0 at birth.
    draw : int
        What the draw is for: one of this module's draw numbers.
    seed : int
        Seed of the run, 0 to 2**64 - 1.

    Returns
    -------
    (4, n) uint32 array
    """
    key0, key1 = split_seed(seed)
    return _words(np.ascontiguousarray(ids, np.uint64), year, draw, key0, key1)


def uniforms(ids: np.ndarray, year: int, draw: int, seed: int) -> np.ndarray:
    """Return four uniforms in (0, 1) for each agent as (4, n) float64; arguments as `words`."""
    return (words(ids, year, draw, seed) + 0.5) * 2.0**-32
