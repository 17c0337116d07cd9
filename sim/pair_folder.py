"""Results of paired runs on disk: pairs kept as they are finished, and the folder at the end.

While pairs are run they are kept in the hidden folder beside the target that
:mod:`sim.run_folder` describes; ``--resume`` takes them up. The folder itself appears whole.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.errors import UserError, did_you_mean
from sim.interruption import Interrupted, Signals
from sim.results import (
    Columns,
    check_file,
    read_parquet,
    software,
    version,
    write_parquet,
)
from sim.run_folder import MANIFEST, FolderKind, RunFolder, sha256, sync, write_error
from sim.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    import pandas as pd

    from sim.pairing import PairResult

FORMAT_VERSION = 1
SCENARIOS = "scenarios"
PICTURES_GROUP = "talentflow.comparison_pictures"

KEPT = "finished pairs are kept: go on with --resume"

Say = Callable[[str], None]


def folder_kind(name: str, tables: Mapping[str, Any]) -> FolderKind:
    """Return the kind of folder that holds such tables, scenarios, manifest and pictures."""
    files = (f"{table}.parquet" for table in tables)
    return FolderKind(f"talentflow {name}", frozenset({*files, SCENARIOS, MANIFEST, "plots"}))


class PairFolder(RunFolder):
    """A folder for results of pairs; it keeps finished pairs until the results are whole.

    Parameters
    ----------
    folder : pathlib.Path
    kind : FolderKind
    digest : str
        Hash of all that decides the pairs' results.
    overwrite : bool
    """

    def __init__(
        self, folder: Path, kind: FolderKind, digest: str, overwrite: bool = False
    ) -> None:
        super().__init__(folder, overwrite, kind)
        self.digest = digest
        self.notes = self.held / "pairs.json"

    def begin(self, resume: bool, say: Say) -> None:
        """Take up the pairs that an interrupted command has left, or forget them.

        Raises
        ------
        UserError
            If those are of other scenarios or options, or the folder cannot be written.
        """
        kept = self._notes()
        if resume and kept is None:
            say("there are no finished pairs to resume from; all are run")
        if resume and kept is not None and kept.get("digest") != self.digest:
            raise UserError(
                f"{self.shown}: its finished pairs are of other scenarios, options or another "
                "talentflow; give those of the interrupted command, or leave --resume out"
            )
        try:
            if not resume:
                self.drop_checkpoint()
            draft = self.notes.with_suffix(".draft")
            draft.write_text(json.dumps({"digest": self.digest}) + "\n", encoding="utf-8")
            sync(draft)
            os.replace(draft, self.notes)
        except OSError as error:
            raise write_error(self.shown, error) from None
        if resume and kept is not None:
            say(f"resuming with {len(list(self._files()))} finished pairs")

    def get(self, position: int) -> PairResult | None:
        """Return a finished pair, or None."""
        from sim.pairing import PairResult

        return PairResult.load(self._file(position))

    def put(self, position: int, result: PairResult) -> None:
        """Keep a finished pair, whole or not at all."""
        try:
            result.save(self._file(position))
        except OSError as error:
            raise write_error(self.shown, error) from None

    def read_checkpoint(self) -> dict[str, Any] | None:
        """Return the notes where there are finished pairs, else None."""
        return self._notes() if any(self._files()) else None

    def drop_checkpoint(self) -> None:
        """Forget finished pairs."""
        self.notes.unlink(missing_ok=True)
        for path in self.held.glob("*pair-*.npz*"):
            path.unlink()

    def _notes(self) -> dict[str, Any] | None:
        try:
            notes = json.loads(self.notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return notes if isinstance(notes, dict) else None

    def _file(self, position: int) -> Path:
        return self.held / f"pair-{position:05d}.npz"

    def _files(self) -> Iterator[Path]:
        return self.held.glob("pair-*.npz")


@contextlib.contextmanager
def held(target: PairFolder, resume: bool, say: Say) -> Iterator[PairFolder]:
    """Hold a folder while pairs are run and results written; keep finished pairs on a failure.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM, saying how to go on.
    """
    target.claim()
    whole = False
    try:
        with Signals():
            target.begin(resume, say)
            yield target
        whole = True
    except KeyboardInterrupt:
        number = len(list(target._files()))
        raise Interrupted(
            f"interrupted with {number} finished pairs; go on with the same command and --resume"
            if number
            else "interrupted; nothing was written"
        ) from None
    except UserError as error:
        ours = (target._notes() or {}).get("digest") == target.digest
        number = len(list(target._files())) if ours else 0
        raise (UserError(f"{error}; {number} {KEPT}") if number else error) from None
    finally:
        target.release(keep_checkpoint=not whole)


@dataclass(frozen=True)
class Written:
    """What a results folder holds.

    Attributes
    ----------
    manifest : dict
    tables : dict of str to pandas.DataFrame
    scenarios : dict of str to Scenario
        In the order of the manifest.
    """

    manifest: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    scenarios: dict[str, Scenario]


def write_results(
    folder: Path,
    kind: FolderKind,
    tables: Mapping[str, pd.DataFrame],
    columns: Columns,
    scenarios: Mapping[str, Scenario],
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """Write tables, scenarios and manifest into an empty folder; return the manifest.

    Parameters
    ----------
    folder : pathlib.Path
        As :meth:`sim.run_folder.RunFolder.staged` gives it.
    kind : FolderKind
    tables : mapping of str to pandas.DataFrame
    columns : mapping
        Unit and kind of the columns, by table.
    scenarios : mapping of str to Scenario
        By name.
    facts : mapping
        What else the manifest shall say.
    """
    hashes = {}
    for name, frame in tables.items():
        path = folder / f"{name}.parquet"
        write_parquet(path, name, frame, columns)
        hashes[path.name] = {"sha256": sha256(path), "rows": len(frame)}
    (folder / SCENARIOS).mkdir()
    for name, scenario in scenarios.items():
        text = scenario.resolved_yaml()
        (folder / SCENARIOS / f"{name}.yaml").write_text(text, encoding="utf-8")
    manifest = {
        "format": kind.format,
        "format_version": FORMAT_VERSION,
        "talentflow": version(),
        "scenarios": {name: scenario.digest() for name, scenario in scenarios.items()},
        "tables": hashes,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "software": software(),
    }
    text = json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return manifest


def read_results(folder: Path, kind: FolderKind, columns: Columns, mend: str) -> Written:
    """Read what :func:`write_results` wrote, and check it.

    Raises
    ------
    UserError
        If the folder holds something else, or one of its files is missing, truncated or edited.
    """
    manifest = _manifest(folder, kind, mend)
    tables, scenarios = {}, {}
    for name, facts in manifest["tables"].items():
        check_file(folder / name, facts["sha256"], mend)
        tables[Path(name).stem] = read_parquet(folder / name, mend, columns)
    for name, sha in manifest["scenarios"].items():
        path = folder / SCENARIOS / f"{name}.yaml"
        check_file(path, sha, mend)
        scenarios[name] = load_scenario(path)
    return Written(manifest, tables, scenarios)


def _manifest(folder: Path, kind: FolderKind, mend: str) -> dict[str, Any]:
    if not folder.exists():
        siblings = [p.name for p in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise UserError(f"{folder}: no such folder{did_you_mean(folder.name, siblings)}")
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        known = {f"{name}.parquet" for name in _known(kind)}
        whole = (
            manifest["format"] == kind.format
            and manifest["format_version"] == FORMAT_VERSION
            and {*manifest["tables"]} <= known
            and all(isinstance(sha, str) for sha in manifest["scenarios"].values())
            and all(isinstance(t["sha256"], str) for t in manifest["tables"].values())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise UserError(f"{folder}: is no whole {kind.format} of this version; {mend}")
    return dict(manifest)


def _known(kind: FolderKind) -> Iterator[str]:
    return (Path(name).stem for name in kind.entries if name.endswith(".parquet"))


def draw(folder: Path, say: Say) -> list[Path]:
    """Let every installed set of comparison pictures draw; failures are only told."""
    paths: list[Path] = []
    for entry in metadata.entry_points(group=PICTURES_GROUP):
        try:
            paths += entry.load()(folder)
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            say(f"warning: no pictures by '{entry.name}': {reason}")
    return paths


def whole_already(folder: Path, kind: FolderKind, digest: str) -> bool:
    """Return whether a folder holds finished results of these very pairs."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return (
        isinstance(manifest, dict)
        and manifest.get("format") == kind.format
        and manifest.get("pairs_sha256") == digest
    )
