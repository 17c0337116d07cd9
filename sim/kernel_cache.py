"""Numba's cache of compiled kernels, made safe: damage and full disks only cost a compilation.

Numba unpickles its files and runs the machine code in them unseen. Here each file begins with the
SHA-256 of the rest; a file that does not match, or cannot be read, counts as missing and is
written anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

_HASH = hashlib.sha256().digest_size


class CheckedFile(IndexDataCacheFile):
    """The files of one kernel: an index of its signatures, and compiled code for each."""

    def save(self, key: Any, data: Any) -> None:
        """Keep compiled code, where the disk takes it."""
        with contextlib.suppress(OSError):
            super().save(key, data)

    def _load_index(self) -> dict[Any, str]:
        found = self._read(self._index_path)
        known = found is not None and found[:2] == (self._version, self._source_stamp)
        return found[2] if found is not None and known else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        """Return what a file holds; None where it is missing or damaged."""
        try:
            data = Path(path).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data[_HASH:]).digest() != data[:_HASH]:
            return None
        return pickle.loads(data[_HASH:])

    def _write(self, path: str, content: Any) -> None:
        data = self._dump(content)
        with self._open_for_write(path) as stream:
            stream.write(hashlib.sha256(data).digest() + data)


class KernelCache(FunctionCache):
    """Numba's cache of a function, with checked files."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file = CheckedFile(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )
