import json
import os
import shutil
import socket
from pathlib import Path

import fake_engine
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import fault

from sim import run_folder
from sim.errors import UserError
from sim.results import COLUMNS, Run, read_run, write_tables
from sim.run_folder import RunFolder, check_target
from sim.runner import run_scenario
from sim.scenario import load_scenario

SMALL = {"population.agents": 100, "horizon.years": 3}


@pytest.fixture
def finished(fake, work) -> Path:
    """A run of the small engine in ``out``."""
    run_scenario(load_scenario("baseline", SMALL), Path("out"))
    return work / "out"


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_reads_back_equal(finished):
    engine = fake_engine.Simulation(load_scenario("baseline", SMALL))
    while not engine.finished:
        engine.step()
    run = read_run(finished)
    assert isinstance(run, Run)
    for name, table in engine.tables().items():
        pd.testing.assert_frame_equal(run.tables[name], table)
    assert run.scenario == load_scenario("baseline", SMALL)
    assert run.costs is None
    assert leftovers(finished.parent) == ["out"]


def test_a_run_is_frozen_and_shows_itself_safely(finished):
    run = read_run(finished)
    with pytest.raises(AttributeError):
        run.flows = None
    assert repr(run) == f"Run({str(finished)!r}, scenario='baseline')"
    hostile = load_scenario("baseline", SMALL | {"title": "<script>alert(1)</script>"})
    shown = Run(finished, hostile, run.manifest, run.flows, run.cities, run.ages)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_columns_carry_unit_and_kind(finished):
    for table, columns in COLUMNS.items():
        if table == "costs":  # only where money is spent
            continue
        schema = pq.read_schema(finished / f"{table}.parquet")
        assert schema.names[0] == "year"
        assert set(schema.names) == set(columns)
        for field in schema:
            unit, kind = columns[field.name]
            assert field.metadata[b"unit"].decode() == unit
            assert field.metadata[b"kind"].decode() == kind
            assert unit
            assert kind


def test_same_run_gives_identical_bytes(fake, work):
    scenario = load_scenario("baseline", SMALL)
    for name in ("a", "b"):
        run_scenario(scenario, Path(name))
    run_scenario(load_scenario("baseline", SMALL | {"seed": 2}), Path("c"))
    for table in ("flows", "cities", "ages"):
        a, b, c = (Path(name, f"{table}.parquet").read_bytes() for name in "abc")
        assert a == b
        assert a != c
    assert Path("a/scenario.yaml").read_bytes() == Path("b/scenario.yaml").read_bytes()


def test_manifest_says_how_to_make_the_run_again_and_nothing_of_the_machine(finished):
    text = (finished / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert manifest["seed"] == 1
    assert manifest["agents"] == 100
    assert manifest["persons_per_agent"] == 3
    assert manifest["years"] == 3
    assert manifest["scenario_sha256"] == load_scenario("baseline", SMALL).digest()
    assert set(manifest["tables"]) == {"flows.parquet", "cities.parquet", "ages.parquet"}
    assert manifest["tables"]["ages.parquet"]["rows"] == 4
    assert {"build", "compile", "simulate"} <= set(manifest["seconds"])
    assert manifest["software"]["packages"]["pyarrow"]
    for private in (str(finished.parent), str(Path.home()), socket.gethostname()):
        assert len(private) < 4 or private not in text


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b" ")


def replace_by_foreign(path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), path)


@pytest.mark.parametrize("harm", [truncate, edit, replace_by_foreign, os.unlink])
@pytest.mark.parametrize(
    "name", ["flows.parquet", "cities.parquet", "ages.parquet", "scenario.yaml"]
)
def test_damaged_file_is_named_with_the_mend(finished, name, harm):
    harm(finished / name)
    message = fault(read_run, finished)
    assert message is not None
    assert message.startswith(f"{finished / name}: is ")
    assert f"talentflow run baseline --out {finished} --overwrite" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated or edited"),
        (b'{"format": "talentflow run", ', "truncated or edited"),
        (b"\xff\xfe", "truncated or edited"),
        (b"[" * 100_000, "truncated or edited"),
        (b'{"name": "web app"}', "not the manifest of a talentflow run"),
        (b'{"format": "talentflow run", "format_version": 99}', "format version 99"),
        (b'{"format": "talentflow run", "format_version": 1}', "does not list its files"),
        (b"[]", "not the manifest"),
    ],
)
def test_damaged_manifest(finished, content, words):
    (finished / "manifest.json").write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_run(finished)


@pytest.mark.parametrize("table", ["../secret.parquet", "/etc/passwd", "x.parquet"])
def test_manifest_cannot_lead_out_of_the_folder(finished, table):
    path = finished / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["tables"][table] = {"sha256": "0" * 64}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UserError, match="does not list its files"):
        read_run(finished)


def test_foreign_table_with_a_matching_hash(finished):
    path = finished / "manifest.json"
    replace_by_foreign(finished / "ages.parquet")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["tables"]["ages.parquet"]["sha256"] = run_folder.sha256(finished / "ages.parquet")
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(UserError, match="lacks the column 'age'"):
        read_run(finished)


def test_folders_that_are_no_run(work):
    Path("empty").mkdir()
    Path("file").write_text("x", encoding="utf-8")
    for name in ("empty", "file"):
        with pytest.raises(UserError, match="is not a talentflow run"):
            read_run(name)
    with pytest.raises(UserError, match="no such folder; did you mean 'empty'"):
        read_run("emtpy")


# Where results may go


def test_existing_folder_needs_overwrite_before_anything_is_simulated(finished, monkeypatch):
    monkeypatch.setattr(
        fake_engine.Simulation, "__init__", lambda *a, **k: pytest.fail("simulated")
    )
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    with pytest.raises(UserError, match="exists already; replace it with --overwrite"):
        run_scenario(load_scenario("baseline", SMALL), Path("out"))
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_overwrite_replaces_a_run(finished):
    run_scenario(load_scenario("baseline", SMALL | {"seed": 5}), Path("out"), overwrite=True)
    assert read_run(finished).scenario.seed == 5
    assert leftovers(finished.parent) == ["out"]


def test_overwrite_never_touches_what_is_not_a_run(work):
    home = work / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years of work", encoding="utf-8")
    for manifest in (None, '{"name": "a web app"}', "{"):
        if manifest is not None:
            (home / "manifest.json").write_text(manifest, encoding="utf-8")
        with pytest.raises(UserError, match="is not a talentflow run, so --overwrite does not"):
            check_target(home, overwrite=True)
    assert (home / "thesis.tex").read_text(encoding="utf-8") == "years of work"


def test_overwrite_spares_a_run_that_holds_other_peoples_files(finished):
    (finished / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match=r"holds 'notes.txt'"):
        run_scenario(load_scenario("baseline", SMALL), Path("out"), overwrite=True)
    (finished / "notes.txt").unlink()
    check_target(finished, overwrite=True)


def test_empty_folder_may_be_overwritten(fake, work):
    Path("out").mkdir()
    with pytest.raises(UserError, match="exists already"):
        run_scenario(load_scenario("baseline", SMALL), Path("out"))
    run_scenario(load_scenario("baseline", SMALL), Path("out"), overwrite=True)
    assert read_run("out").scenario.population.agents == 100


def test_odd_targets(fake, work):
    Path("file").write_text("x", encoding="utf-8")
    for name, words in [
        (".", "no name for a new folder"),
        ("/", "no name for a new folder"),
        ("file", "is a file"),
        ("file/out", "cannot be written"),
        ("x" * 300, "shorter name"),
        ("a\0b", "no usable path"),
    ]:
        with pytest.raises(UserError, match=words):
            run_scenario(load_scenario("baseline", SMALL), Path(name), overwrite=True)
    assert leftovers(work) == ["file"]


def test_symbolic_link_is_followed(fake, work):
    Path("real").mkdir()
    Path("link").symlink_to("real")
    run_scenario(load_scenario("baseline", SMALL), Path("link"), overwrite=True)
    assert Path("link").is_symlink()
    assert read_run("real").scenario.name == "baseline"


# Whole or not at all


@pytest.mark.parametrize("failing", ["write_tables", "peak_memory"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("bug")])
def test_failure_while_writing_leaves_nothing(fake, work, monkeypatch, failing, error):
    def fail(*arguments, **more):
        raise error

    monkeypatch.setattr(f"sim.runner.{failing}", fail)
    with pytest.raises((UserError, RuntimeError), match=r"No space left.*free some space|bug"):
        run_scenario(load_scenario("baseline", SMALL), Path("out"))
    assert leftovers(work) == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_failing_overwrite_keeps_the_former_run(finished, monkeypatch, number):
    """Whichever of the steps of the exchange fails, the former run is there afterwards."""
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    calls = []

    def failing(original):
        def call(*arguments):
            calls.append(arguments)
            if len(calls) == number:
                raise OSError(5, "Input/output error")
            return original(*arguments)

        return call

    monkeypatch.setattr(run_folder.os, "rename", failing(os.rename))
    monkeypatch.setattr(run_folder, "sync", failing(run_folder.sync))
    with pytest.raises(UserError, match="Input/output error"):
        run_scenario(load_scenario("baseline", SMALL | {"seed": 5}), Path("out"), overwrite=True)
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before
    assert leftovers(finished.parent) == ["out"]


def test_failing_rename_brings_the_former_run_back(finished, monkeypatch):
    def fail(source, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(run_folder.os, "rename", fail)
    with pytest.raises(UserError, match="Input/output error"):
        run_scenario(load_scenario("baseline", SMALL | {"seed": 5}), Path("out"), overwrite=True)
    assert read_run(finished).scenario.seed == 1
    assert leftovers(finished.parent) == ["out"]


def test_former_run_is_restored_after_a_kill_in_the_exchange(finished):
    former = finished.with_name(".out.old-abcd")
    os.rename(finished, former)
    with pytest.raises(UserError, match="exists already"):
        run_scenario(load_scenario("baseline", SMALL), Path("out"))
    assert read_run(finished).scenario.seed == 1
    assert leftovers(finished.parent) == ["out"]


def test_remains_of_a_killed_run_are_cleared_up(fake, work):
    remains = work / ".out.partial-abcd"
    remains.mkdir()
    (remains / "flows.parquet").write_bytes(b"half")
    (work / ".out.partial").mkdir()
    run_scenario(load_scenario("baseline", SMALL), Path("out"))
    assert leftovers(work) == ["out"]


def test_two_processes_do_not_write_to_one_folder(work):
    first, second = RunFolder(Path("out")), RunFolder(Path("out"))
    first.claim()
    with pytest.raises(UserError, match="another talentflow process is writing there"):
        second.claim()
    first.release()
    second.claim()
    second.release()
    assert leftovers(work) == []


def test_folder_has_ordinary_rights(finished):
    mask = os.umask(0)
    os.umask(mask)
    assert finished.stat().st_mode & 0o777 == 0o755 & ~mask


# Checkpoints


def test_resumed_run_has_identical_tables(fake, work, monkeypatch):
    scenario = load_scenario("baseline", SMALL | {"horizon.years": 6})
    run_scenario(scenario, Path("straight"))
    monkeypatch.setenv("FAKE_FAIL", "2029")
    monkeypatch.setenv("FAKE_KIND", "bug")
    with pytest.raises(RuntimeError, match="boom"):
        run_scenario(scenario, Path("resumed"), checkpoint_seconds=0)
    assert leftovers(work) == [".resumed.partial", "straight"]
    monkeypatch.delenv("FAKE_FAIL")
    said = []
    outcome = run_scenario(scenario, Path("resumed"), resume=True, say=said.append)
    assert said == ["resuming after 2028"]
    assert outcome.manifest["resumed_from"] == 2028
    for table in ("flows", "cities", "ages"):
        name = f"{table}.parquet"
        assert Path("straight", name).read_bytes() == Path("resumed", name).read_bytes()
    assert leftovers(work) == ["resumed", "straight"]


@pytest.fixture
def interrupted(fake, work, monkeypatch):
    """A checkpoint after 2026 for the folder ``out``."""
    monkeypatch.setenv("FAKE_FAIL", "2027")
    monkeypatch.setenv("FAKE_KIND", "bug")
    with pytest.raises(RuntimeError):
        run_scenario(load_scenario("baseline", SMALL), Path("out"), checkpoint_seconds=0)
    monkeypatch.delenv("FAKE_FAIL")
    return work / ".out.partial"


def test_resume_with_another_scenario_is_refused(interrupted):
    with pytest.raises(UserError, match="checkpoint is of another scenario"):
        run_scenario(load_scenario("baseline", SMALL | {"seed": 2}), Path("out"), resume=True)
    assert (interrupted / "checkpoint-2026.npz").exists()


def test_resume_with_another_version_is_refused(interrupted, monkeypatch):
    monkeypatch.setattr("sim.runner.version", lambda: "99.0")
    with pytest.raises(UserError, match=r"of talentflow .*, this is 99.0"):
        run_scenario(load_scenario("baseline", SMALL), Path("out"), resume=True)


def test_damaged_checkpoint_is_not_resumed(interrupted):
    truncate(interrupted / "checkpoint-2026.npz")
    said = []
    run_scenario(load_scenario("baseline", SMALL), Path("out"), resume=True, say=said.append)
    assert said == ["there is no checkpoint to resume from; the run starts at the beginning"]
    assert leftovers(interrupted.parent) == ["out"]


def test_without_resume_a_checkpoint_is_dropped(interrupted):
    outcome = run_scenario(load_scenario("baseline", SMALL), Path("out"))
    assert outcome.manifest["resumed_from"] is None
    assert leftovers(interrupted.parent) == ["out"]


def test_only_the_last_checkpoint_is_kept(interrupted):
    assert leftovers(interrupted) == ["checkpoint-2026.npz", "checkpoint.json"]


def test_failing_checkpoint_is_told_and_the_run_goes_on(fake, work, monkeypatch):
    def fail(self, path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fake_engine.Simulation, "save", fail)
    said = []
    run_scenario(
        load_scenario("baseline", SMALL), Path("out"), checkpoint_seconds=0, say=said.append
    )
    assert "no checkpoint after 2025" in said[0]
    assert "free some space" in said[0]
    assert read_run("out").scenario.name == "baseline"


def test_too_little_memory_is_the_users_matter(fake, work, monkeypatch):
    monkeypatch.setenv("FAKE_FAIL", "2026")
    monkeypatch.setenv("FAKE_KIND", "memory")
    with pytest.raises(UserError, match=r"100 agents do not fit into the memory.*--agents"):
        run_scenario(load_scenario("baseline", SMALL), Path("out"))
    assert leftovers(work) == []


def test_tables_may_have_costs(work):
    scenario = load_scenario("baseline", SMALL)
    tables = fake_engine.Simulation(scenario).tables()
    row = {"year": 2025, "intervention": "a", "city": "Paris", "currency": "EUR"}
    tables["costs"] = pd.DataFrame([row | {"grants": 1, "persons": 20, "spent": 150}])
    Path("out").mkdir()
    write_tables(Path("out"), tables, scenario, {})
    run = read_run("out")
    assert run.costs is not None
    assert run.costs["spent"].tolist() == [150]
    assert set(run.tables) == {"flows", "cities", "ages", "costs"}
    shutil.rmtree("out")
