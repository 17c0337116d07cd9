"""Tables of an ensemble over posterior draws, and that its runs use the draws; no workers."""

import numpy as np
import pandas as pd
import pytest

from sim.ensemble_folder import COLUMNS
from sim.ensemble_plan import load_plan
from sim.ensemble_statistics import crossed
from sim.ensemble_tables import write_all
from sim.ensemble_task import run_task
from sim.errors import UserError
from sim.scenario import load_scenario
from sim.simulation import Simulation

FILE = """
scenarios: [baseline, easy.yaml]
seeds: {number: 2, first: 5}
posterior: {file: p.npz, draws: 2}
agents: 3000
years: 1
"""
EASY = "parameters: {obstacles: {moving: 2.0}}\n"
DRAWS = np.array([[0.1, 3.0], [0.9, 6.0]])
PATHS = ["preference.beta", "obstacles.border"]


@pytest.fixture
def plan(work):
    np.savez(work / "p.npz", paths=PATHS, draws=DRAWS)
    (work / "easy.yaml").write_text(EASY)
    (work / "study.yaml").write_text(FILE)
    return load_plan(work / "study.yaml")


def test_tables_over_posterior_draws(plan, work):
    runs = [run_task(task.scenario) for task in plan.tasks]
    written = write_all(work, plan, runs.__getitem__, COLUMNS)
    found = {name: pd.read_parquet(work / name) for name in written}
    rows = [(draw, *pair) for draw in (0, 1) for pair in zip(PATHS, DRAWS[draw], strict=True)]
    posterior = found["posterior.parquet"]
    assert list(posterior.itertuples(index=False, name=None)) == rows
    assert written["posterior.parquet"]["rows"] == 4
    cities = found["cities.parquet"].set_index(["scenario", "city", "posterior", "seed"])
    moves = np.empty((2, 2, 2))
    for s, name in enumerate(("baseline", "easy")):
        for draw, theta in enumerate(DRAWS):
            for k, seed in enumerate((5, 6)):
                changes = {"seed": seed, "population.agents": 3000, "horizon.years": 1}
                changes |= {f"parameters.{p}": v for p, v in zip(PATHS, theta, strict=True)}
                one = Simulation(load_scenario(work / "easy.yaml" if s else name, changes)).run()
                city = one.tables()["cities"].query("city == 'Tokyo' and year > 2024")
                moves[s, draw, k] = city["arrivals"].sum()
                assert cities.loc[(name, "Tokyo", draw, seed), "arrivals"] == moves[s, draw, k]
    summary = found["summary.parquet"].set_index(["scenario", "city", "measure"])
    assert summary.loc[("easy", "Tokyo", "arrivals"), "mean"] == pytest.approx(moves[1].mean())
    effects = found["effects.parquet"].set_index(["scenario", "city", "measure"])
    effect = effects.loc[("easy", "Tokyo", "arrivals")]
    interval = crossed((moves[1] - moves[0]).reshape(2, 1, 2))
    assert effect["effect"] == pytest.approx((moves[1] - moves[0]).mean())
    assert [effect["low"], effect["high"]] == pytest.approx([interval.low, interval.high])
    assert moves.std(axis=1).max() > 0, "the draws make a difference"


def test_a_missing_run_is_named(plan, work):
    with pytest.raises(UserError, match="missing or damaged"):
        write_all(work, plan, lambda position: None, COLUMNS)
