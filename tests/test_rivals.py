"""Rivals: each recovers what it generated, and has the limits of its theory."""

from __future__ import annotations

import numpy as np
import pytest

from calibration import rivals
from calibration.scores import cpc, off_diagonal


def world(number: int = 9, seed: int = 0) -> rivals.Places:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 5000, (number, 2))
    distance = np.linalg.norm(points[:, None] - points[None, :], axis=2)
    language = rng.uniform(0, 1, (number, number))
    language = (language + language.T) / 2
    border = ~np.eye(number, dtype=bool)
    return rivals.Places(rng.lognormal(3, 1, number), distance, language, border)


def law(places: rivals.Places, distance: float = -0.7, language: float = 0.0) -> np.ndarray:
    gap = np.where(np.eye(len(places.size), dtype=bool), 1.0, places.distance_km)
    size = np.outer(places.size**0.9, places.size**0.6)
    flows = 3.0 * size * gap**distance * np.exp(language * places.language)
    np.fill_diagonal(flows, 0.0)
    return flows


def test_poisson_fit_finds_the_coefficients_and_solves_the_score_equations() -> None:
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(400), rng.normal(size=(400, 2))])
    truth = np.array([1.0, -0.5, 0.8])
    assert np.allclose(rivals.poisson_fit(X, np.exp(X @ truth)), truth)
    y = rng.poisson(np.exp(X @ truth)).astype(float)
    fitted = rivals.poisson_fit(X, y)
    assert np.abs(X.T @ (y - np.exp(X @ fitted))).max() < 1e-6
    assert np.abs(fitted - truth).max() < 0.15


def test_gravity_reproduces_a_world_made_by_gravity() -> None:
    places = world()
    assert np.allclose(rivals.gravity(places, law(places)), law(places), rtol=1e-6)
    spoken = law(places, language=1.5)
    assert np.allclose(rivals.gravity_language(places, spoken), spoken, rtol=1e-6)
    assert cpc(rivals.gravity(places, spoken), spoken) < 0.95


def test_every_rival_keeps_the_total_and_moves_nobody_to_the_same_place() -> None:
    places, flows = world(), np.random.default_rng(2).poisson(law(world())).astype(float)
    for name, rival in rivals.RIVALS.items():
        fitted = rival(places, flows)
        assert off_diagonal(fitted).sum() == pytest.approx(off_diagonal(flows).sum()), name
        assert np.all(np.diag(fitted) == 0), name
        assert np.all(fitted >= 0), name


def test_constants_reproduce_the_totals_of_every_place() -> None:
    places, flows = world(), np.random.default_rng(3).poisson(law(world())).astype(float)
    flows[2, :] = 0  # nobody leaves this one
    fitted = rivals.gravity_constants(places, flows)
    assert np.allclose(fitted.sum(0), flows.sum(0), rtol=1e-3, atol=1e-3 * flows.sum())
    assert np.allclose(fitted.sum(1), flows.sum(1), rtol=1e-3, atol=1e-3 * flows.sum())
    assert fitted[2].sum() < 1e-2 * flows.sum()


def test_uniform_knows_sizes_only() -> None:
    places = world()
    far = rivals.Places(places.size, places.distance_km[::-1], places.language, places.border)
    flows = law(places)
    assert np.array_equal(rivals.uniform(places, flows), rivals.uniform(far, flows))
    shares = rivals.uniform(places, flows)[0, 1:]
    assert np.allclose(shares / shares.sum(), places.size[1:] / places.size[1:].sum())


def test_radiation_of_three_places_on_a_line_by_hand() -> None:
    gap = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0]], float) * 100
    size = np.array([4.0, 2.0, 6.0])
    places = rivals.Places(size, gap, np.ones((3, 3)), gap > 0)
    flows = rivals.radiation(places, np.ones((3, 3)))
    near = 4 * 4 * 2 / (4 * 6)
    far = 4 * 4 * 6 / ((4 + 2) * (4 + 2 + 6))
    assert flows[0, 1] / flows[0, 2] == pytest.approx(near / far)


def test_within_one_country_gravity_learns_the_border() -> None:
    places = world(12)
    country = np.arange(12) % 3
    border = country[:, None] != country[None, :]
    places = rivals.Places(places.size, places.distance_km, places.language, border)
    flows = law(places) * np.where(border, 0.2, 1.0)
    assert np.allclose(rivals.gravity(places, flows), flows, rtol=1e-6)
