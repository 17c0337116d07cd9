"""The decision written the slow, obvious way, in double precision, straight from the parameters.

Nothing here uses the kernel or the tables that it reads; agreement is therefore evidence.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from sim.parameters import STAGES

_NORMAL = NormalDist()
_LIVING, _ENVIRONMENT, _VALUE = (4, 5), (2, 3), (0, 1)


def personal(agents, i, parameters, reference):
    """Return agent i's need weights and aspirations (index points)."""
    needs, on = parameters.needs, parameters.switches
    stage, tier, field = agents.stage[i], agents.tier[i], agents.field[i]

    def z(byte):
        return _NORMAL.inv_cdf((int(byte) + 0.5) / 256) if on.tastes else 0.0

    weights = np.array(getattr(needs, f"weights_{STAGES[stage]}"))
    weights[1] *= needs.innovation_by_field[field] * needs.innovation_by_tier[tier]
    for d in range(6):
        weights[d] *= math.exp(needs.taste_spread * z(agents.traits[i, d]))
    weights[5] *= math.exp(needs.cost_spread * z(agents.traits[i, 12]))
    weights /= weights.sum()
    wish = np.array(needs.aspiration_mean) + needs.aspiration_by_tier[tier]
    wish = wish + [needs.aspiration_spread * z(agents.traits[i, 6 + d]) for d in range(6)]
    adapted = needs.adaptation * (1 - math.exp(-int(agents.years[i]) / needs.adaptation_years))
    if on.adaptation:
        wish = wish + adapted * (reference[agents.city[i]] - wish)
    return weights, wish


def worth(scores, weights, wish, parameters):
    """Return the utility of one city's scores: gated pulls less lacks."""
    preference, on = parameters.preference, parameters.switches
    gap = (scores - wish) / 10
    pull = {d: weights[d] * max(gap[d], 0) for d in range(6)}
    lack = {d: weights[d] * max(-gap[d], 0) for d in range(6)}

    def gate(layer):
        if not on.gate:
            return 1.0
        shortfall = sum(lack[d] for d in layer) / sum(weights[d] for d in layer)
        return 1 / (1 + preference.gate * shortfall)

    total_pull = sum(pull[d] for d in _LIVING)
    total_pull += gate(_LIVING) * sum(pull[d] for d in _ENVIRONMENT)
    total_pull += gate(_LIVING) * gate(_ENVIRONMENT) * sum(pull[d] for d in _VALUE)
    loss = preference.loss_aversion if on.loss_aversion else 1.0
    return preference.beta * (total_pull - loss * sum(lack.values()))


def look_probability(agents, i, parameters, scores, weights, wish):
    """Return the probability that agent i looks around."""
    consider, on = parameters.consider, parameters.switches

    def schedule(age):
        since = age - consider.labour_position
        rise = math.exp(min(-consider.labour_rise * since, 700))
        return (
            consider.labour_peak * math.exp(-consider.labour_decline * since - rise)
            + consider.constant
        )

    peak = max(schedule(a / 10) for a in range(1200))
    if on.age_schedule:
        rate = schedule(int(agents.age[i])) / peak
    else:
        rate = sum(schedule(a) for a in range(18, 66)) / 48 / peak
    rate *= consider.peak_rate
    if on.attachment:
        years = int(agents.years[i])
        rate *= max(math.exp(-consider.attachment * years), consider.attachment_floor)
    if on.graduation and agents.fresh[i]:
        rate *= consider.graduation
    if on.push:
        lack = np.maximum(wish - scores[agents.city[i]], 0) / 10
        rate *= 1 + consider.push * float(weights @ lack)
    return min(rate, consider.ceiling)


def obstacles_to(agents, i, j, parameters, cities, obstacles, by_area, colleagues):
    """Return what separates agent i from city j, ties included (utility, a cost if positive)."""
    p, ties, on = parameters.obstacles, parameters.ties, parameters.switches
    stage, tier, field = agents.stage[i], agents.tier[i], agents.field[i]
    o, home = agents.city[i], agents.home[i]
    area, there = cities.area_of_city[home], cities.area_of_city[j]
    stock = np.maximum(by_area.sum(1), 1)
    cost = 0.0
    if on.distance:
        cost += (
            p.distance * p.distance_by_stage[stage] * math.log1p(obstacles.distance_km[o, j] / 100)
        )
    if on.border and not obstacles.same_area[o, j]:
        cost += p.border
    if on.settlement:
        factor = p.settlement_by_field[field] * p.settlement_by_tier[tier]
        cost += p.settlement * factor * obstacles.settlement[o, j]
    if on.visa:
        factor = p.visa_by_tier[tier] * p.visa_by_stage[stage]
        cost += p.visa * factor * p.visa_by_class[obstacles.visa_class[area, j]]
    if on.language:
        gap = 1 - obstacles.language_of_area[area, there]
        cost += p.language * p.language_by_field[field] * gap
    if on.home:
        cost -= ties.home_city * (home == j) + ties.home_area * (area == there)
    if on.conationals and area != there:
        cost -= ties.conationals * math.log1p(100 * by_area[j, area] / stock[j])
    if on.colleagues:
        cost -= ties.colleagues * math.log1p(1000 * colleagues[o, j] / stock[o])
    return cost


def probabilities(agents, i, parameters, cities, obstacles, scores, reference, size, by_area, net):
    """Return (probability to look, probabilities of all cities given looking)."""
    on = parameters.switches
    weights, wish = personal(agents, i, parameters, reference)
    look = look_probability(agents, i, parameters, scores, weights, wish)
    o, home = int(agents.city[i]), int(agents.home[i])
    theta = parameters.choose.dissimilarity if on.nest else 1.0
    go = np.zeros(len(cities))
    for j in range(len(cities)):
        if j != o:
            utility = worth(scores[j], weights, wish, parameters)
            utility -= obstacles_to(agents, i, j, parameters, cities, obstacles, by_area, net)
            if on.size:
                utility += parameters.preference.size * math.log(size[j] / size.mean())
            go[j] = math.exp(utility / theta)
    stay = worth(scores[o], weights, wish, parameters) + parameters.obstacles.moving
    if on.home:
        same_area = cities.area_of_city[home] == cities.area_of_city[o]
        stay += parameters.ties.home_city * (home == o) + parameters.ties.home_area * same_area
    nest = go.sum() ** theta
    chance = go / go.sum() * nest / (nest + math.exp(stay)) if go.sum() > 0 else go
    chance[o] = 1 - chance.sum()
    return look, chance
