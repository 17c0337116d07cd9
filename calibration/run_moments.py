"""Simulated values of the targets that need years of simulation; all of them are held out."""

from __future__ import annotations

import numpy as np

from calibration.scores import spearman
from sim.cities import load_cities
from sim.parameters import Parameters
from sim.scenario import Scenario, load_scenario
from sim.simulation import Simulation

SHOCK, CITY, AREA = "beijing-foreign-talent-shock", "Beijing", "CN"
YEARS = 4
"""Length of the shock, years."""
HORIZON = 20
AGENTS_SHOCK, AGENTS = 400_000, 100_000


def run_moments(parameters: Parameters) -> dict[str, float]:
    """Return what runs of the simulator say of the targets of kind ``run``.

    Parameters
    ----------
    parameters : Parameters

    Returns
    -------
    dict of str to float
        ``foreign_fall``: by how much fewer foreign citizens live in the city at the end of the
        shock than without it, share; ``rank_persistence``: rank correlation of the composites at
        the start and after twenty years.
    """
    without, within = (
        _foreigners(_given(name, parameters, AGENTS_SHOCK, YEARS)) for name in ("baseline", SHOCK)
    )
    run = Simulation(_given("baseline", parameters, AGENTS, HORIZON))
    before = run.scores()
    run.run()
    weights = _composite_weights(before)
    return {
        "foreign_fall": 1.0 - within / max(without, 1),
        "rank_persistence": spearman(before @ weights, run.scores() @ weights),
    }


def _given(name: str, parameters: Parameters, agents: int, years: int) -> Scenario:
    changes = {"population.agents": agents, "horizon.years": years}
    return load_scenario(name, changes).model_copy(update={"parameters": parameters})


def _foreigners(scenario: Scenario) -> int:
    """Return how many agents of foreign citizenship live in the city after the last year."""
    run = Simulation(scenario).run()
    cities, agents = load_cities(), run.population.living()
    here = agents.city == cities.names.index(CITY)
    area = cities.area_of_city[agents.home[here]]
    return int((area != cities.area_names.index(AREA)).sum())


def _composite_weights(scores: np.ndarray) -> np.ndarray:
    """Return the dimensions' weights that reproduce the published composites at the start."""
    design = np.column_stack([scores, np.ones(len(scores))])
    return np.linalg.lstsq(design, load_cities().composite, rcond=None)[0][:-1]
