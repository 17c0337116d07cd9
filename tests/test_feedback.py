"""How cities answer: every target against its formula, bounds, speed, opportunities."""

import math

import numpy as np
import pytest

from sim.feedback import Feedback, relative_growth
from sim.lifecycle import Census
from sim.parameters import Feedback as Coefficients
from sim.parameters import Parameters

AREA_OF_CITY = np.array([0, 1, 2, 0, 1], np.int16)


def census(seed):
    rng = np.random.default_rng(seed)
    by_area = rng.integers(10, 900, (5, 3))
    return Census(by_area, rng.integers(1, 200, (5, 3)), rng.integers(100, 9000, 5), np.zeros(128))


START, NOW = census(1), census(2)


def feedback(**changes):
    parameters = Parameters(feedback=Coefficients(**changes))
    return Feedback(parameters, START, AREA_OF_CITY)


def growth(now, start, city):
    """Return log growth of a city less that of the world, one added to each count."""
    world = math.log((sum(now) + 1) / (sum(start) + 1))
    return math.log((now[city] + 1) / (start[city] + 1)) - world


def test_growth_is_relative_to_all_cities():
    now, start = [0, 30, 70], [9, 30, 0]
    expected = [growth(now, start, city) for city in range(3)]
    assert relative_growth(np.array(now), np.array(start)) == pytest.approx(expected)


def test_targets_are_the_formulae():
    p = Coefficients(bound=50.0)
    target = feedback(bound=50.0).target(NOW)
    for city, own in enumerate(AREA_OF_CITY):
        output = growth(NOW.product, START.product, city)
        elite = growth(NOW.by_tier[:, 2], START.by_tier[:, 2], city)
        stock = growth(NOW.by_area.sum(1), START.by_area.sum(1), city)
        before, after = (c.by_area[city] / c.by_area[city].sum() for c in (START, NOW))
        economy, innovation = p.economy * output, p.innovation * output + p.elite * elite
        assert target[city] == pytest.approx(
            [
                economy,
                innovation,
                p.openness * 10 * (before[own] - after[own]),
                0,
                p.spillover * (economy + innovation),
                -p.congestion * stock,
            ]
        )


def test_targets_are_cut_off_on_both_sides():
    free = feedback(bound=50.0, economy=20.0, congestion=20.0).target(NOW)
    bound = feedback(bound=2.0, economy=20.0, congestion=20.0).target(NOW)
    assert free.max() > 2.0 > -2.0 > free.min()
    assert np.array_equal(bound, np.clip(free, -2.0, 2.0))


def test_deviations_close_a_share_of_the_gap_each_year():
    answer = feedback(speed=0.3)
    for year in (1, 2, 3):
        answer.update(NOW)
        assert answer.deviation == pytest.approx((1 - 0.7**year) * answer.target(NOW))


def test_opportunities_follow_growth_with_their_elasticity():
    answer = feedback(opportunities=0.4)
    size = START.by_area.sum(1) + 1.0
    assert answer.opportunities() == pytest.approx(size)
    answer.update(NOW)
    rise = [growth(NOW.by_area.sum(1), START.by_area.sum(1), city) for city in range(5)]
    assert answer.opportunities() == pytest.approx(size * np.exp(0.4 * np.array(rise)))


def test_the_foreign_share_of_an_empty_city_and_of_small_ones():
    residents = np.array([[0, 0], [1, 3], [0, 1]])
    few = Census(residents, np.ones((3, 3)), np.ones(3), np.zeros(128))
    answer = Feedback(Parameters(), few, np.array([0, 1, 0], np.int16))
    assert answer.foreign_share(few) == pytest.approx([0.0, 0.25, 1.0])
