"""An ensemble on disk: the runs' data set, which grows run by run, and the tables made of it.

The folder stands from the first moment, with ``finished: false`` in its manifest. Runs are added to
``runs/`` one by one, each whole or not at all; tables and a finished manifest come last.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sim import documents
from sim.ensemble_plan import Plan
from sim.ensemble_task import Summary, load_part, save_part
from sim.errors import UserError
from sim.pair_folder import SCENARIOS, folder_kind
from sim.results import COLUMNS as RUN_COLUMNS
from sim.results import software, version
from sim.run_folder import MANIFEST, FolderKind, RunFolder, is_run, sha256, sync, write_error

FORMAT_VERSION = 1
RUNS = "runs"
SETTINGS = "ensemble.yaml"
_MEASURE = "in the unit of the measure"
_DRAW = ("number of the draw, -1: none", "key")
_STATISTICS = {
    "mean": (_MEASURE, "mean"),
    "low": (_MEASURE, "bound"),
    "high": (_MEASURE, "bound"),
    "luck": (_MEASURE, "standard error"),
    "landscape": (_MEASURE, "standard deviation"),
    "parameters": (_MEASURE, "standard deviation"),
    "sd": (_MEASURE, "standard deviation"),
    "q05": (_MEASURE, "quantile"),
    "median": (_MEASURE, "quantile"),
    "q95": (_MEASURE, "quantile"),
    "runs": ("runs", "count"),
}
_RUN = {"scenario": ("scenario", "key"), "posterior": _DRAW, "landscape": _DRAW} | {
    "seed": ("-", "key")
}
#: Unit and kind of each column, by table.
COLUMNS: dict[str, dict[str, tuple[str, str]]] = {
    "summary": {"scenario": ("scenario", "key"), "city": ("city", "key")}
    | {"measure": ("measure", "key")}
    | _STATISTICS,
    "totals": {"scenario": ("scenario", "key"), "year": ("calendar year", "key")}
    | {"measure": ("measure", "key")}
    | _STATISTICS,
    "effects": {
        "scenario": ("scenario", "key"),
        "city": ("city", "key"),
        "measure": ("measure", "key"),
        "base": (_MEASURE, "mean"),
        "effect": (_MEASURE, "mean"),
        "low": (_MEASURE, "bound"),
        "high": (_MEASURE, "bound"),
        "luck": (_MEASURE, "standard error"),
        "landscape": (_MEASURE, "standard deviation"),
        "parameters": (_MEASURE, "standard deviation"),
        "p": ("0-1", "p value"),
        "q": ("0-1", "p value adjusted over cities"),
        "runs": ("pairs of runs", "count"),
    },
    "cities": _RUN | {"city": ("city", "key")},
    "years": _RUN
    | {"year": ("calendar year", "key")}
    | {
        name: RUN_COLUMNS["cities"][name]
        for name in ("stock", "arrivals", "departures", "entries", "exits")
    },
    "posterior": {
        "posterior": _DRAW,
        "path": ("path in the scenario", "key"),
        "value": ("in the unit of the path", "setting"),
    },
}
_TABLES = folder_kind("ensemble", COLUMNS)
ENSEMBLE = FolderKind(_TABLES.format, _TABLES.entries | {RUNS, SETTINGS})


class EnsembleFolder(RunFolder):
    """The folder of an ensemble, held by this process from :meth:`open` to :meth:`release`.

    Parameters
    ----------
    folder : pathlib.Path
    plan : Plan
    overwrite : bool
        Whether to replace a former ensemble, with its runs.
    resume : bool
        Whether to take up the runs that are there.
    """

    def __init__(
        self, folder: Path, plan: Plan, overwrite: bool = False, resume: bool = False
    ) -> None:
        super().__init__(folder, overwrite, ENSEMBLE)
        self.plan = plan
        self.resume = resume and not overwrite and os.path.lexists(self.folder)
        self.begun = False
        self.ours = False

    def open(self) -> list[int]:
        """Claim the folder, begin or take up the ensemble; return the positions of missing runs.

        Raises
        ------
        UserError
            If something else stands there, or the runs there are of another ensemble.
        """
        if not self.resume:
            self._refuse_unfinished()
            self.claim()
            self._begin()
            self.ours = True
            return list(range(len(self.plan.tasks)))
        try:
            self.held.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._clear_up()
            self._check_runs()
            self._describe(self.folder)
        except OSError as error:
            self.release()
            raise write_error(self.shown, error) from None
        except UserError:
            self.release()
            raise
        self.ours = True
        return [k for k in range(len(self.plan.tasks)) if self.get(k) is None]

    def release(self, keep_checkpoint: bool = False) -> None:
        """Let the folder go; where it was begun here and has no run, take it away."""
        if self.begun and self.kept() == 0:
            shutil.rmtree(self.folder, ignore_errors=True)
        super().release(keep_checkpoint)

    def path(self, position: int) -> Path:
        """Return the file of a run."""
        task, key = self.plan.tasks[position], self.plan.keys[position]
        return self.folder / RUNS / f"scenario={task.name}" / f"part-{key}.parquet"

    def get(self, position: int) -> Summary | None:
        """Return a finished run, or None where it is missing or damaged."""
        task, key = self.plan.tasks[position], self.plan.keys[position]
        return load_part(self.path(position), task, key)

    def put(self, position: int, summary: Summary) -> None:
        """Keep a finished run, whole or not at all."""
        task, key = self.plan.tasks[position], self.plan.keys[position]
        try:
            save_part(self.path(position), task, key, summary)
        except OSError as error:
            raise write_error(self.shown, error) from None

    def kept(self) -> int:
        """Return how many runs there are."""
        return len(list(_parts(self.folder)))

    def finish(self, facts: dict[str, Any]) -> None:
        """Make the tables of the runs and put them in place, the manifest last."""
        from sim.ensemble_tables import write_all

        try:
            with tempfile.TemporaryDirectory(prefix=".tables-", dir=self.folder) as name:
                staging = Path(name)
                hashes = write_all(staging, self.plan, self.get, COLUMNS)
                for path in sorted(staging.iterdir()):
                    sync(path)
                    os.replace(path, self.folder / path.name)
            self._write_manifest(self.folder, {"finished": True, "tables": hashes, **facts})
            sync(self.folder)
        except OSError as error:
            raise write_error(self.shown, error) from None

    def _begin(self) -> None:
        with self.staged() as folder:
            self._describe(folder)
        self.begun = True

    def _describe(self, folder: Path) -> None:
        """Write what is being run; the manifest, which comes last, says that it is unfinished."""
        (folder / SCENARIOS).mkdir(exist_ok=True)
        for name, scenario in self.plan.scenarios.items():
            (folder / RUNS / f"scenario={name}").mkdir(parents=True, exist_ok=True)
            text = scenario.resolved_yaml()
            (folder / SCENARIOS / f"{name}.yaml").write_text(text, encoding="utf-8")
        settings = self.plan.ensemble.model_dump(mode="json")
        (folder / SETTINGS).write_text(documents.dump(settings), encoding="utf-8")
        self._write_manifest(folder, {"finished": False})

    def _write_manifest(self, folder: Path, facts: dict[str, Any]) -> None:
        thetas, draws, seeds = self.plan.shape
        manifest = {
            "format": ENSEMBLE.format,
            "format_version": FORMAT_VERSION,
            "talentflow": version(),
            "name": self.plan.name,
            "title": self.plan.ensemble.title,
            "plan_sha256": self.plan.digest,
            "scenarios": {name: s.digest() for name, s in self.plan.scenarios.items()},
            "runs": len(self.plan.tasks),
            "posterior_draws": thetas,
            "landscapes": draws,
            "seeds": seeds,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            **facts,
            "software": software(),
        }
        draft = folder / f".{MANIFEST}.draft"
        text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
        draft.write_text(text + "\n", encoding="utf-8")
        sync(draft)
        os.replace(draft, folder / MANIFEST)

    def _refuse_unfinished(self) -> None:
        unfinished = is_run(self.folder, ENSEMBLE) and not manifest_of(self.folder).get("finished")
        if unfinished and not self.overwrite:
            raise UserError(
                f"{self.shown}: holds an unfinished ensemble; finish it with --resume, "
                "or throw it away with --overwrite"
            )

    def _check_runs(self) -> None:
        """Make sure that all runs there are of this ensemble; clear up what was cut off."""
        if not is_run(self.folder, ENSEMBLE):
            raise UserError(
                f"{self.shown}: is no {ENSEMBLE.format}, so there is nothing to resume; "
                "give its folder with --out"
            )
        for stale in self.folder.glob(".tables-*"):
            shutil.rmtree(stale)
        for stale in (self.folder / RUNS).glob("*/.part-*.draft"):
            stale.unlink()
        known = {self.path(k) for k in range(len(self.plan.tasks))}
        for path in _parts(self.folder):
            if path not in known:
                raise UserError(
                    f"{self.shown}: its run {path.relative_to(self.folder)} is of another ensemble "
                    "or another talentflow; give the file and options of the interrupted command, "
                    "or another folder with --out"
                )


def _parts(folder: Path) -> Iterator[Path]:
    return (folder / RUNS).glob("scenario=*/part-*.parquet")


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return what a folder's manifest says; nothing where there is no readable one."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        manifest = json.loads((folder / MANIFEST).read_bytes())
        if isinstance(manifest, dict):
            return manifest
    return {}


def finished(folder: Path, plan: Plan) -> bool:
    """Return whether a folder holds this very ensemble, finished and with whole tables."""
    manifest = manifest_of(folder)
    try:
        hashes = {name: table["sha256"] for name, table in manifest["tables"].items()}
        hashes |= {f"{SCENARIOS}/{name}.yaml": sha for name, sha in manifest["scenarios"].items()}
        return (
            is_run(folder, ENSEMBLE)
            and manifest["finished"] is True
            and manifest["plan_sha256"] == plan.digest
            and all(sha256(folder / name) == sha for name, sha in hashes.items())
        )
    except (OSError, KeyError, TypeError, AttributeError):
        return False
