"""The report of a comparison: says what the tables say, needs nothing, escapes what it is given."""

from __future__ import annotations

import os
import re
from html import unescape

import pytest
from browser import AVAILABLE, browser
from test_report import NASTY, Page, serious_problems

from analysis.comparison_findings import headlines
from analysis.comparison_report import render_comparison, write_report
from analysis.kinds import subject_of
from sim.comparison_folder import run_comparison
from sim.errors import UserError
from sim.measures import ALL
from sim.scenario import load_scenario

UP = {
    "name": "up",
    "lever": "dimension_shift",
    "places": "Shanghai",
    "points": {"economic_foundation": 20.0, "social_welfare": 20.0},
    "cost": {"currency": "CNY", "per_year": 1.25e9},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    base = load_scenario("baseline", {"population.agents": 4000, "horizon.years": 2})
    up = base.with_changes({"name": "up", "interventions": [UP], **NASTY})
    same = base.with_changes({"name": "same"})
    folder = tmp_path_factory.mktemp("comparison") / "<b>cmp"
    return run_comparison(base, [up, same], folder, seeds=3, pictures=False)


@pytest.fixture(scope="module")
def page(found):
    return Page(write_report(found.folder).read_text(encoding="utf-8"))


def test_the_command_finds_the_report_of_a_comparison(found):
    assert subject_of(found.folder).report == "analysis.comparison_report:write_report"


def test_the_page_needs_nothing_and_escapes_everything(page):
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "base")
        for name in ("src", "href"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, name, value)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert len(page.all("script")) == 1
    assert NASTY["title"] in page.text()
    keys = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(keys) == len(set(keys))


def test_sentences_say_what_the_tables_say(found, page):
    told = " ".join(headlines(found, "up"))
    stock = found.of("stock", "up").drop(index=ALL)
    assert told.startswith("Shanghai changes most: +")
    assert stock.index[0] == "Shanghai"
    direct = found.of("stock", "up", "direct")["effect"]["Shanghai"]
    assert direct > 0
    shares = [int(share) for share in re.findall(r"(\d+)\u00a0% (?:lived|would)", told)]
    assert 98 <= sum(shares) <= 102
    assert f"{int((stock['q'] < 0.05).sum())} of 120 cities" in told
    assert "2,500,000,000 CNY are spent in a mean run" in told
    assert "luck only" in told
    assert " ".join(told.split()) in " ".join(page.text().split())


def test_a_policy_that_does_nothing_is_said_to(found):
    (told,) = headlines(found, "same")
    assert "changes where nobody lives" in told


def test_tables_hold_the_effects(found):
    text = render_comparison(found)
    (table,) = re.findall(r'<table id="table-effects-up".*?</table>', text, re.DOTALL)
    stock = found.of("stock", "up")
    rows = re.findall(r'<th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL)
    assert len(rows) == len(stock) == 121
    for name, cells in rows:
        values = [float(v) for v in re.findall(r'data-value="(.*?)"', cells)]
        row = stock.loc[ALL if name == "All cities" else unescape(name)]
        assert values[:2] == pytest.approx([row["base"], row["effect"]])


def test_a_run_is_no_comparison(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        write_report(tmp_path / "none")


@pytest.mark.browser
@pytest.mark.skipif(not AVAILABLE, reason="needs chromium and chromedriver")
def test_the_page_opens_without_an_error(found, page, tmp_path):
    with browser(tmp_path / "driver.log") as window:
        window.open((found.folder / "report.html").resolve().as_uri())
        broken = "return [...document.images].filter(i => !i.complete || !i.naturalWidth).length"
        assert window.run(broken) == 0
        assert window.run("return document.documentElement.scrollWidth <= window.innerWidth")
        assert window.console() == []


@pytest.mark.browser
@pytest.mark.skipif(not AVAILABLE, reason="needs chromium and chromedriver")
@pytest.mark.skipif(
    not os.environ.get("TALENTFLOW_AXE"),
    reason="needs axe-core: give the path of axe.min.js in TALENTFLOW_AXE",
)
def test_no_serious_accessibility_problem(found, page, tmp_path):
    assert serious_problems(found.folder / "report.html", tmp_path) == {}
