"""The decision problem that every way of writing it is given.

N agents with six need weights, a factor on obstacles and a city of their own weigh all C cities
once a year: utility (in log2) is the weighted score less the personal obstacle, and a city is
chosen with probability in proportion to two to that power. The own city is one of the choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """Arrays of the problem; see `sim.dense.decide` for their meaning.

    Attributes
    ----------
    weights : (N, 6) float32 array
    factor : (N,) float32 array
    origin : (N,) int16 array
    ids : (N,) uint64 array
    scores : (C, 6) float32 array
    cost : (C, C) float32 array
    """

    weights: np.ndarray
    factor: np.ndarray
    origin: np.ndarray
    ids: np.ndarray
    scores: np.ndarray
    cost: np.ndarray

    @property
    def agents(self) -> int:
        """Number of agents N."""
        return len(self.ids)

    @property
    def cities(self) -> int:
        """Number of cities C."""
        return len(self.scores)


def make_problem(agents: int, cities: int = 120, seed: int = 1) -> Problem:
    """Return a problem with random agents and cities; about one agent in eight moves.

    The figures are the benchmark's own and describe no real city.
    """
    rng = np.random.default_rng(seed)
    weights = rng.standard_exponential((agents, 6), dtype=np.float32)
    weights /= weights.sum(1, keepdims=True)
    cost = rng.uniform(0.0, 6.0, (cities, cities)).astype(np.float32)
    np.fill_diagonal(cost, -8.5)
    return Problem(
        weights=weights,
        factor=rng.uniform(0.7, 1.4, agents).astype(np.float32),
        origin=rng.integers(0, cities, agents).astype(np.int16),
        ids=np.arange(agents, dtype=np.uint64),
        scores=rng.normal(0.0, 2.0, (cities, 6)).astype(np.float32),
        cost=cost,
    )


def exact_flows(problem: Problem) -> np.ndarray:
    """Return mean and variance of the flows by origin and choice, (2, C, C) float64.

    Agents choose independently, so variances of their 0/1 choices add up.
    """
    flows = np.zeros((2, problem.cities, problem.cities))
    scores, cost = problem.scores.T.astype(float), problem.cost.astype(float)
    for first in range(0, problem.agents, 8192):
        part = slice(first, first + 8192)
        origin = problem.origin[part]
        factor = problem.factor[part, None].astype(float)
        chance = np.exp2(problem.weights[part].astype(float) @ scores - factor * cost[origin])
        chance /= chance.sum(1, keepdims=True)
        np.add.at(flows[0], origin, chance)
        np.add.at(flows[1], origin, chance * (1.0 - chance))
    return flows


def flows_of(problem: Problem, chosen: np.ndarray) -> np.ndarray:
    """Return the numbers of agents by origin and choice, (C, C) int64."""
    cities = problem.cities
    cells = problem.origin.astype(np.int64) * cities + np.asarray(chosen, np.int64)
    return np.bincount(cells, minlength=cities**2).reshape(cities, cities)


def strays(flows: np.ndarray, exact: np.ndarray) -> float:
    """Return how far flows stray from expectation, in standard deviations of chi-square.

    The squared deviations of the cells with a mean of five or more are divided by their variance,
    so that each has the mean 1, and summed. Values beyond about 6 do not come from chance.
    """
    mean, variance = exact
    cells = (mean >= 5.0) & (variance >= 1.0)
    if not cells.any():
        return 0.0
    squares = (flows - mean)[cells] ** 2 / variance[cells]
    return float((squares - 1.0).sum() / np.sqrt(2.0 * cells.sum()))
