"""The ODD protocol is enough to re-implement the model: a second implementation of a year from it.

Written from docs/odd.md alone, in double precision and without any function of the simulator but
those that load input data. It must give the same people, and nearly all the same decisions.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from sim.cities import load_cities
from sim.landscape import load_landscape
from sim.obstacles import load_obstacles
from sim.parameters import STAGES, Parameters
from sim.scenario import load_scenario
from sim.simulation import Simulation

AGENTS, SEED = 6000, (1 << 40) + 77
MASK = 0xFFFFFFFF


def philox(identity, year, purpose, rounds=10):
    """Section 7.16: four words of a counter."""
    c = [identity & MASK, identity >> 32, year, purpose]
    k = [SEED & MASK, SEED >> 32]
    for _ in range(rounds):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & MASK, (p >> 32) ^ c[3] ^ k[1], p & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def single(word):
    return ((word >> 9) + 0.5) / 2**23


def double(word):
    return (word + 0.5) / 2**32


class Year:
    """The start population and its first year, after sections 5 to 7 of the protocol."""

    def __init__(self):
        self.p = Parameters()
        self.cities, self.obstacles = load_cities(), load_obstacles()
        self.landscape = load_landscape().scores
        self.area = self.cities.area_of_city
        self.people = self.start()

    def start(self):
        g, s = self.cities.talent_stock, self.cities.students
        exact = AGENTS * (g + s) / (g + s).sum()
        number = np.floor(exact).astype(int)
        order = sorted(range(len(exact)), key=lambda i: number[i] - exact[i])
        for i in order[: AGENTS - number.sum()]:
            number[i] += 1
        self.persons = max(1, round((g + s).sum() / AGENTS))
        self.settled = [self.settle(tier) for tier in range(3)]
        self.home_cdf = [np.cumsum(self.homes(i)) for i in range(len(g))]
        people = []
        for i, n in enumerate(number):
            studying = round(n * s[i] / (g[i] + s[i]))
            people += [self.birth((i << 32) | k, i, k < studying) for k in range(n)]
        return people

    def birth(self, identity, city, student, entry=False):
        people = self.p.people
        u = [double(w) for w in philox(identity, 0, 1)]
        fields = np.cumsum(people.field_shares)
        lift = math.exp(
            people.tier_gradient * (self.landscape[city, 1] - self.landscape[:, 1].mean()) / 10
        )
        top, high = people.top_share * lift, people.high_share * math.sqrt(lift)
        scale = max(top + high, 0.95) / 0.95
        tier = int(u[1] > 1 - (top + high) / scale) + int(u[1] > 1 - top / scale)
        cdf = self.home_cdf[city]
        home = int(np.searchsorted(cdf / cdf[-1], u[3]))
        life = self.p.life
        if entry:
            age, stage, years = life.entry_age + int(u[2] * life.entry_age_span), 0, 0
        else:
            cells = self.settled[tier].copy()
            cells[:, slice(1, None) if student else slice(0, 1)] = 0
            cdf = np.cumsum(cells.ravel())
            age, stage = divmod(int(np.searchsorted(cdf / cdf[-1], u[2])), 4)
            away = math.floor(-people.years_away * math.log(double(philox(identity, 0, 2)[0])))
            years = min(age - 18 if home == city else min(away, age - 18), 60)
        words = philox(identity, 0, 0)
        return {
            "id": identity,
            "city": city,
            "home": home,
            "age": age,
            "stage": stage,
            "tier": tier,
            "field": int(np.searchsorted(fields[:-1] / fields[-1], u[0])),
            "years": years,
            "fresh": False,
            "traits": [(w >> shift) & 255 for w in words for shift in (0, 8, 16, 24)],
        }

    def rates(self, age, tier):
        life = self.p.life
        span = life.last_age - life.retirement_age
        leave = min(max((age - life.retirement_age) / span, 0), 1) ** 2
        graduate = 1.0 if age >= life.last_study_age else 1 / life.study_years
        factor = life.promotion_by_tier[tier]
        mid = life.mid_rate * factor if age >= life.mid_age else 0
        senior = life.senior_rate * factor if age >= life.senior_age else 0
        return leave, graduate, min(mid, 1), min(senior, 1)

    def settle(self, tier):
        life = self.p.life
        cells, state = np.zeros((128, 4)), np.zeros(4)
        for age in range(life.entry_age, life.last_age):
            leave, *steps = self.rates(age, tier)
            state *= (1 - leave) / (1 + self.p.people.cohort_growth)
            moved = state[:3] * steps
            state[:3] -= moved
            state[1:] += moved
            if age < life.entry_age + life.entry_age_span:
                state[0] += 1
            cells[age] = state
        return cells

    def homes(self, i):
        people, p = self.p.people, self.p.obstacles
        shares, cost = np.zeros(len(self.area)), 0.0
        weight = np.maximum(self.cities.talent_stock, 1) * np.exp(
            -people.home_distance * np.log(1 + self.obstacles.distance_km[i] / 100)
        )
        visa = np.array(p.visa_by_class)[self.obstacles.visa_class[self.area, i]]
        apart = 1 - self.obstacles.language_of_area[self.area, self.area[i]]
        cost = p.visa * visa + p.language * apart
        abroad = np.where(self.area != self.area[i], weight * np.exp(-cost), 0)
        inside = np.where(self.area == self.area[i], weight, 0)
        inside[i] = 0
        foreign = self.cities.foreign_share[i] if abroad.sum() else 0
        other = (1 - foreign) * (1 - people.local_share) if inside.sum() else 0
        shares += foreign * abroad / max(abroad.sum(), 1e-300)
        shares += other * inside / max(inside.sum(), 1e-300)
        shares[i] = 1 - foreign - other
        return shares

    def live(self):
        """Section 7.1; return the survivors."""
        left = []
        for one in self.people:
            one["age"] += 1
            one["years"] = min(one["years"] + 1, 60)
            u = [single(w) for w in philox(one["id"], 1, 3)]
            leave, *steps = self.rates(one["age"], one["tier"])
            if u[0] < leave:
                continue
            step = one["stage"] < 3 and u[1] < steps[one["stage"]]
            one["fresh"] = step and one["stage"] == 0
            one["stage"] += step
            left.append(one)
        return left

    def wants(self, one):
        needs = self.p.needs
        z = [NormalDist().inv_cdf((q + 0.5) / 256) for q in one["traits"]]
        w = np.array(getattr(needs, f"weights_{STAGES[one['stage']]}"))
        w[1] *= needs.innovation_by_field[one["field"]] * needs.innovation_by_tier[one["tier"]]
        w *= np.exp(needs.taste_spread * np.array(z[:6]))
        w[5] *= math.exp(needs.cost_spread * z[12])
        level = np.array(needs.aspiration_mean) + needs.aspiration_by_tier[one["tier"]]
        level += needs.aspiration_spread * np.array(z[6:12])
        k = needs.adaptation * (1 - math.exp(-one["years"] / needs.adaptation_years))
        return w / w.sum(), level + k * (self.landscape[one["city"]] - level)

    def rate(self, one, w, a):
        c = self.p.consider
        ages = np.arange(0, 120, 0.1)

        def schedule(x):
            y = x - c.labour_position
            return (
                c.labour_peak * np.exp(-c.labour_decline * y - np.exp(-c.labour_rise * y))
                + c.constant
            )

        bound = max(math.exp(-c.attachment * one["years"]), c.attachment_floor)
        lack = w @ np.maximum(a - self.landscape[one["city"]], 0) / 10
        rate = c.peak_rate * schedule(one["age"]) / schedule(ages).max() * bound
        rate *= (c.graduation if one["fresh"] else 1) * (1 + c.push * lack)
        return min(rate, c.ceiling)

    def looks(self, one, w, a):
        return single(philox(one["id"], 1, 4)[0]) < self.rate(one, w, a)

    def expected(self, residents):
        """Section 7.8, for the start population without colleagues."""
        theta, flows = self.p.choose.dissimilarity, np.zeros((len(self.area),) * 2)
        for one in self.people:
            w, a = self.wants(one)
            go, stay = self.utilities(one, w, a, np.zeros_like(flows), residents)
            chance = np.exp(go / theta)
            chance[one["city"]] = 0
            nest = chance.sum() ** theta
            share = self.rate(one, w, a) * nest / (nest + math.exp(stay))
            flows[one["city"]] += share * chance / chance.sum()
        return flows

    def targets(self, before, after):
        """Section 7.13: deviations that people (see `facts`) would sustain."""
        f, n, people = self.p.feedback, len(self.area), self.p.people
        edges = (0, 1 - people.high_share - people.top_share, 1 - people.top_share, 1)

        def growth(count):
            one, two = (
                np.bincount([p[0] for p in group], [count(p) for p in group], minlength=n)
                for group in (before, after)
            )
            world = math.log((two.sum() + 1) / (one.sum() + 1))
            return np.log((two + 1) / (one + 1)) - world

        def product(p):
            rank = edges[p[2]] + (p[4] + 0.5) / 256 * (edges[p[2] + 1] - edges[p[2]])
            return round(100 * (1 - rank) ** (-1 / people.pareto)) if p[3] > 0 else 0

        def foreign(group):
            count = [self.area[p[0]] != self.area[p[1]] for p in group]
            cities = [p[0] for p in group]
            stock = np.maximum(np.bincount(cities, minlength=n), 1)
            return np.bincount(cities, count, minlength=n) / stock

        out = np.zeros((n, 6))
        out[:, 0] = f.economy * growth(product)
        out[:, 1] = f.innovation * growth(product) + f.elite * growth(lambda p: p[2] == 2)
        out[:, 2] = f.openness * 10 * (foreign(after) - foreign(before))
        out[:, 4] = f.spillover * (out[:, 0] + out[:, 1])
        out[:, 5] = -f.congestion * growth(lambda p: 1)
        return np.clip(out, -f.bound, f.bound)

    def utilities(self, one, w, a, remembered, residents):
        p, ties, pref = self.p.obstacles, self.p.ties, self.p.preference
        gap = (self.landscape - a) / 10
        pull, lack = np.maximum(gap, 0) * w, np.maximum(-gap, 0) * w
        env = 1 / (1 + pref.gate * lack[:, 4:].sum(1) / w[4:].sum())
        value = env / (1 + pref.gate * lack[:, 2:4].sum(1) / w[2:4].sum())
        worth = pull[:, 4:].sum(1) + env * pull[:, 2:4].sum(1) + value * pull[:, :2].sum(1)
        worth = pref.beta * (worth - pref.loss_aversion * lack.sum(1))
        o, h, stage, tier, field = (one[k] for k in ("city", "home", "stage", "tier", "field"))
        citizen, stock = self.area[h], residents.sum(1)
        cost = p.distance * np.log(1 + self.obstacles.distance_km[o] / 100)
        cost *= p.distance_by_stage[stage]
        cost += p.border * (self.area != self.area[o])
        factor = p.settlement_by_field[field] * p.settlement_by_tier[tier]
        cost += p.settlement * self.obstacles.settlement[o] * factor
        visa = np.array(p.visa_by_class)[self.obstacles.visa_class[citizen]]
        cost += p.visa * visa * p.visa_by_tier[tier] * p.visa_by_stage[stage]
        apart = 1 - self.obstacles.language_of_area[citizen, self.area]
        cost += p.language * apart * p.language_by_field[field]
        size = (stock + 1) / (stock + 1).mean()
        near = pref.size * np.log(size)
        near += ties.colleagues * np.log(1 + 1000 * remembered[o] / max(stock[o], 1))
        share = 100 * residents[:, citizen] / np.maximum(stock, 1)
        near += ties.conationals * np.log(1 + share) * (self.area != citizen)
        home = ties.home_area * (self.area == citizen) + ties.home_city * (
            np.arange(len(size)) == h
        )
        return worth + near + home - cost, worth[o] + p.moving + home[o]

    def goes(self, one, go, stay):
        theta, o = self.p.choose.dissimilarity, one["city"]
        times = np.full(len(go), np.inf)
        for j in range(len(go)):
            if j != o:
                word = philox(one["id"], 1, 16 + 32 * (j // 128) + j % 32, 7)[(j % 128) // 32]
                times[j] = -math.log(single(word)) * math.exp(-go[j] / theta)
        u0, u1, u2 = (single(w) for w in philox(one["id"], 1, 5)[:3])
        s = math.sin(theta * math.pi * u1) / math.sin(math.pi * u1) ** (1 / theta)
        s *= (math.sin((1 - theta) * math.pi * u1) / -math.log(u2)) ** ((1 - theta) / theta)
        first = int(np.argmin(times))
        ahead = theta * (math.log(s) - math.log(times[first])) > stay - math.log(-math.log(u0))
        return first if ahead else o


@pytest.fixture(scope="module")
def both():
    changes = {"population.agents": AGENTS, "horizon.years": 1, "seed": SEED}
    return Year(), Simulation(load_scenario("baseline", changes))


def test_the_same_year(both):
    year, run = both
    agents, order = run.population.living(), {}
    assert run.population.persons == year.persons
    for i, identity in enumerate(agents.ids.tolist()):
        order[identity] = i
    assert len(order) == len(year.people)
    for one in year.people:
        i = order[one["id"]]
        for name in ("city", "home", "age", "stage", "tier", "field", "years"):
            assert getattr(agents, name)[i] == one[name], name
        assert agents.traits[i].tolist() == one["traits"]

    residents, remembered = run.census.by_area.copy(), run.colleagues.copy()
    steady = year.expected(residents) / (1 - year.p.ties.memory)
    np.testing.assert_allclose(remembered, steady, rtol=2e-4, atol=1e-9)
    before = facts(agents)
    run.step()
    left = year.live()
    stays = {identity: k for k, identity in enumerate(run.population.living().ids.tolist())}
    assert {one["id"] for one in left} == {i for i in stays if i >> 48 == 0}

    after, same, moved = run.population.living(), 0, 0
    for one in left:
        i = stays[one["id"]]
        assert after.age[i] == one["age"]
        assert after.stage[i] == one["stage"]
        w, a = year.wants(one)
        target = one["city"]
        if year.looks(one, w, a):
            target = year.goes(one, *year.utilities(one, w, a, remembered, residents))
        moved += target != one["city"]
        same += int(after.city[i] == target)
    assert moved > 50
    assert same >= len(left) - 2  # a comparison decided by the last bit of single precision

    entered = {i for i in stays if i >> 48 == 1}
    rate = year.cities.students / year.p.life.study_years / year.persons
    expected = np.floor(rate + 0.5).astype(int)
    assert entered == {(1 << 48) | (c << 32) | k for c, n in enumerate(expected) for k in range(n)}
    for identity in entered:
        i, city = stays[identity], (identity >> 32) & 0xFFFF
        one = year.birth(identity, city, True, entry=True)
        for name in ("city", "home", "age", "stage", "tier", "field", "years"):
            assert getattr(after, name)[i] == one[name], name

    deviation = year.p.feedback.speed * year.targets(before, facts(after))
    np.testing.assert_allclose(run.feedback.deviation, deviation, atol=1e-12)


def facts(agents):
    """Return (city, home, tier, stage, byte of productivity) of everybody."""
    columns = agents.city, agents.home, agents.tier, agents.stage, agents.traits[:, 13]
    return list(zip(*(column.tolist() for column in columns), strict=True))
