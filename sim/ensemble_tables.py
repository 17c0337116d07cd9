"""The tables of an ensemble: every run in the order of the plan, and statistics by scenario.

Runs are read one by one and written in blocks of a fixed number, so memory grows only with the
runs of two scenarios, by some fourteen kilobytes a run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.ensemble_plan import Plan
from sim.ensemble_statistics import crossed
from sim.ensemble_task import TOTALS, Summary
from sim.errors import UserError
from sim.measures import ALL, MEASURES, grains
from sim.paired_effects import Interval, false_discovery
from sim.results import Columns, to_arrow, write_parquet
from sim.run_folder import sha256

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 500  # runs in a row group
QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}
Get = Callable[[int], Summary | None]


def write_all(folder: Path, plan: Plan, get: Get, columns: Columns) -> dict[str, dict[str, Any]]:
    """Write all tables into a folder; return the hash and the rows of each file.

    Parameters
    ----------
    folder : pathlib.Path
    plan : Plan
    get : callable
        Returns the run at a position.
    columns : mapping
        Unit and kind of the columns, by table.

    Raises
    ------
    UserError
        If a run is missing.
    """
    measured = {name: (about, "measure") for name, about in MEASURES.items()}
    columns = {**columns, "cities": {**columns["cities"], **measured}}
    scribe = _Scribe(plan)
    with ExitStack() as stack:
        cities = stack.enter_context(_Stream(folder, "cities", columns))
        years = stack.enter_context(_Stream(folder, "years", columns))
        for name in plan.scenarios:
            scribe.scenario(name, get, cities, years)
    written = {"cities": cities.rows, "years": years.rows}
    for name, frame in scribe.frames().items():
        write_parquet(folder / f"{name}.parquet", name, frame, columns)
        written[name] = len(frame)
    paths = {name: folder / f"{name}.parquet" for name in written}
    return {
        path.name: {"sha256": sha256(path), "rows": written[name]} for name, path in paths.items()
    }


class _Stream:
    """A Parquet file that is written block by block, with fixed settings."""

    def __init__(self, folder: Path, name: str, columns: Columns) -> None:
        self.name, self.columns, self.rows = name, columns, 0
        self._file = (folder / f"{name}.parquet").open("wb")
        self._writer: Any = None

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._writer is not None:
            self._writer.close()
        self._file.close()

    def add(self, frame: pd.DataFrame) -> None:
        """Append rows as one row group."""
        import pyarrow.parquet as pq

        arrow = to_arrow(self.name, frame, self.columns)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, arrow.schema, compression="zstd")
        self._writer.write_table(arrow, row_group_size=max(1, len(frame)))
        self.rows += len(frame)


class _Scribe:
    """Makes the tables of a plan, scenario by scenario."""

    def __init__(self, plan: Plan) -> None:
        from sim.cities import load_cities

        self.plan = plan
        self.measures = list(plan.ensemble.measures)
        self.chosen = [list(MEASURES).index(name) for name in self.measures]
        self.cities = [*load_cities().names, ALL]
        horizon = next(iter(plan.scenarios.values())).horizon
        self.years = np.arange(horizon.start, horizon.end + 1)
        self.runs = int(np.prod(plan.shape))
        self.base: np.ndarray | None = None
        self.tables: dict[str, list[pd.DataFrame]] = {"summary": [], "totals": [], "effects": []}

    def scenario(self, name: str, get: Get, cities: _Stream, years: _Stream) -> None:
        """Read a scenario's runs, write them, and keep their statistics."""
        first = list(self.plan.scenarios).index(name) * self.runs
        measures = np.empty((self.runs, len(self.cities), len(self.measures)))
        totals = np.empty((self.runs, len(self.years), len(TOTALS)))
        persons = 1
        for start in range(0, self.runs, BLOCK):
            stop = min(start + BLOCK, self.runs)
            for k in range(start, stop):
                summary = self._whole(get, first + k)
                measures[k], totals[k] = summary.measures[:, self.chosen], summary.totals
                persons = summary.persons
            cities.add(self._by_city(first + start, measures[start:stop]))
            years.add(self._by_year(first + start, totals[start:stop]))
        grain = grains(persons)[self.chosen]
        folded = measures.reshape(*self.plan.shape, *measures.shape[1:])
        yearly = totals.reshape(*self.plan.shape, *totals.shape[1:])
        keys = self._keys(name, "city", self.cities, self.measures)
        self.tables["summary"].append(_statistics(keys, folded, grain))
        keys = self._keys(name, "year", self.years, list(TOTALS))
        self.tables["totals"].append(_statistics(keys, yearly, np.array(float(persons))))
        if self.base is None:
            self.base = folded
        else:
            self._effects(name, self.base, folded, grain)

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return the tables of statistics, and that of the posterior draws."""
        import pandas as pd

        frames = {}
        for name, parts in self.tables.items():
            if parts:
                frame = pd.concat(parts, ignore_index=True)
                kinds = {"scenario": list(self.plan.scenarios), "city": self.cities}
                kinds["measure"] = list(TOTALS) if name == "totals" else self.measures
                frames[name] = _categorical(frame, kinds)
        if self.plan.posterior:
            frames["posterior"] = self._posterior()
        return frames

    def _whole(self, get: Get, position: int) -> Summary:
        summary = get(position)
        if summary is None:
            raise UserError(
                f"the run of {self.plan.tasks[position]} is missing or damaged; "
                "go on with the same command and --resume"
            )
        return summary

    def _run_keys(self, first: int, runs: int, rows: int) -> dict[str, Any]:
        """Return the columns that name the runs, each repeated for its rows."""
        tasks = self.plan.tasks[first : first + runs]

        def repeated(values: list[int], kind: Any) -> np.ndarray:
            return np.repeat(np.array(values, dtype=kind), rows)

        return {
            "scenario": np.repeat([task.name for task in tasks], rows),
            "posterior": repeated([task.posterior for task in tasks], np.int32),
            "landscape": repeated([task.landscape for task in tasks], np.int32),
            "seed": repeated([task.seed for task in tasks], np.int64),
        }

    def _by_city(self, first: int, values: np.ndarray) -> pd.DataFrame:
        import pandas as pd

        columns = self._run_keys(first, len(values), len(self.cities))
        columns["city"] = np.tile(self.cities, len(values))
        flat = values.reshape(-1, len(self.measures))
        columns |= {name: flat[:, k] for k, name in enumerate(self.measures)}
        kinds = {"scenario": list(self.plan.scenarios), "city": self.cities}
        return _categorical(pd.DataFrame(columns), kinds)

    def _by_year(self, first: int, values: np.ndarray) -> pd.DataFrame:
        import pandas as pd

        columns = self._run_keys(first, len(values), len(self.years))
        columns["year"] = np.tile(self.years.astype(np.int16), len(values))
        flat = values.reshape(-1, len(TOTALS)).astype(np.int64)
        columns |= {name: flat[:, k] for k, name in enumerate(TOTALS)}
        return _categorical(pd.DataFrame(columns), {"scenario": list(self.plan.scenarios)})

    def _keys(self, name: str, kind: str, rows: Any, measures: list[str]) -> dict[str, Any]:
        number = len(rows) * len(measures)
        values = np.repeat(rows, len(measures))
        return {
            "scenario": np.repeat([name], number),
            kind: values.astype(np.int16) if kind == "year" else values,
            "measure": np.tile(measures, len(rows)),
        }

    def _effects(self, name: str, base: np.ndarray, policy: np.ndarray, grain: np.ndarray) -> None:
        import pandas as pd

        found = crossed(policy - base, grain=grain)
        q = np.full(found.p.shape, np.nan)
        for k in range(len(self.measures)):
            q[:-1, k] = false_discovery(found.p[:-1, k])
        columns = self._keys(name, "city", self.cities, self.measures)
        columns |= {"base": base.mean((0, 1, 2)).ravel(), "effect": found.mean.ravel()}
        columns |= _bounds(found) | {"p": found.p.ravel(), "q": q.ravel()}
        self.tables["effects"].append(pd.DataFrame(columns | {"runs": self.runs}))

    def _posterior(self) -> pd.DataFrame:
        import pandas as pd

        rows = [
            (draw, path, value)
            for draw, values in self.plan.posterior.items()
            for path, value in values.items()
        ]
        frame = pd.DataFrame(rows, columns=["posterior", "path", "value"])
        frame["posterior"] = frame["posterior"].astype(np.int32)
        return _categorical(frame, {"path": list(dict.fromkeys(frame["path"]))})


def _statistics(keys: dict[str, Any], values: np.ndarray, grain: np.ndarray) -> pd.DataFrame:
    """Return mean, interval and spread over the first three axes, one row an entry of the rest."""
    import pandas as pd

    found = crossed(values, grain=grain)
    flat = values.reshape(-1, *values.shape[3:])
    sd = flat.std(0, ddof=1) if len(flat) > 1 else np.full(flat.shape[1:], np.nan)
    spread = np.quantile(flat, list(QUANTILES.values()), axis=0)
    columns = keys | {"mean": found.mean.ravel()} | _bounds(found) | {"sd": sd.ravel()}
    columns |= {name: spread[k].ravel() for k, name in enumerate(QUANTILES)}
    return pd.DataFrame(columns | {"runs": len(flat)})


def _bounds(found: Interval) -> dict[str, np.ndarray]:
    names = ("low", "high", "luck", "landscape", "parameters")
    return {name: getattr(found, name).ravel() for name in names}


def _categorical(frame: pd.DataFrame, kinds: dict[str, list[str]]) -> pd.DataFrame:
    import pandas as pd

    for column, known in kinds.items():
        if column in frame:
            frame[column] = pd.Categorical(frame[column], categories=pd.Index(known))
    return frame
