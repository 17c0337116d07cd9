"""Arrays laid out for vector registers: they start on a cache line, rows hold whole blocks."""

from __future__ import annotations

import math

import numpy as np

from sim.rng import BLOCK

_LINE = 64  # bytes of a cache line: a load across two of them takes twice as long


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Return a new float32 array of zeros whose first byte begins a cache line."""
    size = math.prod(shape)
    room = np.zeros(size + _LINE // 4, np.float32)
    first = -room.ctypes.data % _LINE // 4
    return room[first : first + size].reshape(shape)


def padded(rows: np.ndarray) -> np.ndarray:
    """Return ``rows`` (..., C) as aligned float32, the last axis filled up to whole blocks."""
    lanes = -(-rows.shape[-1] // BLOCK) * BLOCK
    out = aligned((*rows.shape[:-1], lanes))
    out[..., : rows.shape[-1]] = rows
    return out
