"""Student's t distribution, in plain Python: what intervals of small samples need."""

from __future__ import annotations

import math

_TINY = 1e-300
_TERMS = 400


def t_cdf(t: float, df: float) -> float:
    """Return the probability that Student's t with ``df`` degrees of freedom is at most ``t``.

    By the regularised incomplete beta function (Abramowitz and Stegun 1964, 26.7.1), whose
    continued fraction is summed by Lentz's method.

    Parameters
    ----------
    t : float
    df : float
        Degrees of freedom, positive.

    Returns
    -------
    float
        In [0, 1]; NaN where ``t`` is NaN.
    """
    if math.isnan(t):
        return math.nan
    if math.isinf(t):
        return float(t > 0)
    square = t * t
    tail = 0.5 * _beta(df / 2.0, 0.5, df / (df + square), square / (df + square))
    return tail if t < 0 else 1.0 - tail


def t_quantile(p: float, df: float) -> float:
    """Return the ``p`` quantile of Student's t with ``df`` degrees of freedom.

    Parameters
    ----------
    p : float
        Probability, between 0 and 1, both excluded.
    df : float
        Degrees of freedom, positive.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    if not 0.0 < p < 1.0 or not df > 0.0:
        raise ValueError(f"no quantile of probability {p} with {df} degrees of freedom")
    if p == 0.5:
        return 0.0
    if p < 0.5:
        return -t_quantile(1.0 - p, df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < p:
        low, high = high, 2.0 * high
    while high - low > 1e-12 * high:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if t_cdf(middle, df) < p else (low, middle)
    return 0.5 * (low + high)


def two_sided(t: float, df: float) -> float:
    """Return the two-sided p value of a t statistic, in [0, 1]."""
    return min(1.0, 2.0 * t_cdf(-abs(t), df))


def _beta(a: float, b: float, x: float, rest: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b); ``rest`` is 1 - x, exactly."""
    if x <= 0.0 or rest <= 0.0:
        return float(rest <= 0.0)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    )
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(a, b, x) / a
    return 1.0 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function by Lentz's method."""

    def safe(value: float) -> float:
        return value if abs(value) > _TINY else _TINY

    c, d = 1.0, 1.0 / safe(1.0 - (a + b) * x / (a + 1.0))
    total = d
    for m in range(1, _TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / safe(1.0 + term * d)
            c = safe(1.0 + term / c)
            total *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return total
