import json
import resource
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sim import cli, plugins
from sim.errors import UserError
from sim.results import read_run

QUICK = ("--agents", "100", "--years", "3")


def invoke(*arguments: str):
    """Run the program in this process."""
    return CliRunner().invoke(cli.app, list(arguments))


def wait_for(path: Path, seconds: float = 30) -> str:
    """Wait until a file has text."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and path.read_text(encoding="utf-8"):
            return path.read_text(encoding="utf-8")
        time.sleep(0.02)
    raise AssertionError(f"{path.name} did not appear")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Help and names


def test_help_of_the_program_and_every_command_is_complete():
    text = invoke("--help").output
    for command in ("run", "scenarios", "check", "schema"):
        assert command in text
        page = invoke(command, "--help")
        assert page.exit_code == 0
    page = " ".join(invoke("run", "--help").output.split())
    options = "out seed agents years threads set overwrite resume no-plots json"
    for option in options.split():
        assert f"--{option} " in page
    group = typer.main.get_command(cli.app)
    for command in group.commands.values():
        for parameter in command.params:
            assert parameter.help, (command.name, parameter.name)


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['talentflow', '--help']\n"
        "import sim.cli\n"
        "try: sim.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'numba', 'mesa', 'matplotlib', 'pyarrow', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stderr.strip().splitlines()[-1] == "[]"


def test_python_m_sim_is_the_program(program):
    child = program.run("--version", real=True)
    assert child.returncode == 0
    assert child.stdout == f"talentflow {metadata.version('talentflow')}\n"
    assert child.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rum"], "Did you mean 'run'"),
        (["run", "--yeers", "3"], "--years"),
        (["run", "--agents", "many"], "--agents"),
        (["run", "--threads", "0"], "--threads"),
        (["run", "a", "b"], "b"),
    ],
)
def test_misspelt_commands_and_options(arguments, words):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "basline"], "no scenario 'basline'; did you mean 'baseline'?"),
        (["check", "basline"], "no scenario 'basline'; did you mean 'baseline'?"),
        (["run", "--agents", "-5"], "--agents: population.agents: must be between 0 and 50000000"),
        (["run", "--seed", "-5"], "--seed: seed: must be at least 0"),
        (["run", "--years", "500"], "--years: horizon.years: must be between 1 and 200 (years)"),
        (
            ["run", "--set", "preference.bta=1"],
            "--set preference.bta: parameters.preference.bta: unknown key; did you mean 'beta'?",
        ),
        (["run", "--set", "preference.beta"], "--set 'preference.beta': write it as NAME=VALUE"),
        (["run", "--set", "preference.beta=[1"], "--set preference.beta: is not valid YAML"),
        (["run", "--set", "preference.beta="], "must be a number, not nothing"),
        (["run", "--set", "seed=.inf"], "--set seed: seed: is not a finite number"),
        (["run", "missing.yaml"], "missing.yaml: no such file; check the path"),
    ],
)
def test_the_users_mistakes_give_one_line_and_exit_code_2(fake, work, arguments, line):
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert line in result.stderr
    assert result.stderr.startswith("talentflow: ")
    assert result.stderr.count("\n") == 1
    assert names(work) == []


# Running


def test_run_prints_the_account_and_where_it_is(fake, work):
    result = invoke("run", *QUICK, "--out", "out")
    assert result.exit_code == 0
    run = read_run("out")
    net = run.cities.groupby("city", observed=True)[["arrivals", "departures"]].sum()
    gain = int((net["arrivals"] - net["departures"])["New York"])
    assert f"New York         {gain:>+11,}" in result.stdout
    rates = 100 * run.ages["movers_domestic"][1:].to_numpy() / 50_000
    assert f"within countries {rates.mean():.2f} %" in result.stdout
    assert "published composite, Spearman: 1.00" in result.stdout
    assert "Compile " in result.stdout
    for name in ("flows.parquet", "manifest.json", "scenario.yaml"):
        assert str(Path("out", name)) in result.stdout
    assert result.stderr == ""


def test_json_is_one_document_and_nothing_else(fake, work):
    result = invoke("run", *QUICK, "--out", "out", "--json")
    document = json.loads(result.stdout)
    assert document["out"] == "out"
    assert document["agents"] == 100
    assert set(document["summary"]["mobility"]) == {"total", "domestic", "international"}
    assert document["summary"]["gains"][0]["city"] == "New York"
    assert sorted(document["files"]) == sorted(str(path) for path in Path("out").iterdir())
    assert {"compile", "simulate"} <= set(document["seconds"])


def test_default_folder_tells_the_options(fake, work):
    for arguments in ((), ("--seed", "7"), ("--set", "preference.beta=0.6", "--years", "2")):
        assert invoke("run", *QUICK[:2], *arguments).exit_code == 0
    first, second, third = sorted(names(work / "runs"), key=len)
    assert (first, second) == ("baseline-agents100", "baseline-seed7-agents100")
    assert third.startswith("baseline-agents100-years2-")
    assert read_run(Path("runs", third)).scenario.parameters.preference.beta == 0.6


def test_existing_folder_asks_for_overwrite(fake, work):
    assert invoke("run", *QUICK, "--out", "out").exit_code == 0
    refused = invoke("run", *QUICK, "--out", "out")
    assert refused.exit_code == 2
    assert "replace it with --overwrite" in refused.stderr
    assert invoke("run", *QUICK, "--out", "out", "--overwrite").exit_code == 0


def test_resuming_a_whole_run_shows_it(fake, work):
    first = invoke("run", *QUICK, "--out", "out")
    again = invoke("run", *QUICK, "--out", "out", "--resume")
    assert again.exit_code == 0
    assert again.stdout == first.stdout
    assert "is whole" in again.stderr
    other = invoke("run", *QUICK, "--seed", "2", "--out", "out", "--resume")
    assert other.exit_code == 2


def test_a_fault_of_ours_is_one_line_unless_debugging(fake, work, monkeypatch):
    monkeypatch.setenv("FAKE_FAIL", "2025")
    monkeypatch.setenv("FAKE_KIND", "bug")
    result = invoke("run", *QUICK, "--out", "out")
    assert result.exit_code == 1
    assert "an error of ours (RuntimeError: boom); please report it" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" in invoke("--debug", "run", *QUICK, "--out", "out").stderr
    monkeypatch.setenv("TALENTFLOW_DEBUG", "1")
    assert "Traceback" in invoke("run", *QUICK, "--out", "out").stderr
    assert names(work) == []


def test_world_without_people_is_told_without_numbers(fake, work, monkeypatch):
    import fake_engine

    tables = fake_engine.Simulation.tables

    def empty(self):
        found = tables(self)
        found["cities"][["stock", "arrivals", "departures"]] = 0
        found["cities"]["stickiness"] = float("nan")
        found["ages"] = found["ages"].iloc[:0]
        return found

    monkeypatch.setattr(fake_engine.Simulation, "tables", empty)
    result = invoke("run", *QUICK, "--out", "a")
    assert result.exit_code == 0, result.stderr
    assert "Spearman: -" in result.stdout
    summary = json.loads(invoke("run", *QUICK, "--out", "b", "--json").stdout)["summary"]
    assert summary["mobility"]["total"] is None
    assert summary["gains"] == summary["losses"] == []


# Interruptions and faults of the machine, in a process of their own


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_resumes_to_identical_tables(program, tmp_path, number):
    years = ("--agents", "100", "--years", "40", "--no-plots")
    assert program.run("run", *years, "--out", "straight").returncode == 0
    log = tmp_path / "log"
    child = program.start("run", *years, "--out", "out", FAKE_DELAY=0.1, FAKE_LOG=log)
    wait_for(log)
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert out == ""
    assert err.count("\n") == 1
    assert "go on with the same command and --resume" in err
    assert not (tmp_path / "out").exists()
    assert (tmp_path / ".out.partial" / "checkpoint.json").exists()
    resumed = program.run("run", *years, "--out", "out", "--resume")
    assert resumed.returncode == 0
    for table in ("flows", "cities", "ages"):
        pair = [(tmp_path / name / f"{table}.parquet").read_bytes() for name in ("straight", "out")]
        assert pair[0] == pair[1]
    assert ".out.partial" not in names(tmp_path)


def test_second_interrupt_stops_at_once(program, tmp_path):
    log = tmp_path / "log"
    child = program.start("run", *QUICK, "--out", "out", FAKE_LOG=log, FAKE_DELAY=1.0)
    wait_for(log)
    for _ in range(2):
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "nothing was written" in err
    assert names(tmp_path) == ["log"]


def test_killed_run_leaves_no_folder_and_the_next_one_clears_up(program, tmp_path):
    log = tmp_path / "log"
    child = program.start("run", *QUICK, "--out", "out", FAKE_LOG=log, FAKE_DELAY=0.5)
    wait_for(log)
    child.kill()
    child.communicate(timeout=30)
    assert "out" not in names(tmp_path)
    assert program.run("run", *QUICK, "--out", "out", "--no-plots").returncode == 0
    assert names(tmp_path) == ["log", "out"]


def test_full_disk_is_one_line_and_leaves_nothing(program, tmp_path):
    """A limit on the size of files stands for the disk that is full."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limit[1]))
    try:
        child = program.start("run", *QUICK, "--out", "out", "--no-plots")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "out: cannot be written (File too large)" in err
    assert names(tmp_path) == []


def test_folder_that_cannot_be_made(program):
    child = program.run("run", *QUICK, "--out", "/proc/talentflow/out")
    assert child.returncode == 2
    assert "/proc/talentflow/out: cannot be written" in child.stderr
    assert child.stderr.count("\n") == 1


# The real engine


def test_one_command_from_nothing_to_pictures(program, tmp_path):
    child = program.run("run", "--agents", "3000", "--years", "2", "--out", "out", real=True)
    assert child.returncode == 0, child.stderr
    assert child.stderr == ""
    assert "ten largest gains" in child.stdout
    run = read_run(tmp_path / "out")
    balance = run.cities.pivot(index="year", columns="city", values="stock").diff().iloc[1:]
    change = run.cities.assign(
        change=run.cities.eval("arrivals - departures + entries - exits")
    ).pivot(index="year", columns="city", values="change")
    assert (balance == change.iloc[1:]).all(axis=None)
    assert run.manifest["seconds"]["compile"] >= 0
    pictures = names(tmp_path / "out" / "plots")
    assert pictures
    for name in pictures:
        assert str(Path("out", "plots", name)) in child.stdout


def test_json_of_the_real_engine_is_pure_and_repeats(program, tmp_path):
    arguments = ("run", "--agents", "2000", "--years", "2", "--no-plots", "--json", "--out")
    first, second = (program.run(*arguments, name, real=True) for name in ("a", "b"))
    summaries = [json.loads(child.stdout)["summary"] for child in (first, second)]
    assert summaries[0] == summaries[1]
    for table in ("flows", "cities", "ages"):
        pair = [(tmp_path / name / f"{table}.parquet").read_bytes() for name in ("a", "b")]
        assert pair[0] == pair[1]


def test_interrupt_of_the_real_engine_and_resume(program, tmp_path):
    arguments = ("run", "--agents", "80000", "--years", "200", "--no-plots", "--out")
    child = program.start(*arguments, "out", real=True)
    held = tmp_path / ".out.partial"
    while child.poll() is None and not held.exists():
        time.sleep(0.05)
    time.sleep(1.0)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    resumed = program.run(*arguments, "out", "--resume", real=True)
    assert resumed.returncode == 0, resumed.stderr
    straight = program.run(*arguments, "straight", real=True)
    assert straight.returncode == 0
    for table in ("flows", "cities", "ages"):
        pair = [(tmp_path / name / f"{table}.parquet").read_bytes() for name in ("out", "straight")]
        assert pair[0] == pair[1]


# Scenarios


def test_scenarios_lists_name_and_title():
    lines = invoke("scenarios").stdout.splitlines()
    assert any(line.startswith("baseline  ") and len(line) > 20 for line in lines)
    listed = json.loads(invoke("scenarios", "--json").stdout)
    assert {"name", "title", "description", "citation"} <= set(listed[0])


def test_check_prints_what_loads_back(work):
    Path("mine.yaml").write_text("parameters: {preference: {beta: 0.6}}\n", encoding="utf-8")
    result = invoke("check", "mine.yaml")
    assert result.exit_code == 0
    assert result.stderr == "mine.yaml: no faults found\n"
    Path("resolved.yaml").write_text(result.stdout, encoding="utf-8")
    assert invoke("check", "resolved.yaml").stdout == result.stdout
    document = json.loads(invoke("check", "mine.yaml", "--json").stdout)
    assert document["scenario"]["parameters"]["preference"]["beta"] == 0.6


def test_schema_is_json():
    schema = json.loads(invoke("schema").stdout)
    assert schema["title"] == "talentflow scenario"


# Plug-ins


class Entry:
    def __init__(self, name, load):
        self.name, self.load = name, load


def test_plugins_add_commands_and_a_broken_one_is_only_told(monkeypatch):
    def register(app):
        @app.command()
        def hello() -> None:
            """Say hello."""
            raise UserError("hello: is no use; say something else")

    def broken():
        raise ImportError("No module named 'heavy'\nsecond line")

    entries = [Entry("first", broken), Entry("second", lambda: register)]
    monkeypatch.delenv("TALENTFLOW_DEBUG", raising=False)
    monkeypatch.setattr(plugins.metadata, "entry_points", lambda group: entries)
    app = typer.Typer(cls=cli.Program)
    app.callback()(lambda: None)
    warnings = plugins.add_commands(app)
    assert warnings == ["the commands of 'first' are missing: No module named 'heavy' second line"]
    result = CliRunner().invoke(app, ["hello"])
    assert result.exit_code == 2
    assert result.stderr == "talentflow: hello: is no use; say something else\n"


def test_failing_pictures_do_not_lose_the_run(work, monkeypatch):
    import fake_engine

    def broken(folder):
        raise ValueError("no fonts")

    def draw(folder):
        (folder / "plots").mkdir()
        (folder / "plots" / "map.png").write_bytes(b"picture")
        return [folder / "plots" / "map.png"]

    entries = [Entry("one", lambda: broken), Entry("two", lambda: draw)]
    monkeypatch.setitem(sys.modules, "sim.simulation", fake_engine)
    monkeypatch.setattr("sim.runner.metadata.entry_points", lambda group: entries)
    result = invoke("run", *QUICK, "--out", "out")
    assert result.exit_code == 0
    assert "no pictures by 'one': no fonts" in result.stderr
    assert str(Path("out/plots/map.png")) in result.stdout
    assert Path("out/plots/map.png").read_bytes() == b"picture"
