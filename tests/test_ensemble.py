"""Ensembles: file, crossed statistics, Dask workers, kills of workers and clients, resuming."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Program, fault
from typer.testing import CliRunner

import sim
from sim.cities import load_cities
from sim.cli import app
from sim.ensemble_plan import load_plan
from sim.ensemble_statistics import crossed
from sim.ensemble_task import TOTALS, load_part, run_task, save_part
from sim.errors import UserError
from sim.measures import ALL, MEASURES, measure
from sim.paired_effects import interval

distributed = pytest.importorskip("distributed")

UP = """
interventions:
  - name: up
    lever: dimension_shift
    places: Shanghai
    points: {economic_foundation: 20.0, social_welfare: 20.0}
"""
FILE = """
title: A policy over seeds and landscapes
scenarios: [baseline, up.yaml]
seeds: {number: 4, first: 5}
landscapes: [3, 77]
agents: 30000
years: 6
"""
TABLES = ("cities", "years", "summary", "totals", "effects")


def write(folder: Path, text: str = FILE) -> Path:
    (folder / "up.yaml").write_text(UP)
    path = folder / "study.yaml"
    path.write_text(text)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all tables and runs."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("runs/scenario=*/part-*.parquet"))


def workers(pid: int) -> list[int]:
    """Return the worker processes of a client, by the system's table of processes."""
    psutil = pytest.importorskip("psutil")
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(pid).children()
        return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
    return []


def until(condition, process, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def command(*more: str) -> list[str]:
    return ["ensemble", "study.yaml", "--out", "out", *more]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed ensemble of two workers."""
    folder = tmp_path_factory.mktemp("whole")
    write(folder)
    process = Program(folder).start(*command("--workers", "2"), real=True)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return folder / "out", out, err


# The file


def test_plan_crosses_everything_in_order(work):
    np.savez("p.npz", paths=["preference.beta"], draws=np.array([[0.3], [0.4], [0.5], [0.6]]))
    file = write(work, FILE + "posterior: {file: p.npz, draws: 2}\n")
    plan = load_plan(file)
    assert plan.shape == (2, 2, 4)
    assert [(t.name, t.posterior, t.landscape, t.seed) for t in plan.tasks] == [
        (name, theta, draw, seed)
        for name in ("baseline", "up")
        for theta in (0, 2)
        for draw in (3, 77)
        for seed in (5, 6, 7, 8)
    ]
    assert len(set(plan.keys)) == len(plan.tasks) == 32
    task = plan.tasks[-1]
    assert task.scenario.parameters.preference.beta == 0.5
    assert task.scenario.landscape.draw == 77
    assert (task.scenario.population.agents, task.scenario.horizon.years) == (30_000, 6)
    assert plan.keys == load_plan(file).keys
    grown = load_plan(file, [("--seeds", "seeds.number", 9)])
    assert set(plan.keys) < set(grown.keys)


def test_short_forms(work):
    file = write(work, "scenarios: baseline\nseeds: 3\nlandscapes: 4\nmeasures: [rank, stock]\n")
    plan = load_plan(file)
    assert [t.seed for t in plan.tasks[:3]] == [1, 2, 3]
    assert [t.landscape for t in plan.tasks[::3]] == [0, 60, 120, 180]
    assert plan.ensemble.measures == ("stock", "rank")
    assert (
        len(load_plan(write(work, "scenarios: baseline\nseeds: 1\nlandscapes: ensemble")).tasks)
        == 240
    )
    own = load_plan(write(work, "scenarios: baseline\nseeds: 1"))
    assert (own.tasks[0].landscape, own.tasks[0].scenario.landscape) == (-1, "centre")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "scenarios: [baseline]\nseds: 3",
            "study.yaml:2: seds: unknown key; did you mean 'seeds'?",
        ),
        ("scenarios: [basline]", "scenarios[0]: no scenario 'basline'; did you mean 'baseline'?"),
        ("scenarios: [baseline, none.yaml]", "none.yaml: no such file"),
        ("scenarios: [baseline]\nseeds: -2", "study.yaml:2: seeds: must be at least 1, not -2"),
        ("scenarios: [baseline]\nseeds: {number: 2, first: -1}", "seeds.first: must be"),
        ("scenarios: [baseline]\nseeds: many", "study.yaml:2: seeds: must be"),
        ("seeds: 3", "study.yaml:1: lacks the key 'scenarios'"),
        ("scenarios: []", "scenarios: must have at least 1 entry"),
        ("scenarios: [baseline]\nlandscapes: centre", "or 'ensemble' for all, not 'centre'"),
        ("scenarios: [baseline]\nlandscapes: [1, 240]", "the draws are 0 to 239"),
        ("scenarios: [baseline]\nlandscapes: [1, 1]", "names a draw twice"),
        ("scenarios: [baseline]\nlandscapes: 241", "has 240 draws"),
        ("scenarios: [baseline]\nmeasures: [stok]", "no measure 'stok'; did you mean 'stock'?"),
        ("scenarios: [baseline]\nagents: 1.5", "agents: must be a whole number"),
        ("scenarios: [baseline]\nposterior: {file: no.npz}", "no.npz: cannot be read"),
        ("scenarios: [baseline]\nseeds: 200000\nlandscapes: 2", "400,000 runs"),
        ("- a", "must be a mapping"),
    ],
)
def test_faults_of_the_file_are_one_line(work, text, expected):
    write(work, text)
    found = CliRunner().invoke(app, command())
    assert found.exit_code == 2
    assert expected in found.output
    assert len(found.output.strip().splitlines()) == 1
    assert not (work / "out").exists()


def test_an_option_does_not_cover_a_fault_of_the_file(work):
    write(work, "scenarios: [baseline]\nagents: -1")
    found = CliRunner().invoke(app, command("--agents", "100"))
    assert found.exit_code == 2
    assert "study.yaml:2: agents: must be between 0 and" in found.output


def test_scenarios_that_do_not_fit_are_refused(work):
    (work / "long.yaml").write_text("horizon: {years: 3}")
    (work / "wide.yaml").write_text("landscape: ensemble")
    assert "covers other years" in fault(load_plan, write(work, "scenarios: [baseline, long.yaml]"))
    assert "by 'landscapes: ensemble'" in fault(load_plan, write(work, "scenarios: wide.yaml"))
    load_plan(write(work, "scenarios: [baseline, long.yaml, wide.yaml]\nyears: 3\nlandscapes: 2"))


def test_options(work, monkeypatch):
    write(work)
    cluster = CliRunner().invoke(app, command("--workers", "2", "--cluster", "tcp://x:1"))
    assert (cluster.exit_code, "exclude each other" in cluster.output) == (2, True)
    wrong = CliRunner().invoke(app, command("--measure", "stok"))
    assert (wrong.exit_code, "did you mean 'stock'?" in wrong.output) == (2, True)
    file = CliRunner().invoke(app, command("--scheduler-file", "none.json"))
    assert (file.exit_code, "'dask scheduler --scheduler-file'" in file.output) == (2, True)
    address = CliRunner().invoke(app, command("--cluster", "somewhere"))
    assert (address.exit_code, "write it as tcp://HOST" in address.output) == (2, True)
    secure = CliRunner().invoke(app, command("--cluster", "tls://127.0.0.1:8786"))
    assert (secure.exit_code, "needs certificates" in secure.output) == (2, True)
    monkeypatch.setitem(sys.modules, "distributed", None)
    missing = CliRunner().invoke(app, command())
    assert missing.exit_code == 2
    assert missing.output.strip().endswith("pip install 'talentflow[distributed]'")


def test_an_ensemble_of_nobody_prints_that_nothing_is_known(work):
    write(work, "scenarios: [baseline, up.yaml]\nagents: 0\nyears: 1\nmeasures: stickiness")
    found = CliRunner().invoke(app, command("--seeds", "1", "--workers", "1"))
    assert found.exit_code == 0, found.output
    assert "baseline (all)" in found.output
    assert "none in any city" in found.output
    assert "nan" not in found.output


# Statistics


def test_crossed_without_draws_is_the_interval_of_the_seeds():
    values = np.random.default_rng(0).normal(3.0, 2.0, (12, 5))
    found, known = crossed(values[None, None]), interval(values)
    for name in ("mean", "low", "high", "luck", "landscape", "parameters", "p"):
        assert getattr(found, name) == pytest.approx(getattr(known, name))


def test_crossed_finds_the_parts_of_the_variance():
    rng = np.random.default_rng(1)
    n, shape = 2000, (6, 8, 10)
    theta = rng.normal(0, 3.0, (6, 1, 1, n))
    draw = rng.normal(0, 2.0, (1, 8, 1, n))
    luck = rng.normal(0, 1.5, (1, 1, 10, n))
    found = crossed(5.0 + theta + draw + luck + rng.normal(0, 1.0, (*shape, n)))
    assert (found.parameters**2).mean() == pytest.approx(9.0, rel=0.1)
    assert (found.landscape**2).mean() == pytest.approx(4.0, rel=0.1)
    # the seeds are the same in all cells, so averaging over cells does not take their luck away
    assert (found.luck**2).mean() == pytest.approx(1.5**2 / 10 + 1.0 / 480, rel=0.1)
    truth = 5.0 + rng.normal(0, 3.0, n) + rng.normal(0, 2.0, n)  # another unknown world
    assert ((found.low <= truth) & (truth <= found.high)).mean() == pytest.approx(0.96, abs=0.02)


def test_crossed_edges():
    assert np.isnan(crossed(np.ones((1, 1, 1, 2))).low).all()
    same = crossed(np.full((1, 1, 3, 2), 4.0), grain=np.array([1.0, 0.0]))
    assert same.low[0] < 4.0 < same.high[0]  # runs that agree to the agent are not certain
    assert same.low[1] == same.high[1] == 4.0
    holes = crossed(np.full((2, 1, 3, 1), np.nan))
    assert np.isnan([holes.mean, holes.low, holes.p]).all()


# One run


def test_part_is_read_back_or_refused(work):
    plan = load_plan(write(work, "scenarios: baseline\nseeds: 1\nagents: 500\nyears: 2"))
    task, key = plan.tasks[0], plan.keys[0]
    summary = run_task(task.scenario)
    path = work / "part.parquet"
    save_part(path, task, key, summary)
    once = path.read_bytes()
    save_part(path, task, key, summary)
    assert path.read_bytes() == once
    found = load_part(path, task, key)
    assert np.array_equal(found.measures, summary.measures, equal_nan=True)
    assert np.array_equal(found.totals, summary.totals)
    assert found.persons == summary.persons
    assert load_part(path, task, "0" * 32) is None
    assert load_part(work / "no", task, key) is None
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(once), 20):
        path.write_bytes(once[:cut])
        assert load_part(path, task, key) is None
    for at in rng.integers(0, len(once), 200):  # a flipped bit is noticed, or changes nothing
        broken = bytearray(once)
        broken[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        found = load_part(path, task, key)
        if found is not None:
            assert np.array_equal(found.measures, summary.measures, equal_nan=True)
            assert np.array_equal(found.totals, summary.totals)


def test_another_version_on_a_worker_is_refused(work):
    task = load_plan(write(work, "scenarios: baseline\nagents: 10")).tasks[0]
    with pytest.raises(UserError, match="install the same version"):
        run_task(task.scenario, 1, "0.0.0")


# The whole


def test_numbers_are_those_of_single_runs(whole, program):
    folder, *_ = whole
    found = sim.read_ensemble(folder)
    out = program.folder / "one"
    scenario = folder / "scenarios" / "up.yaml"
    process = program.start(
        *("run", str(scenario), "--seed", "6", "--set", "landscape={draw: 77}"),
        *("--out", str(out), "--no-plots"),
        real=True,
    )
    process.communicate(timeout=120)
    assert process.returncode == 0
    one = sim.read_run(out)
    rows = found.cities.query("scenario == 'up' and seed == 6 and landscape == 77")
    assert np.array_equal(
        rows[list(MEASURES)].to_numpy(), measure(one.tables, load_cities()), equal_nan=True
    )
    rows = found.years.query("scenario == 'up' and seed == 6 and landscape == 77")
    yearly = one.cities.groupby("year")[list(TOTALS)].sum()
    assert rows["year"].tolist() == yearly.index.tolist()
    assert (rows[list(TOTALS)].to_numpy() == yearly.to_numpy()).all()


def test_tables(whole):
    folder, out, _ = whole
    found = sim.read_ensemble(folder)
    assert list(found.scenarios) == ["baseline", "up"]
    keys = ["scenario", "posterior", "landscape", "seed"]
    assert found.cities[keys].drop_duplicates().equals(found.cities[keys].iloc[::121])
    assert len(found.cities) == 16 * 121
    runs = found.cities.query("scenario == 'up' and city == 'Shanghai'")["stock"].to_numpy()
    row = found.of("stock", "up").loc["Shanghai"]
    assert row["mean"] == pytest.approx(runs.mean())
    assert (row["sd"], row["runs"]) == (pytest.approx(runs.std(ddof=1)), 8)
    assert (row["q05"], row["median"]) == (
        pytest.approx(np.quantile(runs, 0.05)),
        pytest.approx(np.median(runs)),
    )
    base = found.cities.query("scenario == 'baseline' and city == 'Shanghai'")["stock"].to_numpy()
    effect = found.effect("stock").loc["Shanghai"]
    assert effect["effect"] == pytest.approx((runs - base).mean())
    expected = crossed((runs - base).reshape(1, 2, 4))
    assert effect["low"] == pytest.approx(float(expected.low))
    assert effect["effect"] == found.effect("stock").drop(index=ALL)["effect"].max()
    totals = found.totals.query("scenario == 'up' and measure == 'stock'")
    world = found.years.query("scenario == 'up'").groupby("year")["stock"].mean()
    assert totals["mean"].tolist() == pytest.approx(world.tolist())
    assert "Shanghai" in out
    assert "16 runs" in out
    with pytest.raises(UserError, match="did you mean 'stock'"):
        found.of("stok")


def test_runs_are_one_partitioned_data_set(whole):
    folder, *_ = whole
    assert len(parts(folder)) == 16
    data = pd.read_parquet(folder / "runs", filters=[("city", "==", "Beijing"), ("year", "==", 0)])
    wide = data.query("measure == 'stock'").set_index(["scenario", "landscape", "seed"])["value"]
    cities = sim.read_ensemble(folder).cities.query("city == 'Beijing'")
    known = cities.set_index(["scenario", "landscape", "seed"])["stock"]
    assert dict(wide) == dict(known)


def test_a_worker_killed_in_mid_run_is_survived(whole, program):
    write(program.folder)
    process = program.start(*command("--workers", "2"), real=True)
    out = program.folder / "out"
    until(lambda: len(parts(out)) >= 2 and len(workers(process.pid)) == 2, process)
    victim = workers(process.pid)[0]
    os.kill(victim, signal.SIGKILL)
    assert len(parts(out)) < 16
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert err == ""
    assert contents(out) == contents(whole[0])


def test_a_client_killed_in_mid_run_is_resumed_to_the_same_bytes(whole, program):
    write(program.folder)
    out = program.folder / "out"
    process = program.start(*command("--workers", "2"), real=True)
    until(lambda: len(parts(out)) >= 3 and len(workers(process.pid)) == 2, process)
    orphans = workers(process.pid)
    process.kill()
    process.communicate(timeout=60)
    finished = {path: path.stat().st_mtime_ns for path in parts(out)}
    assert 3 <= len(finished) < 16
    refused = program.run(*command())
    assert refused.returncode == 2
    assert "finish it with --resume" in refused.stderr
    assert "is not finished" in fault(sim.read_ensemble, out)
    damaged = next(iter(finished))
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (damaged.parent / ".part-x.parquet.draft").write_bytes(b"cut off")
    process = program.start(*command("--workers", "1", "--resume", "--json"), real=True)
    text, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert f"resuming with {len(finished) - 1} of 16 runs" in err
    assert json.loads(text)["simulated"] == 16 - len(finished) + 1
    kept = {path: path.stat().st_mtime_ns for path in finished if path != damaged}
    assert kept.items() <= finished.items()  # what was finished was not run again
    assert contents(out) == contents(whole[0])
    assert not [path for path in out.rglob(".*")]
    assert not any(running(pid) for pid in orphans)


def test_sigterm_keeps_what_is_finished(program):
    write(program.folder)
    out = program.folder / "out"
    process = program.start(*command("--workers", "2"), real=True)
    until(lambda: len(parts(out)) >= 1, process)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.strip().endswith("of 16 runs finished; go on with the same command and --resume")
    assert len(parts(out)) >= 1
    assert not out.with_name(".out.partial").exists()


@contextlib.contextmanager
def cluster_here(**options):
    """Give a cluster in this process, so that what workers run can be replaced."""
    import logging

    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
        protocol="tcp",
        host="127.0.0.1",
        **options,
    ) as cluster:
        yield cluster


def test_cluster_by_address_and_file_growth_and_repetition(work, monkeypatch):
    monkeypatch.setattr("sim.ensemble_cluster.CONNECT", "1s")
    write(work, "scenarios: [baseline]\nseeds: 2\nagents: 400\nyears: 2\n")
    runner = CliRunner()
    with cluster_here() as cluster:
        found = runner.invoke(app, command("--cluster", cluster.scheduler_address))
        assert found.exit_code == 0, found.output
        first = contents(work / "out")
        Path("s.json").write_text(json.dumps({"address": cluster.scheduler_address}))
        again = runner.invoke(app, command("--scheduler-file", "s.json"))
        assert (again.exit_code, "exists already" in again.output) == (2, True)
        again = runner.invoke(app, command("--scheduler-file", "s.json", "--resume"))
        assert (again.exit_code, "nothing is left to resume" in again.output) == (0, True)
        assert contents(work / "out") == first
        (work / "out" / "cities.parquet").unlink()  # the tables are made again from the runs
        again = runner.invoke(app, command("--scheduler-file", "s.json", "--resume"))
        assert "resuming with 2 of 2 runs" in again.output
        assert contents(work / "out") == first
        grown = runner.invoke(
            app, command("--scheduler-file", "s.json", "--resume", "--seeds", "3", "--json")
        )
        assert grown.exit_code == 0, grown.output
        assert "resuming with 2 of 3 runs" in grown.output
        runs = {name: data for name, data in first.items() if name.startswith("runs/")}
        assert runs.items() <= contents(work / "out").items()
        other = runner.invoke(app, command("--resume", "--agents", "401"))
        assert (other.exit_code, "is of another ensemble" in other.output) == (2, True)
        fewer = runner.invoke(
            app, command("--scheduler-file", "s.json", "--overwrite", "--seeds", "2")
        )
        assert fewer.exit_code == 0, fewer.output
        assert contents(work / "out") == first
    assert sim.read_ensemble("out").effects is None
    lost = runner.invoke(app, command("--cluster", "tcp://127.0.0.1:9", "--overwrite"))
    assert lost.exit_code == 2
    assert "no Dask scheduler answers there" in lost.output


def test_what_is_no_ensemble_is_left_alone(work):
    write(work)
    (work / "out").mkdir()
    (work / "out" / "mine.txt").write_text("mine")
    for flag in ("--overwrite", "--resume"):
        found = CliRunner().invoke(app, command(flag))
        assert (found.exit_code, "is no" in found.output) == (2, True)
    assert [path.name for path in (work / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("boom"), 1, "the run of baseline, seed 2 failed: RuntimeError: boom"),
        (UserError("too many agents"), 2, "the run of baseline, seed 2: too many agents"),
        (ModuleNotFoundError("x", name="sim"), 2, "cannot import 'sim'; install talentflow"),
    ],
)
def test_a_run_that_fails_stops_with_one_line(work, monkeypatch, error, code, words):
    write(work, "scenarios: [baseline]\nseeds: 2\nagents: 400\nyears: 2\n")

    def fail(scenario, threads, expected):
        if scenario.seed == 2:
            time.sleep(0.5)
            raise error
        return run_task(scenario)

    monkeypatch.setattr("sim.ensemble_cluster.run_task", fail)
    with cluster_here() as cluster:
        found = CliRunner().invoke(app, command("--cluster", cluster.scheduler_address))
    assert found.exit_code == code
    assert words in found.output
    assert len(found.output.strip().splitlines()) == 1
    assert len(parts(work / "out")) == 1
    assert not sim_finished(work / "out")


def test_a_run_that_kills_its_workers_stops_with_one_line(work, monkeypatch):
    import dask

    write(work, "scenarios: [baseline]\nseeds: 1\nagents: 400\nyears: 2\n")

    def fatal(scenario, threads, expected):
        os._exit(1)

    monkeypatch.setattr("sim.ensemble_cluster.run_task", fatal)
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        found = CliRunner().invoke(app, command("--workers", "1"))
    assert found.exit_code == 2
    assert "has brought several workers down" in found.output
    assert len(found.output.strip().splitlines()) == 1
    assert not (work / "out").exists()  # nothing was finished


def sim_finished(folder: Path) -> bool:
    return json.loads((folder / "manifest.json").read_text())["finished"]


def test_damaged_results_are_refused(whole, work):
    folder, *_ = whole
    copy = work / "copy"
    subprocess.run(["cp", "-r", str(folder), str(copy)], check=True)
    (copy / "effects.parquet").write_bytes(b"PAR1")
    assert "effects.parquet: is truncated" in fault(sim.read_ensemble, copy)
    (copy / "manifest.json").write_text('{"format": "talentflow ensemble", "format_version": 1}')
    assert "is not finished" in fault(sim.read_ensemble, copy)
    (copy / "manifest.json").write_text("{}")
    assert "is no talentflow ensemble" in fault(sim.read_ensemble, copy)
    assert "did you mean 'copy'" in fault(sim.read_ensemble, work / "cop")


def test_full_disk_keeps_what_is_finished(work, monkeypatch):
    write(work, "scenarios: [baseline]\nseeds: 3\nagents: 400\nyears: 2\n")
    number = iter(range(3))

    def limited(*arguments):
        if next(number) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        save_part(*arguments)

    monkeypatch.setattr("sim.ensemble_folder.save_part", limited)
    with cluster_here() as cluster:
        found = CliRunner().invoke(app, command("--cluster", cluster.scheduler_address))
        assert found.exit_code == 2
        assert "out: cannot be written (No space left on device); free some" in found.output
        assert len(parts(work / "out")) == 2
        monkeypatch.undo()
        monkeypatch.chdir(work)
        found = CliRunner().invoke(app, command("--cluster", cluster.scheduler_address, "--resume"))
    assert "resuming with 2 of 3 runs" in found.output
    assert sim_finished(work / "out")


@pytest.mark.long
def test_random_kills_lose_nothing_that_is_finished(whole, program):
    """Kill clients and workers at random moments until fifty kills have struck."""
    rng = np.random.default_rng(2026)
    out = program.folder / "out"
    write(program.folder)
    kills = 0
    while kills < 50:
        before = {path: path.read_bytes() for path in parts(out)} if out.exists() else {}
        more = ["--resume"] if out.exists() else []
        process = program.start(*command("--workers", "2", *more), real=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.0, 12.0))
        if process.poll() is None:
            kills += 1
            how = rng.choice(["kill", "terminate", "worker"])
            if how == "worker" and (victims := workers(process.pid)):
                os.kill(int(rng.choice(victims)), signal.SIGKILL)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2.0)
            process.kill() if how == "kill" else process.terminate()
        _, err = process.communicate(timeout=60)
        assert process.returncode in (0, 130, -signal.SIGKILL, -signal.SIGTERM), err
        assert "Traceback" not in err
        now = {path: path.read_bytes() for path in parts(out)}
        assert before.items() <= now.items()  # nothing finished is lost or written anew
        known = contents(whole[0])
        assert all(known[str(path.relative_to(out))] == data for path, data in now.items())
        if process.returncode == 0:
            assert contents(out) == known
            subprocess.run(["rm", "-r", str(out)], check=True)
    process = program.start(*command("--workers", "2", "--resume"), real=True)
    assert process.wait(120) == 0
    assert contents(out) == contents(whole[0])
