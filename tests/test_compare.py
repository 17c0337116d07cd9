"""Paired comparison: intervals, their parts, direct effects, files, interruption, command line."""

from __future__ import annotations

import errno
import json
import math
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import fault
from scipy.special import stdtrit
from typer.testing import CliRunner

from sim import comparison_folder, pair_folder
from sim.cities import load_cities
from sim.cli import app
from sim.compare import compare, design, named, plan
from sim.comparison_folder import read_comparison, run_comparison
from sim.comparison_summary import as_text, reductions, summarise
from sim.errors import UserError
from sim.interruption import Interrupted
from sim.measures import ALL, MEASURES, measure
from sim.paired_effects import (
    components,
    false_discovery,
    interval,
    ratio_interval,
    reduction,
)
from sim.pairing import Answers, FrozenSimulation, PairResult
from sim.posterior import read_posterior
from sim.scenario import load_scenario
from sim.simulation import Simulation

SMALL = {"population.agents": 4000, "horizon.years": 2}
UP = {
    "name": "up",
    "lever": "dimension_shift",
    "places": "Shanghai",
    "points": {"economic_foundation": 20.0, "social_welfare": 20.0},
}
PAID = UP | {"cost": {"currency": "CNY", "per_year": 1000.0}}


def base(**changes):
    return load_scenario("baseline", SMALL | changes)


def policy(lever=UP, **changes):
    return base(**changes).with_changes({"name": "up", "interventions": [lever]})


@pytest.fixture(scope="module")
def found():
    return compare(base(), policy(PAID), seeds=3)


# Intervals


@pytest.mark.parametrize("pairs", [2, 5, 20])
def test_interval_covers_the_mean_of_normal_differences(pairs):
    rng = np.random.default_rng(4)
    found = interval(rng.normal(3.0, 2.0, (pairs, 20_000)))
    covered = ((found.low <= 3.0) & (found.high >= 3.0)).mean()
    assert covered == pytest.approx(0.95, abs=0.006)
    assert (interval(rng.normal(0.0, 2.0, (pairs, 20_000))).p < 0.05).mean() == pytest.approx(
        0.05, abs=0.006
    )


def test_interval_of_one_pair_or_of_equal_differences():
    assert np.isnan(interval(np.ones((1, 2))).low).all()
    same = interval(np.array([[5.0, 0.0, 0.3], [5.0, 0.0, 0.3]]), grain=np.array([1.0, 1.0, 0.0]))
    assert same.low[0] < 5.0 < same.high[0]  # two pairs that agree are not certain
    assert (same.low[1:] == same.high[1:]).all()
    assert same.p[1] == 1.0


def test_one_way_components_are_the_analysis_of_variance():
    rng = np.random.default_rng(0)
    draws = np.repeat(np.arange(6), 3)
    values = rng.normal(0, 1, 18) + rng.normal(0, 3, 6)[draws]
    luck, landscape, parameters = components(values[:, None], draws, np.zeros(18, int))
    groups = values.reshape(6, 3)
    within = groups.var(1, ddof=1).mean()
    between = 3 * groups.mean(1).var(ddof=1)
    assert luck[0] == pytest.approx(within)
    assert landscape[0] == pytest.approx((between - within) / 3)
    assert parameters[0] == 0.0


def test_three_components_are_found_in_the_crossed_design():
    cells = np.array(design(40, True, 50))
    rng = np.random.default_rng(1)
    size = 4000
    draws, thetas = cells.T
    landscape = rng.normal(0, 2.0, (draws.max() + 1, size))[draws]
    parameters = rng.normal(0, 3.0, (thetas.max() + 1, size))[thetas]
    values = rng.normal(0, 1.0, (40, size)) + landscape + parameters
    means = [part.mean() for part in components(values, draws, thetas)]
    assert means == pytest.approx([1.0, 4.0, 9.0], rel=0.15)
    found = interval(values + 7.0, draws, thetas)
    truth = 7.0 + rng.normal(0, 2.0, size) + rng.normal(0, 3.0, size)  # another unknown world
    assert ((found.low <= truth) & (found.high >= truth)).mean() == pytest.approx(0.95, abs=0.02)


def test_components_that_the_design_cannot_tell_apart_are_unknown():
    values = np.random.default_rng(0).normal(size=(5, 2))
    assert np.isnan(components(values, np.arange(5), np.zeros(5, int))[1]).all()


def test_components_are_never_negative():
    values = np.random.default_rng(3).normal(size=(12, 500))
    parts = components(values, np.repeat(np.arange(4), 3), np.tile(np.arange(3), 4))
    assert all((part >= 0).all() for part in parts)


def test_design_groups_pairs():
    assert design(3, False, 0) == [(-1, -1)] * 3
    landscapes = [draw for draw, _ in design(6, True, 0)]
    assert landscapes[0] == landscapes[1] != landscapes[2]
    both = design(4, True, 10)
    assert len({draw for draw, _ in both}) == len({theta for _, theta in both}) == 2
    assert len(set(both)) == 4


def test_reduction_is_that_of_correlated_runs():
    rng = np.random.default_rng(2)
    common, own = rng.normal(0, 3, (4000, 1)), rng.normal(0, 1, (2, 4000, 1))
    # var(a) + var(b) = 2 (9 + 1), var(b - a) = 2
    assert reduction(common + own[0], common + own[1])[0] == pytest.approx(10.0, rel=0.1)
    still = np.ones((3, 1))
    assert np.isnan(reduction(still, still)).all()
    moving = rng.normal(size=(3, 1))
    assert np.isinf(reduction(moving, moving + 2.0)).all()
    assert np.isnan(reduction(moving[:1], moving[:1] + 2.0)).all(), "one run does not vary"


def test_false_discovery_rate_by_hand():
    p = np.array([0.01, 0.04, 0.03, np.nan, 0.5])
    expected = [0.04, 0.16 / 3, 0.16 / 3, np.nan, 0.5]
    assert false_discovery(p) == pytest.approx(expected, nan_ok=True)


def test_fieller_interval():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(2000):
        gained = rng.normal(10.0, 2.0, 6)
        _, low, high = ratio_interval(5.0 * gained + rng.normal(0, 4.0, 6), gained)
        covered += low <= 5.0 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)
    unbounded = ratio_interval(np.ones(3), np.array([-1.0, 0.5, 1.0]))
    assert unbounded[1:] == (-np.inf, np.inf)
    assert math.isnan(ratio_interval(np.ones(2), np.zeros(2))[0])
    fixed = ratio_interval(np.full(3, 6.0), np.full(3, 2.0))
    assert fixed == pytest.approx((3.0, 3.0, 3.0))
    nan = (np.nan, np.nan)
    assert ratio_interval(np.ones(1), np.full(1, 4.0)) == pytest.approx((0.25, *nan), nan_ok=True)
    assert ratio_interval(np.ones(0), np.ones(0)) == pytest.approx((np.nan, *nan), nan_ok=True)


# Pairs


def test_equal_scenarios_have_no_effect_and_displace_nobody():
    same = compare(base(), base().with_changes({"name": "same"}), seeds=2)
    effects = same.effects.dropna(subset="effect")
    assert (effects[["effect", "low", "high"]] == 0).all(axis=None)
    assert set(same.displacement["kind"].astype(str)) == {"same"}
    assert "none: the runs are the same" in as_text(summarise(same))


def test_measures_agree_with_the_tables():
    done = Simulation(base()).run()
    tables, cities = done.tables(), done.cities
    values = pd.DataFrame(
        measure(tables, cities), columns=list(MEASURES), index=[*cities.names, ALL]
    )
    table = tables["cities"].set_index(["year", "city"])
    paris = table.xs("Paris", level="city")
    assert values.loc["Paris", "stock"] == paris["stock"].iloc[-1]
    assert values.loc["Paris", "talent_years"] == paris["stock"].iloc[1:].sum()
    assert values.loc["Paris", "net_gain"] == (paris["arrivals"] - paris["departures"]).sum()
    assert values.loc["Paris", "mobility"] == pytest.approx(100 - paris["retention"].mean())
    assert values.loc["Paris", "stickiness"] == pytest.approx(paris["stickiness"].mean())
    from sim.summary import summarise as summarise_run

    mobility = summarise_run(tables["cities"], tables["ages"])["mobility"]
    assert values.loc[ALL, "mobility"] == pytest.approx(mobility["total"])
    assert values.loc[ALL, "international"] == pytest.approx(mobility["international"])
    assert values.loc[ALL, "net_gain"] == 0
    top = tables["flows"].query("tier == 'top'")
    gained = top.loc[top["destination"] == "Paris", "persons"].sum()
    lost = top.loc[top["origin"] == "Paris", "persons"].sum()
    assert values.loc["Paris", "net_gain_top"] == gained - lost


def test_displacement_adds_up_to_the_stocks_and_to_the_effects(found):
    for part in ("total", "direct"):
        wide = found.matrix(part=part)
        stock = found.of("stock", part=part).drop(index=ALL)
        cities = stock.index
        assert np.allclose(wide.sum(axis=1)[cities], stock["base"])
        assert np.allclose(wide.sum(axis=0)[cities], stock["base"] + stock["effect"])
    effect = found.of("stock").loc["Shanghai", "effect"]
    assert effect > 0
    assert found.sources("Shanghai")["net"].sum() == pytest.approx(effect)
    halves = [found.sources("Shanghai", tier=tier)["net"].sum() for tier in ("base", "high", "top")]
    assert sum(halves) == pytest.approx(effect)


def test_in_the_first_year_people_move_only_to_the_city_that_improves():
    one = compare(base(**{"horizon.years": 1}), policy(**{"horizon.years": 1}), seeds=2)
    apart = one.displacement[one.displacement["kind"] != "same"]
    assert len(apart)
    assert set(apart["policy_city"].astype(str)) == {"Shanghai"}
    # no answer of a city comes before the second year
    parts = [one.of("stock", part=part)["effect"] for part in ("total", "direct")]
    assert parts[0].equals(parts[1])
    assert (one.of("stock", part="feedback")["effect"] == 0).all()


def test_direct_effect_and_feedback_add_up(found):
    parts = {
        part: found.of("stock", part=part)["effect"] for part in ("total", "direct", "feedback")
    }
    total = parts["direct"] + parts["feedback"].reindex(parts["direct"].index)
    assert np.allclose(parts["total"].reindex(total.index), total)


def test_replaying_a_run_into_itself_changes_nothing():
    scenario = base(**{"horizon.years": 3})
    one = Simulation(scenario)
    answers = Answers(one.feedback.start)
    answers.note(one)
    while not one.finished:
        one.step()
        answers.note(one)
    other = FrozenSimulation(scenario, answers).run()
    for name, table in one.tables().items():
        assert table.equals(other.tables()[name]), name


def test_frozen_feedback_keeps_the_scores_of_the_base():
    scores = ["economic_foundation", "innovation_potential"]
    long = {"horizon.years": 3}
    done = compare(base(**long), policy(**long), seeds=2)
    runs = done.runs[done.runs["city"].isin(["Shanghai", "Beijing"])]
    wide = {part: rows[scores].to_numpy() for part, rows in runs.groupby("part", observed=True)}
    lift = np.zeros_like(wide["base"])
    cities = runs[runs["part"] == "base"]["city"].astype(str).to_numpy()
    lift[cities == "Shanghai", 0] = 20.0
    assert np.allclose(wide["direct"], wide["base"] + lift)
    assert not np.allclose(wide["total"], wide["base"] + lift)


def test_money_and_its_interval(found):
    money = found.money.set_index("city")
    cost = money.loc["Shanghai"]
    assert cost["spent"] == 2 * 1000.0
    extra = found.of("talent_years").loc["Shanghai", "effect"]
    assert cost["talent_years"] == extra
    assert cost["cost"] == pytest.approx(2000.0 / extra)
    assert cost["low"] < cost["cost"] < cost["high"]
    assert money.loc[ALL, "cost"] == pytest.approx(cost["cost"])
    spent = found.costs.groupby(["pair", "run"], observed=True)["spent"].sum()
    assert (spent == 200_000).all()  # in cents
    assert "CNY" in as_text(summarise(found))


def test_no_money_without_costs():
    free = compare(base(), policy(), seeds=2, direct=False)
    assert free.costs is None
    assert free.money is None
    assert set(free.effects["part"].astype(str)) == {"total"}
    assert set(free.displacement["part"].astype(str)) == {"total"}


def test_ensemble_of_landscapes_splits_the_interval():
    ensemble = {"landscape": "ensemble"}
    done = compare(base(**ensemble), policy(PAID, **ensemble), seeds=4, direct=False)
    assert done.runs["draw"].nunique() == 2
    years = done.runs[done.runs["city"] == "Shanghai"].pivot(
        index="pair", columns="part", values="talent_years"
    )
    by_draw = (years["total"] - years["base"]).to_numpy().reshape(2, 2).mean(1)
    money = done.money.set_index("city").loc["Shanghai", ["cost", "low", "high"]]
    assert money.tolist() == pytest.approx(ratio_interval(np.full(2, 2000.0), by_draw))
    row = done.of("composite").loc["Shanghai"]
    assert row["landscape"] > 0
    assert row["parameters"] == 0
    centre = compare(base(), policy(), seeds=4, direct=False).of("composite").loc["Shanghai"]
    assert centre["landscape"] == 0


def test_posterior_draws_split_the_interval_too():
    posterior = [{"preference.beta": beta} for beta in (0.2, 0.5, 0.9)]
    done = compare(base(), policy(), seeds=6, direct=False, posterior=posterior)
    assert sorted(done.runs["parameters"].unique()) == [0, 1, 2]
    row = done.of("stock").loc["Shanghai"]
    assert row["parameters"] > 0
    assert row["landscape"] == 0
    half = stdtrit(2, 0.975)
    parts = row["luck"] ** 2 + row["parameters"] ** 2 * (1 + 1 / 3)
    assert row["high"] - row["effect"] == pytest.approx(half * math.sqrt(parts))


def test_a_policy_keeps_what_it_sets_itself():
    easy = base().with_changes({"name": "easy", "obstacles.visa": 0.1})
    pairs = plan(
        base(), {"easy": easy}, 4, posterior=[{"obstacles.visa": 0.6, "ties.home_city": 2}]
    )
    for pair in pairs:
        assert pair.base.parameters.obstacles.visa == 0.6
        assert pair.policies[0].parameters.obstacles.visa == 0.1
        assert pair.base.parameters.ties.home_city == 2
        assert pair.policies[0].parameters.ties.home_city == 2


def test_posterior_file(work):
    np.savez("draws.npz", paths=np.array(["preference.beta"]), draws=np.array([[0.2], [0.8]]))
    assert read_posterior("draws.npz") == [{"preference.beta": 0.2}, {"preference.beta": 0.8}]
    write_policy(work)
    options = ("--agents", "2000", "--years", "1", "--seeds", "4", "--no-direct", "--no-plots")
    done = invoke("compare", "baseline", "up.yaml", *options, "--posterior", "draws.npz", "--json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)["effects"]
    assert any(row["parameters"] for row in rows if row["measure"] == "arrivals")
    np.savez("bad.npz", paths=np.array(["preference.beta"]), draws=np.array([[0.2, 0.8]]))
    Path("text.npz").write_text("draws")
    for name in ("bad.npz", "text.npz", "none.npz"):
        assert name in fault(read_posterior, name)


def test_pairing_reduces_the_variance_of_a_local_policy(found):
    stock = reductions(found, "up")["stock"]
    assert stock["share_10"] > 0.8
    assert stock["cities"] > 100


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"horizon.years": 3}, "number of years differs (2 and 3); make it the same with --years"),
        ({"population.agents": 10}, "number of agents differs"),
        ({"horizon.start": 2025}, "start in differs"),
        ({"landscape": "ensemble"}, "give both the same landscape"),
    ],
)
def test_scenarios_that_cannot_be_paired(other, message):
    assert message in fault(lambda: compare(base(), policy(**other), seeds=2))


def test_too_few_pairs_and_names():
    assert "--seeds 1" in fault(lambda: compare(base(), policy(), seeds=1))
    assert "from 4" in fault(
        lambda: compare(base(landscape="ensemble"), policy(landscape="ensemble"), seeds=2)
    )
    assert "nothing to compare" in fault(lambda: compare(base(), seeds=2))
    assert list(named([base(), base(), policy()], base())) == ["baseline-2", "baseline-3", "up"]


def test_wrong_names_are_told(found):
    assert "did you mean 'stock'" in fault(lambda: found.of("stok"))
    assert "did you mean 'direct'" in fault(lambda: found.of(part="drect"))
    assert "known: up" in fault(lambda: found.of(policy="zzz"))
    assert "did you mean" in fault(lambda: found.sources("Shangai"))


# Files


def tables_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def test_written_and_read_back(found, work):
    written = run_comparison(base(), [policy(PAID)], Path("out"), seeds=3, pictures=False)
    for name, table in found.tables.items():
        pd.testing.assert_frame_equal(table, written.tables[name])
    assert written.base == base()
    assert written.policies == {"up": policy(PAID)}
    assert written.pairs == 3
    assert [p.name for p in work.iterdir()] == ["out"]
    assert "--overwrite" in fault(lambda: run_comparison(base(), [policy()], Path("out"), seeds=2))
    (work / "out" / "effects.parquet").write_bytes(b"")
    assert "truncated, edited" in fault(lambda: read_comparison("out"))
    assert "no such folder" in fault(lambda: read_comparison("oit"))


class Stop:
    """Interrupts after a number of simulated years."""

    def __init__(self, years: int) -> None:
        self.left = years

    def __call__(self, done: int, total: int, message: str) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_interrupted_and_resumed_gives_the_same_bytes(work):
    scenarios = base(), [policy(PAID)]
    whole, out = Path("whole"), Path("out")
    run_comparison(*scenarios, whole, seeds=3, pictures=False)
    with pytest.raises(Interrupted, match=r"1 finished pairs.*--resume"):
        run_comparison(*scenarios, out, seeds=3, pictures=False, progress=Stop(9))
    assert sorted(p.name for p in work.iterdir()) == [".out.partial", "whole"]
    assert "other scenarios, options" in fault(
        lambda: run_comparison(*scenarios, out, seeds=4, pictures=False, resume=True)
    )
    lines: list[str] = []
    run_comparison(*scenarios, out, seeds=3, pictures=False, resume=True, say=lines.append)
    assert lines == ["resuming with 1 finished pairs"]
    assert tables_of(out) == tables_of(whole)
    assert sorted(p.name for p in work.iterdir()) == ["out", "whole"]
    run_comparison(*scenarios, out, seeds=3, resume=True, say=lines.append)
    assert "nothing is left to resume" in lines[-1]


def test_interrupted_before_a_pair_is_finished_leaves_nothing(work):
    with pytest.raises(Interrupted, match="nothing was written"):
        run_comparison(base(), [policy()], Path("out"), seeds=2, progress=Stop(2))
    assert list(work.iterdir()) == []


def test_full_disk_leaves_the_pairs_and_no_folder(work, monkeypatch):
    def full(*arguments, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(comparison_folder, "write_results", full)
        message = fault(lambda: run_comparison(base(), [policy()], Path("out"), seeds=2))
    assert "cannot be written" in message
    assert [p.name for p in work.iterdir()] == [".out.partial"]
    monkeypatch.setattr("sim.pairing.run_pair", full)  # all pairs are there already
    done = run_comparison(base(), [policy()], Path("out"), seeds=2, resume=True, pictures=False)
    assert done.pairs == 2


def test_a_damaged_pair_is_run_again(work):
    result = PairResult(
        1, np.zeros((2, 2)), np.zeros((1, 2, 2)), np.ones((1, 2, 2)), np.ones((3, 1, 2))
    )
    path = work / "pair.npz"
    result.save(path)
    assert (PairResult.load(path).direct == 1).all()
    path.write_bytes(path.read_bytes()[:-40])
    assert PairResult.load(path) is None
    assert PairResult.load(work / "none.npz") is None


def test_pictures_that_fail_do_not_cost_the_results(work, monkeypatch):
    class Entry:
        name = "broken"

        def load(self):
            raise RuntimeError("no colours")

    monkeypatch.setattr(pair_folder.metadata, "entry_points", lambda group: [Entry()])
    lines: list[str] = []
    run_comparison(base(), [policy()], Path("out"), seeds=2, direct=False, say=lines.append)
    assert lines == ["warning: no pictures by 'broken': no colours"]
    assert read_comparison("out").pairs == 2


# Command line


def write_policy(folder: Path, name: str = "up") -> None:
    text = "interventions:\n  - {name: up, lever: dimension_shift, places: Shanghai,\n"
    text += "     points: {economic_foundation: 20.0, social_welfare: 20.0}}\n"
    (folder / f"{name}.yaml").write_text(text)


OPTIONS = ("--agents", "3000", "--years", "2", "--seeds", "2")


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_command_prints_a_table(work):
    write_policy(work)
    done = invoke("compare", "baseline", "up.yaml", *OPTIONS, "--no-plots", "--threads", 1)
    assert done.exit_code == 0, done.output
    first = done.stdout.split("95 % interval")[1].splitlines()[1].split()
    assert first[0] == "Shanghai"
    assert first[1].startswith("+")
    assert "would have" in done.stdout
    assert (work / "runs/compare-baseline-up-seeds2-agents3000-years2/effects.parquet").is_file()


def test_command_prints_one_json_document(work):
    write_policy(work)
    done = invoke("compare", "baseline", "up.yaml", *OPTIONS, "--json", "--out", "out")
    document = json.loads(done.stdout)
    assert len(document["effects"]) == (len(load_cities()) + 1) * len(MEASURES)
    found = read_comparison("out")
    up = document["policies"]["up"]
    assert up["effects"][0]["city"] == "Shanghai"
    effect = found.of("stock").loc["Shanghai", "effect"]
    assert up["effects"][0]["effect"] == effect
    assert up["people"]["gained"] - up["people"]["lost"] == pytest.approx(effect)
    plots = {Path(path).name for path in document["files"] if path.endswith(".png")}
    assert {"effects.png", "displacement.png"} <= plots
    again = invoke("plot", "out", "--kind", "displacement", "--city", "Tokyo", "--out", "more")
    assert again.exit_code == 0, again.output
    assert (work / "more" / "displacement_tokyo.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("baseline", "bselin"), "did you mean 'baseline'"),
        (("baseline", "up.yaml", "--seeds", "1"), "--seeds 1: must be from 2"),
        (("baseline", "up.yaml", "--measure", "stick"), "--measure"),
        (("baseline", "up.yaml", "--agents", "-1"), "--agents"),
        (("baseline", "long.yaml"), "number of years differs"),
        (("baseline", "up.yaml", "--out", "taken", *OPTIONS), "exists already"),
    ],
)
def test_errors_are_one_line_and_code_2(work, arguments, message):
    write_policy(work)
    (work / "long.yaml").write_text("horizon: {years: 30}\n")
    (work / "taken").mkdir()
    (work / "taken" / "file").touch()
    done = invoke("compare", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_ctrl_c_keeps_finished_pairs(program, tmp_path):
    write_policy(tmp_path)
    options = ("--agents", "20000", "--years", "2", "--seeds", "40", "--out", "out", "--no-plots")
    process = program.start("compare", "baseline", "up.yaml", *options, real=True)
    kept = tmp_path / ".out.partial"
    end = time.monotonic() + 120
    while not list(kept.glob("pair-*.npz")) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    assert all(PairResult.load(path) is not None for path in kept.glob("pair-*.npz"))
    assert not list(kept.glob(".*"))


def test_user_error_is_the_only_exception_for_users():
    with pytest.raises(UserError):
        plan(base(), {}, 2)
