"""The documentation: links lead somewhere, commands exist, numbers and columns are the code's."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import typer.main

from sim import results
from sim.cities import DIMENSIONS
from sim.cli import app
from sim.comparison_tables import COLUMNS as COMPARISON
from sim.ensemble_folder import COLUMNS as ENSEMBLE
from sim.parameter_table import bounds, markdown
from sim.parameters import Needs, Parameters, Preference
from sim.scenario import load_scenario
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
        if not words or not re.fullmatch(r"[a-z][a-z-]*", words[0]):
            continue
        assert words[0] in program.commands, f"{page.name}: {line}"
        known = {option for p in program.commands[words[0]].params for option in p.opts}
        for word in words[1:]:
            option = re.match(r"--[a-z-]+", word.strip("[]"))
            if option:
                assert option[0] in known | {"--help"}, f"{page.name}: {line}"


def section(title):
    text = (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    found = text.partition(f"## Tables of {title}\n")[2].partition("\n## ")[0]
    assert found, f"no section 'Tables of {title}'"
    return found


def rows_of(title, table):
    """Return the rows of a table's description: lists of cells."""
    text = re.split(rf"### {table}(?:: .*)?\n", section(title))[-1].partition("\n### ")[0]
    rows = [line.strip("|").split(" | ") for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def described(title, table):
    """Return the columns that are described; the six dimensions by the first and the last."""
    names = " ".join(row[0] for row in rows_of(title, table)).replace(",", " ").split()
    for suffix in ("", "_rank"):
        first, last = DIMENSIONS[0] + suffix, DIMENSIONS[-1] + suffix
        if f"{first} … {last}" in " ".join(names):
            names += [name + suffix for name in DIMENSIONS]
    return set(names) - {"…"}


@pytest.mark.parametrize("table", results.COLUMNS)
def test_every_column_of_a_run_is_described(table):
    assert described("a run", f"{table}.parquet") == set(results.COLUMNS[table])


KINDS = {"a comparison": COMPARISON, "a sweep": SWEEP, "an ensemble": ENSEMBLE}


@pytest.mark.parametrize(("title", "table"), [(k, t) for k, kind in KINDS.items() for t in kind])
def test_units_and_kinds_are_those_of_the_files(title, table):
    listed = {row[0]: tuple(row[1:]) for row in rows_of(title, f"{table}.parquet")}
    for name, about in KINDS[title][table].items():
        assert listed.get(name) == about, f"{table}.{name}"


def test_a_comparison_s_costs_are_those_of_runs():
    costs = {"pair", "run", *results.COLUMNS["costs"]}
    assert described("a comparison", "costs.parquet") == costs


def test_the_manifest_is_described(tmp_path):
    from sim.runner import run_scenario

    run_scenario(
        load_scenario("baseline", {"population.agents": 500, "horizon.years": 1}),
        tmp_path / "run",
        pictures=False,
    )
    manifest = results.read_run(tmp_path / "run").manifest
    assert described("a run", "manifest.json") == set(manifest)


def test_exports_are_described():
    from calibration.landscape_tables import export_frame
    from sim.index import compute_index
    from sim.indicators import hierarchy

    assert described("the landscape", "export") == set(export_frame(0).columns)
    names = hierarchy()["indicator"]
    table = pd.DataFrame(np.random.default_rng(1).random((4, len(names))), columns=list(names))
    table.insert(0, "city", ["A", "B", "C", "D"])
    assert described("the index", "scores") == set(compute_index(table).table().columns)


PATHS = [path for path, *_ in Parameters().describe()]


@pytest.mark.parametrize("path", PATHS)
def test_the_protocol_uses_every_parameter(path):
    text = (ROOT / "docs" / "odd.md").read_text(encoding="utf-8")
    assert re.search(rf"{re.escape(path)}(?![a-z_])", text)


def test_the_protocol_names_parameters_that_exist():
    text = (ROOT / "docs" / "odd.md").read_text(encoding="utf-8")
    groups = "|".join(Parameters.model_fields)
    named = re.findall(rf"(?<![\w/.])((?:{groups})\.[a-z_]+)", text)
    assert len(named) > len(PATHS) / 2
    assert not set(named) - set(PATHS)


def test_the_page_of_parameters_is_fresh():
    written = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    fresh = markdown(Parameters())
    assert written == fresh, "run: python -m sim.parameter_table docs/parameters.md"
    for path in PATHS:
        assert f"| `{path.partition('.')[2]}` |" in fresh


def test_bounds_are_those_that_validation_enforces():
    assert bounds(Preference, "loss_aversion") == "1 to 5"
    assert bounds(Needs, "weights_mid") == "0 to 10"
    assert bounds(Needs, "aspiration_mean") == ""
    with pytest.raises(ValueError, match="less than or equal to 5"):
        Preference(loss_aversion=5.1)


def test_examples_of_the_recipes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    files = re.findall(r"```yaml\n(# (\S+\.yaml)\n.*?)```", text, re.DOTALL)
    assert len(files) >= 3
    for block, name in files:
        (tmp_path / name).write_text(block)
        assert load_scenario(name).title
    test = doctest.DocTestParser().get_doctest(text, {}, "how-to.md", "how-to.md", 0)
    assert len(test.examples) > 5
    assert doctest.DocTestRunner().run(test).failed == 0


def imports(path):
    """Return the packages that a module imports when it is loaded, and those inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {True: set(), False: set()}
    for node in ast.walk(tree):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found[node in tree.body] |= {name.partition(".")[0] for name in names}
    return found[True], found[False]


@pytest.mark.parametrize(
    ("package", "at_load", "inside"),
    [
        ("sim", {"analysis", "calibration"}, {"analysis", "calibration"}),
        ("analysis", {"calibration"}, {"calibration"}),
        ("calibration", {"analysis"}, set()),
    ],
)
def test_packages_import_only_what_the_architecture_allows(package, at_load, inside):
    paths = list((ROOT / package).rglob("*.py"))
    assert paths
    for path in paths:
        top, deep = imports(path)
        assert not top & at_load, path
        assert not deep & inside, path


def test_modules_of_the_architecture_exist():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## Where to look in sim")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]*\? \| (.*) \|$", table, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)} - {"_command"}
    modules = {path.stem for path in (ROOT / "sim").glob("[a-z]*.py")}
    assert len(named) > 50
    assert named <= modules
    families = re.compile(r"ensemble|.*_command$")  # named as such
    assert {module for module in modules - named if not families.match(module)} == set()
    picture = ElementTree.parse(ROOT / "docs" / "images" / "architecture.svg").getroot()
    assert picture.tag.endswith("svg")


@pytest.mark.skipif(not importlib.util.find_spec("mkdocs"), reason="needs the extra 'docs'")
def test_the_site_builds_without_warnings_and_needs_no_network(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file"]
    command += [str(ROOT / "docs" / "site" / "mkdocs.yml"), "--site-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert {"index.html", "odd.html", "data-dictionary.html"} <= {page.name for page in pages}
    assert (tmp_path / "api" / "sim" / "simulation.html").is_file()
    loads = re.compile(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=.?https?:", re.IGNORECASE)
    for page in pages:
        found = loads.findall(page.read_text(encoding="utf-8").replace('rel="canonical"', ""))
        assert not found, page
