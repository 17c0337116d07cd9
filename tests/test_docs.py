"""The documentation: links lead somewhere, commands exist, every column is described."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from sim import results
from sim.cities import DIMENSIONS
from sim.cli import app
from sim.comparison_tables import COLUMNS as COMPARISON
from sim.parameters import Parameters
from sim.sweep_run import COLUMNS as SWEEP

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("sim/data/*.md")])


def names(page):
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith(("#", "mailto:")):
            continue
        assert (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_commands_and_options_exist(page):
    """Whatever the pages call ``talentflow NAME --option`` is a command with that option."""
    program = typer.main.get_command(app)
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^(?:\$ )?talentflow (.*)$", text, re.MULTILINE)
    for line in [*lines, *re.findall(r"`talentflow ([^`\n]+)`", text)]:
        words = shlex.split(re.split(r" {2,}|#|\(", line)[0].replace("'", ""))
        if not words or words[0].startswith("-") or not words[0].isalpha():
            continue
        assert words[0] in program.commands or words[0] == "model", f"{page.name}: {line}"
        command = program.commands.get(words[0])
        known = {option for p in command.params for option in p.opts} if command else set()
        for word in words[1:]:
            option = re.match(r"--[a-z-]+", word.strip("[]"))
            if option and known:
                assert option[0] in known | {"--help"}, f"{page.name}: {line}"


def section(title):
    text = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    return text.partition(f"## Tables of {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "known"),
    [("a run", results.COLUMNS), ("a comparison", COMPARISON), ("a sweep", SWEEP)],
)
def test_every_column_is_described(title, known):
    text = section(title)
    for table, columns in known.items():
        rows = text.partition(f"### {table}.parquet")[2].partition("\n### ")[0]
        first = " ".join(re.findall(r"^\| ([^|]+) \|", rows, re.MULTILINE))
        described = set(re.split(r"[,\s]+", first))
        missing = set(columns) - described
        if "…" in described:  # the six dimensions, by the first and the last
            missing -= set(DIMENSIONS)
        assert not missing, f"{table}: {sorted(missing)}"


def test_the_protocol_names_parameters_that_exist():
    text = (ROOT / "docs" / "odd.md").read_text(encoding="utf-8")
    known = {path.partition(".")[2] for path, *_ in Parameters().describe()}
    known |= {path for path, *_ in Parameters().describe()}
    other = {"talentflow schema"}
    for name in re.findall(r"`([a-z_.]+(?: schema)?)`", text):
        assert name in known | other, name
