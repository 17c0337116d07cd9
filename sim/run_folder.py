"""Where a run's results go: claimed before the run, put in place whole after it.

For ``--out NAME`` everything is prepared beside it, under hidden names:

- ``.NAME.partial/`` is held (by a lock that ends with the process) while the run lasts. It keeps
  the last whole checkpoint; it goes when the run is complete, or ends without a checkpoint.
- ``.NAME.partial-XXXX/`` receives the results, and is renamed to ``NAME`` once they are whole.
- ``.NAME.old-XXXX/`` is the former ``NAME`` for the moment of the exchange.

What a killed process leaves under the last two names, the next run for ``NAME`` clears up.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sim.errors import UserError

MANIFEST = "manifest.json"
FORMAT = "talentflow run"
KNOWN_ENTRIES = frozenset(
    {
        *(f"{table}.parquet" for table in ("flows", "cities", "ages", "costs")),
        "scenario.yaml",
        MANIFEST,
        "plots",
        "report.html",
    }
)


@dataclass(frozen=True)
class FolderKind:
    """A kind of folder that talentflow writes.

    Attributes
    ----------
    format : str
        What its manifest says that it is; also its name in messages.
    entries : frozenset of str
        What it may hold; ``--overwrite`` touches no folder that holds anything else.
    """

    format: str
    entries: frozenset[str]


RUN = FolderKind(FORMAT, KNOWN_ENTRIES)

_MENDS = {
    errno.ENOSPC: "free some space or give another folder with --out",
    errno.EDQUOT: "free some space or give another folder with --out",
    errno.EACCES: "give a folder with --out that you may write in",
    errno.EPERM: "give a folder with --out that you may write in",
    errno.EROFS: "give a folder with --out that can be written",
    errno.ENOTDIR: "a part of the path is a file; give another folder with --out",
    errno.ENAMETOOLONG: "give a shorter name with --out",
}


def write_error(path: Path, error: OSError) -> UserError:
    """Return the line for the user when the operating system refuses to write."""
    mend = _MENDS.get(error.errno or 0, "check the disk and the folder given with --out")
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {mend}")


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a hidden file beside another to write to; it takes the other's place once it is whole.

    Raises
    ------
    UserError
        If the disk does not take it; the former file stays as it was.
    """
    draft = path.with_name(f".{path.name}.partial")
    try:
        yield draft
        sync(draft)
        os.replace(draft, path)
    except OSError as error:
        raise write_error(path, error) from None
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def is_run(folder: Path, kind: FolderKind = RUN) -> bool:
    """Return whether a folder holds a talentflow run (or what ``kind`` is of), by its manifest."""
    try:
        with (folder / MANIFEST).open("rb") as stream:
            manifest = json.loads(stream.read(1_000_000))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == kind.format


def check_target(folder: Path, overwrite: bool, kind: FolderKind = RUN) -> None:
    """Make sure that results may go to a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Where the results shall stand.
    overwrite : bool
        Whether a former run there may be replaced.
    kind : FolderKind
        What the results are, and what may be replaced.

    Raises
    ------
    UserError
        If something stands there and it is not a run that may be replaced.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file; give the name of a folder with --out")
    if not overwrite:
        raise UserError(
            f"{folder}: exists already; replace it with --overwrite, or give another --out"
        )
    names = {item.name for item in folder.iterdir()}
    if not names:
        return
    if not is_run(folder, kind):
        raise UserError(
            f"{folder}: is not a {kind.format}, so --overwrite does not touch it; "
            "give another folder with --out"
        )
    foreign = sorted(name for name in names - kind.entries if not name.startswith("."))
    if foreign:
        raise UserError(
            f"{folder}: holds '{foreign[0]}', which is not talentflow's and would be lost; "
            "move it away, or give another folder with --out"
        )


class RunFolder:
    """A folder for results, held by this process from :meth:`claim` to :meth:`release`.

    Parameters
    ----------
    folder : pathlib.Path
        Where the results shall stand; symbolic links are followed.
    overwrite : bool
        Whether a former run there may be replaced.
    kind : FolderKind
        What the results are.
    """

    def __init__(self, folder: Path, overwrite: bool = False, kind: FolderKind = RUN) -> None:
        self.kind = kind
        self.shown = folder
        try:
            self.folder = folder.resolve()
        except (OSError, RuntimeError, ValueError):
            raise UserError(f"{str(folder)!r}: is no usable path; give another --out") from None
        self.overwrite = overwrite
        if self.folder.name == "" or self.folder == Path.cwd():
            raise UserError(f"{folder}: is no name for a new folder; give another with --out")
        self.held = self.folder.with_name(f".{self.folder.name}.partial")
        self.notes = self.held / "checkpoint.json"
        self._lock: IO[str] | None = None

    def claim(self) -> None:
        """Check that the results may be written, and keep other processes away.

        Raises
        ------
        UserError
            If the target is taken, another process writes there, or it cannot be written.
        """
        try:
            check_target(self.folder, self.overwrite, self.kind)
            self.held.parent.mkdir(parents=True, exist_ok=True)
            self._take_lock()
            self._clear_up()
            check_target(self.folder, self.overwrite, self.kind)  # a former run may be back
        except OSError as error:
            self.release()
            raise write_error(self.shown, error) from None
        except UserError:
            self.release()
            raise

    def tidy(self, done: Callable[[dict[str, Any]], bool]) -> None:
        """Clear up beside results that are whole, after a process that was killed at the very end.

        Parameters
        ----------
        done : callable
            Whether a checkpoint, by its notes, is of those results; others are kept.
        """
        if not (self.held.exists() or self._siblings("partial-") or self._siblings("old-")):
            return
        with contextlib.suppress(OSError, UserError):  # the results are there all the same
            self._take_lock()
            self._clear_up()
        notes = self.read_checkpoint()
        self.release(keep_checkpoint=notes is not None and not done(notes))

    def release(self, keep_checkpoint: bool = True) -> None:
        """Let the folder go; drop the checkpoint folder if it holds no whole checkpoint."""
        if self._lock is None:
            return
        with contextlib.suppress(OSError):
            if keep_checkpoint and self.read_checkpoint() is not None:
                (self.held / "lock").unlink()
            else:
                shutil.rmtree(self.held)
        self._lock.close()
        self._lock = None

    @contextlib.contextmanager
    def staged(self) -> Iterator[Path]:
        """Give an empty folder to write results in; rename it to the target if all goes well."""
        staging = None
        try:
            prefix = f".{self.folder.name}.partial-"
            staging = Path(tempfile.mkdtemp(prefix=prefix, dir=self.folder.parent))
            staging.chmod(0o755 & ~_umask())
            yield staging
            for path in sorted(staging.rglob("*")):
                sync(path)
            sync(staging)
            self._publish(staging)
        except OSError as error:
            raise write_error(self.shown, error) from None
        finally:
            if staging is not None:
                shutil.rmtree(staging, ignore_errors=True)

    def write_checkpoint(self, save: Callable[[Path], object], notes: dict[str, Any]) -> None:
        """Keep a checkpoint beside the former one, which goes when the new one is whole.

        Parameters
        ----------
        save : callable
            Writes the state to the path that it is given.
        notes : dict
            What the state is of; ``year`` is required.
        """
        path = self.held / f"checkpoint-{notes['year']}.npz"
        save(path)
        sync(path)
        draft = self.notes.with_suffix(".draft")
        known = notes | {"file": path.name, "sha256": sha256(path)}
        draft.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        sync(draft)
        os.replace(draft, self.notes)
        for other in self.held.glob("checkpoint-*.npz"):
            if other != path:
                other.unlink()

    def read_checkpoint(self) -> dict[str, Any] | None:
        """Return the notes of the last whole checkpoint, or None; ``path`` says where it is."""
        try:
            notes = json.loads(self.notes.read_text(encoding="utf-8"))
            path = self.held / Path(notes["file"]).name
            whole = sha256(path) == notes["sha256"]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return notes | {"path": path} if whole else None

    def drop_checkpoint(self) -> None:
        """Forget a checkpoint of an earlier run."""
        try:
            self.notes.unlink(missing_ok=True)
            for path in self.held.glob("checkpoint-*"):
                path.unlink()
        except OSError as error:
            raise write_error(self.shown, error) from None

    def _publish(self, staging: Path) -> None:
        check_target(self.folder, self.overwrite, self.kind)
        former = None
        if self.folder.exists():
            former = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}.old-", dir=staging.parent))
            os.replace(self.folder, former)
        try:
            os.rename(staging, self.folder)
        except BaseException:
            if former is not None:
                os.replace(former, self.folder)
            raise
        with contextlib.suppress(OSError):  # the results are in place
            sync(self.folder.parent)
        if former is not None:
            shutil.rmtree(former, ignore_errors=True)

    def _siblings(self, kind: str) -> list[Path]:
        start = f".{self.folder.name}.{kind}"
        if not self.folder.parent.is_dir():
            return []
        return [path for path in self.folder.parent.iterdir() if path.name.startswith(start)]

    def _clear_up(self) -> None:
        """Bring back a former run that a process killed in mid-exchange has left; drop the rest."""
        for former in self._siblings("old-"):
            if not self.folder.exists() and is_run(former, self.kind):
                os.rename(former, self.folder)
            elif {item.name for item in former.iterdir()} <= self.kind.entries:
                shutil.rmtree(former)  # a run, or what is left of one
        for stale in self._siblings("partial-"):
            shutil.rmtree(stale)

    def _take_lock(self) -> None:
        self.held.mkdir(exist_ok=True)
        path = self.held / "lock"
        stream = path.open("a")
        try:
            import fcntl
        except ImportError:  # no such locks here: two runs for one folder are not told apart
            self._lock = stream
            return
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists() or not os.path.samestat(os.fstat(stream.fileno()), path.stat()):
                raise BlockingIOError
        except BlockingIOError:
            stream.close()
            raise UserError(
                f"{self.shown}: another talentflow process is writing there; "
                "wait for it, or give another folder with --out"
            ) from None
        self._lock = stream


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Have the operating system write a file or folder to the disk."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not every file system can
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
