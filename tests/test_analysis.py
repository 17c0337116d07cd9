"""Measures against worked examples, and properties that hold for every run."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from synthetic_run import PERSONS, PLACES, START, distances, make_run

from analysis import age_schedule, build_outline, flow_structure, metrics, world

CITIES = pd.DataFrame(
    {
        "year": [2024, 2024, 2024, 2025, 2025, 2025],
        "city": ["A", "B", "C"] * 2,
        "stock": [1000, 500, 200, 1045, 480, 175],
        "arrivals": [0, 0, 0, 60, 10, 5],
        "departures": [0, 0, 0, 15, 30, 30],
        "entries": [0] * 6,
        "exits": [0] * 6,
    }
)
FLOWS = pd.DataFrame(
    {
        "year": 2025,
        "origin": ["A", "A", "B", "C", "C"],
        "destination": ["B", "C", "A", "A", "A"],
        "persons": [10, 5, 30, 20, 10],
    }
)
COUNTRY = pd.Series({"A": "X", "B": "X", "C": "Y"})

runs = st.builds(
    make_run,
    st.integers(1, len(PLACES)).map(lambda n: PLACES.head(n)),
    years=st.integers(0, 3),
    mobility=st.sampled_from([0.0, 0.02, 0.3]),
    seed=st.integers(0, 10_000),
)


def test_net_gain_of_a_worked_example():
    gains = metrics.net_gain(CITIES)
    assert list(gains.index) == ["A", "B", "C"]
    assert gains["net"].tolist() == [45, -20, -25]
    assert gains["per_100"].tolist() == pytest.approx([4.5, -4.0, -12.5])
    assert gains.loc["A", "effectiveness"] == pytest.approx(100 * 45 / 75)
    error = metrics.net_gain_error(gains, 20)
    assert error["A"] == pytest.approx(math.sqrt(20 * 75))


def test_a_year_outside_the_run_gains_nothing():
    assert metrics.net_gain(CITIES, 2030).empty
    assert len(metrics.net_gain(CITIES, (2025, 2030))) == 3


def test_origin_destination_matrix_of_a_worked_example():
    matrix = metrics.origin_destination(FLOWS, cities=["C", "A", "B"])
    assert matrix.loc["C", "A"] == 30
    assert matrix.loc["A", "C"] == 5
    assert matrix.to_numpy().sum() == 75
    assert list(matrix.columns) == ["C", "A", "B"]
    assert metrics.pair_flows(FLOWS)["persons"].tolist() == [30, 30, 10, 5]


def test_mobility_tells_domestic_from_international():
    table = metrics.mobility(FLOWS, CITIES, COUNTRY)
    row = table.loc[2025]
    assert (row["total"], row["domestic"], row["international"]) == (75, 40, 35)
    assert row["stock"] == 1700
    assert row["total_rate"] == pytest.approx(100 * 75 / 1700)
    with pytest.raises(KeyError, match="C"):
        metrics.mobility(FLOWS, CITIES, COUNTRY.drop("C"))


def test_spearman_with_ties_by_hand():
    first = pd.Series([1.0, 2.0, 2.0, 4.0], index=list("abcd"))
    second = pd.Series([10.0, 30.0, 20.0, 40.0, 9.0], index=list("abcde"))
    found = metrics.spearman(first, second)
    # ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4
    assert found.rho == pytest.approx(4.5 / math.sqrt(4.5 * 5.0))
    assert found.n == 4
    assert found.low < found.rho < found.high


def test_spearman_where_it_is_certain_or_undefined():
    rising = pd.Series(range(10), dtype=float)
    assert metrics.spearman(rising, rising**3) == (1, 1, 1, 10)
    assert metrics.spearman(rising, -rising).rho == pytest.approx(-1)
    assert math.isnan(metrics.spearman(rising, rising * 0).rho)
    assert math.isnan(metrics.spearman(rising[:1], rising[:1]).rho)


@given(st.lists(st.integers(-5, 5), min_size=5, max_size=30), st.randoms())
def test_spearman_is_symmetric_and_knows_only_ranks(values, random):
    first = pd.Series(values, dtype=float)
    second = pd.Series(random.sample(values, len(values)), dtype=float)
    found = metrics.spearman(first, second)
    if not math.isnan(found.rho):
        assert -1 <= found.rho <= 1
        assert metrics.spearman(second, np.exp(first)).rho == pytest.approx(found.rho)


@given(runs)
@settings(max_examples=25, deadline=None)
def test_gains_sum_to_zero_and_agree_with_the_flows(run):
    gains = metrics.net_gain(run.cities)
    assert gains["net"].sum() == 0
    names = list(gains.index)
    matrix = metrics.origin_destination(run.flows, cities=names)
    assert matrix.sum(axis=1).tolist() == gains["departures"].tolist()
    assert matrix.sum(axis=0).tolist() == gains["arrivals"].tolist()
    assert (np.diag(matrix) == 0).all()
    index = flow_structure.effectiveness(gains)
    assert math.isnan(index) or 0 <= index <= 100


@given(runs)
@settings(max_examples=25, deadline=None)
def test_a_run_balances_and_mobility_adds_up(run):
    assert metrics.stock_discrepancy(run.cities).empty
    table = metrics.mobility(run.flows, run.cities, PLACES["area"])
    assert (table["domestic"] + table["international"] == table["total"]).all()
    assert table["total"].sum() == run.flows["persons"].sum()


def test_a_lost_person_is_found():
    cities = CITIES.copy()
    cities.loc[4, "stock"] -= 1
    found = metrics.stock_discrepancy(cities)
    assert found.to_dict("records") == [{"year": 2025, "city": "B", "discrepancy": -1}]
    cities = CITIES.copy()
    cities.loc[3, ["arrivals", "stock"]] += 7
    found = metrics.stock_discrepancy(cities)
    assert found.to_dict("records") == [{"year": 2025, "city": "(all)", "discrepancy": 7}]


def test_stickiness_is_averaged_and_compared():
    cities = pd.DataFrame(
        {
            "year": [2024] * 4 + [2025] * 4 + [2026] * 4,
            "city": list("ABCD") * 3,
            "stickiness": [np.nan] * 4 + [50, 60, 70, 100] + [60, 50, 80, 100],
        }
    )
    table = metrics.mean_stickiness(cities)
    assert table["stickiness"].tolist() == [55, 55, 75, 100]
    assert table["years"].tolist() == [2, 2, 2, 2]
    assert (table["low"] <= table["stickiness"]).all()
    published = pd.Series({"A": 50.0, "B": 60.0, "C": 70.0, "D": 80.0})
    assert metrics.stickiness_agreement(cities, published, 2025).rho == pytest.approx(1)
    assert metrics.stickiness_agreement(cities, published).rho == pytest.approx(
        4.5 / math.sqrt(4.5 * 5.0)
    )


def test_persons_per_agent_is_read_off_the_counts():
    run = make_run(years=2)
    assert metrics.persons_per_agent(run.flows, run.cities) == PERSONS
    assert metrics.persons_per_agent(run.flows.head(0)) == 1


def test_effectiveness_and_concentration_by_hand():
    gains = metrics.net_gain(CITIES)
    assert flow_structure.effectiveness(gains) == pytest.approx(100 * 90 / 150)
    assert flow_structure.gini([1, 1, 1]) == pytest.approx(0)
    assert flow_structure.gini([0, 0, 0, 8]) == pytest.approx(0.75)
    assert flow_structure.gini([1, 3]) == pytest.approx(0.25)
    assert math.isnan(flow_structure.gini([0, 0]))
    with pytest.raises(ValueError, match="non-negative"):
        flow_structure.gini([-1, 2])
    assert flow_structure.top_share([1, 5, 4], 1) == pytest.approx(0.5)
    # six ordered pairs: 30, 30, 10, 5, 0, 0
    assert flow_structure.flow_gini(FLOWS, "ABC") == pytest.approx(
        flow_structure.gini([0, 0, 5, 10, 30, 30])
    )


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.floats(0.01, 100))
def test_gini_is_bounded_and_free_of_scale(values, factor):
    found = flow_structure.gini(values)
    if sum(values) > 1e-3:
        assert -1e-9 <= found <= 1 - 1 / len(values) + 1e-9
        assert flow_structure.gini([factor * value for value in values]) == pytest.approx(found)


def test_intensity_is_one_at_every_distance_where_only_size_counts():
    names, size = list("ABCD"), np.array([1, 2, 3, 4])
    place = np.array([0.0, 100.0, 1500.0, 9000.0])
    far = pd.DataFrame(np.abs(place[:, None] - place), names, names)
    rows = [
        (2025, a, b, 7 * size[i] * size[j])
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if a != b
    ]
    flows = pd.DataFrame(rows, columns=["year", "origin", "destination", "persons"])
    cities = pd.DataFrame({"year": 2025, "city": names, "stock": size * 1000})
    table = flow_structure.distance_decay(flows, cities, far)
    assert table["intensity"].tolist() == pytest.approx([1.0] * len(table))
    assert table["pairs"].sum() == 12
    assert table["share"].sum() == pytest.approx(1)


def test_great_circle_distances():
    where = pd.DataFrame({"lat": [0, 0, 90, 0], "lon": [0, 90, 0, 180]}, index=list("ABCD"))
    km = flow_structure.distances_km(where)
    quarter = math.pi / 2 * 6371
    assert km.loc["A"].tolist() == pytest.approx([0, quarter, quarter, 2 * quarter], rel=1e-4)
    rough = distances(PLACES).to_numpy()
    assert np.allclose(flow_structure.distances_km(PLACES), rough, rtol=1e-3, atol=1)


def test_gravity_decays_with_distance():
    run = make_run(years=5, mobility=0.1)
    table = flow_structure.distance_decay(run.flows, run.cities, distances(PLACES))
    assert table["intensity"].iloc[0] > 3 * table["intensity"].iloc[-1]


def test_rogers_castro_formula_at_a_known_point():
    found = age_schedule.rogers_castro(np.array([20.0]))
    assert found[0] == pytest.approx(0.02 * math.exp(-2) + 0.06 * math.exp(-1) + 0.003)
    fine = np.linspace(18, 60, 42_001)
    no_children = age_schedule.FUNDAMENTAL._replace(a1=0.0)
    peak = fine[np.argmax(age_schedule.rogers_castro(fine, no_children))]
    assert age_schedule.peak_age(age_schedule.FUNDAMENTAL) == pytest.approx(peak, abs=1e-3)


@given(
    st.floats(0.01, 0.2),
    st.floats(0.04, 0.15),
    st.floats(19, 28),
    st.floats(0.25, 0.8),
    st.floats(0.001, 0.02),
)
@settings(max_examples=20, deadline=None)
def test_a_schedule_is_recovered_from_its_own_rates(a2, alpha2, mu2, lambda2, c):
    true = age_schedule.RogersCastro(0, 0, a2, alpha2, mu2, lambda2, c)
    age = np.arange(16, 71)
    rates = age_schedule.rogers_castro(age, true)
    found = age_schedule.fit_rogers_castro(age, rates, np.linspace(2, 1, len(age)))
    assert age_schedule.rogers_castro(age, found) == pytest.approx(rates, rel=0.01, abs=1e-5)
    assert age_schedule.peak_age(found) == pytest.approx(age_schedule.peak_age(true), abs=0.2)


def test_a_schedule_needs_ages_with_movers():
    with pytest.raises(ValueError, match="six ages"):
        age_schedule.fit_rogers_castro(np.arange(5), np.ones(5))
    with pytest.raises(ValueError, match="six ages"):
        age_schedule.fit_rogers_castro(np.arange(20), np.zeros(20))


def test_age_profile_of_a_worked_example():
    ages = pd.DataFrame(
        {
            "year": [2025, 2025, 2026, 2026],
            "age": [20, 21, 20, 21],
            "stock": [100, 0, 300, 0],
            "movers_domestic": [3, 0, 5, 0],
            "movers_international": [1, 0, 1, 0],
        }
    )
    profile = age_schedule.age_profile(ages)
    assert profile.loc[20, "rate"] == pytest.approx(2.5)
    assert profile.loc[20, "international_rate"] == pytest.approx(0.5)
    assert math.isnan(profile.loc[21, "rate"])
    error = age_schedule.rate_error(profile, 4)
    assert error[20] == pytest.approx(100 * math.sqrt(4 * 10) / 400)
    assert age_schedule.age_profile(ages, 2026).loc[20, "movers"] == 6


def test_the_fit_finds_the_peak_of_noisy_counts():
    profile = age_schedule.age_profile(make_run(years=6).ages, (START + 1, START + 6))
    age = profile.index.to_numpy()
    found = age_schedule.fit_rogers_castro(age, profile["rate"] / 100, profile["stock"])
    # the made-up moves peak at 22 − ln(0.09/0.5)/0.5
    assert age_schedule.peak_age(found) == pytest.approx(25.4, abs=1)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=40))
def test_simplified_lines_stay_within_the_tolerance(points):
    line, tolerance = np.array(points), 2.0
    thin = build_outline.simplify(line, tolerance)
    assert (thin[0] == line[0]).all()
    assert (thin[-1] == line[-1]).all()
    for point in line:
        assert min(_distance(point, a, b) for a, b in itertools.pairwise(thin)) <= (
            tolerance + 1e-9
        )


def _distance(point, start, end):
    """Distance of a point from a segment."""
    way = end - start
    length = way @ way
    share = np.clip((point - start) @ way / length, 0, 1) if length > 0 else 0.0
    return float(np.hypot(*(point - start - share * way)))


def test_topojson_is_decoded_with_shared_arcs_and_across_the_date_line():
    topology = {
        "transform": {"scale": [1, 1], "translate": [0, 0]},
        "arcs": [
            [[0, 0], [2, 0], [0, 2]],
            [[0, 0], [0, 2], [2, 0]],
            [[170, 0], [9, 0], [-358, 1], [-1, 5], [350, -6]],
        ],
        "objects": {
            "land": {
                "geometries": [
                    {"type": "Polygon", "arcs": [[0, -2]]},
                    {"type": "MultiPolygon", "arcs": [[[2]]]},
                ]
            }
        },
    }
    square, straddling = build_outline.decode_rings(json.loads(json.dumps(topology)))
    assert square.tolist() == [[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]]
    assert build_outline.ring_area(square) == 4
    assert straddling[:, 0].tolist() == [170, 179, 181, 180, 170]
    derived = build_outline.derive(topology)
    assert derived["ends"].tolist() == [5, 10]


def test_the_outline_is_small_and_cities_lie_on_land():
    assert build_outline.OUTLINE.stat().st_size < 200_000
    rings = [Outline(ring) for ring in world.outline()]
    for city, lat, lon in PLACES[["lat", "lon"]].itertuples():
        near = [(lon + dx, lat + dy) for dx in (-0.4, 0, 0.4) for dy in (-0.4, 0, 0.4)]
        assert any(ring.contains_points(near).any() for ring in rings), city
    middle_of_oceans = [(-30.0, 40.0), (-140.0, 0.0), (80.0, -30.0), (160.0, 35.0)]
    assert not any(ring.contains_points(middle_of_oceans).any() for ring in rings)


@given(st.floats(-179, 179), st.floats(-85, 85))
def test_the_projection_is_equal_area(longitude, latitude):
    step = 1e-4
    corner = np.array([longitude, longitude + step, longitude])
    height = np.array([latitude, latitude, latitude + step])
    at, east, north = world.project(corner, height)
    (a, b), (c, d) = east - at, north - at
    sphere = math.radians(step) ** 2 * math.cos(math.radians(latitude))
    assert (a * d - b * c) / sphere == pytest.approx(1, rel=1e-3)


def test_arcs_end_at_their_cities_and_take_the_short_way():
    tokyo, san_francisco = np.array([139.7, 35.7]), np.array([-122.4, 37.8])
    pieces = world.arc(tokyo, san_francisco)
    assert len(pieces) == 2
    ends = world.WORLD.positions(np.array([139.7, -122.4]), np.array([35.7, 37.8]))
    assert pieces[0][0, :2] == pytest.approx(ends[0])
    assert pieces[-1][-1, :2] == pytest.approx(ends[1])
    assert [pieces[0][0, 2], pieces[-1][-1, 2]] == [0, 1]
    paris, beijing = np.array([2.3, 48.9]), np.array([116.4, 39.9])
    (there,), (back,) = world.arc(paris, beijing), world.arc(beijing, paris)
    assert np.abs(there[30, :2] - back[30, :2]).max() > 0.1


def test_needles_narrow_towards_the_destination():
    (track,) = world.arc(np.array([0.0, 0.0]), np.array([40.0, 0.0]), bend=0.0)
    shape = world.needle(track, 0.1)
    widths = np.hypot(*(shape[: len(track)] - shape[len(track) :][::-1]).T)
    assert widths[0] == pytest.approx(0.1)
    assert (np.diff(widths) < 0).all()
    assert widths[-1] == pytest.approx(0.012)
