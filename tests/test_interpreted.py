"""Kernels run as plain Python, where every index is checked, give what the compiled ones give."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from worlds import make_agents, make_world

from sim.dense import decide
from sim.expected import expect
from sim.kernel import choose, consider
from sim.lifecycle import census, live, rates
from sim.parameters import Parameters
from sim.rng import split_seed
from sim.selection import Group, groups_of, tables
from sim.selectors import Persons
from sim.team import Team


def everything() -> dict[str, np.ndarray]:
    """Return what each kernel makes of a few agents; ages and years at the ends of their range."""
    team, key, found = Team(1), split_seed(2**40 + 3), {}
    w = make_world(cities=130, areas=3, seed=4, pull=2.0)
    agents = make_agents(w, 140, seed=9)
    for part in (slice(0, 3), slice(137, 140)):
        agents.age[part], agents.years[part], agents.traits[part] = 126, 60, 255
    found["look"] = np.zeros(140, np.uint8)
    consider(agents, w.world, 1, *key, 0, 140, found["look"])
    found["chosen"] = np.full(140, -1, np.int16)
    choose(agents, w.world, np.arange(140), 1, *key, 0, 140, found["chosen"])
    found["flows"], found["looking"] = expect(agents, w.world, team)
    groups = [Group(Persons(abroad=True)), Group(Persons(), years=(60, 60))]
    found["groups"] = groups_of(agents, tables(groups, w.cities), team)
    rng = np.random.default_rng(1)
    scores, cost = rng.normal(0, 3, (130, 6)), rng.uniform(0, 6, (130, 130))
    weights, factor = rng.dirichlet(np.ones(6), 18), rng.uniform(1, 2, 18)
    origin, ids = agents.city[:18], agents.ids[:18]
    found["dense"] = decide(weights, factor, origin, ids, scores, cost, 1, 7, team)
    found["leaves"] = np.zeros(140, np.uint8)
    live(agents, rates(Parameters()), 1, *key, 0, 140, found["leaves"])
    found["living"] = np.array([agents.age, agents.years, agents.stage, agents.fresh])
    output = np.arange(3 * 256).reshape(3, 256)
    counted = census(agents, w.cities.area_of_city, 3, output, team)
    return found | {"by_age": counted.by_age, "product": counted.product}


def test_interpreted_kernels_agree_with_the_compiled(tmp_path):
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(paths)}
    code = "import sys, numpy, test_interpreted as t; numpy.savez(sys.argv[1], **t.everything())"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "plain.npz")], env=environment, check=True
    )
    compiled = everything()
    assert 0 < compiled["look"].mean() < 1
    assert (compiled["chosen"] > 127).any()
    with np.load(tmp_path / "plain.npz") as plain:
        assert set(plain) == set(compiled)
        for name, array in compiled.items():
            assert plain[name] == pytest.approx(array, rel=1e-4, abs=1e-9), name
