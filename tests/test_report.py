"""The report: one page that needs nothing, says what the tables say, and can be read by all."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer
from browser import AVAILABLE, browser
from synthetic_run import PERSONS, PLACES, START, make_run
from typer.testing import CliRunner

from analysis import commands, findings, report
from analysis.metrics import net_gain, pair_flows
from analysis.report_tables import kind_of_source
from sim.errors import UserError
from sim.results import read_run, write_tables
from sim.scenario import load_scenario

NASTY = {
    "title": "<script>alert('title')</script> & \"Co\"",
    "description": "</style><img src=x onerror=alert(1)>\n\nSecond {{ 7 * 7 }} paragraph",
    "citation": ["<b onmouseover=alert(2)>A source</b>"],
}
VOID = {"meta", "img", "br", "link", "input", "hr"}


def make_folder(folder: Path, run=None, **changes) -> Path:
    """Write a made-up run as ``talentflow run`` would."""
    run = run or make_run()
    years = int(run.cities["year"].max()) - START
    scenario = load_scenario("baseline").with_changes(
        {"horizon.start": START, "horizon.years": max(years, 1), **changes}
    )
    folder.mkdir(parents=True)
    tables = {"flows": run.flows, "cities": run.cities, "ages": run.ages}
    write_tables(folder, tables, scenario, {"persons_per_agent": PERSONS, "started": "<i>now</i>"})
    return folder


class Page(HTMLParser):
    """What a page holds; fails where tags are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self) -> str:
        shown = (data for tag, data in self.texts if tag not in ("style", "script"))
        return " ".join(" ".join(shown).split())


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "<b>run"
    make_folder(folder, **NASTY, **{"preference.beta": 0.61})
    return folder, report.write_report(folder)


@pytest.fixture(scope="module")
def page(nasty):
    return Page(nasty[1].read_text(encoding="utf-8"))


@pytest.fixture
def short(monkeypatch):
    """Only two kinds of picture, for speed."""
    monkeypatch.setattr(report, "PICTURES", ("net-gain", "ages"))


def test_the_page_needs_nothing_beside_it(page, nasty):
    assert nasty[1] == nasty[0] / "report.html"
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "base")
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/", "#")), (tag, name, value)
    assert "@import" not in nasty[1].read_text()
    assert "url(" not in nasty[1].read_text()


def test_the_policy_allows_this_script_and_style_only(page, nasty):
    (policy,) = [
        meta["content"]
        for meta in page.all("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:;")
    text = nasty[1].read_text(encoding="utf-8")
    for tag in ("style", "script"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert not [a for _, a in page.tags if "style" in a]


def test_text_from_files_is_escaped(page):
    assert len(page.all("script")) == 1
    assert not [a for a in page.all("img") if a.get("src") == "x"]
    assert not page.all("b")
    assert not page.all("i")
    text = page.text()
    assert NASTY["title"] in text
    assert "</style><img src=x onerror=alert(1)>" in text
    assert "Second {{ 7 * 7 }} paragraph" in text
    assert NASTY["citation"][0] in text
    assert "<i>now</i>" in text
    assert "<b>run/scenario.yaml" in text


def test_every_part_is_there_and_named(page):
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        for name in ("aria-labelledby", "href"):
            target = (attributes.get(name) or "").removeprefix("#")
            assert not target or target in ids
    headings = [data.strip() for tag, data in page.texts if tag == "h2"]
    assert headings == [
        *("Question", "Set-up", "Findings", "Pictures", "Tables", "Assumptions"),
        *("Published and estimated", "How to reproduce"),
    ]
    assert page.all("html")[0]["lang"] == "en"
    pictures = page.all("img")
    assert len(pictures) == len(report.PICTURES)
    for picture in pictures:
        assert len(picture["alt"]) > 60
        assert int(picture["width"]) > 300
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))


def test_findings_are_those_of_the_tables(nasty, page):
    run = read_run(nasty[0])
    text = " ".join(page.text().split())
    top = pair_flows(run.flows).iloc[0]
    assert f"from {top['origin']} to {top['destination']}" in text
    gains = net_gain(run.cities)
    assert f"{gains.index[0]} gains most by moves" in text
    assert f"{gains.index[-1]} loses most by moves" in text
    assert f"{(gains['net'] > 0).sum()} of 11 cities gain, {(gains['net'] < 0).sum()} lose" in text
    rates = run.cities.groupby("year")[["arrivals", "stock"]].sum()
    mean = 100 * (rates["arrivals"] / rates["stock"].shift(1)).mean()
    assert f"In a mean year {mean:.2f} % of talent" in text


def test_tables_hold_the_numbers(nasty):
    text = nasty[1].read_text(encoding="utf-8")
    run = read_run(nasty[0])
    (table,) = re.findall(r'<table id="table-cities".*?</table>', text, re.DOTALL)
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</th>(.*?)</tr>", table, re.DOTALL)
    gains = net_gain(run.cities)
    assert [name for name, _ in rows] == list(gains.index)
    last = run.cities[run.cities["year"] == run.cities["year"].max()]
    stock = last.set_index(last["city"].astype(str))["stock"]
    for name, cells in rows:
        values = [float(value) for value in re.findall(r'data-value="(.*?)"', cells)]
        assert values[1] == stock[name]
        assert values[2:5] == gains.loc[name, ["arrivals", "departures", "net"]].tolist()
    assert text.count('<th scope="row">parameters.preference.beta</th>') == 1, "a difference"
    assert "0.61" in text
    assert "seed" not in re.findall(r'<table id="table-differences".*?</table>', text, re.DOTALL)[0]
    for name, facts in run.manifest["tables"].items():
        assert name in text
        assert facts["sha256"] in text


def test_the_same_run_gives_the_same_page(tmp_path, short):
    folder = make_folder(tmp_path / "run")
    one = report.write_report(folder, tmp_path / "one.html").read_bytes()
    assert one == report.write_report(folder, tmp_path / "two.html").read_bytes()
    assert b"alert(" not in one
    assert "Every setting" not in one.decode(), "the horizon differs from the baseline's"


@pytest.mark.parametrize(
    ("places", "years", "mobility", "inhabited"),
    [
        (1, 2, 0.03, True),
        (2, 1, 0.03, True),
        (11, 2, 0.0, True),
        (3, 0, 0.03, True),
        (11, 2, 0.03, False),
    ],
)
def test_runs_with_little_in_them_have_a_report(
    tmp_path, short, places, years, mobility, inhabited
):
    run = make_run(PLACES.head(places), years=years, mobility=mobility, inhabited=inhabited)
    folder = make_folder(tmp_path / "run", run)
    page = Page(report.write_report(folder).read_text(encoding="utf-8"))
    text = page.text().replace("\u00a0", " ")
    assert "nan" not in text.split()
    assert "inf" not in text.split()
    assert ("No year was simulated" in text) == (years == 0)
    assert ("The largest flow runs" in text) == (
        places > 1 and years > 0 and mobility > 0 and inhabited
    )


def test_mistakes_get_one_line(tmp_path, short):
    folder = make_folder(tmp_path / "run")
    for out, message in (
        (tmp_path / "report.pdf", "ends in .html"),
        (folder / "manifest.json", "ends in .html"),
        (folder / "manifest.json" / "report.html", "cannot be written"),
    ):
        with pytest.raises(UserError, match=message) as told:
            report.write_report(folder, out)
        assert "\n" not in str(told.value)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        report.write_report(folder, tmp_path / "folder.html")
    with pytest.raises(UserError, match="no such folder; did you mean 'run'"):
        report.write_report(tmp_path / "rum")
    (folder / "flows.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="truncated, edited"):
        report.write_report(folder)


def test_a_failed_report_leaves_the_old_one(tmp_path, short, monkeypatch):
    folder = make_folder(tmp_path / "run")
    path = report.write_report(folder)
    before, names = path.read_bytes(), sorted(folder.iterdir())

    def fail(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="free some space"):
        report.write_report(folder)
    assert path.read_bytes() == before
    assert sorted(folder.iterdir()) == names


def test_the_command_prints_the_file(tmp_path, short):
    app = typer.Typer()
    app.callback()(lambda: None)
    commands.register(app)
    folder = make_folder(tmp_path / "run")
    out = tmp_path / "deep" / "r.html"
    result = CliRunner().invoke(app, ["report", str(folder), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(out)
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_sources_are_told_apart():
    kinds = {
        "estimated: by hand": "estimated",
        "B.14: 44 %; other fields estimated": "part estimated",
        "Tversky and Kahneman (1992)": "published",
        "convention": "convention",
        "-": "setting",
    }
    assert {source: kind_of_source(source) for source in kinds} == kinds
    assert findings.listed(["a"]) == "a"
    assert findings.listed(["a", "b", "c"]) == "a, b and c"


@pytest.mark.browser
@pytest.mark.skipif(not AVAILABLE, reason="needs chromium and chromedriver")
def test_the_page_works_in_a_browser(nasty, tmp_path):
    with browser(tmp_path / "driver.log") as window:
        window.open(nasty[1].resolve().as_uri())
        assert window.console() == []
        assert window.run("return document.title").startswith("<script>alert('title')</script>")
        broken = "return [...document.images].filter(i => !i.complete || !i.naturalWidth).length"
        assert window.run(broken) == 0
        order = (
            "return [...document.querySelectorAll('#table-cities tbody tr')]"
            ".map(row => row.cells[arguments[0]].textContent)"
        )
        press = (
            "const heading = document.querySelector('#table-cities thead').rows[0]"
            ".cells[arguments[0]]; heading.querySelector('button').click();"
            "return heading.getAttribute('aria-sort')"
        )
        assert window.run(press, 0) == "ascending"
        names = window.run(order, 0)
        assert names == sorted(names)
        assert window.run(press, 3) == "descending"
        stocks = [int(text.replace(",", "")) for text in window.run(order, 3)]
        assert stocks == sorted(stocks, reverse=True)
        assert window.run(press, 3) == "ascending"
        assert window.run(order, 3) == [f"{stock:,}" for stock in sorted(stocks)]
        wide = "return document.documentElement.scrollWidth <= window.innerWidth"
        assert window.run(wide)
        assert window.console() == []


@pytest.mark.browser
@pytest.mark.skipif(not AVAILABLE, reason="needs chromium and chromedriver")
@pytest.mark.skipif(
    not os.environ.get("TALENTFLOW_AXE"),
    reason="needs axe-core: give the path of axe.min.js in TALENTFLOW_AXE",
)
def test_no_serious_accessibility_problem(nasty, tmp_path):
    assert serious_problems(nasty[1], tmp_path) == {}


def serious_problems(page: Path, folder: Path) -> dict[str, list[str]]:
    """Return what axe-core finds serious or critical on a page, by rule."""
    axe = Path(os.environ["TALENTFLOW_AXE"]).read_text(encoding="utf-8")
    with browser(folder / "driver.log") as window:
        window.open(page.resolve().as_uri())
        window.run(f"{axe}; window.axe = axe")
        found = window.run_until("axe.run().then(arguments[arguments.length - 1])")
    assert len(found["passes"]) > 15
    return {
        problem["id"]: [node["html"][:120] for node in problem["nodes"]]
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
    }
