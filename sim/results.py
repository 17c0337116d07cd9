"""Results on disk: tidy Parquet tables and a manifest, written and read back.

Tables are written with fixed settings and without a clock, so that two runs of one manifest on one
machine give identical bytes. Each column carries its unit and kind as Parquet field metadata. The
manifest states the SHA-256 of every table, and reading checks them.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import UserError, did_you_mean
from sim.run_folder import FORMAT, MANIFEST, sha256
from sim.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMAT_VERSION = 1
ROW_GROUP = 1 << 17
SCENARIO = "scenario.yaml"
_PACKAGES = ("numpy", "numba", "pandas", "pyarrow", "mesa", "pydantic")
_SCORE = ("index points", "score")

Columns = Mapping[str, Mapping[str, tuple[str, str]]]

#: Unit and kind of each column, by table. Kinds: key, count (persons), rate, score, rank, money.
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "flows": {
        "year": ("calendar year", "key"),
        "origin": ("city", "key"),
        "destination": ("city", "key"),
        "field": ("field of work", "key"),
        "tier": ("tier of productivity", "key"),
        "persons": ("persons", "count"),
    },
    "cities": {
        "year": ("calendar year", "key"),
        "city": ("city", "key"),
        "stock": ("persons at the end of the year", "count"),
        "arrivals": ("persons in the year", "count"),
        "departures": ("persons in the year", "count"),
        "entries": ("persons in the year", "count"),
        "exits": ("persons in the year", "count"),
        "attraction": ("arrivals per 100 persons of last year's stock", "rate"),
        "retention": ("per cent of last year's stock that did not depart", "rate"),
        "stickiness": ("50-100 within the year", "score"),
        "economic_foundation": _SCORE,
        "innovation_potential": _SCORE,
        "cultural_openness": _SCORE,
        "ecological_health": _SCORE,
        "social_welfare": _SCORE,
        "public_life": _SCORE,
        "composite": _SCORE,
        "rank": ("1 is the highest composite", "rank"),
    },
    "ages": {
        "year": ("calendar year", "key"),
        "age": ("years of age", "key"),
        "stock": ("persons at the end of the year", "count"),
        "movers_domestic": ("persons in the year", "count"),
        "movers_international": ("persons in the year", "count"),
    },
    "costs": {
        "year": ("calendar year", "key"),
        "intervention": ("name in the scenario", "key"),
        "city": ("city", "key"),
        "currency": ("ISO 4217 code", "key"),
        "grants": ("agents paid in the year", "count"),
        "persons": ("persons paid in the year", "count"),
        "spent": ("hundredths of the currency unit", "money"),
    },
}


@dataclass(frozen=True)
class Run:
    """A finished run: its tables, its scenario and its manifest.

    Attributes
    ----------
    folder : pathlib.Path
        Where it stands.
    scenario : Scenario
        What was simulated, with all defaults filled in.
    manifest : dict
        Versions, seed, hashes and wall times; see docs/data-dictionary.md.
    flows : pandas.DataFrame
        year, origin, destination, field, tier, persons.
    cities : pandas.DataFrame
        year, city, stock, arrivals, departures, entries, exits, attraction, retention, stickiness,
        six dimension scores, composite, rank.
    ages : pandas.DataFrame
        year, age, stock, movers_domestic, movers_international.
    costs : pandas.DataFrame or None
        Money spent, where the scenario spends any.
    """

    folder: Path
    scenario: Scenario
    manifest: dict[str, Any] = field(repr=False)
    flows: pd.DataFrame = field(repr=False, compare=False)
    cities: pd.DataFrame = field(repr=False, compare=False)
    ages: pd.DataFrame = field(repr=False, compare=False)
    costs: pd.DataFrame | None = field(default=None, repr=False, compare=False)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name; ``costs`` only where there are any."""
        found = {"flows": self.flows, "cities": self.cities, "ages": self.ages}
        return found if self.costs is None else found | {"costs": self.costs}

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, scenario={self.scenario.name!r})"

    def _repr_html_(self) -> str:
        from sim.notebook import run_html

        return run_html(self)


def write_tables(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    scenario: Scenario,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Write tables, scenario and manifest into an empty folder.

    To put a run in place whole, give it the folder of :meth:`sim.run_folder.RunFolder.staged`.

    Parameters
    ----------
    folder : pathlib.Path
        An existing folder.
    tables : mapping of str to pandas.DataFrame
        ``flows``, ``cities``, ``ages`` and perhaps ``costs``; see :data:`COLUMNS`.
    scenario : Scenario
        What was simulated.
    facts : mapping
        What else the manifest shall say, such as wall times in seconds.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    OSError
        If the disk does not take it.
    """
    hashes = {}
    for name, frame in tables.items():
        path = folder / f"{name}.parquet"
        write_parquet(path, name, frame)
        hashes[path.name] = {"sha256": sha256(path), "rows": len(frame)}
    (folder / SCENARIO).write_text(scenario.resolved_yaml(), encoding="utf-8")
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "talentflow": version(),
        "scenario": scenario.name,
        "scenario_sha256": scenario.digest(),
        "seed": scenario.seed,
        "agents": scenario.population.agents,
        "start": scenario.horizon.start,
        "years": scenario.horizon.years,
        "landscape": scenario.model_dump(mode="json")["landscape"],
        "tables": hashes,
        **facts,
        "software": software(),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return manifest


def version() -> str:
    """Return talentflow's version."""
    try:
        return metadata.version("talentflow")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def software() -> dict[str, Any]:
    """Return what the results were made with: Python, packages, kind of machine; no names."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "packages": packages,
    }


def _cpu() -> str:
    """Return the processor type that kernels were compiled for, if they were."""
    if "llvmlite" not in sys.modules:
        return ""
    from llvmlite import binding

    return str(binding.get_host_cpu_name())


def write_parquet(
    path: Path, table: str, frame: pd.DataFrame, columns: Columns | None = None
) -> None:
    """Write a table with fixed settings: equal frames give equal bytes.

    Parameters
    ----------
    path : pathlib.Path
    table : str
        Its name.
    frame : pandas.DataFrame
    columns : mapping, optional
        Unit and kind of each column by table; default :data:`COLUMNS`.
    """
    import pyarrow.parquet as pq

    arrow = to_arrow(table, frame, columns)
    with path.open("wb") as stream:  # a file of our own, so that a full disk is an OSError
        pq.write_table(arrow, stream, row_group_size=ROW_GROUP, compression="zstd")


def to_arrow(table: str, frame: pd.DataFrame, columns: Columns | None = None) -> pa.Table:
    """Return a table with unit, kind and categories of its columns as metadata."""
    import pyarrow as pa

    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    known = (COLUMNS if columns is None else columns).get(table, {})
    fields = [
        column.with_metadata(_column_metadata(known, column.name, frame)) for column in arrow.schema
    ]
    about = {"talentflow": json.dumps({"table": table, "format_version": FORMAT_VERSION})}
    return arrow.cast(pa.schema(fields)).replace_schema_metadata(about)


def _column_metadata(
    known: Mapping[str, tuple[str, str]], name: str, frame: pd.DataFrame
) -> dict[str, str]:
    unit, kind = known.get(name, ("", ""))
    about = {"unit": unit, "kind": kind}
    if hasattr(frame[name], "cat"):
        about["categories"] = json.dumps(list(frame[name].cat.categories), ensure_ascii=False)
    return about


def read_run(folder: str | Path) -> Run:
    """Read a finished run.

    Parameters
    ----------
    folder : str or pathlib.Path
        The folder that ``talentflow run`` wrote.

    Returns
    -------
    Run
        Tables as DataFrames, scenario and manifest.

    Raises
    ------
    UserError
        If the folder is no run, or one of its files is missing, truncated, edited or foreign.

    Examples
    --------
    >>> run = read_run("runs/baseline")  # doctest: +SKIP
    >>> run.cities.query("year == 2044").nlargest(3, "stock")  # doctest: +SKIP
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    mend = f"make the run again: talentflow run {manifest['scenario']} --out {folder} --overwrite"
    scenario_file = folder / SCENARIO
    check_file(scenario_file, manifest["scenario_sha256"], mend)
    scenario = load_scenario(scenario_file)
    tables = {}
    for name, facts in manifest["tables"].items():
        path = folder / name
        check_file(path, facts["sha256"], mend)
        tables[path.stem] = read_parquet(path, mend)
    return Run(folder, scenario, manifest, **tables)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a run folder; see :func:`read_run` for the errors."""
    path = folder / MANIFEST
    try:
        if not folder.exists():
            siblings = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
            raise UserError(
                f"{folder}: no such folder{did_you_mean(folder.name, siblings)}; "
                "give the folder that 'talentflow run' wrote"
            )
        data = path.read_bytes()
    except (OSError, ValueError):
        raise UserError(
            f"{folder}: is not a talentflow run (it has no readable {MANIFEST}); "
            "give the folder that 'talentflow run' wrote"
        ) from None
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        raise UserError(f"{path}: is truncated or edited; make the run again") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UserError(
            f"{path}: is not the manifest of a talentflow run; "
            "give the folder that 'talentflow run' wrote"
        )
    if manifest.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{path}: has format version {manifest.get('format_version')!r}, this talentflow reads "
            f"{FORMAT_VERSION}; read it with talentflow {manifest.get('talentflow')!r}"
        )
    if not _complete(manifest):
        raise UserError(f"{path}: does not list its files and hashes; make the run again")
    return manifest


def _complete(manifest: dict[str, Any]) -> bool:
    tables = manifest.get("tables")
    known = {f"{name}.parquet" for name in COLUMNS}
    return (
        isinstance(manifest.get("scenario"), str)
        and isinstance(manifest.get("scenario_sha256"), str)
        and isinstance(tables, dict)
        and known - {"costs.parquet"} <= tables.keys() <= known
        and all(isinstance(t, dict) and isinstance(t.get("sha256"), str) for t in tables.values())
    )


def check_file(path: Path, expected: str, mend: str) -> None:
    """Raise a UserError that ends with the mend unless a file has the expected SHA-256."""
    if not path.is_file():
        raise UserError(f"{path}: is missing from the run; {mend}")
    try:
        whole = sha256(path) == expected
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {mend}") from None
    if not whole:
        raise UserError(f"{path}: is truncated, edited or of another run; {mend}")


def read_parquet(path: Path, mend: str, columns: Columns | None = None) -> pd.DataFrame:
    """Read what :func:`write_parquet` wrote; raise a UserError where it is another table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame = _to_pandas(pq.read_table(path))
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"{path}: cannot be read ({reason}); {mend}") from None
    lacking = (COLUMNS if columns is None else columns)[path.stem].keys() - set(frame.columns)
    if lacking:
        raise UserError(f"{path}: lacks the column '{min(lacking)}'; {mend}")
    return frame


def _to_pandas(arrow: pa.Table) -> pd.DataFrame:
    """Return a DataFrame whose categoricals have all their categories, in their order."""
    frame: pd.DataFrame = arrow.to_pandas()
    for column in arrow.schema:
        categories = (column.metadata or {}).get(b"categories")
        if categories is not None:
            frame[column.name] = (
                frame[column.name].astype("category").cat.set_categories(json.loads(categories))
            )
    return frame
