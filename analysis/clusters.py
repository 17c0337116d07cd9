"""Clusters of cities that exchange more with each other than their sizes alone would give."""

from __future__ import annotations

import numpy as np


def exchange_distance(moved: np.ndarray) -> np.ndarray:
    """Return how far apart two cities are in terms of exchange.

    The measure is the negative logarithm of the moves between two cities, both ways, over what
    the margins of the matrix would give if they were independent; half a unit is added to every
    count, so that pairs without moves are far apart, but not infinitely.

    Parameters
    ----------
    moved : ndarray, shape (n, n)
        Persons from row to column, not negative.

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric, in log points, shifted so that the smallest off the diagonal is 0; 0 on it.
    """
    both = np.asarray(moved, dtype=float)
    both = both + both.T
    np.fill_diagonal(both, 0.0)
    size = both.sum(axis=1) + 0.5
    far = np.log(np.outer(size, size)) - np.log(both + 0.5)
    off = ~np.eye(len(far), dtype=bool)
    far = far - (far[off].min() if off.any() else 0.0)
    np.fill_diagonal(far, 0.0)
    return far


def average_linkage(far: np.ndarray, clusters: int) -> list[list[int]]:
    """Group cases by agglomerative clustering with average linkage.

    Sokal and Michener (1958, University of Kansas Science Bulletin 38, 1409–1438): the two
    clusters whose members are nearest on average are joined until one is left. When two are
    joined, the one that is turned round is chosen such that the cases that meet are nearest.

    Parameters
    ----------
    far : ndarray, shape (n, n)
        Symmetric distances.
    clusters : int
        How many clusters to cut the tree into, at least 1.

    Returns
    -------
    list of list of int
        The clusters in the order of the whole tree, each with its cases in that order.

    Raises
    ------
    ValueError
        If fewer than one cluster is asked for.
    """
    if clusters < 1:
        raise ValueError("at least one cluster is needed")
    n = len(far)
    if n == 0:
        return []
    members: list[list[int]] = [[i] for i in range(n)]
    apart = np.array(far, dtype=float)
    np.fill_diagonal(apart, np.inf)
    cut: list[list[int]] = [[i] for i in range(n)]
    alive = list(range(n))
    while len(alive) > 1:
        if len(alive) == clusters:
            cut = [list(members[i]) for i in alive]
        block = apart[np.ix_(alive, alive)]
        at = int(np.argmin(block))
        i, j = sorted((alive[at // len(alive)], alive[at % len(alive)]))
        a, b = len(members[i]), len(members[j])
        joined = (a * apart[i] + b * apart[j]) / (a + b)
        members[i] = _joined(far, members[i], members[j])
        apart[i], apart[:, i] = joined, joined
        apart[i, i] = np.inf
        alive.remove(j)
    order = members[alive[0]]
    if clusters == 1:
        return [order]
    place = {case: k for k, case in enumerate(order)}
    return sorted(
        (sorted(group, key=place.__getitem__) for group in cut), key=lambda g: place[g[0]]
    )


def _joined(far: np.ndarray, one: list[int], other: list[int]) -> list[int]:
    """Return both orders in a row, turned such that the cases that meet are nearest."""
    choices = [
        (float(far[first[-1], second[0]]), k, first, second)
        for k, (first, second) in enumerate(
            (a, b) for a in (one, one[::-1]) for b in (other, other[::-1])
        )
    ]
    _, _, first, second = min(choices)
    return first + second
