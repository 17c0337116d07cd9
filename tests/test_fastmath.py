"""The vectorised exp2 and log2 against NumPy's in double precision."""

import numpy as np

from sim.fastmath import exp2, exp2_rough, log2
from sim.jit import kernel


@kernel
def _exp2(x, out):
    for i in range(x.shape[0]):
        out[i] = exp2(x[i])


@kernel
def _exp2_rough(x, out):
    for i in range(x.shape[0]):
        out[i] = exp2_rough(x[i])


@kernel
def _log2(x, out):
    for i in range(x.shape[0]):
        out[i] = log2(x[i])


def _apply(function, x):
    out = np.empty_like(x)
    function(x, out)
    return out.astype(float)


def test_exp2_is_within_two_units_of_the_last_place():
    x = np.linspace(-125, 125, 500_001).astype(np.float32)
    error = _apply(_exp2, x) / np.exp2(x.astype(float)) - 1
    assert np.abs(error).max() < 2 * 2.0**-23


def test_exp2_saturates_instead_of_overflowing():
    x = np.array([-1e4, 1e4], np.float32)
    assert np.array_equal(_apply(_exp2, x), [2.0**-126, 2.0**126])


def test_rough_exp2_is_within_its_bound():
    x = np.linspace(-125, 125, 500_001).astype(np.float32)
    error = _apply(_exp2_rough, x) / np.exp2(x.astype(float)) - 1
    assert np.abs(error).max() < 3.1e-6


def test_log2_is_exact_at_powers_of_two_and_close_between():
    powers = np.exp2(np.arange(-120.0, 120.0)).astype(np.float32)
    assert np.array_equal(_apply(_log2, powers), np.arange(-120.0, 120.0))
    x = np.exp2(np.linspace(-100, 20, 500_001)).astype(np.float32)
    exact = np.log2(x.astype(float))
    error = np.abs(_apply(_log2, x) - exact)
    assert (error <= np.maximum(np.abs(exact), 1) * 2 * 2.0**-23).all()


def test_log2_keeps_relative_precision_near_one():
    x = (1 - np.exp2(-np.linspace(1, 23, 10_001))).astype(np.float32)
    x = x[x < 1]
    exact = np.log2(x.astype(float))
    assert np.abs(_apply(_log2, x) / exact - 1).max() < 4 * 2.0**-23
