"""Confirmation: the stochastic simulator at the calibrated parameters, beside the operator."""

from __future__ import annotations

from typing import Any

import numpy as np

from calibration.moments import Moments, stickiness
from calibration.scores import pearson, spearman
from sim.parameters import Parameters

CONFIRMED = (
    "stickiness_correlation",
    "stickiness_spearman",
    "international_rate",
    "domestic_rate_us",
    "international_rate_us",
    "international_rate_cn_us",
)


def confirm(
    parameters: Parameters,
    moments: Moments,
    *,
    agents: int = 200_000,
    seeds: tuple[int, ...] = (1, 2, 3),
) -> list[dict[str, Any]]:
    """Compare the first simulated year of several seeds with what the operator expects.

    Parameters
    ----------
    parameters : Parameters
    moments : Moments
        The operator.
    agents : int
        Agents of each simulation.
    seeds : tuple of int

    Returns
    -------
    list of dict
        name, expected, simulated (mean over seeds), spread (over seeds, one simulation).
    """
    expected = moments(parameters)
    runs = [_simulate(parameters, moments, agents, seed) for seed in seeds]
    rows = []
    for name in CONFIRMED:
        values = np.array([run[name] for run in runs])
        spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        rows.append(
            {
                "name": name,
                "expected": expected[name],
                "simulated": float(values.mean()),
                "spread": spread,
            }
        )
    return rows


def _simulate(parameters: Parameters, moments: Moments, agents: int, seed: int) -> dict[str, float]:
    """Return the confirmed moments of one simulated year."""
    from sim.scenario import load_scenario
    from sim.simulation import Simulation

    changes = {
        "parameters": parameters.model_dump(mode="json"),
        "population.agents": agents,
        "horizon.years": 1,
        "seed": seed,
    }
    simulation = Simulation(load_scenario("baseline", changes), threads=1)
    people = simulation.census.stock.astype(float) * simulation.population.persons
    simulation.run()
    flows = np.zeros((len(people),) * 2)
    table = simulation.tables()["flows"]
    codes = [table[name].cat.codes.to_numpy() for name in ("origin", "destination")]
    np.add.at(flows, tuple(codes), table["persons"].to_numpy(float))
    area, composite = moments.cities.area_of_city, moments.cities.composite
    abroad = area[:, None] != area[None, :]
    sticky = stickiness(flows, people)

    def rate(where: np.ndarray, which: np.ndarray) -> float:
        return float(100.0 * (flows * which)[where].sum() / people[where].sum())

    us, cn = (area == moments.cities.area_names.index(code) for code in ("US", "CN"))
    everywhere = np.ones(len(people), bool)
    return {
        "stickiness_correlation": pearson(sticky, composite),
        "stickiness_spearman": spearman(sticky, composite),
        "international_rate": rate(everywhere, abroad),
        "domestic_rate_us": rate(us, ~abroad),
        "international_rate_us": rate(us, abroad),
        "international_rate_cn_us": rate(cn, abroad) / max(rate(us, abroad), 1e-12),
    }
