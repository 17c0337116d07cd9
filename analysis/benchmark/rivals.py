"""The ways in which people would otherwise write the decision, each as well as is usual.

A rival's `prepare` takes the problem and a number of threads and returns a function of the year
that returns every agent's choice. All sample from the same distribution with their own random
numbers. Packages that are not installed raise ImportError when prepared, and the rival is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from analysis.benchmark.problem import Problem

Step = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Rival:
    """A way of writing the decision.

    Attributes
    ----------
    name : str
        As it stands in the table.
    key : str
        Short name for the command line.
    prepare : callable
        ``prepare(problem, threads)`` returns a function of the year.
    most : int
        Largest number of agents that it is asked to do.
    """

    name: str
    key: str
    prepare: Callable[[Problem, int], Step]
    most: int = 1_000_000


def prepare_mesa(problem: Problem, threads: int) -> Step:
    """Plain Mesa: an object for each agent, NumPy over the cities in its step. One thread."""
    import mesa

    class Person(mesa.Agent):
        def __init__(self, model: World, k: int) -> None:
            super().__init__(model)
            self.weights, self.factor = problem.weights[k], problem.factor[k]
            self.city = int(problem.origin[k])
            self.choice = self.city

        def step(self) -> None:
            model = self.model
            utility = model.scores @ self.weights - self.factor * model.cost[self.city]
            chance = np.exp2(utility).cumsum()
            self.choice = int(chance.searchsorted(model.luck.random() * chance[-1]))

    class World(mesa.Model):
        def __init__(self) -> None:
            super().__init__()
            self.scores, self.cost = problem.scores, problem.cost
            self.luck = np.random.default_rng(0)
            for k in range(problem.agents):
                Person(self, k)

        def step(self) -> None:
            self.agents.do("step")

    world = World()

    def step(year: int) -> np.ndarray:
        world.luck = np.random.default_rng(year)
        world.step()
        return np.fromiter((a.choice for a in world.agents), np.int16, problem.agents)

    return step


def _numpy_block(problem: Problem, first: int, last: int, year: int, out: np.ndarray) -> None:
    rng = np.random.default_rng((year, first))
    scores = np.ascontiguousarray(problem.scores.T)
    size = 1024  # a block of utilities that fits in the second-level cache
    for start in range(first, last, size):
        part = slice(start, min(start + size, last))
        utility = problem.weights[part] @ scores
        utility -= problem.factor[part, None] * problem.cost[problem.origin[part]]
        np.exp2(utility, out=utility)
        np.cumsum(utility, axis=1, out=utility)
        luck = rng.random(len(utility), np.float32)[:, None] * utility[:, -1:]
        out[part] = (utility[:, :-1] <= luck).sum(1)


def prepare_numpy(problem: Problem, threads: int) -> Step:
    """Vectorised NumPy in float32, in blocks; threads share out the agents."""
    pool = ThreadPoolExecutor(threads) if threads > 1 else None
    edges = [k * problem.agents // threads for k in range(threads + 1)]

    def step(year: int) -> np.ndarray:
        out = np.empty(problem.agents, np.int16)

        def part(k: int) -> None:
            _numpy_block(problem, edges[k], edges[k + 1], year, out)

        list(map(part, range(threads)) if pool is None else pool.map(part, range(threads)))
        return out

    return step


def prepare_numpy_one(problem: Problem, threads: int) -> Step:
    """Vectorised NumPy on one thread."""
    return prepare_numpy(problem, 1)


def prepare_polars(problem: Problem, threads: int) -> Step:
    """Polars expressions over columns, the way of mesa-frames; Polars takes all processors."""
    import polars as pl

    cities, size = range(problem.cities), 50_000
    agents = pl.DataFrame(
        {f"w{d}": problem.weights[:, d] for d in range(6)}
        | {"factor": problem.factor, "origin": problem.origin}
    )
    cost = pl.DataFrame(
        {"origin": np.arange(problem.cities, dtype=np.int16)}
        | {f"c{j}": problem.cost[:, j] for j in cities}
    )
    two = pl.lit(2.0, pl.Float32)

    def chance(j: int) -> pl.Expr:
        worth = pl.sum_horizontal(
            pl.col(f"w{d}") * pl.lit(float(problem.scores[j, d]), pl.Float32) for d in range(6)
        )
        return (two ** (worth - pl.col("factor") * pl.col(f"c{j}"))).alias(f"p{j}")

    names = [f"p{j}" for j in cities]

    def step(year: int) -> np.ndarray:
        rng, parts = np.random.default_rng(year), []
        for first in range(0, problem.agents, size):
            frame = agents.slice(first, size).join(
                cost, on="origin", how="left", maintain_order="left"
            )
            luck = pl.Series("luck", rng.random(len(frame), np.float32))
            frame = frame.select(chance(j) for j in cities)
            frame = frame.select(pl.cum_sum_horizontal(*names).alias("sums")).unnest("sums")
            target = luck * frame[names[-1]]
            frame = frame.with_columns(target.alias("target"))
            passed = pl.sum_horizontal(
                (pl.col(n) <= pl.col("target")).cast(pl.Int16) for n in names[:-1]
            )
            parts.append(frame.select(passed.alias("choice"))["choice"].to_numpy())
        return np.concatenate(parts)

    return step


def prepare_jax(problem: Problem, threads: int) -> Step:
    """JAX on the CPU: compiled by XLA, in blocks, on the threads that XLA takes."""
    import jax
    import jax.numpy as jnp

    cpu, size = jax.devices("cpu")[0], min(8192, max(problem.agents, 1))
    blocks = -(-problem.agents // size)

    def padded(array: np.ndarray) -> jax.Array:
        out = np.zeros((blocks * size, *array.shape[1:]), array.dtype)
        out[: len(array)] = array
        return jax.device_put(out.reshape(blocks, size, *array.shape[1:]), cpu)

    scores, cost = jax.device_put(problem.scores.T, cpu), jax.device_put(problem.cost, cpu)
    arrays = tuple(padded(a) for a in (problem.weights, problem.factor, problem.origin))
    # XLA's cumulative sum on the CPU is several times slower than this product with a triangle.
    triangle = jnp.asarray(np.triu(np.ones((problem.cities,) * 2, np.float32)))

    @jax.jit
    def decide(arrays: tuple, key: jax.Array) -> jax.Array:
        def block(inputs: tuple) -> jax.Array:
            weights, factor, origin, key = inputs
            chance = jnp.exp2(weights @ scores - factor[:, None] * cost[origin]) @ triangle
            luck = jax.random.uniform(key, (size, 1)) * chance[:, -1:]
            return (chance[:, :-1] <= luck).sum(1).astype(jnp.int16)

        return jax.lax.map(block, (*arrays, jax.random.split(key, blocks)))

    def step(year: int) -> np.ndarray:
        with jax.default_device(cpu):
            chosen = decide(arrays, jax.random.key(year))
        return np.asarray(chosen).reshape(-1)[: problem.agents]

    return step


def prepare_torch(problem: Problem, threads: int) -> Step:
    """PyTorch on the CPU, in blocks, on its own threads."""
    import torch

    torch.set_num_threads(threads)
    weights, factor = torch.from_numpy(problem.weights), torch.from_numpy(problem.factor)
    origin = torch.from_numpy(problem.origin.astype(np.int64))
    scores, cost = torch.from_numpy(problem.scores).T.contiguous(), torch.from_numpy(problem.cost)
    size = 4096

    def step(year: int) -> np.ndarray:
        generator = torch.Generator().manual_seed(year)
        out = torch.empty(problem.agents, dtype=torch.int16)
        with torch.inference_mode():
            for first in range(0, problem.agents, size):
                part = slice(first, first + size)
                utility, obstacle = weights[part] @ scores, cost.index_select(0, origin[part])
                utility = utility.addcmul_(factor[part, None], obstacle, value=-1.0)
                chance = utility.exp2_().cumsum_(1)
                luck = torch.rand((len(chance), 1), generator=generator) * chance[:, -1:]
                chosen = torch.searchsorted(chance, luck, right=True)[:, 0]
                out[part] = chosen.clamp_(max=problem.cities - 1)
        return out.numpy()

    return step


def prepare_kernel(problem: Problem, threads: int) -> Step:
    """Our dense kernel."""
    from sim.dense import decide
    from sim.team import Team

    team, p = Team(threads), problem

    def step(year: int) -> np.ndarray:
        return decide(p.weights, p.factor, p.origin, p.ids, p.scores, p.cost, year, 1, team)

    return step


KERNEL = Rival("talentflow, dense kernel", "talentflow", prepare_kernel, 10_000_000)
RIVALS = (
    KERNEL,
    Rival("plain Mesa agents", "mesa", prepare_mesa),
    Rival("NumPy, one thread", "numpy1", prepare_numpy_one),
    Rival("NumPy, all threads", "numpy", prepare_numpy),
    Rival("Polars data frames", "polars", prepare_polars),
    Rival("JAX on CPU", "jax", prepare_jax),
    Rival("PyTorch on CPU", "torch", prepare_torch),
)
