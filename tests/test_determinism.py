"""Whole runs: the same bits for any threads, any order of storage, and across save and reload."""

import numpy as np
import pandas as pd
import pytest
from worlds import simulation

from sim.parameters import Parameters
from sim.simulation import Simulation

YEARS = 4


def fresh(threads=1):
    return simulation(agents=6000, years=YEARS, pull=2.0, threads=threads)


def same(first, second):
    assert first.keys() == second.keys()
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, second[name], check_exact=True)


@pytest.fixture(scope="module")
def tables():
    result = fresh().run().tables()
    assert result["flows"]["persons"].sum() > 0
    return result


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_threads_do_not_matter(tables, threads):
    same(fresh(threads).run().tables(), tables)


@pytest.mark.parametrize("threads", [1, 4])
def test_order_of_storage_does_not_matter(tables, threads):
    """Agents are shuffled before every year."""
    rng = np.random.default_rng(7)
    run = fresh(threads)
    while not run.finished:
        population = run.population
        order = rng.permutation(population.n)
        for array in population.agents:
            array[: population.n] = array[: population.n][order]
        run.step()
    same(run.tables(), tables)


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 2)])
def test_reload_in_mid_run_with_other_threads_does_not_matter(tables, tmp_path, before, after):
    run = fresh(before)
    for _ in range(YEARS // 2):
        run.step()
    file = tmp_path / "half.npz"
    run.save(file)
    world = {"cities": run.cities, "obstacles": run.obstacles, "landscape": run.landscape}
    taken_up = Simulation.load(file, run.scenario, threads=after, **world)
    assert taken_up.year == run.year
    same(taken_up.run().tables(), tables)


def test_plain_logit_too(tables):
    parameters = Parameters().off("nest", "gate")
    one = simulation(agents=3000, years=2, parameters=parameters, threads=1).run().tables()
    same(simulation(agents=3000, years=2, parameters=parameters, threads=4).run().tables(), one)
