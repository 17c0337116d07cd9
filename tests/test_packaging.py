import re
import tomllib
from fnmatch import fnmatch
from importlib import metadata, resources
from pathlib import Path

import pytest

from sim.results import version
from sim.scenario import load_scenario, shipped

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = ("sim", "scenarios", "calibration", "analysis")


def test_every_data_file_travels_with_the_package():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_dir() or path.suffix == ".py" or "__pycache__" in path.parts:
                continue
            name = path.relative_to(ROOT / package).as_posix()
            assert any(fnmatch(name, pattern) for pattern in patterns[package]), (package, name)


def test_data_is_found_as_resources():
    assert resources.files("scenarios").joinpath("baseline.yaml").is_file()
    assert resources.files("sim").joinpath("data/cities.csv").is_file()
    assert resources.files("sim").joinpath("data/README.md").is_file()
    assert "baseline" in shipped()


def test_entry_points_lead_somewhere():
    for group, entries in PROJECT["project"]["entry-points"].items():
        for name, value in entries.items():
            assert callable(metadata.EntryPoint(name, value, group).load()), (group, name)
    script = PROJECT["project"]["scripts"]["talentflow"]
    assert callable(metadata.EntryPoint("talentflow", script, "console_scripts").load())


def test_one_version_everywhere():
    number = PROJECT["project"]["version"]
    assert version() == number
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {number}\n" in citation
    assert f"## [{number}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_citation_file_has_what_its_format_requires():
    from sim.documents import parse

    citation = parse((ROOT / "CITATION.cff").read_text(encoding="utf-8"), "CITATION.cff").plain()
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["authors"]
    assert citation["license"] == PROJECT["project"]["license"]


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_examples_of_the_readme_are_sound(tmp_path):
    examples = blocks("yaml")
    assert examples
    for number, text in enumerate(examples):
        path = tmp_path / f"example{number}.yaml"
        path.write_text(text, encoding="utf-8")
        assert load_scenario(path).title


def test_commands_stand_on_the_first_screen_of_the_readme():
    start = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:25])
    assert "make run" in start
    assert "make test" in start


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text()))
def test_links_of_the_readme_lead_somewhere(link):
    assert (ROOT / link).exists()
