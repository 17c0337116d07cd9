"""The short Python interface, and the examples in the documentation."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import fault

import sim
import sim as tf
import sim.api
import sim.compare
from sim.errors import UserError
from sim.levers import DimensionShift
from sim.scenario import load_scenario

GUIDE = Path(__file__).parents[1] / "docs" / "compare.md"
LEVER = {
    "name": "up",
    "lever": "dimension_shift",
    "places": "Shanghai",
    "points": {"economic_foundation": 20.0},
}


def small(**changes):
    return tf.load("baseline", agents=2000, years=2, **changes)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sim, sys; print([m for m in ('numpy', 'pandas', 'numba') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(sim.__all__) <= set(dir(sim))
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        _ = sim.laod


def test_settings_go_to_both_and_policies_to_one():
    study = small().with_(interventions=LEVER, agents=3000, seed=5)
    assert study.scenario.population.agents == study.origin.population.agents == 3000
    assert study.scenario.seed == study.origin.seed == 5
    assert not study.origin.interventions
    assert study.scenario.interventions[0].name == "up"
    assert study.scenario.name == "changed"
    assert small().with_(agents=10).scenario.name == "baseline"


def test_levers_may_be_models_and_paths_dotted():
    lever = load_scenario("baseline", {"interventions": [LEVER]}).interventions[0]
    assert isinstance(lever, DimensionShift)
    study = small().with_(interventions=[lever], **{"obstacles.visa": 0.25})
    assert study.scenario.interventions == (lever,)
    assert study.scenario.parameters.obstacles.visa == 0.25


def test_wrong_changes_are_user_errors():
    assert "unknown key" in fault(lambda: small().with_(polices=[]))
    with pytest.raises(UserError, match="did you mean 'baseline'"):
        tf.load("basline")


def test_compares_with_what_was_loaded():
    found = small().with_(interventions=LEVER).compare(seeds=2, direct=False)
    assert found.base == small().scenario
    assert found.of("stock").index[0] == "Shanghai"
    other = small().with_(name="other", **{"obstacles.visa": 0.1})
    study = small().with_(interventions=LEVER)
    assert study.compare(other, seeds=2, direct=False).base == other.scenario
    assert study.compare(other.scenario, seeds=2, direct=False).base == other.scenario


def test_an_unchanged_scenario_is_compared_with_the_baseline(work):
    (work / "up.yaml").write_text(
        "interventions:\n  - {name: up, lever: dimension_shift, places: Shanghai,\n"
        "     points: {economic_foundation: 20.0}}\n"
    )
    study = tf.load("up.yaml", agents=2000, years=2, seed=9)
    found = study.compare(seeds=2, direct=False)
    assert found.base == small(seed=9).scenario
    assert list(found.policies) == ["up"]


def test_writes_a_comparison(work):
    study = small().with_(interventions=LEVER)
    found = study.compare(seeds=2, direct=False, out="out")
    assert found.folder == Path("out")
    assert tf.read_comparison("out").effects.equals(found.effects)
    assert (work / "out" / "plots" / "effects.png").is_file()


def test_runs_and_sweeps():
    results = small().run()
    assert len(results.cities) == 3 * 120
    assert results.summary()["end"] == 2026
    study = small().with_(interventions=LEVER)
    path = "interventions.up.points.economic_foundation"
    found = study.sweep({path: (1, 20)}, points=2, seeds=2, against=small())
    assert found.curve("Shanghai")["effect"].is_monotonic_increasing
    again = tf.Study(found.scenario, study.origin).sweep()
    assert again.against.interventions == study.scenario.interventions


@pytest.mark.parametrize("module", [sim.api, sim.compare])
def test_docstring_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_examples_of_the_guide(work):
    """Every Python block of the guide runs, in order; every YAML block is a valid scenario."""
    text = GUIDE.read_text(encoding="utf-8")
    for name, block in re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", text, re.DOTALL):
        (work / name).write_text(block)
    files = sorted(path.name for path in work.glob("*.yaml"))
    assert len(files) >= 2
    for name in files:
        load_scenario(name)
    test = doctest.DocTestParser().get_doctest(text, {}, "compare.md", str(GUIDE), 0)
    assert len(test.examples) > 8
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test).failed == 0
