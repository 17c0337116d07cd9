"""The dashboard: what may be read, what can be moved, what is shown, and the page in a browser."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from browser import AVAILABLE, browser
from typer.testing import CliRunner

from analysis.dashboard import shown
from analysis.dashboard.desk import QUICK_AGENTS, Desk, Pace
from analysis.dashboard.dials import dials, reach, turned
from analysis.dashboard.downloads import zipped
from analysis.dashboard.experiment import Experiment
from analysis.dashboard.library import Library
from analysis.world import WORLD
from sim.api import Study, load
from sim.cities import DIMENSIONS
from sim.cli import app
from sim.errors import UserError
from sim.landscape import load_landscape
from sim.results import read_run
from sim.scenario import load_scenario, shipped

SOLARA = find_spec("solara") is not None and find_spec("solara_assets") is not None
NASTY = "<img src=x onerror=document.title='bad'><script>document.title='bad'</script>{{ 6 * 7 }}"
POLICY = f"""
title: "{NASTY}"
description: "{NASTY}"
interventions:
  - name: grant
    lever: dimension_shift
    places: [Beijing, Paris]
    people: {{tier: [high, top]}}
    points: {{social_welfare: 8}}
    schedule: {{start: 2025, ramp: 1}}
    cost: {{currency: CNY, per_year: 1000}}
    citation: "{NASTY}"
  - name: cap
    lever: quota
    places: Singapore
    persons_per_year: 400000
"""


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / "mine"
    home.mkdir()
    (home / "policy.yaml").write_text(POLICY)
    (home / "child.yaml").write_text("extends: policy.yaml\nseed: 5\n")
    (tmp_path / "secret.yaml").write_text("title: secret\n")
    return home


@pytest.fixture
def desk(folder):
    return Desk(Library(folder), threads=1)


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    home = tmp_path_factory.mktemp("library")
    (home / "policy.yaml").write_text(POLICY)
    desk = Desk(Library(home), threads=1)
    desk.choose("policy.yaml")
    desk.set("agents", 50000)
    desk.set("years", 2)
    desk.turn("interventions.0.points.social_welfare", 50.0)
    desk.run()
    assert desk.fault == ""
    return desk.frame


# what may be read


def test_the_library_lists_shipped_scenarios_and_the_files_of_one_folder(folder):
    (folder / "notes.txt").write_text("no scenario")
    (folder / ".hidden.yaml").write_text("title: hidden")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "inner.yaml").write_text("title: inner")
    assert Library(folder).names() == [*shipped(), "child.yaml", "policy.yaml"]
    assert Library().names() == shipped()
    assert Library(folder).load("child.yaml").seed == 5
    assert Library(folder).load("baseline") == load_scenario("baseline")


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.yaml", "./policy.yaml", "mine/policy.yaml", "deeper/../policy.yaml"),
        *("..", ".", "", "/etc/passwd", "policy", "baseline.yaml", "policy.yaml\0", "~/x.yaml"),
        *("..%2fsecret.yaml", "file:///etc/passwd", "\\\\host\\share.yaml"),
    ],
)
def test_no_other_name_is_read(folder, name):
    with pytest.raises(UserError, match="there is no scenario"):
        Library(folder).load(name)


def test_an_absolute_path_is_no_name_even_of_a_file_in_the_folder(folder):
    with pytest.raises(UserError, match="there is no scenario"):
        Library(folder).load(str(folder / "policy.yaml"))


def test_a_link_out_of_the_folder_is_not_offered(folder):
    (folder / "link.yaml").symlink_to(folder.parent / "secret.yaml")
    (folder / "near.yaml").symlink_to(folder / "policy.yaml")
    assert "link.yaml" not in Library(folder).names()
    assert "near.yaml" in Library(folder).names()
    with pytest.raises(UserError, match="there is no scenario"):
        Library(folder).load("link.yaml")


@pytest.mark.parametrize("way", ["../secret.yaml", "ABSOLUTE", "middle.yaml", "linked/x.yaml"])
def test_a_file_may_not_extend_one_outside(folder, way):
    outside = folder.parent / "secret.yaml"
    (folder / "middle.yaml").write_text("extends: ../secret.yaml\n")
    (folder / "linked").symlink_to(folder.parent)
    (folder.parent / "x.yaml").write_text("title: x\n")
    (folder / "bad.yaml").write_text(f"extends: {str(outside) if way == 'ABSOLUTE' else way}\n")
    with pytest.raises(UserError, match="reaches out of the folder"):
        Library(folder).load("bad.yaml")


def test_a_circle_of_files_ends_in_a_message(folder):
    (folder / "one.yaml").write_text("extends: two.yaml\n")
    (folder / "two.yaml").write_text("extends: one.yaml\n")
    with pytest.raises(UserError, match="circle"):
        Library(folder).load("one.yaml")


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no folder"):
        Library(tmp_path / "nowhere")


# dials


@pytest.mark.parametrize("name", shipped())
def test_each_number_of_each_shipped_policy_is_a_dial_within_its_bounds(name):
    scenario = load_scenario(name)
    found = dials(scenario)
    assert len({dial.key for dial in found}) == len(found)
    assert {dial.policy for dial in found} == {lever.name for lever in scenario.interventions}
    for dial in found:
        low, high, step = dial.slide
        assert dial.low <= dial.value <= dial.high
        assert low - step <= dial.value <= high + step
        assert dial.low <= low < high
        assert dial.unit
        assert dial.description
    given = {f"interventions.{p}" for p in _paths(scenario)}
    assert {dial.key for dial in found if dial.given} == given


def _paths(scenario):
    """Yield the path of each number that the policies state, found without the models."""

    def walk(value, path):
        if isinstance(value, dict):
            for key, item in value.items():
                if key not in ("places", "people", "origins"):
                    yield from walk(item, [*path, key])
        elif isinstance(value, list):
            for k, item in enumerate(value):
                yield from walk(item, [*path, str(k)])
        elif isinstance(value, int | float) and not isinstance(value, bool):
            if path[-1] == "indicator":
                return  # the number of an indicator is its name
            yield ".".join(path)

    yield from walk([v.model_dump(mode="json") for v in scenario.interventions], [])


def test_a_turned_dial_is_in_the_scenario(desk):
    desk.choose("policy.yaml")
    scenario = desk.scenario
    values = {dial.key: dial.value for dial in dials(scenario)}
    assert turned(scenario, values, {}) == scenario
    values["interventions.0.points.social_welfare"] = -3.5
    values["interventions.0.points.public_life"] = 1.0
    values["interventions.0.schedule.ramp"] = 2.0
    values["interventions.0.cost.per_year"] = 5e6
    values["interventions.1.persons_per_year"] = 10.0
    new = turned(scenario, values, {"agents": 50, "years": 3, "seed": 9})
    grant, cap = new.interventions
    assert (grant.points.social_welfare, grant.points.public_life) == (-3.5, 1.0)
    assert grant.schedule.ramp == 2
    assert grant.cost.per_year == 5e6
    assert cap.persons_per_year == 10.0
    assert (new.population.agents, new.horizon.years, new.seed) == (50, 3, 9)
    assert new.name == "policy-changed"
    assert grant.people == scenario.interventions[0].people


@pytest.mark.parametrize(
    ("far", "bounds", "whole", "slide"),
    [
        (2.0, (0.0, 10.0), False, (0.0, 2.0, 0.01)),
        (3.0, (0.01, 100.0), False, (0.05, 5.0, 0.05)),
        (4.0, (-50.0, 50.0), False, (-5.0, 5.0, 0.05)),
        (1.0, (0.0, 1.0), False, (0.0, 1.0, 0.005)),
        (12.0, (0.0, 60.0), True, (0.0, 20.0, 1.0)),
        (1.5e13, (0.0, 1e13), False, (0.0, 1e13, 1e11)),
    ],
)
def test_sliders_reach_round_numbers_within_the_bounds(far, bounds, whole, slide):
    assert reach(far, *bounds, whole=whole) == pytest.approx(slide)


# the desk


def test_a_desk_begins_with_the_baseline_and_few_agents(desk):
    assert desk.name == "baseline"
    assert desk.settings == {"agents": QUICK_AGENTS, "years": 20, "seed": 1}
    assert desk.dials == []
    assert desk.planned()[1] is None  # the baseline is not compared with itself


def test_a_wrong_dial_is_said_at_once_and_mended_by_reset(desk):
    desk.choose("policy.yaml")
    desk.turn("interventions.0.points.social_welfare", 0.0)
    assert "shifts nothing" in desk.fault
    desk.run()
    assert desk.frame is None
    desk.reset()
    assert desk.fault == ""
    desk.turn("interventions.0.points.social_welfare", 51.0)
    assert "50" in desk.fault
    desk.turn("interventions.0.no.such", 1.0)
    assert "interventions.0.no.such" not in desk.values


def test_settings_stay_within_their_bounds(desk):
    desk.set("agents", 1e12)
    desk.set("years", -3)
    desk.set("seed", 2.0)
    assert desk.settings == {"agents": 2_000_000, "years": 1, "seed": 2}


def test_a_wrong_file_is_a_fault_and_the_next_choice_mends_it(desk, folder):
    (folder / "wrong.yaml").write_text("titel: typo\n")
    desk.choose("wrong.yaml")
    assert "wrong.yaml:1" in desk.fault
    assert desk.scenario is None
    desk.run()
    assert "wrong.yaml:1" in desk.fault
    desk.choose("baseline")
    assert desk.fault == ""


def test_the_base_shares_seed_agents_and_years(desk):
    desk.choose("policy.yaml")
    desk.set("agents", 700)
    desk.set("seed", 11)
    scenario, base = desk.planned()
    assert base.name == "baseline"
    assert base.interventions == ()
    assert (base.seed, base.population, base.horizon) == (11, scenario.population, scenario.horizon)
    desk.compare_with("file")
    assert desk.planned()[1] is None  # nothing was turned
    desk.turn("interventions.1.persons_per_year", 5.0)
    scenario, base = desk.planned()
    assert (base.name, scenario.name) == ("policy", "policy-changed")
    assert base.interventions[1].persons_per_year == 400000
    desk.compare_with("nothing")
    assert desk.planned()[1] is None


def test_a_run_shows_every_year_and_says_when_it_is_out_of_date(desk):
    desk.choose("policy.yaml")
    desk.set("agents", 600)
    desk.set("years", 3)
    seen = []
    desk.notify = lambda: seen.append((desk.running, desk.frame and desk.frame.done))
    desk.run()
    assert seen[0] == (True, None)
    assert seen[-1] == (False, 3)
    assert desk.frame.finished
    assert not desk.outdated
    desk.turn("interventions.1.persons_per_year", 5.0)
    assert desk.outdated


def test_a_run_can_be_stopped_from_another_thread(desk):
    desk.set("agents", 500)
    desk.set("years", 200)

    def stop_soon():
        if desk.frame is not None and desk.frame.done >= 2:
            desk.stop()

    desk.notify = lambda: None
    worker = threading.Thread(target=desk.run)
    worker.start()
    while worker.is_alive():
        stop_soon()
        time.sleep(0.01)
    assert 2 <= desk.frame.done < 200
    assert not desk.frame.finished
    assert not desk.running
    desk.set("years", 1)
    desk.run()
    assert desk.frame.finished


def test_a_second_run_beside_the_first_does_nothing(desk):
    desk.set("agents", 300)
    desk.set("years", 2)
    calls = []

    def again():
        if desk.running and not calls:
            calls.append(desk.frame)
            desk.run()

    desk.notify = again
    desk.run()
    assert calls
    assert desk.frame.finished


def test_the_next_drawing_waits_until_the_last_is_over_and_as_long_again(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("analysis.dashboard.desk.time.monotonic", lambda: clock[0])
    pace = Pace()
    assert pace.ready()
    pace.begin()
    clock[0] += 3.0
    assert not pace.ready()
    pace.begin()  # drawn again at once: still the same drawing
    pace.end()
    clock[0] += 2.9
    assert not pace.ready()
    clock[0] += 0.2
    assert pace.ready()
    pace.begin()
    pace.end()
    clock[0] += 0.2
    assert not pace.ready()
    clock[0] += 0.1
    assert pace.ready()


@pytest.mark.parametrize("error", [UserError("mend this"), ValueError("broken inside")])
def test_a_run_that_fails_says_why_and_the_next_one_can_begin(desk, monkeypatch, error):
    desk.set("agents", 100)
    desk.set("years", 1)
    with monkeypatch.context() as patch:
        patch.setattr(Experiment, "frames", lambda self: (_ for _ in ()).throw(error))
        desk.run()
    assert str(error) in desk.fault
    assert not desk.running
    desk.run()
    assert desk.fault == ""
    assert desk.frame.finished


# what is shown


def test_the_frame_is_the_run_that_the_command_line_makes(frame):
    alone = Study(frame.scenario, frame.scenario).run(threads=1)
    pd.testing.assert_frame_equal(frame.tables["flows"], alone.flows)
    pd.testing.assert_frame_equal(frame.tables["cities"], alone.cities)
    base = load("baseline", agents=50000, years=2).run(threads=1)
    pd.testing.assert_frame_equal(frame.base_tables["cities"], base.cities)


def test_counts_agree_with_the_flows(frame):
    cities, flows = frame.tables["cities"], frame.tables["flows"]
    for year in (2024, 2025, 2026):
        table = shown.counts(cities, year)
        assert len(table) == 120
        past = flows[flows["year"] <= year]
        came = past.groupby("destination", observed=False)["persons"].sum()
        left = past.groupby("origin", observed=False)["persons"].sum()
        assert (table["arrivals"] == came.reindex(table.index)).all()
        assert (table["departures"] == left.reindex(table.index)).all()
        assert (table["net"] == table["arrivals"] - table["departures"]).all()
    assert (shown.counts(cities, 2024)["change"] == 0).all()
    balance = table["net"] + cities.groupby("city", observed=False)[
        ["entries", "exits"]
    ].sum().eval("entries - exits")
    assert (table["change"] == balance).all()


def test_marks_have_areas_in_proportion_and_tell_losses_by_more_than_colour():
    values = pd.Series({"Beijing": 400, "Paris": -100, "Tokyo": 0})
    found = {mark["name"]: mark for mark in shown.marks(values, 400, WORLD, "Paris")}
    assert found["Beijing"]["r"] == pytest.approx(2 * found["Paris"]["r"], rel=1e-3)
    assert [mark["loss"] for mark in found.values()] == [False, True, False]
    assert found["Beijing"]["colour"] != found["Paris"]["colour"]
    assert [name for name, mark in found.items() if mark["chosen"]] == ["Paris"]
    assert found["Tokyo"]["r"] > 0
    assert list(found) == ["Beijing", "Paris", "Tokyo"]


@pytest.mark.parametrize("name", shown.VIEWS)
def test_the_views_hold_their_cities(name):
    view = shown.VIEWS[name]
    left, top, width, height = shown.box(view)
    at = shown.positions()
    where = shown.places()
    inside = view.contains(where["lon"].to_numpy(), where["lat"].to_numpy())
    shown_there = at[inside]
    assert len(shown_there) == 120 if name == "World" else len(shown_there) >= 15
    assert shown_there["x"].between(left, left + width).all()
    assert shown_there["y"].between(top, top + height).all()


def test_the_land_is_a_path_of_numbers():
    path = shown.land()
    assert set(path) <= set("MLZ0123456789.- ")
    assert path.count("M") == path.count("Z") > 100


def test_rows_of_a_city_say_what_the_tables_say(frame):
    cities = frame.tables["cities"]
    row = cities[(cities["city"] == "Paris") & (cities["year"] == 2026)].iloc[0]
    facts = {cells[0]["text"]: cells[1]["text"] for cells in shown.fact_rows(frame, "Paris", 2026)}
    assert facts["talent at the end of 2026, persons"] == f"{row['stock']:,}"
    assert facts["arrivals per 100 in 2026"] == f"{row['attraction']:.2f}"
    start = {cells[0]["text"]: cells[1]["text"] for cells in shown.fact_rows(frame, "Paris", 2024)}
    assert start["arrivals per 100 in 2024"] == "not yet"
    flows = frame.tables["flows"]
    came = flows[flows["destination"] == "Paris"].groupby("origin", observed=True)["persons"].sum()
    rows = shown.exchange_rows(frame, "Paris", 2026, "coming", n=3)
    assert len(rows) == 4
    assert sum(int(cells[1]["text"].replace(",", "")) for cells in rows) == came.sum()
    top = rows[0][0]["text"]
    assert came[top] == came.max()
    base = frame.base_tables["flows"]
    without = base[base["destination"] == "Paris"]["persons"].sum()
    assert sum(int(cells[2]["text"].replace(",", "")) for cells in rows) == pytest.approx(without)


def test_estimated_cells_are_marked(frame):
    scape = load_landscape()
    for city in ("Beijing", "New York", "Tianjin"):
        rows = shown.dimension_rows(frame, city, 2026)
        assert [cells[0]["text"] for cells in rows] == [
            name.replace("_", " ") for name in DIMENSIONS
        ]
        kinds = scape.kind[scape.cities.index(city)]
        assert [cells[-1]["estimated"] for cells in rows] == [k == "estimated" for k in kinds]
    assert (scape.kind[scape.cities.index("New York")] == "published").any()


def test_differences_are_ordered_and_signed(frame):
    found = shown.measured(frame, "stock", 2026)
    rows = shown.difference_rows(found, n=5)
    gaps = [int(cells[3]["text"].replace(",", "")) for cells in rows]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] == found["difference"].max()
    assert gaps[-1] == found["difference"].min()
    for cells, gap in zip(rows, gaps, strict=True):
        with_, without = (int(cell["text"].replace(",", "")) for cell in cells[1:3])
        assert with_ - without == gap
        assert np.sign(cells[3]["bar"]) == np.sign(gap)


def test_a_map_in_words_names_the_largest():
    values = pd.Series({"Beijing": 400, "Paris": -100, "Tokyo": 0})
    assert shown.summary(values) == "most: Beijing +400; least: Paris -100"
    assert shown.summary(values * 0) == "no city differs from zero"


def test_policies_in_words(frame):
    grant, cap = shown.policies(frame.scenario)
    assert grant["places"] == "Paris, Beijing"  # by rank
    assert grant["people"] == "tier: high, top"
    assert grant["sources"] == NASTY  # text, which the page writes as text
    assert cap["people"] == "everybody"
    assert "every" not in cap["places"]


def test_the_zip_of_parquet_is_a_run_that_can_be_read_and_made_again(frame, tmp_path):
    data = zipped(frame, "parquet")
    assert data == zipped(frame, "parquet")
    zipfile.ZipFile(io.BytesIO(data)).extractall(tmp_path)
    run = read_run(tmp_path / "scenario")
    pd.testing.assert_frame_equal(run.flows, frame.tables["flows"])
    assert run.scenario == frame.scenario
    assert run.manifest["persons_per_agent"] == frame.persons
    assert read_run(tmp_path / "base").scenario.name == "baseline"


def test_the_zip_of_a_stopped_run_says_how_far_it_came(frame, tmp_path):
    frames = list(Experiment(frame.scenario, threads=1).frames())
    assert [f.done for f in frames] == [0, 1, 2]
    zipfile.ZipFile(io.BytesIO(zipped(frames[1], "parquet"))).extractall(tmp_path)
    run = read_run(tmp_path / "scenario")
    assert run.scenario.horizon.years == 1
    assert run.cities["year"].max() == 2025


def test_the_zip_of_csv_holds_the_same_numbers(frame):
    archive = zipfile.ZipFile(io.BytesIO(zipped(frame, "csv")))
    flows = pd.read_csv(io.BytesIO(archive.read("scenario/flows.csv")))
    assert flows["persons"].sum() == frame.tables["flows"]["persons"].sum()
    assert "costs" in frame.tables
    assert set(archive.namelist()) == {
        *(f"scenario/{t}.csv" for t in ("flows", "cities", "ages", "costs")),
        *(f"base/{t}.csv" for t in ("flows", "cities", "ages")),
        *(f"{side}/scenario.yaml" for side in ("scenario", "base")),
    }


# the command


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "analysis.dashboard.server", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    found = CliRunner().invoke(app, ["dashboard", "--no-open"])
    assert found.exit_code == 2
    assert found.output.strip().endswith(
        "the dashboard needs the package 'solara'; pip install 'talentflow[dashboard]'"
    )
    assert len(found.output.strip().splitlines()) == 1


def test_a_wrong_folder_is_said_before_anything_starts(tmp_path):
    found = CliRunner().invoke(app, ["dashboard", "--scenarios", str(tmp_path / "x")])
    assert found.exit_code == 2
    assert "is no folder" in found.output


# the gate


def ask(path="/", *, kind="http", host="127.0.0.1:1", origin=None, listen="127.0.0.1", assets=None):
    """Return the status that the gate answers with; 200 where it lets a request pass."""
    from analysis.dashboard.server import Gate

    sent = []

    async def inner(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message):
        sent.append(message)

    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    gate = Gate(inner, listen, Path(assets or "nowhere"))
    asyncio.run(gate({"type": kind, "path": path, "headers": headers}, None, send))
    return sent[0].get("status", sent[0]["type"]), dict(sent[0].get("headers", []))


needs_solara = pytest.mark.skipif(not SOLARA, reason="the extra 'dashboard' is not installed")


@needs_solara
def test_only_this_page_is_let_in():
    assert ask()[0] == 200
    assert ask(host="localhost:1")[0] == 200
    assert ask(host="evil.example")[0] == 403
    assert ask(host="evil.example:1")[0] == 403
    assert ask(host="a; script-src *", listen="0.0.0.0")[0] == 403
    assert ask(origin="http://127.0.0.1:1")[0] == 200
    assert ask(origin="http://evil.example")[0] == 403
    assert ask(origin="null")[0] == 403
    assert ask(kind="websocket")[0] == "websocket.close"
    assert ask(kind="websocket", origin="http://evil.example")[0] == "websocket.close"
    assert ask(kind="websocket", origin="http://127.0.0.1:1")[0] == 200
    assert ask("/resourcez")[0] == 403
    assert ask(host="my-machine:1", listen="0.0.0.0")[0] == 200
    assert b"default-src 'self'" in ask()[1][b"content-security-policy"]


@needs_solara
def test_missing_files_of_the_page_are_refused_not_fetched(tmp_path):
    assets = tmp_path / "cdn"
    (assets / "vega@5").mkdir(parents=True)
    (assets / "vega@5" / "__main.js").write_text("1")
    (assets / "a.js").write_text("1")
    (tmp_path / "secret").write_text("1")
    for path, status in {
        "a.js": 200,
        "vega@5": 200,
        "b.js": 403,
        "../secret": 403,
        "/etc/passwd": 403,
    }.items():
        assert ask(f"/_solara/cdn/{path}", assets=assets)[0] == status


@needs_solara
def test_a_page_whose_files_are_not_installed_does_not_start(tmp_path):
    from analysis.dashboard.server import missing

    (tmp_path / "a.js").write_text("1")
    page = '<script src="/_solara/cdn/a.js"></script><link href="/_solara/cdn/b@1/c.css?v=1">'
    assert missing(page, tmp_path) == ["b@1/c.css"]


@needs_solara
def test_a_port_that_is_taken_is_a_message(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        found = CliRunner().invoke(app, ["dashboard", "--no-open", "--port", str(port)])
    assert found.exit_code == 2
    assert f"--port {port}: cannot listen on 127.0.0.1" in found.output


# in a browser


def reading(table):
    """Return the cells of a table of the page, row by row."""
    return (
        f"return [...document.querySelectorAll('[data-table={table}] tbody tr')]"
        ".map(r => [...r.children].map(c => c.innerText.trim()))"
    )


class Visitor:
    """Somebody at the page."""

    def __init__(self, window, address):
        self.window = window
        window.open(address)
        self.until("!!document.querySelector('.tf-status')")

    def see(self, what):
        return self.window.run(f"return {what}")

    def until(self, what, seconds=40):
        end = time.monotonic() + seconds
        while not self.see(what):
            assert time.monotonic() < end, f"never: {what}; {self.see('document.body.innerText')}"
            time.sleep(0.05)

    def set(self, name, value):
        self.until(f"(e => e && !e.disabled)(document.querySelector('[name=\"{name}\"]'))")
        self.window.run(
            "const e = document.querySelector(`[name='${arguments[0]}']`); e.value = arguments[1];"
            "e.dispatchEvent(new Event('change'))",
            name,
            str(value),
        )

    def press(self, button):
        self.until(f"!document.querySelector('{button}').disabled")
        self.window.run(f"document.querySelector('{button}').click()")

    def status(self, word):
        self.until(f"document.querySelector('.tf-status').innerText.includes('{word}')")

    def click_city(self, city, on="scenario"):
        self.window.run(
            f"document.querySelector('[data-map={on}] [data-city=\"{city}\"]')"
            ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
        )
        self.until(
            f"document.querySelector('[data-table=facts] caption').innerText.includes('{city}')"
        )

    def facts(self):
        return {name: numbers for name, *numbers in self.window.run(reading("facts"))}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    if not SOLARA:
        pytest.skip("the extra 'dashboard' is not installed: pip install 'talentflow[dashboard]'")
    if not AVAILABLE:
        pytest.skip("needs chromium and chromedriver")
    home = tmp_path_factory.mktemp("scenarios")
    (home / "policy.yaml").write_text(POLICY)
    command = [sys.executable, "-m", "sim", "dashboard", "--no-open", "--port", "0"]
    with subprocess.Popen(
        [*command, "--scenarios", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        line = server.stdout.readline()
        assert "http://127.0.0.1:" in line, line + server.stdout.read()
        yield line.split("at ")[1].split(" ")[0]
        server.terminate()
        rest = server.stdout.read()
    assert "Traceback" not in rest


@pytest.fixture
def visitor(address, tmp_path):
    with browser(tmp_path / "driver.log") as window:
        yield Visitor(window, address)
        errors = [entry for entry in window.console() if entry["level"] == "SEVERE"]
        assert errors == []


@pytest.mark.browser
def test_start_run_click_and_the_numbers_are_those_of_the_tables(visitor, address):
    visitor.set("scenario", "policy.yaml")
    visitor.until("document.querySelector('.tf-set').innerText.includes('grant')")
    # text of the file is text on the page
    page = visitor.see("document.querySelector('.tf-set').innerText")
    assert NASTY in page
    assert visitor.see("document.querySelectorAll('.tf img, .tf script').length") == 0
    assert visitor.see("document.title") == "Talentflow"
    visitor.set("agents", 20000)
    visitor.set("years", 2)
    visitor.set("interventions.0.points.social_welfare", 50)
    visitor.until("document.querySelector('.tf-set').innerText.includes('In the file: 8')")
    visitor.press(".tf-run")
    visitor.status("finished at 2026")
    base = load("baseline", agents=20000, years=2)
    found = tf_policy(base).run()
    without = base.run()
    for city in ("Paris", "Beijing", "Tokyo"):
        visitor.click_city(city)
        rows = []
        for tables in (found.cities, without.cities):
            mine = tables[tables["city"] == city].set_index("year")
            came, left = mine["arrivals"].sum(), mine["departures"].sum()
            rows.append([mine["stock"][2026], came, left, mine["attraction"][2026]])
        facts = visitor.facts()
        wanted = [f"{row[0]:,}" for row in rows]
        assert facts["talent at the end of 2026, persons"] == wanted
        assert facts["came 2025-2026"] == [f"{row[1]:,}" for row in rows]
        assert facts["left 2025-2026"] == [f"{row[2]:,}" for row in rows]
        assert facts["arrivals per 100 in 2026"] == [f"{row[3]:.2f}" for row in rows]
        scores = found.cities[(found.cities["city"] == city) & (found.cities["year"] == 2026)]
        for name, cells in zip(DIMENSIONS, visitor.window.run(reading("dimensions")), strict=True):
            assert cells[1] == f"{scores.iloc[0][name]:.2f}"
        kinds = load_landscape().kind[load_landscape().cities.index(city)]
        marked = [cells[-1].startswith("≈") for cells in visitor.window.run(reading("dimensions"))]
        assert marked == [kind == "estimated" for kind in kinds]
        gone = found.flows[found.flows["origin"] == city]
        by_city = gone.groupby("destination", observed=True)["persons"].sum()
        for other, number, _ in visitor.window.run(reading("leaving")):
            if "other cities" not in other and other != "nobody yet":
                assert number == f"{by_city[other]:,}"
    visitor.set("year", "2025")
    visitor.until("document.querySelector('[data-table=facts] caption').innerText.includes('2025')")
    row = found.cities[(found.cities["city"] == "Tokyo") & (found.cities["year"] == 2025)].iloc[0]
    assert visitor.facts()["talent at the end of 2025, persons"][0] == f"{row['stock']:,}"
    loaded = visitor.see("performance.getEntriesByType('resource').map(e => e.name)")
    assert len(loaded) > 5
    assert all(name.startswith((address, "data:", "blob:")) for name in loaded)


def tf_policy(study):
    """Return the policy of the page with its dial at 50, made in Python."""
    import yaml

    policies = yaml.safe_load(POLICY)["interventions"]
    policies[0]["points"]["social_welfare"] = 50
    return study.with_(interventions=policies)


@pytest.mark.browser
def test_the_page_answers_while_a_large_run_goes_on_and_can_stop_it(visitor):
    visitor.set("agents", 100_000)
    visitor.set("years", 200)
    visitor.press(".tf-run")
    visitor.until("document.querySelector('.tf progress')?.value >= 2")
    first = visitor.see("document.querySelector('.tf progress').value")
    began = time.monotonic()
    visitor.set("measure", "net")
    visitor.until("document.querySelector('[data-map=scenario]').innerText.includes('Net gain')")
    assert time.monotonic() - began < 5
    visitor.click_city("Tokyo")
    assert time.monotonic() - began < 10
    visitor.until(f"document.querySelector('.tf progress').value > {first}")
    assert "running" in visitor.see("document.querySelector('.tf-status').innerText")
    visitor.press(".tf-stop")
    visitor.status("stopped")
    visitor.until("!document.querySelector('.tf progress')")


@pytest.mark.browser
def test_the_tables_can_be_downloaded(visitor, tmp_path):
    visitor.set("agents", 2000)
    visitor.set("years", 1)
    visitor.press(".tf-run")
    visitor.status("finished")
    folder = tmp_path / "downloads"
    visitor.window._post(
        "/goog/cdp/execute",
        {
            "cmd": "Browser.setDownloadBehavior",
            "params": {"behavior": "allow", "downloadPath": str(folder)},
        },
    )
    button = "[...document.querySelectorAll('main button')].find(b => /parquet/i.test(b.innerText))"
    visitor.until(f"!!{button}")
    visitor.window.run(f"{button}.click()")
    end = time.monotonic() + 20
    while not list(folder.glob("*.zip")):
        assert time.monotonic() < end, "no file came"
        time.sleep(0.1)
    (file,) = folder.glob("*.zip")
    assert file.name == "baseline-seed1-parquet.zip"
    zipfile.ZipFile(file).extractall(tmp_path / "unzipped")
    run = read_run(tmp_path / "unzipped" / "scenario")
    alone = load("baseline", agents=2000, years=1).run()
    pd.testing.assert_frame_equal(run.flows, alone.flows)


@pytest.mark.browser
@pytest.mark.skipif("TALENTFLOW_AXE" not in os.environ, reason="TALENTFLOW_AXE is no axe.min.js")
def test_the_page_has_no_serious_accessibility_problem(visitor):
    visitor.set("scenario", "policy.yaml")
    visitor.set("agents", 2000)
    visitor.set("years", 1)
    visitor.press(".tf-run")
    visitor.status("finished")
    axe = Path(os.environ["TALENTFLOW_AXE"]).read_text(encoding="utf-8")
    visitor.window.run(f"{axe}; window.axe = axe")
    found = visitor.window.run_until("axe.run().then(arguments[arguments.length - 1])")
    assert len(found["passes"]) > 15
    serious = {
        problem["id"]: [node["html"][:120] for node in problem["nodes"]]
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
    }
    assert serious == {}
