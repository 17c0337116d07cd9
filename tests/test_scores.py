"""Measures of agreement: closed forms, limits, symmetry."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from calibration import scores

MATRICES = arrays(np.float64, (5, 5), elements=st.floats(0.0, 1e6, allow_subnormal=False))
COUNTS = arrays(np.float64, (5, 5), elements=st.integers(0, 10**6).map(float))  # sums are exact


@given(MATRICES, MATRICES)
def test_common_part_is_symmetric_and_within_bounds(one: np.ndarray, other: np.ndarray) -> None:
    value = scores.cpc(one, other)
    if math.isnan(value):
        assert scores.off_diagonal(one).sum() + scores.off_diagonal(other).sum() == 0
    else:
        assert 0.0 <= value <= 1.0 + 1e-12
        assert value == scores.cpc(other, one)


@given(MATRICES.filter(lambda m: scores.off_diagonal(m).sum() > 0), st.floats(0.01, 1.0))
def test_common_part_of_a_scaled_copy_has_a_closed_form(flows: np.ndarray, factor: float) -> None:
    assert scores.cpc(flows * factor, flows) == pytest.approx(2 * factor / (1 + factor))
    assert scores.cpc_share(flows * factor, flows) == pytest.approx(1.0)


@given(COUNTS, st.permutations(range(5)))
def test_measures_do_not_depend_on_the_order_of_places(flows: np.ndarray, order: list[int]) -> None:
    other = np.arange(25.0).reshape(5, 5)
    before = scores.all_scores(flows, other)
    after = scores.all_scores(flows[np.ix_(order, order)], other[np.ix_(order, order)])
    for name in set(before) - {"top_overlap"}:  # ties among the largest fall by position
        assert after[name] == pytest.approx(before[name], nan_ok=True, abs=1e-6), name


def test_disjoint_flows_have_nothing_in_common() -> None:
    one, other = np.zeros((3, 3)), np.zeros((3, 3))
    one[0, 1], other[1, 0] = 4.0, 9.0
    assert scores.cpc(one, other) == 0.0
    assert scores.top_overlap(one, other, 1) == 0.0


def test_the_diagonal_is_never_looked_at() -> None:
    flows = np.arange(16.0).reshape(4, 4)
    stayers = flows + 1e9 * np.eye(4)
    assert scores.all_scores(stayers, flows) == scores.all_scores(flows, flows)


def test_a_perfect_model_has_perfect_scores() -> None:
    flows = np.random.default_rng(1).gamma(1.0, size=(7, 7))
    found = scores.all_scores(flows, flows, k=5)
    for name in ("cpc", "spearman", "log_correlation", "net_sign_accuracy", "net_spearman"):
        assert found[name] == pytest.approx(1.0), name
    assert found["rmse_log"] == 0.0
    assert found["top_overlap"] == 1.0
    assert found["gini"] == found["gini_observed"]


def test_error_of_logs_of_a_doubled_table_is_log_two() -> None:
    flows = np.random.default_rng(2).gamma(1.0, size=(6, 6))
    assert scores.rmse_log(2 * flows, flows) == pytest.approx(math.log(2))
    assert scores.log_correlation(2 * flows, flows) == pytest.approx(1.0)


def test_net_of_a_transposed_table_is_opposite() -> None:
    flows = np.random.default_rng(3).gamma(1.0, size=(6, 6))
    assert np.allclose(scores.net(flows.T), -scores.net(flows))
    assert scores.net_spearman(flows.T, flows) == pytest.approx(-1.0)
    assert scores.net_sign_accuracy(flows.T, flows) == 0.0


def test_a_symmetric_model_says_nothing_of_net_direction() -> None:
    flows = np.random.default_rng(4).gamma(1.0, size=(6, 6))
    assert scores.net_sign_accuracy(flows + flows.T, flows) == 0.5
    assert math.isnan(scores.net_spearman(flows + flows.T, flows))


def test_ranks_share_ties() -> None:
    assert scores.ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([5.0] * 8, 0.0), ([0.0, 0.0, 0.0, 1.0], 0.75), ([1.0, 3.0], 0.25), ([0.0, 0.0], math.nan)],
)
def test_gini_in_closed_form(values: list[float], expected: float) -> None:
    assert scores.gini(np.array(values)) == pytest.approx(expected, nan_ok=True)


def test_shuffling_makes_scores_worse() -> None:
    rng = np.random.default_rng(5)
    flows = rng.gamma(0.3, size=(12, 12))
    model = flows * rng.lognormal(0, 0.2, size=(12, 12))
    order = rng.permutation(12)
    good, bad = scores.all_scores(model, flows), scores.all_scores(model[order], flows)
    for name in ("cpc", "spearman", "log_correlation", "top_overlap"):
        assert bad[name] < good[name]
    assert bad["rmse_log"] > good["rmse_log"]
