"""Objects show themselves in a notebook: short, right, with nothing of a file's text as HTML."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest

import sim as tf
from sim import notebook
from sim.landscape import load_landscape
from sim.results import Run, read_run, write_tables

PLACES = [
    *(["Rome", "Milan", "Oslo", "Madrid", "Delhi", "Dubai"], "Shanghai", "Paris", "Tokyo", "Seoul"),
    *("London", "New York", "Toronto", "Sydney", "Berlin"),
]
NASTY = "<script>alert(1)</script> & 'x'"


class Shown(HTMLParser):
    """The rows and captions of the tables; fails where tags do not close in order."""

    def __init__(self, thing):
        super().__init__()
        self.rows, self.captions, self.open, self.tags, self.rest = [], [], [], set(), ""
        self.text = thing._repr_html_()
        self.feed(self.text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
        elif tag == "caption":
            self.captions.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.captions[-1] += data
        else:
            self.rest += data

    def row(self, name):
        return next(row[1:] for row in self.rows if row[0] == name)


SAFE = {"table", "thead", "tbody", "tr", "th", "td", "caption", "p"}


@pytest.fixture(scope="module")
def small():
    return tf.load("baseline", agents=3000, years=2)


@pytest.fixture(scope="module")
def policy(small):
    return small.with_(
        name="welfare",
        title=NASTY,
        interventions=[
            {
                "name": f"welfare-{k}",
                "lever": "dimension_shift",
                "places": places,
                "points": {"social_welfare": 20.0 + k},
            }
            for k, places in enumerate(PLACES)
        ],
    )


@pytest.fixture(scope="module")
def results(small):
    return small.with_(title=NASTY).run(threads=1)


def test_a_study_says_what_it_is_and_what_it_does(policy, small):
    shown = Shown(policy)
    assert shown.tags <= SAFE
    assert shown.row("title") == [NASTY]
    assert shown.row("agents") == ["3,000"]
    assert shown.row("policies") == ["10"]
    assert shown.row("loaded from") == ["baseline"]
    assert shown.row("welfare-1") == ["dimension_shift", "Shanghai"]
    assert shown.row("welfare-0")[1].endswith("and 2 more")
    assert "and 2 more" in shown.rest
    assert "loaded from" not in Shown(small).text


def test_results_show_the_largest_net_gains(results):
    shown = Shown(results)
    assert shown.tags <= SAFE
    assert shown.row("title") == [NASTY]
    sums = results.cities.groupby("city", observed=True)[["arrivals", "departures"]].sum()
    net = sums["arrivals"] - sums["departures"]
    assert shown.row(net.idxmax())[0] == f"{net.max():+,}"
    assert shown.row(net.idxmin())[0] == f"{net.min():+,}"
    assert len(shown.rows) <= 6 + 1 + notebook.ROWS


def test_a_run_shows_its_folder_and_tables(results, tmp_path):
    folder = tmp_path / "<b>run"
    folder.mkdir()
    tables = {"flows": results.flows, "cities": results.cities, "ages": results.ages}
    write_tables(folder, tables, results.scenario, {"persons_per_agent": 1})
    run = read_run(folder)
    shown = Shown(run)
    assert shown.tags <= SAFE
    assert shown.row("folder") == [str(folder)]
    assert f"cities ({len(results.cities):,} rows)" in shown.row("tables")[0]
    assert isinstance(run, Run)


def test_a_comparison_shows_effects_and_intervals_of_each_policy(policy, small):
    found = policy.compare(seeds=2, direct=False, threads=1)
    shown = Shown(found)
    assert shown.tags <= SAFE
    table = found.of("stock").drop(index="(all)")
    city = str(table.index[0])
    row = shown.row(city)
    assert row[1] == f"{table['effect'].iloc[0]:,.0f}"
    assert row[2] == notebook._number(table["low"].iloc[0])
    assert len(shown.captions) == 1
    assert "2 pairs of 3,000 agents" in shown.captions[0]
    twice = dataclasses.replace(found, policies={"welfare": policy.scenario} | found.policies)
    assert len(Shown(twice).captions) == 1


def test_a_sweep_shows_the_response_of_the_city_that_responds_most(small):
    study = small.with_(
        interventions={
            "name": "grow",
            "lever": "dimension_shift",
            "places": "Shanghai",
            "points": {"social_welfare": 10.0},
        }
    )
    swept = study.sweep(
        {"interventions.grow.points.social_welfare": (1, 50)}, points=2, seeds=2, against=small
    )
    shown = Shown(swept)
    assert shown.tags <= SAFE
    assert swept.largest(1)[0] in shown.captions[0]
    curve = swept.curve()
    assert shown.row("1")[:2] == ["50", notebook._number(curve["effect"].iloc[1])]


def test_a_landscape_marks_what_is_estimated():
    scape = load_landscape()
    shown = Shown(scape)
    assert shown.tags <= SAFE
    best = int(np.argmax(scape.composite()))
    row = shown.row(scape.cities[best])
    assert row[0] == "100.00"
    marks = [cell.startswith("≈ ") for cell in row[1:]]
    assert marks == [kind == "estimated" for kind in scape.kind[best]]
    assert f"{int((scape.kind == 'published').sum())} of 720" in shown.captions[0]
    assert "112 more" in shown.rest
    assert "draw 3" in Shown(load_landscape(3)).captions[0]


def test_odd_numbers_have_a_text():
    assert [notebook._number(v) for v in (float("nan"), float("inf"), 12345.6, 0.12345)] == [
        *("–", "–", "12,346", "0.1235"),
    ]
    assert [notebook._p(v) for v in (float("nan"), 1e-9, 0.5)] == ["–", "< 0.001", "0.500"]
