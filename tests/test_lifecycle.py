"""A year of life, agent by agent, against plain Python; the yearly rates; the census."""

import numpy as np
import pytest
from worlds import make_agents, make_world

from sim.kernel import Agents
from sim.lifecycle import census, live, rates
from sim.parameters import Life, Parameters
from sim.rng import LIFE, split_seed, words
from sim.team import Team

LIFE_OF = Life(
    retirement_age=60,
    last_age=71,
    study_years=4.0,
    last_study_age=30,
    mid_rate=0.5,
    senior_rate=0.4,
    promotion_by_tier=(0.6, 1.0, 1.7),
)
RATES = rates(Parameters(life=LIFE_OF))


def leaving(age):
    """Return the probability to retire, as documented."""
    way = (age - LIFE_OF.retirement_age) / (LIFE_OF.last_age - LIFE_OF.retirement_age)
    return min(max(way, 0.0), 1.0) ** 2


def advancing(age, stage, tier):
    """Return the probability to graduate or to be promoted, as documented."""
    life, factor = LIFE_OF, LIFE_OF.promotion_by_tier[tier]
    if stage == 0:
        return 1.0 if age >= life.last_study_age else 1 / life.study_years
    if stage == 1:
        return life.mid_rate * factor if age >= life.mid_age else 0.0
    return life.senior_rate * factor if stage == 2 and age >= life.senior_age else 0.0


def people(number, seed=3):
    rng = np.random.default_rng(seed)
    agents = make_agents(make_world(cities=5, areas=2, seed=1), number, seed)
    age, years = rng.integers(18, 128, number), rng.integers(0, 61, number)
    return agents._replace(age=age.astype(np.uint8), years=years.astype(np.uint8))


def copied(agents):
    return Agents(*(array.copy() for array in agents))


def test_a_year_of_life_is_that_of_plain_python():
    before = people(3000)
    after, leaves = copied(before), np.zeros(3000, np.uint8)
    live(after, RATES, 4, *split_seed(9), 0, 3000, leaves)
    luck = ((words(before.ids, 4, LIFE, 9) >> 9) + 0.5) / 2**23
    seen = set()
    for i in range(3000):
        age, stage = min(int(before.age[i]) + 1, 127), int(before.stage[i])
        leaves_now = bool(luck[0, i] < leaving(age))
        chance = advancing(age, stage, before.tier[i])
        advances = bool(luck[1, i] < chance) and not leaves_now
        expected = age, min(before.years[i] + 1, 60), stage + advances, advances and stage == 0
        found = after.age[i], after.years[i], after.stage[i], after.fresh[i]
        assert (*found, leaves[i]) == (*expected, leaves_now)
        seen.add((stage, leaves_now, advances))
    assert len(seen) == 4 * 3 - 1, "nobody is promoted beyond senior; all else happens"


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_rates_change_at_the_documented_ages(stage):
    """Everybody of one age, just below and at the age from which something is possible."""
    start = (LIFE_OF.last_study_age, LIFE_OF.mid_age, LIFE_OF.senior_age)[stage]
    for age in (start - 1, start):
        agents = people(4000)
        agents.age[:], agents.stage[:], agents.tier[:] = age - 1, stage, 2
        live(agents, RATES, 4, *split_seed(9), 0, 4000, np.zeros(4000, np.uint8))
        chance = advancing(age, stage, 2)
        spread = 5 * np.sqrt(chance * (1 - chance) / 4000)
        assert abs((agents.stage > stage).mean() - chance) <= spread
        assert np.array_equal(agents.fresh, agents.stage > 0 if stage == 0 else np.zeros(4000))


def test_a_part_of_the_agents_lives_as_all_do_and_nobody_else():
    before = people(700)
    whole, part = copied(before), copied(before)
    all_leave, leaves = np.zeros(700, np.uint8), np.zeros(700, np.uint8)
    live(whole, RATES, 1, *split_seed(2), 0, 700, all_leave)
    live(part, RATES, 1, *split_seed(2), 130, 600, leaves)
    for name in ("age", "years", "stage", "fresh"):
        expected = getattr(before, name).copy()
        expected[130:600] = getattr(whole, name)[130:600]
        assert np.array_equal(getattr(part, name), expected), name
    assert np.array_equal(leaves[130:600], all_leave[130:600])
    assert not leaves[:130].any()
    assert not leaves[600:].any()


@pytest.mark.parametrize("threads", [1, 2])
def test_the_census_counts_everybody(threads):
    agents, area_of_city = people(9000), np.array([0, 1, 0, 1, 2], np.int16)
    output = np.random.default_rng(1).integers(1, 1000, (3, 256))
    counted = census(agents, area_of_city, 3, output, Team(threads))
    by_area, by_tier, product = np.zeros((5, 3)), np.zeros((5, 3)), np.zeros(5)
    np.add.at(by_area, (agents.city, area_of_city[agents.home]), 1)
    np.add.at(by_tier, (agents.city, agents.tier), 1)
    graduates = agents.stage > 0
    worth = output[agents.tier, agents.traits[:, 13]]
    np.add.at(product, agents.city[graduates], worth[graduates])
    assert np.array_equal(counted.by_area, by_area)
    assert np.array_equal(counted.by_tier, by_tier)
    assert np.array_equal(counted.product, product)
    assert np.array_equal(counted.by_age, np.bincount(agents.age, minlength=128))
    assert np.array_equal(counted.stock, np.bincount(agents.city, minlength=5))
