"""Targets, moments, fit, posterior, hold-out and sensitivity at toy scale."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import Program, fault

from analysis.kinds import subject_of
from analysis.pictures import draw_kind
from calibration import folds, posterior, sensitivity, surrogate
from calibration.auxiliary import COEFFICIENTS, Auxiliary
from calibration.fit import Objective, State, calibrate
from calibration.free import FREE, Box, Free, to_parameters
from calibration.moments import Moments, stickiness
from calibration.rivals import poisson_fit
from calibration.run_moments import run_moments
from calibration.targets import Target, load_targets, read_targets, table
from calibration.twin import Stage, Twin, collect
from sim.parameters import Parameters

for _package in ("emcee", "arviz_stats", "SALib"):  # the extra 'evidence'
    pytest.importorskip(_package)

SMALL = (Free("preference.beta", 0.05, 1.5, 0.6, 0.3), Free("obstacles.moving", 2.0, 6.0, 3.6, 1.0))


@cache
def moments() -> Moments:
    return Moments(Twin(per_city=16))


@cache
def quick() -> surrogate.Surrogate:
    """A surrogate of two parameters."""
    return surrogate.build(moments(), Box(SMALL), points=40)


def moved(**values: float) -> Parameters:
    return to_parameters({name.replace("__", "."): value for name, value in values.items()})


def test_the_twin_expects_what_the_simulator_expects() -> None:
    from sim.scenario import load_scenario
    from sim.simulation import Simulation

    simulation = Simulation(load_scenario("baseline", {"population.agents": 100_000}), threads=1)
    flows = simulation.expected_flows() * simulation.population.persons
    np.fill_diagonal(flows, 0.0)
    twin = Twin(per_city=128).flows(simulation.parameters)
    assert twin.sum() == pytest.approx(flows.sum(), rel=0.03)
    assert np.corrcoef(twin.sum(0), flows.sum(0))[0, 1] > 0.995
    assert np.corrcoef(twin.sum(1), flows.sum(1))[0, 1] > 0.98


def test_groups_of_agents_add_up_to_all() -> None:
    year = moments().twin.year(Parameters())
    even = np.arange(len(year.agents.ids)) % 2 == 0
    assert np.allclose(year.flows(even) + year.flows(~even), year.flows(), rtol=1e-9)


def test_flows_scale_with_people_but_not_with_their_unit() -> None:
    stage = Stage.default()
    people = stage.cities.talent_stock + stage.cities.students
    one, thousand = (
        Twin(stage.resized(people * k), per_city=16).flows(Parameters()) for k in (1, 1000)
    )
    assert np.allclose(one * 1000, thousand, rtol=1e-5)


def test_collect_sums_by_group() -> None:
    flows = np.arange(9.0).reshape(3, 3)
    assert collect(flows, np.array([0, 1, 0]), 2).tolist() == [[16.0, 8.0], [8.0, 4.0]]
    assert collect(flows, np.array([0, -1, 0]), 1).tolist() == [[16.0]]


def test_stickiness_spans_the_scale_and_rewards_gain() -> None:
    rng = np.random.default_rng(0)
    flows, people = rng.gamma(1.0, size=(6, 6)), np.full(6, 100.0)
    np.fill_diagonal(flows, 0.0)
    before = stickiness(flows, people)
    assert before.min() == 50.0
    assert before.max() == 100.0
    flows[:, 2] *= 20
    np.fill_diagonal(flows, 0.0)
    assert stickiness(flows, people).argmax() == 2


def test_the_auxiliary_model_recovers_a_world_made_by_it() -> None:
    auxiliary = Auxiliary(Stage.default())
    number = len(auxiliary.areas)
    size = np.random.default_rng(1).lognormal(0, 1, number)
    distance, own, english, free = auxiliary._fixed
    flows = np.outer(size, size) * np.exp(-0.4 * distance + 1.5 * own + 0.3 * english + 0.2 * free)
    np.fill_diagonal(flows, 0.0)
    X = auxiliary.design(flows)
    X[:, 1] = np.log(size)[np.where(~np.eye(number, dtype=bool))[0]]
    X[:, 2] = np.log(size)[np.where(~np.eye(number, dtype=bool))[1]]
    y = flows[~np.eye(number, dtype=bool)]
    assert poisson_fit(X, y)[1:] == pytest.approx([1, 1, -0.4, 1.5, 0.3, 0.2], abs=1e-6)
    assert set(auxiliary.fit(flows)) == {*COEFFICIENTS, "gravity_deviance_share"}


def test_every_target_has_a_moment_a_source_and_a_positive_spread() -> None:
    found = moments()(Parameters()) | run_moments(Parameters())
    for target in load_targets():
        assert np.isfinite(found[target.name]), target.name
        assert target.source
        assert target.note
        assert target.spread > 0
    uses = {target.use for target in load_targets()}
    assert uses == {"fit", "held_out"}
    assert len(table(found)) == len(load_targets())


def test_a_wrong_parameter_makes_the_fit_worse() -> None:
    objective = Objective(moments(), Box(), load_targets())
    good = np.sum(objective.residuals(Box().unit(Box().mean)) ** 2)
    for path, value in (
        ("obstacles.moving", 7.5),
        ("obstacles.distance", 0.8),
        ("preference.beta", 0.02),
    ):
        wrong = Box().mean.copy()
        wrong[Box().paths.index(path)] = value
        assert np.sum(objective.residuals(Box().unit(wrong)) ** 2) > good + 1, path


def test_parameters_act_on_the_moments_as_theory_says() -> None:
    base = moments()(Parameters())
    assert (
        moments()(moved(obstacles__moving=6.0))["international_rate"] < base["international_rate"]
    )
    assert (
        moments()(moved(obstacles__distance=0.7))["distance_elasticity"]
        < base["distance_elasticity"]
    )
    assert moments()(moved(ties__home_area=2.0))["return_share"] > base["return_share"]
    language = moments()(moved(obstacles__language=2.5))
    assert language["own_language"] > base["own_language"]


def test_shuffled_composites_cannot_be_met() -> None:
    from dataclasses import replace

    stage = Stage.default()
    order = np.random.default_rng(0).permutation(len(stage.cities))
    cities = replace(stage.cities, composite=stage.cities.composite[order])
    shuffled = Moments(Twin(replace(stage, cities=cities), per_city=16))
    good = moments()(Parameters())["stickiness_correlation"]
    assert shuffled(Parameters())["stickiness_correlation"] < good - 0.3


def test_the_fit_recovers_known_parameters_and_resumes(tmp_path: Path) -> None:
    box = Box(SMALL)
    truth = box.parameters(np.array([0.6, 0.3]))
    found = moments()(truth)
    targets = tuple(
        Target(name, found[name], spread, "", "fit", "test", "derived", "test", "test")
        for name, spread in (
            ("international_rate", 0.01),
            ("domestic_rate_us", 0.01),
            ("stickiness_correlation", 0.005),
        )
    )
    state = tmp_path / "state.json"
    whole = calibrate(moments(), box=box, targets=targets, starts=2, steps=15, state_file=state)
    assert box.values(whole.unit) == pytest.approx(box.values(np.array([0.6, 0.3])), abs=0.1)
    kept = json.loads(state.read_text())
    kept["starts"] = kept["starts"][:1]
    state.write_text(json.dumps(kept))
    again = calibrate(
        moments(), box=box, targets=targets, starts=2, steps=15, state_file=state, resume=True
    )
    assert again.cost == whole.cost
    assert [s.begun for s in again.starts] == [s.begun for s in whole.starts]
    other = State.read
    assert "other settings" in str(fault(other, state, {"seed": 99}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("fit,index", "maybe,index"), "use must be one of"),
        (("1.0,0.1,correlation", "1.0,0,correlation"), "spread positive"),
        (("stickiness_spearman", "stickiness_correlation"), "comes twice"),
        (("name,value", "name,figure"), "no column 'value'"),
    ],
)
def test_wrong_targets_get_clear_errors(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    from importlib import resources

    text = resources.files("calibration").joinpath("data/targets.csv").read_text(encoding="utf-8")
    path = tmp_path / "targets.csv"
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    assert says in str(fault(read_targets, path))


def test_priors_lie_within_bounds_and_bounds_within_what_the_model_admits() -> None:
    for free in FREE:
        assert free.low <= free.mean <= free.high
        to_parameters({free.path: free.low})
        to_parameters({free.path: free.high})
    drawn = Box().values(Box().draw(4000, 1))
    assert np.all((drawn >= Box().low) & (drawn <= Box().high))


def test_the_surrogate_is_exact_for_quadratics() -> None:
    box = Box(SMALL)
    unit = box.draw(60, 2)
    z = box.prior_residuals(unit)
    y = np.column_stack([1 + z[:, 0] - 2 * z[:, 1] ** 2, np.exp(0.3 * z[:, 0] * z[:, 1])])
    fitted = surrogate.fit_surrogate(box, unit, y, ("plain", "international_rate"))
    assert fitted(unit) == pytest.approx(y)
    assert fitted.error == pytest.approx([0.0, 0.0], abs=1e-9)


def test_the_sampler_finds_a_gaussian_posterior_in_closed_form() -> None:
    box = Box((Free("preference.beta", 0.0, 5.0, 2.0, 0.5),))
    unit = box.draw(50, 1)
    outputs = box.values(unit)
    fitted = surrogate.fit_surrogate(box, unit, outputs, ("size",))
    target = Target("size", 3.0, 0.5, "", "fit", "test", "derived", "test", "test")
    likelihood = surrogate.Likelihood(fitted, (target,))
    draws = box.values(posterior.sample(likelihood, steps=3000, burn=300).reshape(-1, 1))
    assert draws.mean() == pytest.approx(2.5, abs=0.03)
    assert draws.std() == pytest.approx(0.5 / np.sqrt(2), rel=0.1)


def test_known_parameters_are_recovered_and_the_unidentified_named() -> None:
    box = Box((*SMALL, Free("ties.memory", 0.5, 0.95, 0.8, 0.1)))
    rng = np.random.default_rng(0)
    unit = box.draw(80, 1)
    z = box.prior_residuals(unit)
    outputs = np.column_stack([z[:, 0], z[:, 1], rng.normal(0, 1e-9, len(z))])
    fitted = surrogate.fit_surrogate(box, unit, outputs, ("a", "b", "c"))
    targets = tuple(
        Target(name, 0.0, 0.3, "", "fit", "test", "derived", "test", "test") for name in "abc"
    )
    found = posterior.recover(
        surrogate.Likelihood(fitted, targets), data_sets=25, steps=150, burn=100
    )["parameters"]
    assert found["preference.beta"]["identified"]
    assert found["obstacles.moving"]["identified"]
    assert not found["ties.memory"]["identified"]
    for row in found.values():
        assert abs(row["bias"]) < 0.5
        assert 0.7 <= row["coverage_90"] <= 1.0
        assert sum(row["rank_histogram"]) == 25


def test_folds_share_out_the_cities_and_predict_them() -> None:
    composite = moments().cities.composite
    fold = folds.fold_of(composite, 5)
    assert np.bincount(fold).tolist() == [24] * 5
    means = [composite[fold == k].mean() for k in range(5)]
    assert np.ptp(means) < 3
    rows = folds.cross_validate(quick(), moments(), load_targets(), draws=200)
    assert len(rows) == 5
    for row in rows:
        assert (
            row["model"]["spearman_low"]
            <= row["model"]["spearman"]
            <= row["model"]["spearman_high"]
        )
        assert row["model"]["spearman"] > 0.4


def test_morris_finds_what_matters_and_resumes(tmp_path: Path) -> None:
    problem = sensitivity.Problem(Box(SMALL), switches=("home",))
    design = sensitivity.points(problem, "morris", 4, 1)
    state = tmp_path / "state.npz"
    outputs = sensitivity.evaluate(moments(), problem, design, state, every=5)
    again = sensitivity.evaluate(moments(), problem, design, state, resume=True)
    assert np.array_equal(outputs, again)
    found = sensitivity.analyse(problem, "morris", design, outputs, 1)
    rates = found["international_rate"]
    assert rates["obstacles.moving"]["mu_star"] > rates["preference.beta"]["mu_star"]
    kept = tmp_path / "morris.json"
    kept.write_text(json.dumps({"method": "morris", "evaluations": 20, "indices": found}))
    subject = subject_of(tmp_path)
    assert subject.noun == "sensitivity analysis"
    figure = draw_kind(subject.read(tmp_path), "sensitivity", kinds=subject.kinds)
    panels = figure.axes[0].child_axes
    assert len(panels) == len(found)
    first = [label.get_text() for label in panels[0].get_yticklabels()]
    assert sorted(first) == sorted(problem.names)
    kept.write_text("{}")
    assert "no whole sensitivity analysis" in str(fault(subject.read, tmp_path))
    other = sensitivity.points(problem, "morris", 4, 2)
    message = fault(lambda: sensitivity.evaluate(moments(), problem, other, state, resume=True))
    assert "another design" in str(message)


def test_commands_refuse_what_cannot_be_written(program: Program) -> None:
    wrong = program.run("calibrate", "--out", "none/cal.json")
    assert wrong.returncode == 2
    assert "folder none does not exist" in wrong.stderr
    method = program.run("sensitivity", "--method", "morriss")
    assert method.returncode == 2
    assert "did you mean 'morris'" in method.stderr
