"""The levers: what YAML may say, how it is resolved, and what each lever changes by itself."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sim.cities import DIMENSIONS, load_cities
from sim.cli import app
from sim.effects import AREAS, PAIRS, Effects
from sim.errors import UserError
from sim.index import compute_index
from sim.indicator_shift import indicator_points
from sim.indicators import hierarchy
from sim.landscape import load_landscape
from sim.lever_effects import Surroundings, apply, points_of, strength_of
from sim.levers import Points
from sim.money import Grants, cents
from sim.obstacles import load_obstacles
from sim.scenario import json_schema, load_scenario
from sim.schedule import Schedule
from sim.selection_report import selections

CITIES = load_cities()
NAMES = list(CITIES.names)
HEAD = "interventions:\n- name: a\n"
QUOTA = HEAD + "  lever: quota\n  persons_per_year: 3\n"
SHIFT = HEAD + "  lever: dimension_shift\n  places: all\n  points: {public_life: 1}\n"
CHANGE = HEAD + "  lever: obstacle_change\n  places: all\n"
GRANT = HEAD + "  lever: subsidy\n  places: all\n  utility_per_10k: 0.1\n"

BAD = [
    ("interventions: 3", 1, "interventions: must be a list, not 3"),
    ("interventions: [a]", 1, "interventions[0]: must be a mapping of names to values, not 'a'"),
    (HEAD + "  lever: subsdy", 3, "interventions[0].lever: unknown lever 'subsdy'; did you mean"),
    (HEAD, 2, "interventions[0]: lacks the key 'lever'"),
    (QUOTA + "  places: Beijng", 5, "interventions[0].places: unknown city 'Beijng'; did you mean"),
    (QUOTA + "  places: [Paris, Beijng]", 5, "places[1]: unknown city 'Beijng'; did you"),
    (QUOTA + "  places: {country: Chna}", 5, "places.country: unknown country 'Chna'; did you"),
    (QUOTA + "  places: {contry: CN}", 5, "places.contry: unknown key; did you mean 'country'?"),
    (QUOTA + "  places: {bloc: EU}", 5, "places.bloc: unknown bloc 'EU'; known are"),
    (QUOTA + "  places: {rank: [20, 1]}", 5, "places.rank: runs backwards, from 20 to 1"),
    (QUOTA + "  places: {city: [Paris, 巴黎]}", 5, "places.city: names 'Paris' twice"),
    (QUOTA + "  places: []", 5, "places: selects no city; give 'all' or one of city"),
    (QUOTA + "  places: {area: CN, except: {area: CN}}", 5, "'except' takes all of them out"),
    (QUOTA, 2, "interventions[0]: lacks the key 'places'; add it"),
    (QUOTA.replace("3", "-3") + "  places: all", 4, "between 0 and 1000000000 (persons a year)"),
    (QUOTA + "  places: all\n  people: {field: ai}", 6, "people.field: unknown field 'ai'; known"),
    (QUOTA + "  places: all\n  people: {tier: [tip]}", 6, "tier[0]: unknown tier 'tip'; did you"),
    (QUOTA + "  places: all\n  people: {age: [30, 20]}", 6, "runs backwards, from 30 to 20"),
    (QUOTA + "  places: all\n  people: {age: [80, 90]}", 6, "people.age: selects nobody: people"),
    (
        QUOTA + "  places: all\n  people: {age: [40, 50], stage: student}",
        6,
        "people.age: selects nobody: student are 18 to 32 years old",
    ),
    (
        QUOTA + "  places: all\n  people: {age: [20, 25], years_in_city: [9, 20]}",
        6,
        "people: selects nobody: people of at most 25",
    ),
    (QUOTA + "  places: all\n  people: {years_in_city: [0, 0]}", 6, "selects nobody: whoever"),
    (
        QUOTA + "  places: all\n  people: {graduating: true, stage: student}",
        6,
        "graduates are at the stage 'early'",
    ),
    (QUOTA + "  places: all\n  schedule: {fade: 2}", 6, "fade: unknown key; known here: start"),
    (SHIFT + "  schedule: {start: 2030, end: 2026}", 6, "schedule: ends in 2026, before its start"),
    (SHIFT + "  schedule: {start: 2100}", 6, "schedule.start: 2100 is after the run's last year"),
    (SHIFT + "  schedule: {start: 2020}", 6, "schedule.start: 2020 is before the run's first year"),
    (SHIFT + "  schedule: {end: 2020}", 6, "schedule.end: 2020 is before the run's first year"),
    (SHIFT + "  schedule: {start: .nan}", 6, "schedule.start: is not a finite number"),
    (SHIFT + "  schedule: {fade: 2}", 6, "schedule: fades but has no end"),
    (SHIFT + "  schedule: {start: 2026, ramp: 5, end: 2028}", 6, "end it in 2031 or later"),
    (SHIFT.replace("{public_life: 1}", "{}"), 2, "interventions[0]: points: shifts nothing"),
    (SHIFT.replace("public", "publc"), 5, "publc_life: unknown key; did you mean 'public_life'?"),
    (SHIFT.replace(": 1}", ": 300}"), 5, "between -50 and 50 (index points), not 300"),
    (SHIFT + SHIFT.removeprefix("interventions:\n"), 6, "interventions[1].name: interventions[0]"),
    (CHANGE + "  obstacle: vsa\n  factor: 0.5", 5, "unknown obstacle 'vsa'; did you mean 'visa'?"),
    (CHANGE + "  obstacle: visa", 2, "interventions[0]: changes nothing; give a factor"),
    (CHANGE + "  obstacle: visa\n  add: .inf", 6, "interventions[0].add: is not a finite number"),
    (CHANGE + "  obstacle: visa\n  factor: 0\n  two_way: true", 2, "two_way needs origins"),
    (GRANT, 2, "interventions[0]: lacks the key 'cost'; add it"),
    (GRANT + "  cost: {currency: yuan, per_person: 3}", 6, "cost.currency: 'yuan' is no currency"),
    (GRANT + "  cost: {currency: CNY, per_person: 0}", 6, "cost.per_person: pays nothing"),
    (GRANT + "  cost: {currency: CNY, per_person: -4}", 6, "between 0 and 100000000"),
    (
        GRANT + "  cost: {currency: CNY, per_person: 3, budget_total: -1}",
        6,
        "cost.budget_total: must be between 0",
    ),
    (
        GRANT + "  cost:\n    currency: CNY\n    per_person: 3\n    budget_totl: 3",
        9,
        "cost.budget_totl: unknown key; did you mean 'budget_total'?",
    ),
    (
        HEAD + "  lever: retention\n  places: all\n  cost: {currency: CNY, per_yer: 3}\n  stay: 1",
        5,
        "cost.per_yer: unknown key; did you mean 'per_year'?",
    ),
    (HEAD + "  lever: retention\n  places: all", 2, "interventions[0]: holds nobody"),
    (HEAD + "  lever: information\n  places: all", 2, "interventions[0]: informs nobody"),
    (HEAD + "  lever: training\n  places: all\n  share: 0.3", 2, "needs both a share and what"),
    (HEAD + "  lever: training\n  places: all", 2, "interventions[0]: trains nobody"),
    (
        HEAD + "  lever: training\n  places: all\n  share: 1\n  to_tier: top\n"
        "  people: {stage: senior}",
        7,
        "people.stage: selects nobody: at entry everybody is 'student'",
    ),
    (HEAD + "  lever: integration\n  places: all", 2, "interventions[0]: changes nothing"),
    (
        HEAD + "  lever: integration\n  places: all\n  equalise: 1\n  dimensions: [welfare]",
        6,
        "unknown dimensions 'welfare'; did you mean 'social_welfare'?",
    ),
    (HEAD + "  lever: shock\n  places: all\n  half_life: 2", 2, "interventions[0]: shocks nothing"),
    (HEAD + "  lever: shock\n  places: all\n  points: {public_life: 1}", 2, "lacks the key 'half"),
    (
        HEAD
        + "  lever: indicator_shift\n  places: all\n  changes: [{indicator: papers, range: 1}]",
        5,
        "changes[0]: no indicator called 'papers'; did you mean 'papers published'?",
    ),
    (
        HEAD + "  lever: indicator_shift\n  places: [Lisbon, Paris]\n"
        "  changes: [{indicator: 5, relative: 0.1}]",
        2,
        "no source has a figure of 'papers published' for",
    ),
    (
        HEAD + "  lever: indicator_shift\n  places: all\n"
        "  changes: [{indicator: 5, relative: 0.1, amount: 3}]",
        5,
        "must have exactly one of relative, amount and range",
    ),
    (
        HEAD + "  lever: retention\n  places: all\n  looking: 0.5\n  stay_after_years: 3",
        2,
        "stay_after_years says from when, but stay is zero",
    ),
    (
        HEAD + "  lever: training\n  places: all\n  entries: 0.5\n  people: {field: engineering}",
        2,
        "entries are of all people",
    ),
    (
        HEAD + "  lever: shock\n  places: all\n  half_life: 2\n  two_way: true\n"
        "  obstacles: {border: 1}",
        2,
        "two_way needs origins",
    ),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD, ids=[words[:40] for _, _, words in BAD])
def test_bad_intervention_gives_one_line_with_file_line_path_and_mend(tmp_path, text, line, words):
    path = tmp_path / "file.yaml"
    path.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_scenario(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert words in message
    assert "\n" not in message


def scenario(*interventions, **changes):
    return load_scenario("baseline", changes | {"interventions": list(interventions)})


def one(lever, places="all", **settings):
    """Return one intervention, checked as in a file."""
    item = {"name": "a", "lever": lever, "places": places} | settings
    return scenario(item).interventions[0]


LEVERS = [
    {"lever": "dimension_shift", "points": {"public_life": -2.5}, "cost": {"currency": "EUR"}},
    {"lever": "indicator_shift", "changes": [{"indicator": "housing burden", "range": -0.1}]},
    {"lever": "obstacle_change", "obstacle": "visa", "origins": {"area": "IN"}, "factor": 0.5},
    {
        "lever": "subsidy",
        "utility_per_10k": 0.01,
        "cost": {"currency": "CNY", "per_person": 10.5, "budget_total": 1e6},
        "people": {"age": [20, 30], "origin": {"all": True, "except": "Beijing"}},
    },
    {"lever": "quota", "persons_per_year": 10, "people": {"abroad": True}},
    {"lever": "retention", "stay": 0.5, "stay_after_years": 3, "lock_in_years": 2},
    {"lever": "information", "origins": {"continent": "Europe"}, "visibility": 2},
    {"lever": "training", "share": 0.2, "to_field": "ai_computing", "people": {"tier": "high"}},
    {"lever": "integration", "places": ["Beijing", "Tianjin"], "factor": 0.5, "equalise": 0.5},
    {"lever": "shock", "obstacles": {"border": 1.0}, "half_life": 2, "schedule": {"ramp": 1}},
    {"lever": "service_quality", "content": 1, "environment": 0.5, "relief": 0.5},
]


def test_every_lever_round_trips_and_is_written_without_defaults(tmp_path):
    items = [{"name": item["lever"], "places": ["Beijing", "Paris"]} | item for item in LEVERS]
    first = scenario(*items)
    path = tmp_path / "again.yaml"
    path.write_text(first.resolved_yaml(), encoding="utf-8")
    assert load_scenario(path).digest() == first.digest()
    text = first.resolved_yaml()
    assert "citation: []\n  people" not in text
    assert "null" not in text.split("interventions:")[1].split("- name: service_quality")[0]


def test_schema_tells_levers_apart_and_describes_every_field():
    schema = json_schema()
    union = schema["properties"]["interventions"]["items"]
    assert union["discriminator"]["propertyName"] == "lever"
    assert set(union["discriminator"]["mapping"]) == {item["lever"] for item in LEVERS}
    for reference in union["discriminator"]["mapping"].values():
        model = schema["$defs"][reference.rsplit("/", 1)[1]]
        assert model["additionalProperties"] is False
        assert {"name", "lever", "places"} <= set(model["required"])
        for name, field in model["properties"].items():
            assert name == "lever" or field["description"], (reference, name)


PLACES = [
    ("Beijing", ["Beijing"]),
    (["北京", "Paris"], ["Beijing", "Paris"]),
    ({"area": "MO"}, ["Macau"]),
    ({"country": "China", "except": {"area": "CN"}}, ["Hong Kong", "Macau", "Taipei"]),
    ({"rank": [1, 2], "city": "Paris"}, ["New York", "San Francisco", "Paris"]),
    ({"bloc": "GCC"}, ["Abu Dhabi", "Dubai"]),
    ({"continent": "Africa"}, [n for n, c in zip(NAMES, CITIES.continent) if c == "Africa"]),  # noqa: B905
    ({"all": True, "except": {"rank": [3, 120]}}, ["New York", "San Francisco"]),
]


@pytest.mark.parametrize(("selector", "names"), PLACES)
def test_places(selector, names):
    mask = one("quota", selector, persons_per_year=1).places.mask(CITIES)
    assert {NAMES[k] for k in np.flatnonzero(mask)} == set(names)
    assert names


years = st.integers(2025, 2040)


@settings(max_examples=200)
@given(start=years, ramp=st.integers(0, 6), hold=st.integers(0, 8), fade=st.integers(0, 6))
def test_schedule_rises_holds_and_falls(start, ramp, hold, fade):
    schedule = Schedule(start=start, ramp=ramp, end=start + ramp + hold, fade=fade)
    strength = {year: schedule.strength(year, 2025) for year in range(2000, 2080)}
    end = start + ramp + hold
    assert all(0.0 <= value <= 1.0 for value in strength.values())
    assert all(value == 0 for year, value in strength.items() if year < start or year > end + fade)
    assert all(strength[year] == 1.0 for year in range(start + ramp, end + 1))
    rise = [strength[year] for year in range(start - 1, start + ramp + 1)]
    fall = [strength[year] for year in range(end, end + fade + 2)]
    assert np.allclose(np.diff(rise), 1 / (ramp + 1))
    assert np.allclose(np.diff(fall), -1 / (fade + 1))


@given(begin=years, year=years)
def test_schedule_without_years_always_acts(begin, year):
    assert Schedule().strength(year, begin) == float(year >= begin)


@given(
    total=st.none() | st.integers(0, 10**9),
    yearly=st.none() | st.integers(0, 10**9),
    ever=st.integers(0, 10**9),
    now=st.integers(0, 10**9),
)
def test_budget_left_is_what_both_budgets_allow(total, yearly, ever, now):
    grants = Grants(
        currency="CNY",
        per_person=1,
        budget_total=None if total is None else total / 100,
        budget_per_year=None if yearly is None else yearly / 100,
    )
    left = grants.left(ever, now)
    limits = [b - spent for b, spent in ((total, ever), (yearly, now)) if b is not None]
    assert left == (max(0, min(limits)) if limits else None)
    assert grants.limited == bool(limits)


def test_cents_are_whole_and_exact():
    assert [cents(x) for x in (0.1, 1.005, 19.99, 1e12)] == [10, 100, 1999, 10**14]


def around(**changes):
    c = len(CITIES)
    return Surroundings(
        cities=CITIES,
        obstacles=load_obstacles(CITIES),
        landscape=load_landscape(),
        dissimilarity=0.8,
        begin=2025,
        flows=changes.get("flows", np.zeros((c, c), np.int64)),
        stock=np.full(c, 1000),
        persons=changes.get("persons", 1),
    )


def effects_of(lever, where=None, year=2025, kind="all"):
    effects = Effects.none(len(CITIES), len(CITIES.area_names))
    where = where or around()
    apply(lever, kind, strength_of(lever, year, where), where, effects)
    return effects


def untouched(effects, *but):
    none = Effects.none(len(CITIES), len(CITIES.area_names))
    return all(
        np.array_equal(getattr(effects, name), getattr(none, name))
        for name in vars(none)
        if name not in but
    )


def city(name):
    return CITIES.index(name)


def area(code):
    return CITIES.area_names.index(code)


def test_dimension_shift_adds_points_in_its_places_only():
    lever = one("dimension_shift", ["Beijing", "Paris"], points={"public_life": -3})
    points = points_of(lever, np.ones(120), load_landscape().scores, around())
    assert points[city("Paris"), 5] == points[city("Beijing"), 5] == -3
    assert np.abs(points).sum() == 6
    assert untouched(effects_of(lever))


@pytest.mark.parametrize("name", ["distance", "border", "settlement", "moving"])
def test_obstacle_between_places_changes_one_way_only(name):
    lever = one("obstacle_change", "Paris", origins="Beijing", obstacle=name, factor=0.5, add=0.2)
    effects, at = effects_of(lever), PAIRS.index(name)
    changed = np.argwhere(effects.factor_pairs != 1)
    assert changed.tolist() == [[city("Beijing"), at, city("Paris")]]
    assert np.argwhere(effects.added_pairs != 0).tolist() == changed.tolist()
    assert effects.factor_pairs.min() == 0.5
    assert effects.added_pairs.max() == 0.2
    assert untouched(effects, "factor_pairs", "added_pairs")


@pytest.mark.parametrize("name", ["visa", "language"])
def test_visa_and_language_go_by_citizenship(name):
    lever = one("obstacle_change", "Paris", origins="Beijing", obstacle=name, factor=0.5)
    changed = np.argwhere(effects_of(lever).factor_areas != 1)
    assert changed.tolist() == [[area("CN"), AREAS.index(name), city("Paris")]]


def test_two_way_holds_both_ways_and_only_once_where_they_overlap():
    lever = one(
        "obstacle_change", ["Paris", "Lyon"], origins=["Lyon", "Lisbon"], obstacle="moving",
        factor=0.5, two_way=True,
    )  # fmt: skip
    factor = effects_of(lever).factor_pairs[:, PAIRS.index("moving")]
    pairs = {(NAMES[i], NAMES[j]) for i, j in np.argwhere(factor != 1) if i != j}
    assert pairs == {(a, b) for a in ("Paris", "Lyon") for b in ("Lyon", "Lisbon") if a != b} | {
        (b, a) for a in ("Paris", "Lyon") for b in ("Lyon", "Lisbon") if a != b
    }
    assert set(np.unique(factor)) == {0.5, 1.0}


def test_additions_stand_only_where_there_is_such_an_obstacle():
    everywhere = {"obstacle": ["border", "visa", "language"], "add": 1.0}
    effects = effects_of(one("obstacle_change", **everywhere))
    assert effects.added_pairs[city("Beijing"), 1, city("Shanghai")] == 0
    assert effects.added_pairs[city("Beijing"), 1, city("Paris")] == 1
    assert effects.added_areas[area("FR"), 0, city("Lyon")] == 0
    assert effects.added_areas[area("FR"), 0, city("Lisbon")] == 1


def test_obstacles_never_fall_below_zero():
    effects = effects_of(one("obstacle_change", obstacle=["distance", "moving"], add=-9))
    rows = np.random.default_rng(1).uniform(0, 2, (120, 4, 120))
    changed = effects.on_pairs(rows, moving=3.6)
    off = ~np.eye(120, dtype=bool)
    assert (changed[:, 0][off] == 0).all()
    assert np.array_equal(changed[:, 1], rows[:, 1])
    assert np.allclose(changed[:, 3][off] - rows[:, 3][off], 3.6)


def test_subsidy_is_worth_its_money_at_the_destination():
    lever = one(
        "subsidy", "Lisbon", utility_per_10k=0.02,
        cost={"currency": "EUR", "per_person": 50_000}, schedule={"ramp": 1},
    )  # fmt: skip
    half, whole = effects_of(lever), effects_of(lever, year=2026)
    assert np.allclose(whole.utility[:, city("Lisbon")], 0.1)
    assert np.allclose(half.utility, whole.utility / 2)
    assert np.count_nonzero(whole.utility) == 120
    assert untouched(whole, "utility")


def test_information_multiplies_odds_and_looking():
    lever = one("information", "Lisbon", origins="Paris", looking=1.5, visibility=3)
    effects = effects_of(lever)
    assert np.argwhere(effects.utility).tolist() == [[city("Paris"), city("Lisbon")]]
    assert math.exp(effects.utility.max() / around().dissimilarity) == pytest.approx(3)
    assert np.flatnonzero(effects.looking != 1).tolist() == [city("Paris")]
    assert effects.looking.max() == 1.5


def test_retention_by_kind():
    lever = one("retention", "Paris", stay=0.4, looking=0.5, lock_in_years=2)
    for kind, name, value in (
        ("stay", "staying", 0.4),
        ("look", "looking", 0.5),
        ("lock_in", "looking", 0),
    ):
        effects = effects_of(lever, kind=kind)
        assert getattr(effects, name)[city("Paris")] == value
        assert untouched(effects, name)
        assert np.delete(getattr(effects, name), city("Paris")).std() == 0


def test_integration_lowers_obstacles_inside_the_set_only():
    region = ["Beijing", "Tianjin", "Shijiazhuang"]
    effects = effects_of(one("integration", region, factor=0.25))
    inside = np.isin(NAMES, region)
    for row in ("settlement", "moving"):
        factor = effects.factor_pairs[:, PAIRS.index(row)]
        assert (factor[np.ix_(inside, inside)] == 0.25).all()
        assert (factor[~np.outer(inside, inside)] == 1).all()
    assert untouched(effects, "factor_pairs")


def test_equalisation_lifts_the_lagging_towards_best_or_mean():
    region, base = ["Beijing", "Tianjin", "Shijiazhuang"], load_landscape().scores
    inside = np.isin(NAMES, region)
    for toward, target in (("best", base[inside, 4].max()), ("mean", base[inside, 4].mean())):
        lever = one("integration", region, equalise=0.5, toward=toward, dimensions="social_welfare")
        points = points_of(lever, np.ones(120), base, around())
        assert np.allclose(points[inside, 4], 0.5 * np.maximum(target - base[inside, 4], 0))
        assert (points[~inside] == 0).all()
        assert (np.delete(points, 4, axis=1) == 0).all()


def test_compensation_follows_net_losses_within_the_set():
    flows = np.zeros((120, 120), np.int64)
    flows[city("Tianjin"), city("Beijing")] = 30  # 3 % of 1000
    flows[city("Shijiazhuang"), city("Beijing")] = 500
    flows[city("Tianjin"), city("Paris")] = 400  # outside of the set
    lever = one("integration", ["Beijing", "Tianjin", "Shijiazhuang"], compensation=0.5)
    points = points_of(lever, np.ones(120), load_landscape().scores, around(flows=flows))
    assert points[city("Tianjin"), 0] == pytest.approx(1.5)
    assert points[city("Shijiazhuang"), 0] == pytest.approx(5.0)  # the most
    assert np.count_nonzero(points) == 2


def test_shock_has_a_tail_that_is_longer_where_scores_are_low():
    lever = one(
        "shock", points={"public_life": -8}, half_life=1.5, longer=0.4,
        schedule={"start": 2026, "ramp": 1},
    )  # fmt: skip
    where, composite = around(), load_landscape().composite()
    assert (strength_of(lever, 2025, where) == 0).all()
    assert (strength_of(lever, 2026, where) == 0.5).all()
    assert (strength_of(lever, 2027, where) == 1).all()
    tail = strength_of(lever, 2030, where)
    half_life = 1.5 * (1 + 0.4 * (100 - composite) / 10)
    assert np.allclose(tail, 2 ** (-3 / half_life))
    assert tail[composite.argmin()] > tail[composite.argmax()]
    points = points_of(lever, tail, load_landscape().scores, where)
    assert np.allclose(points[:, 5], -8 * tail)


def test_openness_shock_raises_borders_both_ways_if_asked():
    settings = {"obstacles": {"border": 1.2, "visa": 0.5}, "half_life": 1, "origins": "Paris"}
    one_way = effects_of(one("shock", {"area": "CN"}, **settings))
    two_way = effects_of(one("shock", {"area": "CN"}, two_way=True, **settings))
    beijing, paris = city("Beijing"), city("Paris")
    assert one_way.added_pairs[paris, 1, beijing] == two_way.added_pairs[beijing, 1, paris] == 1.2
    assert one_way.added_pairs[beijing, 1, paris] == 0
    assert one_way.added_areas[area("FR"), 0, beijing] == 0.5
    assert two_way.added_areas[area("CN"), 0, paris] == 0.5
    assert one_way.added_areas[area("CN"), 0].sum() == 0
    assert untouched(two_way, "added_pairs", "added_areas")


def test_service_lowers_settlement_by_quality_and_reach():
    settings = {"content": 0.8, "environment": 0.4, "effectiveness": 0.5, "relief": 0.6}
    row = PAIRS.index("settlement")
    free = effects_of(one("service_quality", "Beijing", **settings))
    assert np.allclose(free.factor_pairs[:, row, city("Beijing")], 1 - 0.6 * 0.5 * 0.6)
    assert (np.delete(free.factor_pairs[:, row], city("Beijing"), axis=1) == 1).all()
    assert untouched(free, "factor_pairs")
    flows = np.zeros((120, 120), np.int64)
    flows[0, city("Beijing")] = 40
    crowded = around(flows=flows, persons=100)
    busy = one("service_quality", "Beijing", capacity=1000, provider=0.2, **settings)
    reach = 1000 * 1.2 / 4000
    factor = effects_of(busy, crowded).factor_pairs[:, row, city("Beijing")]
    assert np.allclose(factor, 1 - 0.6 * 0.5 * 0.6 * reach)


def complete_table(rng):
    """Return a table of all indicators in which one city leads everywhere and one trails."""
    table = pd.DataFrame({"city": NAMES})
    plus = hierarchy()["sign"] == "+"
    for indicator, good in zip(hierarchy()["indicator"], plus, strict=True):
        values = rng.uniform(20, 80, len(NAMES))
        values[0], values[-1] = (90, 10) if good else (10, 90)
        table[indicator] = values
    return table


def test_indicator_shift_agrees_with_the_index_engine():
    """By a share of the range, where the range is known: the leader and the last city span it."""
    table = complete_table(np.random.default_rng(2))
    changed = table.copy()
    here = NAMES.index("Lisbon")
    changed.loc[here, "housing burden"] -= 0.1 * 80
    changed.loc[here, "papers published"] += 0.05 * 80
    before, after = compute_index(table).dimensions, compute_index(changed).dimensions
    lever = one(
        "indicator_shift",
        "Lisbon",
        changes=[
            {"indicator": "housing burden", "range": -0.1},
            {"indicator": "papers published", "range": 0.05},
        ],
    )
    points = indicator_points(lever, CITIES)
    gain = (after - before).to_numpy()
    assert np.allclose(points, gain, atol=1e-9)
    assert points[here, DIMENSIONS.index("public_life")] > 0


def test_indicator_shift_by_amount_and_share_use_the_citys_own_figure():
    share = {"changes": [{"indicator": "patents published", "relative": 0.5}]}
    by_share = indicator_points(one("indicator_shift", ["Beijing", "Tokyo"], **share), CITIES)
    assert by_share[city("Beijing"), 1] != by_share[city("Tokyo"), 1]
    assert (by_share[[city("Beijing"), city("Tokyo")], 1] > 0).all()
    assert np.count_nonzero(by_share) == 2
    amount = {"changes": [{"indicator": 6, "amount": 1000}]}
    by_amount = indicator_points(one("indicator_shift", ["Beijing", "Tokyo"], **amount), CITIES)
    assert by_amount[city("Beijing"), 1] == by_amount[city("Tokyo"), 1] > 0


dims = st.dictionaries(st.sampled_from(DIMENSIONS), st.floats(-20, 20), max_size=6)


@given(dims)
def test_points_stand_in_the_order_of_the_dimensions(given_points):
    values = Points.model_validate(given_points).values()
    assert values == tuple(given_points.get(name, 0.0) for name in DIMENSIONS)


def test_check_says_what_each_intervention_selects():
    rows = selections(
        scenario(
            {"name": "a", "lever": "quota", "places": {"area": "MO"}, "persons_per_year": 1},
            {
                "name": "b",
                "lever": "retention",
                "places": "Paris",
                "stay": 1,
                "people": {"tier": ["high", "top"]},
            },
            {"name": "c", "lever": "training", "places": "Paris", "entries": 0.1},
            **{"population.agents": 5000},
        )
    )
    assert [row["places"] for row in rows] == [["Macau"], ["Paris"], ["Paris"]]
    assert rows[0]["people"] == 1
    assert 0.1 < rows[1]["people"] < 0.25
    assert rows[2]["people"] is None


def test_check_refuses_people_who_do_not_exist():
    rare = {"origin": "Lisbon", "citizenship": "Santiago", "tier": "top", "age": [68, 69]}
    shift = {"name": "a", "lever": "dimension_shift", "places": "all", "points": {"public_life": 1}}
    with pytest.raises(UserError, match=r"interventions\[0\].people: selects nobody among the"):
        selections(scenario(shift | {"people": rare}, **{"population.agents": 2000}))


def test_every_example_in_the_reference_loads(tmp_path):
    text = (Path(__file__).parent.parent / "docs" / "levers.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    seen = set()
    for block in blocks:
        path = tmp_path / "example.yaml"
        whole = block if block.startswith("title") else f"interventions:\n{block}"
        path.write_text(whole, encoding="utf-8")
        seen |= {lever.lever for lever in load_scenario(path).interventions}
    assert seen == {item["lever"] for item in LEVERS}


def test_check_prints_selections_as_comments_before_yaml_that_loads(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "interventions:\n- {name: a, lever: quota, places: 巴黎, persons_per_year: 1}\n"
    )
    result = CliRunner().invoke(app, ["check", str(path)])
    assert result.stdout.startswith("# selects a (quota): 100 % of the agents; Paris (1)\n")
    path.write_text(result.stdout)
    assert load_scenario(path).interventions[0].places.city == ("Paris",)
    rows = json.loads(CliRunner().invoke(app, ["check", str(path), "--json"]).stdout)["selects"]
    assert rows == [{"name": "a", "lever": "quota", "places": ["Paris"], "people": 1.0}]
