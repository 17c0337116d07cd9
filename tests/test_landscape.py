"""The shipped landscape against everything that chapter B.11 prints, and the tests of the tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import fault
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calibration.constraints import (
    COMPOSITE,
    Bounds,
    Candidate,
    Cell,
    CompositeOrder,
    Composites,
    Correlation,
    Formula,
    GroupCount,
    Maximum,
    RankBetween,
    ShareCount,
    TopRange,
    check,
)
from calibration.landscape_checks import qualitative
from calibration.statements import (
    WORST,
    composite_targets,
    implied_cells,
    printed_cells,
    statements,
)
from sim.cities import DIMENSIONS, Cities, load_cities
from sim.landscape import Landscape, affine_scale, ensemble, load_landscape, n_draws

CITIES = load_cities()
RULES = statements()
ECONOMY, INNOVATION, CULTURE, ECOLOGY, WELFARE, PUBLIC = range(6)


def named(text):
    return [rule for rule in RULES if text in rule.name]


@pytest.fixture(scope="module")
def centre():
    return Candidate.of(load_landscape())


@pytest.fixture(scope="module")
def draws():
    return [Candidate.of(load_landscape(k)) for k in range(n_draws())]


# Every statement on the centre and on every draw


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_centre_and_every_draw_meet_the_statement(rule, centre, draws):
    fine, value = rule.test(centre)
    assert fine, f"centre: {value}"
    broken = {k: value for k, (ok, value) in enumerate(map(rule.test, draws)) if not ok}
    assert not broken


def test_ensemble_is_as_large_as_promised_and_no_draw_comes_twice():
    scores, weights = ensemble()
    assert scores.shape == (n_draws(), 120, 6)
    assert weights.shape == (n_draws(), 6)
    assert n_draws() >= 200
    assert len(np.unique(scores.reshape(len(scores), -1), axis=0)) == len(scores)


def test_shipped_file_is_small():
    from sim.landscape import landscape_path

    assert landscape_path().stat().st_size <= 2_000_000


# The same facts read a second time, without the constraints' code, over all draws at once


def ranks_of(scores):
    """Return ranks from 1 of every draw, city and dimension."""
    return 1 + (scores[:, None, :, :] > scores[:, :, None, :]).sum(axis=2)


@pytest.fixture(scope="module")
def everything():
    scores, weights = ensemble()
    centre = load_landscape()
    scores = np.concatenate([scores, centre.scores[None]])
    weights = np.concatenate([weights, centre.weights[None]])
    return scores, weights, np.concatenate([ranks_of(part) for part in np.array_split(scores, 20)])


def test_composites_are_within_tolerance_of_the_published(everything):
    scores, weights, _ = everything
    raw = np.einsum("kcd,kd->kc", scores, weights)
    low, high = raw.min(axis=1, keepdims=True), raw.max(axis=1, keepdims=True)
    composite = 50 + 50 * (raw - low) / (high - low)
    assert np.abs(composite - CITIES.composite).max() <= 0.05
    assert (np.argsort(-composite, axis=1) == np.arange(120)).all()


def test_weights_are_on_the_simplex_and_differ_between_draws(everything):
    _, weights, _ = everything
    assert (weights >= 0).all()
    assert weights.sum(axis=1) == pytest.approx(1)
    assert (weights[:-1].std(axis=0) > 0.005).all()


def test_scores_are_on_the_scale_and_the_best_has_100(everything):
    scores, _, _ = everything
    assert scores.min() >= 50
    assert (scores.max(axis=1) == 100).all()


CONTINENT = np.array(CITIES.continent)
COUNTRY = np.array(CITIES.country)
COUNTS = [  # dimension, top, group, least, most: B.11, text on figures 3 to 8
    (ECONOMY, 10, COUNTRY == "US", 9, 9),
    (ECONOMY, 20, COUNTRY == "US", 12, 12),
    (ECONOMY, 20, CONTINENT == "Europe", 6, 6),
    (ECONOMY, 20, CONTINENT == "Asia", 1, 1),
    (ECONOMY, 20, CONTINENT == "Oceania", 1, 1),
    (INNOVATION, 10, CONTINENT == "Asia", 5, 5),
    (INNOVATION, 20, COUNTRY == "US", 6, 6),
    (INNOVATION, 20, COUNTRY == "CN", 5, 5),
    (CULTURE, 20, CONTINENT == "Europe", 11, 11),
    (CULTURE, 20, CONTINENT == "North America", 3, 3),
    (CULTURE, 20, CONTINENT == "Asia", 3, 3),
    (ECOLOGY, 20, COUNTRY == "JP", 3, 3),
    (ECOLOGY, 20, np.isin(COUNTRY, ["CN", "IN", "BR", "MX", "TH", "VN", "ID", "MY"]), 0, 0),
    (WELFARE, 20, CONTINENT == "Europe", 6, 6),
    (WELFARE, 20, CONTINENT == "North America", 6, 6),
    (WELFARE, 20, CONTINENT == "Asia", 5, 5),
    (WELFARE, 20, CONTINENT == "Oceania", 3, 3),
    (WELFARE, 20, COUNTRY == "US", 4, 4),
    (WELFARE, 20, COUNTRY == "AU", 3, 3),
    (PUBLIC, 10, COUNTRY == "CN", 6, 10),
]


@pytest.mark.parametrize(("dimension", "top", "group", "least", "most"), COUNTS)
def test_counts_among_the_leaders(everything, dimension, top, group, least, most):
    counts = (everything[2][:, group, dimension] <= top).sum(axis=1)
    assert counts.min() >= least
    assert counts.max() <= most


def test_no_country_beats_the_second_in_innovation_and_welfare(everything):
    for dimension, named_countries, most in ((INNOVATION, "US CN", 5), (WELFARE, "US AU", 3)):
        for code in set(COUNTRY) - set(named_countries.split()):
            count = (everything[2][:, code == COUNTRY, dimension] <= 20).sum(axis=1)
            assert count.max() <= most, code


RANKS = [  # dimension, city, least, greatest rank
    (ECONOMY, "Paris", 3, 10),
    (ECONOMY, "Sydney", 15, 15),
    (ECONOMY, "Tel Aviv", 18, 18),
    (ECONOMY, "Beijing", 21, 120),
    (ECONOMY, "London", 11, 120),
    (ECONOMY, "Toronto", 21, 120),
    (ECONOMY, "Melbourne", 21, 120),
    (CULTURE, "New York", 7, 7),
    (CULTURE, "Singapore", 12, 12),
    (ECOLOGY, "Auckland", 4, 4),
    (ECOLOGY, "Vancouver", 5, 5),
    (ECOLOGY, "Tokyo", 1, 20),
    (ECOLOGY, "Nagoya", 1, 20),
    (ECOLOGY, "Osaka", 1, 20),
    (ECOLOGY, "Kyoto", 21, 120),
    (WELFARE, "London", 1, 1),
    (WELFARE, "Auckland", 21, 120),
]


@pytest.mark.parametrize(("dimension", "city", "least", "greatest"), RANKS)
def test_ranks_of_single_cities(everything, dimension, city, least, greatest):
    rank = everything[2][:, CITIES.index(city), dimension]
    assert rank.min() >= least
    assert rank.max() <= greatest


def test_continents_leaders_in_culture(everything):
    ranks = everything[2][:, :, CULTURE]
    assert (ranks[:, CONTINENT == "North America"].min(axis=1) == 7).all()
    assert (ranks[:, CONTINENT == "Asia"].min(axis=1) == 12).all()


@pytest.mark.parametrize(
    ("dimension", "least", "most", "low", "high"),
    [
        (ECONOMY, 55, 75, 83, 85),
        (CULTURE, 90, 100, 48, 48),
        (ECOLOGY, 80, 100, 105, 106),
        (WELFARE, 75, 100, 86, 87),
    ],
)
def test_shares_of_cities(everything, dimension, least, most, low, high):
    scores = everything[0][:, :, dimension]
    counts = ((scores >= least) & (scores <= most)).sum(axis=1)
    assert counts.min() >= low
    assert counts.max() <= high


def test_leaders_in_culture_score_from_94(everything):
    best = np.sort(everything[0][:, :, CULTURE], axis=1)[:, -20:]
    assert best.min() >= 94


def test_signs_of_correlation(everything):
    for scores in everything[0]:
        found = [np.corrcoef(scores[:, k], CITIES.composite)[0, 1] for k in range(6)]
        assert found[INNOVATION] > 0
        assert found[WELFARE] >= 0.6
        assert found[PUBLIC] < 0


# Published cells


def test_published_cells_are_exact_and_marked_in_every_draw(everything):
    cells = {(c.city, c.dimension): c.score for c in printed_cells() if c.score is not None}
    assert len(cells) == 24
    landscape = load_landscape()
    marked = {(int(i), int(k)) for i, k in np.argwhere(landscape.kind == "published")}
    assert marked == set(cells)
    assert (landscape.kind == "estimated").sum() == 696
    for (city, dimension), score in cells.items():
        assert (everything[0][:, city, dimension] == score).all()
        assert landscape.spread[city, dimension] == 0
        assert landscape.low[city, dimension] == landscape.high[city, dimension] == score


def test_estimated_cells_are_uncertain_unless_they_follow():
    landscape = load_landscape()
    certain = {(int(i), int(k)) for i, k in np.argwhere(landscape.spread == 0)}
    published = {(int(i), int(k)) for i, k in np.argwhere(landscape.kind == "published")}
    assert certain - published <= set(implied_cells())


def test_mean_low_and_high_are_those_of_the_draws():
    landscape, (scores, _) = load_landscape(), ensemble()
    assert landscape.mean == pytest.approx(scores.mean(axis=0))
    assert (landscape.low <= landscape.high).all()
    outside = (scores < landscape.low).mean(axis=0)
    assert outside.max() <= 0.05 + 1 / len(scores)
    assert landscape.spread == pytest.approx(scores.std(axis=0), abs=1e-4)


def test_printed_cells_are_those_of_the_figures():
    cells = printed_cells()
    assert len(cells) == 31
    assert all(1 <= cell.rank <= 20 for cell in cells)
    found = {(CITIES.names[c.city], c.dimension): (c.score, c.rank) for c in cells}
    assert found["Beijing", INNOVATION] == (100, 1)
    assert found["Busan", PUBLIC] == (97.26, 5)
    assert found["London", WELFARE] == (None, 1)


def test_tied_composites_are_parted_within_their_rounding():
    targets = composite_targets()
    assert (np.diff(targets) < 0).all()
    assert np.abs(targets - CITIES.composite).max() < 0.005


# The list covers the facts of B.11


COVERED = {  # what the report says: part of the constraint's name
    "composites of table 2": "composite: all 120 within 0.05",
    "order, ties included": "composite: published order",
    "United States in the first 10": "composite: exactly 5 US cities in the top 10",
    "Europe in the first 10": "composite: exactly 2 European cities in the top 10",
    "Asia in the first 10": "composite: exactly 3 Asian cities in the top 10",
    "United States in the first 30": "composite: exactly 11 US cities in the top 30",
    "Europe in the first 30": "composite: exactly 9 European cities in the top 30",
    "Asia in the first 30": "composite: exactly 7 Asian cities in the top 30",
    "United States in the first 50": "composite: exactly 14 US cities in the top 50",
    "Europe in the first 50": "composite: exactly 19 European cities in the top 50",
    "Asia in the first 50": "composite: exactly 11 Asian cities in the top 50",
    "economy: 9 US in the first 10": "economic_foundation: exactly 9 US cities in the top 10",
    "economy: 12 US in the first 20": "economic_foundation: exactly 12 US cities in the top 20",
    "economy: 6 of Europe": "economic_foundation: exactly 6 cities of Europe in the top 20",
    "economy: 1 of Asia": "economic_foundation: exactly 1 cities of Asia in the top 20",
    "economy: 1 of Oceania": "economic_foundation: exactly 1 cities of Oceania in the top 20",
    "economy: Paris the only other": "economic_foundation: rank of Paris is 3 to 10",
    "economy: London not in the first 10": "economic_foundation: rank of London is 11 or worse",
    "economy: no Asian city but Tel Aviv": "Asian cities but Tel Aviv in the top 20",
    "economy: none of the rest": "exactly 0 cities of Canada, Latin America and Africa",
    "economy: no other Oceanian": "rank of Melbourne, Brisbane and Auckland is 21 or worse",
    "economy: 70 % from 55 to 75": "economic_foundation: about 70 % of cities from 55 to 75",
    "innovation: 5 Asian": "innovation_potential: exactly 5 Asian cities in the top 10",
    "innovation: 6 US": "innovation_potential: exactly 6 US cities in the top 20",
    "innovation: 5 Chinese": "innovation_potential: exactly 5 Chinese cities in the top 20",
    "innovation: 9 others": "innovation_potential: exactly 9 cities of other countries",
    "innovation: rises": "innovation_potential: correlation with the composite is positive",
    "culture: 11 of Europe": "cultural_openness: exactly 11 cities of Europe in the top 20",
    "culture: 3 American": "cultural_openness: exactly 3 cities of North America in the top 20",
    "culture: 3 Asian": "cultural_openness: exactly 3 cities of Asia in the top 20",
    "culture: 3 others": "cultural_openness: exactly 3 cities of other continents in the top 20",
    "culture: New York first": "cultural_openness: New York leads North America",
    "culture: Singapore first": "cultural_openness: Singapore leads Asia",
    "culture: leaders from 94": "cultural_openness: the top 20 from 94 to 100",
    "culture: 48 above 90": "cultural_openness: 48 cities above 90",
    "ecology: three Japanese": "ecological_health: rank of Tokyo, Nagoya and Osaka is 1 to 20",
    "ecology: no fourth": "ecological_health: rank of Kyoto is 21 or worse",
    "ecology: developed countries": "ecological_health: exactly 0 cities of countries that are not",
    "ecology: 88 % above 80": "ecological_health: 88 % of cities above 80",
    "welfare: 6 of Europe": "social_welfare: exactly 6 cities of Europe in the top 20",
    "welfare: 6 American": "social_welfare: exactly 6 cities of North America in the top 20",
    "welfare: 5 Asian": "social_welfare: exactly 5 cities of Asia in the top 20",
    "welfare: 3 Oceanian": "social_welfare: exactly 3 cities of Oceania in the top 20",
    "welfare: 4 US": "social_welfare: exactly 4 US cities in the top 20",
    "welfare: 3 Australian": "social_welfare: exactly 3 Australian cities in the top 20",
    "welfare: which Australian": "rank of Sydney, Melbourne and Brisbane is 1 to 20",
    "welfare: not Auckland": "social_welfare: rank of Auckland is 21 or worse",
    "welfare: 2 Canadian or Mexican": "social_welfare: exactly 2 cities of Canada and Mexico",
    "welfare: no third country": "social_welfare: at most 3 JP cities",
    "welfare: 72 % above 75": "social_welfare: 72 % of cities above 75",
    "welfare: rises strongly": "social_welfare: correlation with the composite above 0.6",
    "public life: over half Chinese": "public_life: at least 6 Chinese cities in the top 10",
    "public life: falls": "public_life: correlation with the composite is negative",
}


@pytest.mark.parametrize("fact", COVERED)
def test_every_fact_of_the_report_is_a_constraint(fact):
    assert len(named(COVERED[fact])) == 1


def test_every_printed_score_and_rank_is_a_constraint():
    cells = [c for c in RULES if isinstance(c, Cell)]
    assert len(cells) == 24
    ranks = {(c.cities, c.column) for c in RULES if isinstance(c, RankBetween) and c.low == c.high}
    assert {((c.city,), c.dimension) for c in printed_cells()} <= ranks


def test_names_are_unique_and_every_constraint_has_its_place_in_the_report():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.citation.startswith("B.11") for rule in RULES)
    assert {rule.basis for rule in RULES} == {"printed", "derived", "convention"}


# Each constraint fails on a matrix that breaks it


def damaged(rule, candidate):
    """Return a candidate that differs where the rule looks, so that the rule is broken."""
    table, weights, slope = candidate.table.copy(), candidate.weights.copy(), candidate.slope
    column = table[:, rule.column]
    if isinstance(rule, Cell):
        column[rule.city] -= 0.01
    elif isinstance(rule, RankBetween):
        column[rule.cities[-1]] = 101.0 if rule.high == WORST else 40.0
    elif isinstance(rule, GroupCount):
        swap = _across(rule, column)
        column[swap] = column[swap[::-1]]
    elif isinstance(rule, ShareCount):
        inside = (column >= rule.least) & (column <= rule.most)
        leave = 1 + inside.sum() - rule.low
        column[np.flatnonzero(inside)[:leave]] = rule.least - 0.01
    elif isinstance(rule, TopRange):
        column[np.argsort(-column)[rule.top - 1 :]] = rule.least - 0.01
    elif isinstance(rule, Correlation):
        column[:] = -table[:, COMPOSITE] if rule.high > 0 else table[:, COMPOSITE]
    elif isinstance(rule, Composites):
        column[60] += rule.tolerance + 0.001
    elif isinstance(rule, CompositeOrder):
        tied = [CITIES.index("Stockholm"), CITIES.index("Munich")]
        column[tied] = column[tied[::-1]]
    elif isinstance(rule, Maximum):
        np.minimum(column, 99.99, out=column)
    elif isinstance(rule, Bounds):
        table[17, PUBLIC] = 49.99
    elif isinstance(rule, Formula):
        weights[:2] += (0.001 + weights[1], -0.001 - weights[1])
    return Candidate(table, weights, slope)


def _across(rule, column):
    """Return as many leaders and as many others as have to change places to break the count."""
    order = np.argsort(-column, kind="stable")
    leaders, rest = order[: rule.top], order[rule.top :]
    now = rule.group[leaders].sum()
    too_few = rule.low > 0
    need = now - rule.low + 1 if too_few else rule.high - now + 1
    leave = leaders[rule.group[leaders] == too_few][-need:]
    come = rest[rule.group[rest] != too_few][:need]
    return np.concatenate([leave, come])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_constraint_fails_on_a_damaged_matrix(rule, centre, draws):
    for candidate in (centre, draws[0], draws[-1]):
        assert rule.test(candidate)[0]
        assert not rule.test(damaged(rule, candidate))[0]


def at_most(group, top, high):
    return GroupCount("x", 0, "B.11", "printed", group=group, top=top, low=0, high=high)


def test_upper_bounds_of_counts_bind_too():
    table = np.tile(np.linspace(100, 50, 120)[:, None], (1, 7))
    candidate = Candidate(table, np.full(6, 1 / 6), 1.0)
    first_four = np.arange(120) < 4
    assert at_most(first_four, 20, 4).test(candidate) == (True, "4")
    assert at_most(first_four, 20, 3).test(candidate) == (False, "4")


def test_equal_scores_share_the_better_rank():
    table = np.tile(np.array([90.0, 80, 80, 70])[:, None], (1, 7))
    assert Candidate(table, np.full(6, 1 / 6), 1.0).ranks(0).tolist() == [1, 2, 2, 4]


def test_tolerance_of_composites_is_met_just_inside(centre):
    near = centre.table.copy()
    near[:, COMPOSITE] = CITIES.composite
    near[60, COMPOSITE] += 0.049
    inside = Candidate(near, centre.weights, centre.slope)
    wide, narrow = named("composite: all 120")
    assert wide.test(inside)[0]
    assert not narrow.test(inside)[0]


def test_formula_needs_a_simplex_and_a_rising_composite(centre):
    (rule,) = named("weights on the simplex")
    assert not rule.test(replace(centre, slope=-1.0))[0]
    assert not rule.test(replace(centre, weights=centre.weights * 1.01))[0]


def test_check_reports_the_share_of_draws_and_what_broke():
    good = load_landscape()
    scores = good.scores.copy()
    beijing = CITIES.index("Beijing")
    scores[beijing, INNOVATION] = 99.0
    bad = Landscape.build(cities=good.cities, scores=scores, weights=good.weights)
    table = check(named("innovation_potential: Beijing"), [good, bad, good, good])
    assert table["satisfied"].tolist() == [0.75]
    assert table["broken_by"].tolist() == ["99.0000"]


# Landscapes of one's own


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cities": ["A", "A"]}, "'A' occurs twice"),
        ({"scores": np.ones((2, 5))}, "scores has shape (2, 5); it must be (2, 6)"),
        ({"scores": [["x"] * 6] * 2}, "scores must be numbers"),
        ({"scores": np.full((2, 6), np.nan)}, "scores must be finite"),
        ({"spread": np.ones(2)}, "spread has shape (2,)"),
        ({"kind": [["guessed"] * 6] * 2}, "'published' or 'estimated'"),
        ({"kind": ["estimated"]}, "kind must have shape (2, 6)"),
        ({"weights": np.ones(5)}, "weights has shape (5,)"),
        ({"weights": [-1, 1, 1, 1, 1, 1]}, "must not be negative"),
        ({"weights": np.zeros(6)}, "nor all zero"),
        ({"low": np.full((2, 6), np.inf)}, "low must be finite"),
    ],
)
def test_build_refuses_what_is_wrong(change, message):
    given_ = {"cities": ["A", "B"], "scores": np.full((2, 6), 70.0)} | change
    told = fault(lambda: Landscape.build(**given_))
    assert told is not None
    assert message in told
    assert told.startswith("landscape:")


@settings(max_examples=50, deadline=None)
@given(
    scores=arrays(np.float64, (7, 6), elements=st.floats(50, 100)),
    weights=arrays(np.float64, 6, elements=st.floats(0.01, 10)),
)
def test_composite_of_any_landscape_runs_from_50_to_100(scores, weights):
    landscape = Landscape.build(cities=list("ABCDEFG"), scores=scores, weights=weights)
    composite = landscape.composite()
    assert landscape.weights.sum() == pytest.approx(1)
    if np.ptp(scores @ landscape.weights) > 1e-6:
        assert composite.max() == pytest.approx(100)
        assert composite.min() == pytest.approx(50)
    assert sorted(landscape.rank()) == list(range(1, 8))
    assert (np.diff(composite[np.argsort(landscape.rank())]) <= 0).all()
    better = scores.copy()
    better[3] += 1.0
    assert landscape.composite(better)[3] > composite[3]


def test_equal_cities_keep_their_weighted_mean_as_composite():
    assert affine_scale(np.full(4, 70.0)) == (0.0, 1.0)
    landscape = Landscape.build(cities=["A", "B"], scores=np.full((2, 6), 70.0))
    assert landscape.composite() == pytest.approx([70, 70])


def test_arrays_are_copies_that_cannot_be_written_to():
    own = np.full((2, 6), 70.0)
    landscape = Landscape.build(cities=["A", "B"], scores=own)
    own[0, 0] = 0.0
    assert landscape.scores[0, 0] == 70
    for name in ("scores", "spread", "kind", "weights", "mean", "low", "high"):
        assert not getattr(landscape, name).flags.writeable, name
    for shipped in ensemble():
        assert not shipped.flags.writeable


def test_frame_has_a_row_a_cell():
    frame = load_landscape().frame()
    assert list(frame.columns) == [
        "city",
        "dimension",
        "score",
        "mean",
        "spread",
        "low",
        "high",
        "kind",
    ]
    assert len(frame) == 720
    row = frame.query("city == 'Kyoto' and dimension == 'public_life'").iloc[0]
    assert (row["score"], row["kind"], row["spread"]) == (98.14, "published", 0.0)


@pytest.mark.parametrize("draw", [-1, 10**6, 1.5, "3"])
def test_draw_that_is_not_there_is_refused(draw):
    told = fault(load_landscape, draw)
    assert told is not None
    assert told.startswith("landscape: ")


# Scenarios


def test_scenario_with_a_draw_uses_its_scores():
    from sim.scenario import load_scenario
    from sim.simulation import Simulation

    for draw in (3, 17):
        small = {"population": {"agents": 50}, "horizon": {"years": 1}}
        scenario = load_scenario("baseline", small | {"landscape": {"draw": draw}})
        simulation = Simulation(scenario, threads=1)
        assert simulation.landscape.draw == draw
        assert np.array_equal(simulation.landscape.scores, ensemble()[0][draw])
        table = simulation.tables()["cities"]
        start = table[table["year"] == table["year"].min()].set_index("city")
        expected = load_landscape(draw)
        first = start.loc[list(expected.cities), list(DIMENSIONS)].to_numpy()
        assert first == pytest.approx(expected.scores)
        assert start.loc[list(expected.cities), "composite"].to_numpy() == pytest.approx(
            expected.composite()
        )


def test_ensemble_gives_each_seed_a_draw_and_the_centre_is_the_default():
    from sim.scenario import load_scenario
    from sim.simulation import _draw

    baseline = load_scenario("baseline", {"landscape": "centre"})
    assert _draw(baseline) is None
    seeds = range(5, 5 + n_draws())
    found = [
        _draw(load_scenario("baseline", {"landscape": "ensemble", "seed": seed}))
        for seed in (5, 6, 5 + n_draws())
    ]
    assert found[0] != found[1]
    assert found[0] == found[2]
    assert {seed % n_draws() for seed in seeds} == set(range(n_draws()))


def test_scenario_with_an_impossible_draw_is_told_so():
    from sim.scenario import load_scenario
    from sim.simulation import Simulation

    scenario = load_scenario(
        "baseline", {"landscape": {"draw": n_draws()}, "population": {"agents": 10}}
    )
    told = fault(Simulation, scenario)
    assert told is not None
    assert f"no draw {n_draws()}" in told


# Statements in words


def make_cities(groups):
    """Return cities named after their place, from (country, continent, how many)."""
    country = [code for code, _, n in groups for _ in range(n)]
    count = len(country)
    return Cities.build(
        names=[f"city {i}" for i in range(count)],
        areas=country,
        country=country,
        continent=[continent for _, continent, n in groups for _ in range(n)],
        latitude=np.zeros(count),
        longitude=np.zeros(count),
        talent_stock=np.ones(count),
        students=np.ones(count),
        foreign_share=np.zeros(count),
        composite=np.linspace(100, 50, count),
    )


WORLD = make_cities([("US", "North America", 10), ("DE", "Europe", 10), ("JP", "Asia", 10)])


def told_as_in_the_report(rng):
    """Return scores for which every statement on parts of the world is true."""
    mean = np.array([[90, 90, 92, 90, 90, 60], [80, 76, 90, 90, 88, 80], [60, 70, 70, 70, 70, 85]])
    spread = np.array([2.0, 1.0, 6.0])
    noise = spread[:, None, None] * rng.uniform(-1, 1, (3, 10, 6))
    scores = np.repeat(mean, 10, axis=0) + noise.reshape(30, 6)
    scores[20:] += 8 * rng.uniform(-1, 1, (10, 6))
    return scores


def probabilities(scores, cities):
    return {finding.statement: finding.probability for finding in qualitative(scores, cities)}


def test_statements_in_words_hold_where_they_are_true():
    rng = np.random.default_rng(0)
    found = probabilities(np.array([told_as_in_the_report(rng) for _ in range(4)]), WORLD)
    assert len(found) == 11
    true = {name: p for name, p in found.items() if not name.startswith("Europe strong")}
    assert set(true.values()) == {1.0}, {k: v for k, v in true.items() if v < 1}


def test_probability_is_the_share_of_draws():
    rng = np.random.default_rng(1)
    draws = np.array([told_as_in_the_report(rng) for _ in range(4)])
    draws[0, :10, PUBLIC] = 99.0
    draws[1:3, 20:, ECONOMY] = 100.0
    found = probabilities(draws, WORLD)
    weak = next(name for name in found if name.startswith("United States weak"))
    poor = [name for name in found if name.startswith("Asia weaker")]
    assert found[weak] == 0.75
    assert [found[name] for name in poor] == [0.5, 0.5]


def test_opposite_world_makes_the_statements_false():
    rng = np.random.default_rng(2)
    scores = told_as_in_the_report(rng)
    mirrored = probabilities((150 - scores)[None], WORLD)
    for start in ("United States weak", "United States strong", "Asia weaker"):
        values = [p for name, p in mirrored.items() if name.startswith(start)]
        assert values
        assert set(values) == {0.0}


def test_strength_of_a_named_city_is_read_from_its_rank():
    scores = np.full((2, 120, 6), 70.0) - np.arange(120)[None, :, None] / 10
    nagoya = CITIES.index("Nagoya")  # 59th by composite
    scores[0, nagoya, PUBLIC] = 100.0
    found = {name: p for name, p in probabilities(scores, CITIES).items() if "Nagoya" in name}
    assert list(found.values()) == [0.5, 0.5]
    scores[1, nagoya, PUBLIC] = 70.0 - 4.05  # 41st: better than 59th, beyond the first 30
    found = {name: p for name, p in probabilities(scores, CITIES).items() if "Nagoya" in name}
    assert sorted(found.values()) == [0.5, 1.0]


def test_worlds_without_these_places_have_nothing_to_say():
    assert qualitative(np.full((1, 4, 6), 60.0), make_cities([("BR", "South America", 4)])) == []


@pytest.mark.parametrize("shape", [(30, 6), (1, 29, 6), (1, 30, 5), (0, 30, 6)])
def test_statements_in_words_need_the_right_shape(shape):
    with pytest.raises(ValueError, match=r"shape \(K, 30, 6\)"):
        qualitative(np.zeros(shape), WORLD)
