"""The tutorials: every command and every example in them runs, in order."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sim.cli import app

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_everything_in_it_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, ran = {}, 0
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "yaml":
            (tmp_path / re.match(r"# (\S+\.yaml)\n", block)[1]).write_text(block)
        elif language == "console":
            for line in block.splitlines():
                words = shlex.split(line.removeprefix("$ "))
                assert words[0] == "talentflow"
                done = CliRunner().invoke(app, words[1:])
                assert done.exit_code == 0, f"{line}\n{done.output}"
                ran += 1
        else:
            assert language == "python"
            test = doctest.DocTestParser().get_doctest(block, names, page.name, str(page), 0)
            runner = doctest.DocTestRunner()
            assert runner.run(test, clear_globs=False).failed == 0
            names.update(test.globs)
    assert ran >= 3


def test_there_is_one_for_each_user():
    assert [page.stem for page in TUTORIALS] == ["analyst", "researcher", "student"]
