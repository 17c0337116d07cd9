"""Which agents fit which groups, against a test of each agent in plain Python."""

import numpy as np
from worlds import make_agents, make_world

from sim.cities import load_cities
from sim.parameters import FIELDS, STAGES, TIERS
from sim.selection import MOST_GROUPS, Group, groups_of, tables
from sim.selectors import Persons
from sim.team import Team

CHINA = {"area": ["CN"]}
PEOPLE = [
    {},
    {"field": ["engineering", "other"]},
    {"tier": ["top"]},
    {"stage": ["student", "mid"]},
    {"age": [25, 40]},
    {"citizenship": CHINA},
    {"origin": CHINA},
    {"origin": {"all": True, "except": CHINA}, "citizenship": CHINA},
    {"abroad": True},
    {"abroad": False},
    {"graduating": True},
    {"graduating": False, "age": [18, 60]},
    {"years_in_city": [3, 7]},
    {"years_in_city": [60, 60]},
]
GROUPS = [Group(Persons(**people)) for people in PEOPLE] + [
    Group(Persons(), years=(5, 9)),
    Group(Persons(years_in_city=[3, 7]), years=(5, 9)),
]


def fits(agents, i, group, cities):
    """Return whether agent i is in the group, attribute by attribute."""
    p, years = group.people, agents.years[i]
    area = cities.area_of_city
    answers = [
        not p.field or FIELDS[agents.field[i]] in p.field,
        not p.tier or TIERS[agents.tier[i]] in p.tier,
        not p.stage or STAGES[agents.stage[i]] in p.stage,
        p.age is None or p.age[0] <= agents.age[i] <= p.age[1],
        p.years_in_city is None or p.years_in_city[0] <= years <= p.years_in_city[1],
        group.years[0] <= years <= group.years[1],
        p.citizenship is None or p.citizenship.mask(cities)[agents.home[i]],
        p.origin is None or p.origin.mask(cities)[agents.city[i]],
        p.abroad is None or p.abroad == (area[agents.city[i]] != area[agents.home[i]]),
        p.graduating is None or p.graduating == bool(agents.fresh[i]),
    ]
    return all(answers)


def test_groups_are_those_of_plain_python():
    cities, rng = load_cities(), np.random.default_rng(5)
    agents = make_agents(make_world(cities=len(cities), areas=4, seed=1), 1500, seed=2)
    home = np.where(rng.random(1500) < 0.5, agents.city, agents.home).astype(np.int16)
    agents = agents._replace(home=home, years=rng.integers(0, 61, 1500).astype(np.uint8))
    assert len(GROUPS) == MOST_GROUPS
    found = groups_of(agents, tables(GROUPS, cities), Team(2))
    for bit, group in enumerate(GROUPS):
        expected = np.array([fits(agents, i, group, cities) for i in range(1500)])
        assert np.array_equal((found >> bit) & 1, expected), group
        assert expected.any(), group
        assert expected.all() == (bit == 0), group
