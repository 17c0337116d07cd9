"""What goes wrong outside the program: kills, full and read-only disks, damaged caches and files.

Full and read-only disks are small file systems in memory, where the system lets a test mount one;
elsewhere those tests are skipped, and limits and errors that are raised by hand stand for them in
the tests of each command.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import fuzzing
import killing
import numba
import pytest
from conftest import Program, fault
from typer.testing import CliRunner

import sim
from sim.cli import app
from sim.comparison_folder import read_comparison
from sim.kernel_cache import CheckedFile, KernelCache
from sim.run_folder import RunFolder, whole_file, write_error
from sim.scenario import load_scenario

STUDY = "scenarios: [baseline, up.yaml]\nseeds: 2\nagents: 2000\nyears: 2\n"
COMMANDS = {
    "run": "run baseline --agents 2000 --years 2 --no-plots --out {}/out",
    "compare": "compare baseline up.yaml --seeds 2 --agents 2000 --years 1 --no-plots --out {}/out",
    "calibrate": "calibrate --starts 1 --per-city 8 --out {}/out",
    "ensemble": "ensemble study.yaml --workers 1 --out {}/out",
}
BLOCK = 4096


@pytest.fixture
def disk(tmp_path):
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "talentflow-test", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def leave(disk: Path, blocks: int) -> Path:
    """Fill a disk up to a number of blocks."""
    fill = disk / "fill"
    fill.write_bytes(bytes(os.statvfs(disk).f_bfree * BLOCK - blocks * BLOCK))
    return fill


def start(program: Program, name: str, folder: Path, *more: str):
    for file, text in (killing.FILES | {"study.yaml": STUDY}).items():
        (program.folder / file).write_text(text)
    if name == "ensemble":
        pytest.importorskip("distributed")
    return program.run(*COMMANDS[name].format(folder).split(), *more, real=True)


def one_line(found, *words: str) -> None:
    assert found.returncode == 2, found.stderr
    assert found.stderr.count("\n") == 1, found.stderr
    assert found.stderr.startswith("talentflow: ")
    for word in words:
        assert word in found.stderr


@pytest.mark.parametrize(
    ("name", "blocks", "kept"),
    [
        ("run", 4, ()),
        ("compare", 4, ()),
        ("compare", 15, (".out.partial",)),
        ("calibrate", 4, (".out.state",)),
        ("ensemble", 14, ("out",)),
    ],
)
def test_a_full_disk_is_one_line_and_keeps_what_is_finished(program, disk, name, blocks, kept):
    fill = leave(disk, blocks)
    found = start(program, name, disk)
    one_line(found, "cannot be written (No space left on device)", "free some space")
    assert sorted(p.name for p in disk.iterdir() if p != fill) == list(kept)
    assert not [p for p in disk.rglob("*") if "draft" in p.name or p.name.endswith(".partial-")]
    if kept:
        assert "kept" in found.stderr
        fill.unlink()
        again = start(program, name, disk, "--resume")
        assert again.returncode == 0, again.stderr
        assert "resuming with" in again.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_read_only_disk_is_one_line(program, disk, name):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    one_line(start(program, name, disk), "Read-only file system", "out")
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_in_the_place_of_the_folder_is_one_line(program, tmp_path, name):
    (tmp_path / "taken").write_text("mine")
    one_line(start(program, name, tmp_path / "taken"), "taken")
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["scenarios"], ["schema"], ["--help"], ["run", "--help"]])
def test_output_that_nobody_takes_is_one_line(program, words, unbuffered):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    with Path("/dev/full").open("w") as full:
        environment = program.environment | {"PYTHONUNBUFFERED": unbuffered}
        command = [sys.executable, "-m", "sim", *words]
        found = subprocess.run(
            command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    one_line(found, "standard output", "free some space")


@pytest.mark.parametrize(
    ("name", "sign"), [("compare", signal.SIGKILL), ("calibrate", signal.SIGTERM)]
)
def test_what_is_finished_survives_a_kill(program, tmp_path, name, sign):
    """Kill in mid-way, when a part is finished and the next is under way; then resume."""
    (tmp_path / "up.yaml").write_text(killing.FILES["up.yaml"])
    command = (
        "compare baseline up.yaml --seeds 3 --agents 2000 --years 3 --no-plots"
        if name == "compare"
        else "calibrate --starts 2 --per-city 8"
    ).split()
    out, state = tmp_path / "out", tmp_path / ".out.state"
    parts = tmp_path / ".out.partial"
    process = program.start(*command, "--out", "out", real=True)
    while not state.exists() and not list(parts.glob("pair-*.npz")):
        assert process.poll() is None, process.communicate()
    process.send_signal(sign)
    _, err = process.communicate(timeout=240)
    assert process.returncode == (130 if sign == signal.SIGTERM else -sign)
    assert err.count("\n") == (sign == signal.SIGTERM)
    assert not out.exists()
    again = program.run(*command, "--out", "out", "--resume", real=True)
    assert again.returncode == 0, again.stderr
    assert "resuming with" in again.stderr
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {"up.yaml", "out"}
    if name == "compare":
        assert read_comparison(out).pairs == 3
    else:
        assert json.loads(out.read_text())["provenance"]["command"].startswith("talentflow")


def test_a_state_of_a_calibration_that_is_damaged_is_refused(program, tmp_path):
    (tmp_path / ".out.state").write_text('{"key": {}, "starts": [')
    one_line(start(program, "calibrate", tmp_path, "--resume"), "not a whole state", "--resume")


# Folders of results


def test_what_a_kill_at_the_very_end_leaves_is_cleared_up(fake, tmp_path):
    from sim.runner import run_scenario

    small = load_scenario("baseline", {"population.agents": 100, "horizon.years": 1})
    out = tmp_path / "out"
    run_scenario(small, out, pictures=False)
    for name in (".out.old-ab", ".out.partial-cd", ".out.partial"):
        shutil.copytree(out, tmp_path / name)
    (tmp_path / ".out.old-ab" / "manifest.json").unlink()  # half of it is removed already
    RunFolder(out).tidy(lambda notes: True)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_checkpoint_of_other_results_is_not_cleared_up(tmp_path):
    target = RunFolder(tmp_path / "out")
    target.claim()
    target.write_checkpoint(lambda path: path.write_bytes(b"state"), {"year": 2030})
    target.release()
    RunFolder(tmp_path / "out").tidy(lambda notes: False)
    assert RunFolder(tmp_path / "out").read_checkpoint()["year"] == 2030
    RunFolder(tmp_path / "out").tidy(lambda notes: notes["year"] == 2030)
    assert list(tmp_path.iterdir()) == []


def test_a_former_run_is_not_brought_back_while_another_process_replaces_it(fake, tmp_path):
    from sim.runner import run_scenario

    small = load_scenario("baseline", {"population.agents": 100, "horizon.years": 1})
    run_scenario(small, tmp_path / "out", pictures=False)
    writer = RunFolder(tmp_path / "out", overwrite=True)
    writer.claim()
    (tmp_path / "out").rename(tmp_path / ".out.old-ab")  # in mid-exchange
    assert "another talentflow process" in fault(RunFolder(tmp_path / "out").claim)
    assert (tmp_path / ".out.old-ab").exists()
    writer.release()


def test_whole_file_is_whole_or_the_former_one(tmp_path):
    path = tmp_path / "file"
    path.write_text("former")

    def cut_off():
        with whole_file(path) as draft:
            draft.write_text("ha")
            raise OSError(28, "No space left on device")

    assert str(write_error(path, OSError(28, "No space left on device"))) == fault(cut_off)
    assert path.read_text() == "former"
    assert os.listdir(tmp_path) == ["file"]


def test_damaged_tables_are_refused_by_every_command_that_reads_them(program, work):
    assert start(program, "run", work).returncode == 0
    (work / "out").rename(work / "run")
    assert start(program, "compare", work).returncode == 0
    table, effects = work / "run" / "cities.parquet", work / "out" / "effects.parquet"
    effects.write_bytes(table.read_bytes())  # foreign
    table.write_bytes(table.read_bytes()[:-100])  # truncated
    for command in ("plot run", "report run", "plot out", "report out"):
        found = CliRunner().invoke(app, command.split())
        assert found.exit_code == 2
        assert found.stderr.count("\n") == 1
        assert ".parquet: is truncated, edited or of another run" in found.stderr
        assert "again" in found.stderr
    one_line(start(program, "compare", work, "--resume"), "effects.parquet", "--overwrite")
    assert "cities.parquet" in fault(sim.read_run, work / "run")


# The cache of compiled kernels


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Compile a function with a cache in ``tmp_path``; return it and how often it was cached."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    def compile_it():
        function = numba.njit(lambda number: number + 1)
        function._cache = KernelCache(function.py_func)
        assert function(1) == 2
        return sum(function.stats.cache_hits.values())

    return compile_it


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize(
    "harm",
    [lambda data: b"", lambda data: data[:-9], lambda data: bytes(9) + data[9:], lambda data: b"x"],
)
def test_a_damaged_cache_costs_a_compilation_only(cached, tmp_path, suffix, harm):
    assert (cached(), cached()) == (0, 1)
    (file,) = tmp_path.rglob(f"*{suffix}")
    file.write_bytes(harm(file.read_bytes()))
    assert (cached(), cached()) == (0, 1)
    file.unlink()
    assert (cached(), cached()) == (0, 1)


def test_a_cache_that_cannot_be_written_costs_compilations_only(cached, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CheckedFile, "_write", full)
    assert (cached(), cached()) == (0, 0)


def test_kernels_are_cached_with_checks():
    from sim.jit import cache_folder
    from sim.kernel import choose

    assert isinstance(choose._cache, KernelCache) or cache_folder() is None


# Bounds on input


def test_extreme_input_stays_within_time_and_memory():
    tool = Path(fuzzing.__file__)
    found = subprocess.run([sys.executable, str(tool), "0"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]


def test_no_pipe_or_device_is_read_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for read in (fuzzing._read_index, fuzzing._read_flows, fuzzing._read_scenario):
        assert "not a regular file" in fault(read, tmp_path / "pipe")


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "..", "a/b", "a\\b", ".hidden", "CON\0"])
def test_names_lead_to_no_other_folder(work, name):
    (work / "deep" / "er").mkdir(parents=True)
    os.chdir(work / "deep" / "er")
    Path("bad.yaml").write_text(f"name: {json.dumps(name)}\ntitle: x\n")
    message = fault(load_scenario, "bad.yaml")
    assert message is not None
    assert "name" in message or "character" in message
    assert sorted(p.name for p in work.rglob("*")) == ["bad.yaml", "deep", "er"]
