"""How well one matrix of flows agrees with another: measures as pure functions.

All take (P, P) arrays of flows, rows origins, columns destinations, in one unit; the diagonal is
never looked at. ``expected`` is the model's, ``observed`` the data's.
"""

from __future__ import annotations

import math

import numpy as np

_TINY = 1e-300


def off_diagonal(flows: np.ndarray) -> np.ndarray:
    """Return the flows between different places as a vector, (P (P - 1),)."""
    return flows[~np.eye(len(flows), dtype=bool)]


def cpc(expected: np.ndarray, observed: np.ndarray) -> float:
    """Return the common part of commuters, 0 (disjoint) to 1 (equal), NaN if both are empty.

    ``2 Σ min(e, o) / (Σ e + Σ o)``: Lenormand, Huet, Gargiulo and Deffuant (2012, PLoS ONE 7).
    """
    e, o = off_diagonal(expected), off_diagonal(observed)
    total = e.sum() + o.sum()
    return float(2.0 * np.minimum(e, o).sum() / total) if total > 0 else math.nan


def cpc_share(expected: np.ndarray, observed: np.ndarray) -> float:
    """Return the common part of commuters of shares: `cpc` with both totals brought to one.

    It leaves out whether a model foresaw how many would move in all.
    """
    e, o = off_diagonal(expected).sum(), off_diagonal(observed).sum()
    return cpc(expected / e, observed / o) if min(e, o) > _TINY else math.nan


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Return Pearson's correlation of two vectors, NaN where one does not vary."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.clip(np.corrcoef(x, y)[0, 1], -1.0, 1.0))


def ranks(x: np.ndarray) -> np.ndarray:
    """Return ranks from 1, ties sharing their mean rank."""
    _, position, count = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return (last - (count - 1) / 2.0)[position]


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's rank correlation of two vectors, NaN where one does not vary."""
    return pearson(ranks(x), ranks(y))


def flow_spearman(expected: np.ndarray, observed: np.ndarray) -> float:
    """Return Spearman's rank correlation over all ordered pairs, zeros among them."""
    return spearman(off_diagonal(expected), off_diagonal(observed))


def _logs(expected: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    e, o = off_diagonal(expected), off_diagonal(observed)
    both = (e > 0) & (o > 0)
    return np.log(e[both]), np.log(o[both])


def log_correlation(expected: np.ndarray, observed: np.ndarray) -> float:
    """Return Pearson's correlation of log flows, over pairs where both are positive."""
    return pearson(*_logs(expected, observed))


def rmse_log(expected: np.ndarray, observed: np.ndarray) -> float:
    """Return the root mean square error of natural logs, over pairs where both are positive."""
    e, o = _logs(expected, observed)
    return float(np.sqrt(np.mean((e - o) ** 2))) if len(e) else math.nan


def net(flows: np.ndarray) -> np.ndarray:
    """Return each place's net gain: arrivals less departures, (P,)."""
    moved = np.where(np.eye(len(flows), dtype=bool), 0.0, flows)
    return moved.sum(0) - moved.sum(1)


def net_sign_accuracy(expected: np.ndarray, observed: np.ndarray) -> float:
    """Return the share of places whose net gain has the sign that was observed, 0 to 1.

    Places with an observed net of exactly zero are not asked; an expected net within rounding
    error of zero (1e-9 of all flows) counts as half right, as a coin would be.
    """
    e, o = net(expected), net(observed)
    total = off_diagonal(expected).sum()
    sign = np.where(np.abs(e) <= 1e-9 * total, 0.0, np.sign(e))
    asked = o != 0
    right = np.where(sign == 0, 0.5, sign == np.sign(o))
    return float(right[asked].mean()) if asked.any() else math.nan


def net_spearman(expected: np.ndarray, observed: np.ndarray) -> float:
    """Return Spearman's rank correlation of the places' net gains; NaN if a model has no net."""
    e, total = net(expected), off_diagonal(expected).sum()
    if np.abs(e).max(initial=0.0) <= 1e-9 * total:
        return math.nan
    return spearman(e, net(observed))


def gini(values: np.ndarray) -> float:
    """Return the Gini coefficient of numbers that are not negative: 0 equal, near 1 unequal."""
    x = np.sort(np.asarray(values, float))
    n, total = len(x), x.sum()
    if n == 0 or total <= 0:
        return math.nan
    return float((2.0 * np.arange(1, n + 1) - n - 1) @ x / (n * total))


def flow_gini(flows: np.ndarray) -> float:
    """Return the Gini coefficient of the flows over ordered pairs."""
    return gini(off_diagonal(flows))


def top_overlap(expected: np.ndarray, observed: np.ndarray, k: int = 20) -> float:
    """Return the share of the ``k`` largest observed flows among the ``k`` largest expected."""
    e, o = off_diagonal(expected), off_diagonal(observed)
    k = min(k, len(o))
    best = [set(np.argsort(-x, kind="stable")[:k].tolist()) for x in (e, o)]
    return len(best[0] & best[1]) / k if k else math.nan


def all_scores(expected: np.ndarray, observed: np.ndarray, k: int = 20) -> dict[str, float]:
    """Return every measure by name.

    Parameters
    ----------
    expected, observed : (P, P) arrays
        Flows in one unit.
    k : int
        For ``top_overlap``.

    Returns
    -------
    dict of str to float
        cpc, cpc_share, spearman, log_correlation, rmse_log, net_sign_accuracy, net_spearman, gini
        (of the expected flows), gini_observed, top_overlap, total_ratio (expected / observed).
    """
    total = off_diagonal(observed).sum()
    return {
        "cpc": cpc(expected, observed),
        "cpc_share": cpc_share(expected, observed),
        "spearman": flow_spearman(expected, observed),
        "log_correlation": log_correlation(expected, observed),
        "rmse_log": rmse_log(expected, observed),
        "net_sign_accuracy": net_sign_accuracy(expected, observed),
        "net_spearman": net_spearman(expected, observed),
        "gini": flow_gini(expected),
        "gini_observed": flow_gini(observed),
        "top_overlap": top_overlap(expected, observed, k),
        "total_ratio": float(off_diagonal(expected).sum() / total) if total > 0 else math.nan,
    }
