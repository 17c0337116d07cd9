"""A small engine that keeps the contract of sim.simulation, for tests of what surrounds it.

Behaviour is set through the environment, so that it works in a child process too: FAKE_DELAY
(seconds a year), FAKE_FAIL (year in which a step raises MemoryError or RuntimeError).
"""

import os
import sys
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd

CITIES = ("New York", "San Francisco", "Boston", "Paris", "Beijing")


class _Population:
    persons = 3


class _Team:
    threads = 1


class _Landscape:
    draw = None
    scores = np.full((5, 6), 75.0)


class Simulation:
    population = _Population()
    landscape = _Landscape()
    team = _Team()

    def __init__(self, scenario, *, threads=None):
        self.scenario = scenario
        self.elapsed = 0
        self.rng_state = np.zeros(0, np.int64)

    @property
    def year(self):
        return self.scenario.horizon.start + self.elapsed

    @property
    def finished(self):
        return self.elapsed >= self.scenario.horizon.years

    def compile(self):
        return 0.0

    def step(self):
        if os.environ.get("FAKE_FAIL") == str(self.year + 1):
            raise {"memory": MemoryError, "bug": RuntimeError}[os.environ["FAKE_KIND"]]("boom")
        time.sleep(float(os.environ.get("FAKE_DELAY", "0")))
        self.elapsed += 1
        rng = np.random.default_rng([self.scenario.seed, self.elapsed])
        self.rng_state = np.append(self.rng_state, rng.integers(1, 50, 2))
        if path := os.environ.get("FAKE_LOG"):
            Path(path).write_text(str(self.year))

    def save(self, path):
        draft = Path(f"{path}.draft")
        with draft.open("wb") as stream:
            np.savez(stream, elapsed=self.elapsed, moves=self.rng_state)
        os.replace(draft, path)

    @classmethod
    def load(cls, path, scenario, threads=None):
        simulation = cls(scenario, threads=threads)
        with np.load(path) as state:
            simulation.elapsed, simulation.rng_state = int(state["elapsed"]), state["moves"]
        return simulation

    def tables(self):
        years = np.arange(self.scenario.horizon.start, self.year + 1)
        moves = np.vstack([[0, 0], self.rng_state.reshape(-1, 2)])  # to city 0 from 1, to 3 from 4
        n = len(CITIES)
        cities = pd.DataFrame(
            {
                "year": np.repeat(years, n).astype(np.int16),
                "city": pd.Categorical.from_codes(np.tile(np.arange(n), len(years)), CITIES),
                "arrivals": 0,
                "departures": 0,
                "entries": 0,
                "exits": 0,
            }
        )
        for city, column, move in (
            (0, "arrivals", 0),
            (1, "departures", 0),
            (3, "arrivals", 1),
            (4, "departures", 1),
        ):
            cities.loc[city::n, column] = moves[:, move]
        net = cities["arrivals"] - cities["departures"]
        cities["stock"] = 10_000 + net.groupby(cities["city"], observed=False).cumsum()
        for k, name in enumerate(("attraction", "retention", "stickiness")):
            cities[name] = np.where(
                np.repeat(years, n) == years[0],
                np.nan,
                90.0 - np.tile(np.arange(n), len(years)) - k,
            )
        for name in (
            "economic_foundation",
            "innovation_potential",
            "cultural_openness",
            "ecological_health",
            "social_welfare",
            "public_life",
            "composite",
        ):
            cities[name] = 75.0
        cities["rank"] = np.tile(np.arange(1, n + 1), len(years)).astype(np.int16)
        flows = pd.DataFrame(
            {
                "year": np.repeat(years[1:], 2).astype(np.int16),
                "origin": pd.Categorical.from_codes(np.tile([1, 4], len(years) - 1), CITIES),
                "destination": pd.Categorical.from_codes(np.tile([0, 3], len(years) - 1), CITIES),
                "field": pd.Categorical(["other"] * 2 * (len(years) - 1)),
                "tier": pd.Categorical(["base"] * 2 * (len(years) - 1)),
                "persons": moves[1:].ravel(),
            }
        )
        ages = pd.DataFrame(
            {
                "year": years.astype(np.int16),
                "age": np.full(len(years), 25, np.int16),
                "stock": 50_000,
                "movers_domestic": moves[:, 0],
                "movers_international": moves[:, 1],
            }
        )
        return {"flows": flows, "cities": cities, "ages": ages}


def install() -> None:
    """Put this engine in the place of the real one, in this process."""
    module = types.ModuleType("sim.simulation")
    module.Simulation = Simulation
    sys.modules["sim.simulation"] = module
