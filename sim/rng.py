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
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@inline
def philox(x0, x1, x2, x3, key0, key1, rounds):
    """Encrypt four 32-bit words, each held in 64 bits so that lanes need no packing."""
    k0, k1 = np.uint64(key0), np.uint64(key1)
    for _ in range(rounds):
        p0, p1 = _M0 * x0, _M1 * x2
        x0, x1, x2, x3 = (p1 >> _HALF) ^ x1 ^ k0, p1 & _LOW, (p0 >> _HALF) ^ x3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return x0, x1, x2, x3


@inline
def draw_words(ids, start, lanes, year, draw, key0, key1, out):
    """Write four random words an agent for ``lanes`` agents from ``start`` on."""
    o0, o1, o2, o3 = out[0], out[1], out[2], out[3]
    x2, x3 = np.uint64(year), np.uint64(draw)
    for j in range(lanes):
        agent = np.uint64(ids[start + j])
        w0, w1, w2, w3 = philox(agent & _LOW, agent >> _HALF, x2, x3, key0, key1, 10)
        o0[j], o1[j] = np.uint32(w0), np.uint32(w1)
        o2[j], o3[j] = np.uint32(w2), np.uint32(w3)


@inline
def race_words(agent, year, first, key0, key1, out):
    """Write four random words for each of LANES draws of one agent, from number ``first`` on."""
    o0, o1, o2, o3 = out[0], out[1], out[2], out[3]
    x0, x1 = np.uint64(agent) & _LOW, np.uint64(agent) >> _HALF
    x2, x3 = np.uint64(year), np.uint64(first)
    for j in range(LANES):
        w0, w1, w2, w3 = philox(x0, x1, x2, x3 + np.uint64(j), key0, key1, 7)
        o0[j], o1[j] = np.uint32(w0), np.uint32(w1)
        o2[j], o3[j] = np.uint32(w2), np.uint32(w3)


@inline
def unit(word):
    """Map a uint32 to a float32 in (0, 1), never 0 or 1: 24 bits, centred."""
    return (np.float32(word >> np.uint32(9)) + np.float32(0.5)) * np.float32(2.0**-23)


@kernel
def _words(ids, year, draw, key0, key1):
    out = np.empty((4, ids.shape[0]), np.uint32)
    draw_words(ids, 0, ids.shape[0], year, draw, key0, key1, out)
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
