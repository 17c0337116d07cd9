"""The benchmark's machinery: no timing is judged here, only that it measures the right thing."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.benchmark import harness, limits, model_year, problem, report, rivals
from analysis.benchmark.suite import as_text, run_suite
from sim.team import Team

OPTIONAL = {"polars": "polars", "jax": "jax", "torch": "torch"}


@pytest.fixture(scope="module")
def small():
    p = problem.make_problem(6000, cities=20)
    return p, problem.exact_flows(p)


@pytest.mark.parametrize("rival", rivals.RIVALS, ids=lambda r: r.key)
def test_every_way_of_writing_it_samples_the_same_flows(rival, small):
    if rival.key in OPTIONAL:
        pytest.importorskip(OPTIONAL[rival.key])
    p, expected = small
    step = rival.prepare(p, 2)
    for year in (1, 2):
        assert abs(problem.strays(problem.flows_of(p, step(year)), expected)) < harness.WORST
    assert (step(3) != step(4)).any()


def test_exact_flows_count_every_agent_where_it_lives(small):
    p, expected = small
    assert np.allclose(expected[0].sum(1), np.bincount(p.origin, minlength=20))
    chosen = np.arange(p.agents) % 20
    assert problem.flows_of(p, chosen).sum() == p.agents
    assert problem.flows_of(p, chosen)[p.origin[7], chosen[7]] > 0


def test_flows_of_another_distribution_are_caught(small):
    p, expected = small
    biased = replace(p, cost=np.where(np.eye(20, dtype=bool), p.cost + 1.0, p.cost))
    step = rivals.prepare_kernel(biased, 1)
    with pytest.raises(harness.DisagreementError, match="stray"):
        harness.check("biased", p, step, expected)


def test_a_missing_package_leaves_a_rival_out():
    def fail(p, threads):
        raise ImportError("No module named 'nowhere'")

    missing = rivals.Rival("something", "nowhere", fail)
    result = harness.compare(500, 1, rivals=(rivals.KERNEL, missing), cities=5, repeats=1)
    assert [t.key for t in result.timings] == ["talentflow"]
    assert "nowhere" in result.skipped["nowhere"]


def test_a_rival_is_not_asked_for_more_agents_than_it_can_do():
    few = replace(rivals.KERNEL, key="few", most=100)
    result = harness.compare(500, 1, rivals=(rivals.KERNEL, few), cities=5, repeats=1)
    assert [t.key for t in result.timings] == ["talentflow"]


def test_ratios_compare_rates_at_the_same_number_of_agents():
    fast = harness.Timing("a", "talentflow", 1000, 120, 0.5, 0.0, 0.0)
    slow = harness.Timing("b", "slow", 1000, 120, 2.0, 0.0, 0.0)
    both = harness.Comparison([fast, slow])
    assert both.ratio("slow", 1000) == 4.0
    assert both.ratio("slow", 10) is None
    assert "4.0×" in report.table([both])


def test_limits_are_positive_and_bound_fewer_decisions_among_more_cities():
    found = limits.measure_limits(Team(1), repeats=1, scale=200)
    assert min(found.fma, found.exp, found.copy) > 0
    assert found.dense_bound(240) == pytest.approx(found.dense_bound(120) / 2)
    assert limits.Limits(7e9, 1e9, 1.0).dense_bound(100) == pytest.approx(5e6)


def test_kernels_of_the_limits_do_the_work_they_count():
    out = np.array([1.0, 2.0], np.float32)
    limits._multiply_add(3, out)
    assert np.allclose(out, 0.5)  # the fixed point of x / 2 + 1 / 4
    row, target = np.array([0.0, 3.0], np.float32), np.empty(2, np.float32)
    limits._exponentials(1, row, target)
    assert np.allclose(target, [1.0, 8.0])
    copied = np.zeros(2, np.float32)
    limits._copy(row, copied)
    assert np.array_equal(row, copied)


def test_exponent_of_growth():
    assert model_year.exponent([10, 100, 1000], [2.0, 20.0, 200.0]) == pytest.approx(1.0)
    assert model_year.exponent([10, 100], [1.0, 100.0]) == pytest.approx(2.0)


def test_targets_say_what_was_not_measured():
    rows = report.targets({"rates": {"talentflow": 30.0, "numpy": 2.0}, "bound": 50.0})
    found = {row["name"]: row for row in rows}
    assert found["dense kernel / NumPy on all threads"]["measured"] == 15.0
    assert found["dense kernel / NumPy on all threads"]["reached"]
    assert found["dense kernel / plain Mesa"]["measured"] is None
    assert not found["dense kernel / plain Mesa"]["reached"]
    assert "not measured" in report.targets_table(rows)
    over = report.targets({"year_bytes": 121.0})[-1]
    assert over["measured"] == 121.0
    assert not over["reached"]


def test_memory_is_measured_in_a_process_of_its_own():
    used = harness.peak_bytes("talentflow", 200_000, 1)
    assert used is not None
    assert 20 < used < 500


def test_the_suite_prints_one_table_and_one_document():
    results = run_suite([2000], 1, quick=True)
    assert json.loads(json.dumps(results))["judged_at"] == 2000
    text = as_text(results)
    assert "plain Mesa agents" in text
    assert "whole model year" in text
    assert len(results["targets"]) == 7


def test_json_on_standard_output_is_one_document(monkeypatch, tmp_path):
    import typer

    from analysis.benchmark import commands, suite

    monkeypatch.setattr(suite, "run_suite", lambda *a, **k: {"sizes": a[0]})
    app = typer.Typer()
    commands.register(app)
    app.callback()(lambda: None)
    file = tmp_path / "bench.json"
    done = CliRunner().invoke(
        app, ["bench", "--json", "--agents", "5", "--agents", "3", "--out", str(file)]
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"sizes": [3, 5]}
    assert json.loads(file.read_text()) == {"sizes": [3, 5]}
