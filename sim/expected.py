"""The expected-flow operator: the noise-free twin of the simulator."""

from __future__ import annotations

import math

import numpy as np

from sim.fastmath import exp2
from sim.jit import kernel
from sim.kernel import Agents, S, World, looks, needs, outlook, staying, utility
from sim.team import PARTS, Team, edges

_ZERO = np.float32(0.0)


@kernel
def _expect(agents, world, start, stop, flows, looking):
    """Add the probabilities of all moves of agents ``start`` to ``stop`` (float64 arrays)."""
    size, cities = world.by_origin.shape[3], world.reference.shape[0]
    weight, wish = np.empty(6, np.float32), np.empty(6, np.float32)
    chance = np.empty(size, np.float32)
    theta = np.float64(world.scalars[S.theta])
    for i in range(start, stop):
        origin = agents.city[i]
        group = needs(agents, world, i, weight, wish)
        p = np.float64(looks(agents, world, i, weight, wish))
        looking[origin] += p
        mine = outlook(world, weight, wish)
        stay = staying(agents, world, i, mine)
        for j in range(size):
            chance[j] = exp2(utility(agents, world, i, group, mine, j))
        chance[origin] = _ZERO
        nest = 0.0
        for j in range(cities):
            nest += chance[j]
        go = 0.0
        if nest > 0.0:
            go = 1.0 / (1.0 + 2.0 ** (theta * (stay - math.log2(nest))))
            share = p * go / nest
            for j in range(cities):
                flows[origin, j] += share * chance[j]
        flows[origin, origin] += p * (1.0 - go)


def expect(agents: Agents, world: World, team: Team) -> tuple[np.ndarray, np.ndarray]:
    """Sum the probabilities of every move of the agents: the expected flows.

    The same formulae as `sim.kernel.consider` and `sim.kernel.choose`, without sampling. Sums run
    in float64 over a fixed number of parts, so they do not depend on the number of threads.

    Parameters
    ----------
    agents : Agents
        All N agents.
    world : World
    team : Team

    Returns
    -------
    flows : (C, C) float64 array
        Expected moves of agents from row to column; the diagonal holds lookers who stay.
    looking : (C,) float64 array
        Expected number of lookers.
    """
    cities = world.reference.shape[0]

    def part(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        flows, looking = np.zeros((cities, cities)), np.zeros(cities)
        _expect(agents, world, start, stop, flows, looking)
        return flows, looking

    parts = team.each(edges(len(agents.ids), PARTS), part)
    return sum(flows for flows, _ in parts), sum(looking for _, looking in parts)
