"""A run's tables as one ZIP file: a run folder that talentflow reads, or CSV."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.dashboard.experiment import Frame
from sim.results import write_tables
from sim.scenario import Scenario

if TYPE_CHECKING:
    from analysis.dashboard.experiment import Tables

FORMATS = {"parquet": "Parquet", "csv": "CSV"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def zipped(frame: Frame, kind: str) -> bytes:
    """Return the tables that a page shows, as a ZIP file.

    Parameters
    ----------
    frame : Frame
        Its years are those simulated so far; the scenario in the file is shortened to them, so
        that running it gives the same tables.
    kind : {"parquet", "csv"}
        Parquet gives a run folder for each scenario, as ``talentflow run`` writes it without
        pictures: unzipped, :func:`sim.results.read_run` reads it. CSV gives a file a table, and
        scenario.yaml.

    Returns
    -------
    bytes
        The same frame gives the same bytes.
    """
    runs: list[tuple[str, Scenario, Tables]] = [("scenario", frame.scenario, frame.tables)]
    if frame.base is not None and frame.base_tables is not None:
        runs.append(("base", frame.base, frame.base_tables))
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, scenario, tables in runs:
            shortened = scenario.with_changes({"horizon.years": max(frame.done, 1)})
            for name, data in _files(shortened, tables, frame.persons, kind).items():
                entry = zipfile.ZipInfo(f"{folder}/{name}", _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
    return memory.getvalue()


def _files(scenario: Scenario, tables: Tables, persons: int, kind: str) -> dict[str, bytes]:
    if kind == "csv":
        found = {
            f"{name}.csv": table.to_csv(index=False, lineterminator="\n").encode()
            for name, table in tables.items()
        }
        return found | {"scenario.yaml": scenario.resolved_yaml().encode()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tables(folder, tables, scenario, {"persons_per_agent": persons})
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
