"""Where compiled kernels are kept, and how they are compiled.

Numba's own cache notices changes of a function's own file only. Here the cache folder is named
after the text of every kernel module, so an edited helper is never served stale, and a folder that
cannot be written (a read-only installation, no home) is replaced by one that can.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

_SOURCES = (
    "jit.py",
    "kernel_cache.py",
    "rng.py",
    "fastmath.py",
    "kernel.py",
    "expected.py",
    "lifecycle.py",
    "dense.py",
    "selection.py",
)


def _digest() -> str:
    folder = Path(__file__).parent
    text = b"".join((folder / name).read_bytes() for name in _SOURCES if (folder / name).exists())
    return hashlib.sha256(text).hexdigest()[:16]


def _user_cache() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _temporary(name: str) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"{name}-{user}"


def cache_folder() -> Path | None:
    """Return a folder for compiled kernels that can be written, or None where there is none.

    Returns
    -------
    pathlib.Path or None
        ``NUMBA_CACHE_DIR`` where the user has set it, else a folder in the user's cache, else one
        in the temporary folder.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    name = f"talentflow-kernels-{_digest()}"
    candidates = [Path(chosen)] if chosen else [_temporary(name)]
    if not chosen:
        with contextlib.suppress(RuntimeError):  # no home folder
            candidates.insert(0, _user_cache() / "talentflow" / name)
    for folder in candidates:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return None


def _set_up() -> Callable[..., Any]:
    import numba

    folder = cache_folder()
    if folder is not None:
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]

    def compiled(function: Callable[..., Any], **options: Any) -> Any:
        dispatcher = numba.njit(
            nogil=True, error_model="numpy", fastmath={"contract", "nsz", "arcp"}, **options
        )(function)
        if folder is not None:
            from sim.kernel_cache import KernelCache

            dispatcher._cache = KernelCache(function)  # what cache=True does, with Numba's own
        return dispatcher

    return compiled


#: Decorator of every kernel: cached, without the interpreter lock, with narrow fast-math flags
#: (contraction only, so that sums keep their order).
kernel = _set_up()
#: The same without counting references to arrays; such a kernel can make no arrays.
bare = partial(kernel, _nrt=False)
#: The same for helpers that are inlined into kernels.
inline = partial(kernel, inline="always")
