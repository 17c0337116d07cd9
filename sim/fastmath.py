"""exp2 and log2 in float32 that vectorise: Numba's own call a scalar library function."""

from __future__ import annotations

import numpy as np

from sim.jit import inline

_ONE = np.float32(1.0)
_ROUND = np.float32(12582912.0)


@inline
def exp2_within(x):
    """2**x in float32 for x in [-126, 126], by a polynomial (relative error below 2e-7).

    Adding 1.5 * 2**23 rounds to a whole number and leaves it in the low bits, ready to be shifted
    into the exponent. The polynomial is minimax in relative error on [-0.5, 0.5], given p(0) = 1.
    """
    shifted = np.float32(x + _ROUND)
    f = x - (shifted - _ROUND)
    p = np.float32(1.326472714e-3)
    p = p * f + np.float32(9.671512640e-3)
    p = p * f + np.float32(5.550733743e-2)
    p = p * f + np.float32(2.402224209e-1)
    p = p * f + np.float32(6.931469776e-1)
    p = p * f + _ONE
    bits = np.int32(np.float32(shifted).view(np.int32) << np.int32(23))
    return np.int32(np.float32(p).view(np.int32) + bits).view(np.float32)


@inline
def exp2(x):
    """2**x in float32, without branches; saturates at 2**-126 and 2**126."""
    return exp2_within(min(max(x, np.float32(-126.0)), np.float32(126.0)))


@inline
def exp2_rough(x):
    """2**x in float32 for x in [-126, 126], relative error below 3e-6.

    As `exp2_within` with a degree less: its error is that of a sum of about 16 in float32.
    """
    shifted = np.float32(x + _ROUND)
    f = x - (shifted - _ROUND)
    p = np.float32(9.58538239e-3)
    p = p * f + np.float32(5.59066283e-2)
    p = p * f + np.float32(2.40240382e-1)
    p = p * f + np.float32(6.93124184e-1)
    p = p * f + _ONE
    bits = np.int32(np.float32(shifted).view(np.int32) << np.int32(23))
    return np.int32(np.float32(p).view(np.int32) + bits).view(np.float32)


@inline
def log2(x):
    """log2(x) in float32 for normal positive x by a polynomial, without branches."""
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(bits - np.int32(0x3F3504F3)) >> np.int32(23)
    m = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32) - _ONE
    p = np.float32(7.0376836292e-2)
    p = p * m + np.float32(-1.1514610310e-1)
    p = p * m + np.float32(1.1676998740e-1)
    p = p * m + np.float32(-1.2420140846e-1)
    p = p * m + np.float32(1.4249322787e-1)
    p = p * m + np.float32(-1.6668057665e-1)
    p = p * m + np.float32(2.0000714765e-1)
    p = p * m + np.float32(-2.4999993993e-1)
    p = p * m + np.float32(3.3333331174e-1)
    natural = m + m * m * (m * p - np.float32(0.5))
    return natural * np.float32(1.44269504) + np.float32(exponent)
