"""Sweeps: how points are laid out, what they are compared with, files and commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import fault
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sim.cli import app
from sim.compare import compare
from sim.interruption import Interrupted
from sim.scenario import load_scenario
from sim.sweep import Sweep, at_point, lay_out, steps_of
from sim.sweep_run import read_sweep, run_sweep, sweep_scenario

SMALL = {"population.agents": 3000, "horizon.years": 2}
LEVER = {
    "name": "up",
    "lever": "dimension_shift",
    "places": "Shanghai",
    "points": {"economic_foundation": 10.0},
}
PATH = "interventions.up.points.economic_foundation"


def policy(**sweep):
    changes = {"name": "up", "interventions": [LEVER]}
    changes |= {"sweep": {"over": {PATH: [2.0, 30.0]}, "points": 3, "seeds": 2, **sweep}}
    return load_scenario("baseline", SMALL).with_changes(changes)


def test_grid_is_every_combination():
    over = {"a.b": (0.0, 1.0), "c": (5.0, 6.0, 9.0)}
    sweep = Sweep(over=over, points=2)
    expected = [[a, c] for a in (0.0, 1.0) for c in (5.0, 6.0, 9.0)]
    assert lay_out(sweep, 1).tolist() == expected
    assert sweep.size == 6


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 2**40))
def test_latin_hypercube_has_one_point_in_each_part(points, paths, seed):
    over = {f"p{k}": (-1.0, 3.0 + k) for k in range(paths)}
    sweep = Sweep(design="latin_hypercube", over=over, points=points)
    where = lay_out(sweep, seed)
    assert where.shape == (points, paths)
    for k in range(paths):
        part = np.floor((where[:, k] + 1.0) / (4.0 + k) * points)
        assert sorted(part) == list(range(points))
    assert np.array_equal(where, lay_out(sweep, seed))


def test_paths():
    assert steps_of("obstacles.visa") == ["parameters", "obstacles", "visa"]
    assert steps_of("interventions[2].factor") == ["interventions", "2", "factor"]


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (PATH, lambda s: s.interventions[0].points.economic_foundation),
        ("interventions[0].points.public_life", lambda s: s.interventions[0].points.public_life),
        ("obstacles.visa", lambda s: s.parameters.obstacles.visa),
        ("parameters.needs.aspiration_mean.2", lambda s: s.parameters.needs.aspiration_mean[2]),
    ],
)
def test_value_is_put_at_its_path_and_nowhere_else(path, read):
    scenario = policy()
    changed = at_point(scenario, {path: 3.25})
    assert read(changed) == 3.25
    assert at_point(changed, {path: float(read(scenario))}) == scenario


def test_whole_numbers_stay_whole():
    changed = at_point(policy(), {"life.retirement_age": 57.6})
    assert changed.parameters.life.retirement_age == 58


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("interventions.pu.points.economic_foundation", 1, "no 'pu' in interventions; known: up"),
        ("interventions.7.points", 1, "no '7' in interventions"),
        ("obstacles.vsia", 1, "did you mean 'visa'?"),
        ("obstacles", 1, "leads to no number"),
        ("switches.gate", 1, "leads to no number"),
        ("interventions.up.places", 1, "leads to no number"),
        ("obstacles.visa.more", 1, "no 'more' in parameters.obstacles.visa"),
        ("obstacles..visa", 1, "is no path"),
        ("horizon.years", 3, "cannot be swept"),
        ("seed", 3, "cannot be swept"),
        ("obstacles.visa", -5, "at obstacles.visa = -5: "),
        (PATH, 0, "= 0: override: interventions[0]: points: shifts nothing"),
    ],
)
def test_wrong_paths_and_values(path, value, message):
    assert message in fault(at_point, policy(), {path: value})


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"over": {}}, "sweep.over"),
        ({"over": {"obstacles.visa": [1.0]}}, "needs the lowest and the highest"),
        ({"over": {"obstacles.visa": [1.0, 0.5]}}, "must be below the highest"),
        ({"over": {"obstacles.visa": [1, 2, 2]}}, "names a value twice"),
        (
            {"over": {"obstacles.visa": [1, 2, 3]}, "design": "latin_hypercube"},
            "needs the lowest and the highest",
        ),
        ({"over": {"a": [0, 1], "b": [0, 1]}, "points": 40}, "makes 1600 points"),
        ({"over": {"a": [0, 1]}, "measure": "stok"}, "did you mean 'stock'"),
        ({"over": {"a": ["x", 1]}}, "must be a number"),
        ({"over": {"a": [0, 1]}, "desing": "grid"}, "design"),
    ],
)
def test_wrong_sweeps(sweep, message):
    assert message in fault(load_scenario, "baseline", {"sweep": sweep})


def test_response_is_that_of_a_comparison():
    base = load_scenario("baseline", SMALL)
    found = sweep_scenario(policy(), base)
    curve = found.curve("Shanghai")
    assert curve[PATH].tolist() == [2.0, 16.0, 30.0]
    assert curve["effect"].is_monotonic_increasing
    assert curve["effect"].iloc[-1] > 0
    point = at_point(policy(), {PATH: 30.0}).model_copy(update={"sweep": None})
    paired = compare(base, point, seeds=2, direct=False).of("stock")
    columns = ["base", "effect", "low", "high", "p"]
    expected = paired.loc["Shanghai", columns].to_numpy(dtype=float)
    assert np.array_equal(curve.loc[2, columns].to_numpy(dtype=float), expected)
    assert found.largest(1) == ["Shanghai"]


def test_without_a_base_the_scenario_at_its_own_values_is_it():
    found = sweep_scenario(policy(over={PATH: [10.0, 20.0]}, points=2))
    curve = found.curve("Shanghai")
    assert curve["effect"].iloc[0] == 0.0
    assert found.against.interventions == policy().interventions


def test_what_describes_the_world_changes_in_base_and_policy_alike():
    base = load_scenario("baseline", SMALL)
    found = sweep_scenario(policy(over={"obstacles.moving": [1.0, 4.0]}, points=2), base)
    bases = found.curve(measure="departures")["base"]
    assert bases.nunique() == 2
    at_one = at_point(policy(), {"obstacles.moving": 1.0}).model_copy(update={"sweep": None})
    base_one = base.with_changes({"obstacles.moving": 1.0})
    paired = compare(base_one, at_one, seeds=2, direct=False).of("stock")
    assert found.curve("Shanghai").loc[0, "effect"] == paired.loc["Shanghai", "effect"]


def test_written_interrupted_and_resumed(work):
    base = load_scenario("baseline", SMALL)
    whole = run_sweep(policy(), Path("whole"), base, pictures=False)

    def stop(done: int, total: int, message: str) -> None:
        if done > total / 2 + 1:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="1 finished pairs"):
        run_sweep(policy(), Path("out"), base, pictures=False, progress=stop)
    run_sweep(policy(), Path("out"), base, pictures=False, resume=True)
    for name in ("points.parquet", "response.parquet"):
        assert (work / "out" / name).read_bytes() == (work / "whole" / name).read_bytes()
    again = read_sweep("out")
    assert again.scenario == policy()
    pd.testing.assert_frame_equal(again.response, whole.response)
    assert "no whole talentflow sweep" in fault(lambda: read_sweep(work))


FILE = """\
interventions:
  - {name: up, lever: dimension_shift, places: Shanghai, points: {economic_foundation: 10.0}}
sweep:
  over: {interventions.up.points.economic_foundation: [2.0, 30.0]}
  points: 2
  seeds: 2
  against: base.yaml
"""


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_command(work):
    folder = work / "files"
    folder.mkdir()
    (folder / "up.yaml").write_text(FILE)
    (folder / "base.yaml").write_text("title: Nothing happens\n")
    options = ("--agents", 3000, "--years", 2, "--out", "out", "--json")
    done = invoke("sweep", folder / "up.yaml", *options)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["against"] == "base"
    assert document["curves"]["Shanghai"][1][PATH] == 30.0
    assert "out/plots/response.png" in document["files"]
    text = invoke("sweep", folder / "up.yaml", *options[:4], "--seeds", 3, "--no-plots")
    assert "Shanghai: effect on stock against base" in text.stdout
    assert (work / "runs" / "sweep-up-seeds3-agents3000-years2").is_dir()
    (work / "rival.yaml").write_text(FILE.partition("sweep:")[0].replace("10.0", "30.0"))
    done = invoke("sweep", folder / "up.yaml", *options[:4], "--against", "rival.yaml", "--json")
    assert json.loads(done.stdout)["against"] == "rival", "the option comes before the file"
    last = json.loads(done.stdout)["curves"]["Shanghai"][-1]
    assert last["effect"] == 0, "at 30 points both are the same"


def test_command_faults(work):
    done = invoke("sweep", "baseline")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has no 'sweep:'" in done.stderr
    (work / "up.yaml").write_text(FILE.replace("base.yaml", "none.yaml"))
    done = invoke("sweep", "up.yaml")
    assert done.exit_code == 2
    assert "none.yaml" in done.stderr
