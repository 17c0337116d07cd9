"""One run of an ensemble: simulated by a worker, kept as one small Parquet file.

A worker returns measures and totals, some tens of kilobytes whatever the number of agents.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.errors import UserError
from sim.measures import ALL, MEASURES
from sim.run_folder import sync
from sim.scenario import Scenario

if TYPE_CHECKING:
    import pyarrow as pa

    from sim.ensemble_plan import Task

#: World totals by year, persons; columns of the runs' tables ``cities``.
TOTALS = ("stock", "arrivals", "departures", "entries", "exits")
#: Year of the rows that hold a measure of the whole run.
WHOLE = 0
PART_FORMAT = 1


@dataclass(frozen=True)
class Summary:
    """What is kept of a run.

    Attributes
    ----------
    persons : int
        Persons that an agent stands for.
    measures : (C + 1, M) float64 array
        As :func:`sim.measures.measure` returns them.
    totals : (years + 1, 5) int64 array
        All cities together by year, the start year first: :data:`TOTALS`, persons.
    """

    persons: int
    measures: np.ndarray
    totals: np.ndarray


def run_task(scenario: Scenario, threads: int = 1, expected: str | None = None) -> Summary:
    """Simulate a run and return its summary.

    Parameters
    ----------
    scenario : Scenario
    threads : int
        Threads of the kernels; results do not depend on it.
    expected : str, optional
        The talentflow version of whoever asks.

    Raises
    ------
    UserError
        If another version is installed here, or the agents do not fit into the memory.
    """
    from sim.measures import measure
    from sim.results import version
    from sim.simulation import Simulation

    if expected not in (None, version()):
        raise UserError(
            f"a worker has talentflow {version()}, this is {expected}; "
            "install the same version on all machines"
        )
    try:
        simulation = Simulation(scenario, threads=threads)
        simulation.run()
        tables = simulation.tables()
        number = len(simulation.cities)
        yearly = tables["cities"][list(TOTALS)].to_numpy(np.int64)
        totals = yearly.reshape(-1, number, len(TOTALS)).sum(1)
        return Summary(
            int(simulation.population.persons), measure(tables, simulation.cities), totals
        )
    except MemoryError:
        raise UserError(
            f"agents: {scenario.population.agents} agents do not fit into a worker's memory; "
            "take fewer, or fewer workers on a machine"
        ) from None


def save_part(path: Path, task: Task, key: str, summary: Summary) -> None:
    """Write a run's part of the data set, whole or not at all; equal runs give equal bytes."""
    import pyarrow.parquet as pq

    draft = path.with_name(f".{path.name}.draft")
    try:
        with draft.open("wb") as stream:
            pq.write_table(
                _arrow(task, key, summary), stream, compression="zstd", write_page_checksum=True
            )
        sync(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def load_part(path: Path, task: Task, key: str) -> Summary | None:
    """Read what :func:`save_part` wrote; None where it is missing, damaged or of another run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data = path.read_bytes()
        # checksums first: a damaged page is an error, not other numbers
        table = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True).read()
        about = json.loads(table.schema.metadata[b"talentflow"])
        if about["key"] != key or about["part_format"] != PART_FORMAT:
            return None
        values = table.column("value").to_numpy()
        years = task.scenario.horizon.years + 1
        split = len(values) - years * len(TOTALS)
        measures = values[:split].reshape(-1, len(MEASURES))
        totals = values[split:].reshape(years, len(TOTALS)).astype(np.int64)
        return Summary(int(about["persons"]), measures, totals)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException):
        return None


def _arrow(task: Task, key: str, summary: Summary) -> pa.Table:
    import pyarrow as pa

    from sim.cities import load_cities

    cities = [*load_cities().names, ALL]
    start, years = task.scenario.horizon.start, len(summary.totals)
    words = [*MEASURES, *(name for name in TOTALS if name not in MEASURES)]
    totals = [words.index(name) for name in TOTALS]
    city = np.append(
        np.repeat(np.arange(len(cities)), len(MEASURES)),
        np.full(years * len(TOTALS), len(cities) - 1),
    )
    measure = np.append(np.tile(np.arange(len(MEASURES)), len(cities)), np.tile(totals, years))
    year = np.append(
        np.full(summary.measures.size, WHOLE), np.repeat(start + np.arange(years), len(TOTALS))
    )
    rows = len(city)
    columns: dict[str, Any] = {
        "posterior": np.full(rows, task.posterior, np.int32),
        "landscape": np.full(rows, task.landscape, np.int32),
        "seed": np.full(rows, task.seed, np.int64),
        "year": year.astype(np.int16),
        "city": pa.DictionaryArray.from_arrays(city.astype(np.int16), cities),
        "measure": pa.DictionaryArray.from_arrays(measure.astype(np.int8), words),
        "value": np.append(summary.measures.ravel(), summary.totals.ravel().astype(float)),
    }
    about = {"part_format": PART_FORMAT, "key": key, "persons": summary.persons}
    return pa.table(columns).replace_schema_metadata({"talentflow": json.dumps(about)})
