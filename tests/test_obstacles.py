"""Distances, blocs, visa classes, languages, settlement."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.cities import load_cities
from sim.obstacles import (
    EARTH_RADIUS_KM,
    FREE,
    NONE,
    RESTRICTED,
    blocs,
    common_bloc,
    great_circle_km,
    load_obstacles,
    shared_language,
)

C = load_cities()
O = load_obstacles()  # noqa: E741
AREA = {name: k for k, name in enumerate(C.area_names)}
degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@pytest.mark.parametrize(
    ("one", "other", "km"),
    # great-circle distances between city centres as atlases print them, to about 1 %
    [("London", "Paris", 344), ("New York", "London", 5570), ("Sydney", "Melbourne", 714),
     ("Beijing", "Shanghai", 1068), ("Madrid", "Lisbon", 503)],
)  # fmt: skip
def test_known_distances(one, other, km):
    assert O.distance_km[C.index(one), C.index(other)] == pytest.approx(km, rel=0.02)


@given(degrees, degrees, degrees)
def test_great_circles_are_a_metric(a, b, c):
    lat, lon = np.array([a, b, c]).T
    d = great_circle_km(lat, lon)
    assert np.allclose(d, d.T)
    assert np.allclose(np.diag(d), 0)
    assert d.max() <= np.pi * EARTH_RADIUS_KM + 1e-6
    assert d[0, 2] <= d[0, 1] + d[1, 2] + 1e-3


def test_quarter_and_half_of_the_earth():
    d = great_circle_km(np.array([0.0, 90.0, 0.0]), np.array([0.0, 0.0, 180.0]))
    assert d[0, 1] == pytest.approx(np.pi * EARTH_RADIUS_KM / 2)
    assert d[0, 2] == pytest.approx(np.pi * EARTH_RADIUS_KM)


def test_free_movement_is_by_right_and_mutual():
    area = C.area_of_city
    assert (O.free_movement == O.free_movement.T).all()
    assert (O.visa_class[area][O.free_movement] <= FREE).all()
    assert O.free_movement[C.index("Paris"), C.index("Oslo")]
    assert O.free_movement[C.index("Zurich"), C.index("Vienna")]
    assert O.free_movement[C.index("Sydney"), C.index("Auckland")]
    assert O.free_movement[C.index("London"), C.index("Dublin")]
    assert not O.free_movement[C.index("London"), C.index("Paris")]
    assert not O.free_movement[C.index("Beijing"), C.index("Hong Kong")]


def test_blocs_hold_known_areas():
    members = set().union(*blocs().values())
    assert members <= set(C.area_names)
    assert common_bloc("FR", "CH") == "EU-EEA-CH"
    assert common_bloc("GB", "FR") is None


def test_visa_classes():
    own = np.arange(len(C.area_names))[:, None] == C.area_of_city[None, :]
    assert (O.visa_class[own] == NONE).all()
    assert (O.visa_class[~own] > NONE).all()
    assert O.visa_class.max() == RESTRICTED
    assert O.visa_class[AREA["CA"], C.index("New York")] == 2
    assert O.visa_class[AREA["IN"], C.index("New York")] == 4
    assert O.visa_class[AREA["DE"], C.index("New York")] == 3
    assert O.visa_class[AREA["NZ"], C.index("Sydney")] == 1
    assert O.visa_class[AREA["CN"], C.index("Taipei")] == 4


def test_shared_language_is_symmetric_and_within_bounds():
    language = O.language_of_area
    assert np.allclose(language, language.T)
    assert (np.diag(language) == 1).all()
    assert ((language >= 0) & (language <= 1)).all()
    assert language[AREA["GB"], AREA["US"]] > 0.9
    assert language[AREA["DE"], AREA["AT"]] > language[AREA["DE"], AREA["JP"]]
    assert language[AREA["CN"], AREA["TW"]] > 0.8


def test_shared_language_by_hand():
    pair = shared_language(("DE", "AT"))
    whole = shared_language(C.area_names)
    assert pair[0, 1] == pytest.approx(whole[AREA["DE"], AREA["AT"]])


def test_settlement():
    cost = O.settlement
    assert (np.diag(cost) == 0).all()
    assert ((cost >= 0) & (cost <= 1)).all()
    beijing, tianjin, lanzhou = C.index("Beijing"), C.index("Tianjin"), C.index("Lanzhou")
    assert cost[tianjin, beijing] > cost[beijing, tianjin] > cost[beijing, lanzhou]
    assert cost[C.index("Boston"), C.index("Seattle")] == 0
    assert cost[C.index("Paris"), C.index("Berlin")] < cost[C.index("Paris"), C.index("London")]


def test_languages_are_rebuilt_byte_for_byte():
    pytest.importorskip("babel")
    from calibration.build_languages import TARGET, text

    assert text().encode() == TARGET.read_bytes()
