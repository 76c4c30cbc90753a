"""The store: content key -> bytes, in memory first, then on disk. It is a cache: delete it at any time.

An object on disk lies at `objects/ab/cdef...`, is written under a temporary name and renamed, and carries its own checksum: a torn or
foreign file is a miss, never a wrong value. A disk that is full or read-only turns the disk half off and the work goes on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECK = 8
"""Bytes of checksum in front of every object on disk."""

TEMPORARY = ".new-"
ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to nobody: whoever writes one renames it at once."""


class Store:
    """A two-level cache, safe to use from several threads and several processes.

    `memory_bytes` bounds what is kept in memory, `disk_bytes` what `trim` leaves on disk; a `folder` of None keeps everything in memory.
    `trouble` is the first error the disk gave, "" while it works.
    """

    def __init__(self, folder: Path | None, *, memory_bytes: int = 64 << 20, disk_bytes: int = 2 << 30) -> None:
        self.folder = folder
        self.trouble = ""
        self._memory: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._memory_bytes, self._disk_bytes, self._used = memory_bytes, disk_bytes, 0
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """Return the bytes stored under a key, None when there are none."""
        found = self.recall(key)
        if found is not None:
            return bytes(found)
        data = self._read(key)
        if data is not None:
            self.remember(key, data, len(data))
        return data

    def has(self, key: str) -> bool:
        """Tell whether something lies under a key, without reading it; `get` may still find it torn."""
        with self._lock:
            if key in self._memory:
                return True
        return self.folder is not None and self._path(key).exists()

    def blank(self) -> bool:
        """Tell whether nothing was ever stored here, which holds for every run that is the first."""
        with self._lock:
            if self._memory:
                return False
        return self.folder is None or not self.folder.exists()

    def put(self, key: str, data: bytes) -> None:
        """Store bytes under a key, in memory and on disk."""
        self.remember(key, data, len(data))
        if self.folder is None or self.trouble:
            return
        path = self._path(key)
        try:
            try:
                _write(path, data)
            except FileNotFoundError:  # somebody deleted the store meanwhile, as they may
                _write(path, data)
        except OSError as error:
            self.trouble = f"{self.folder}: {error.strerror or error}"

    def recall(self, key: str) -> Any:
        """Return the object remembered under a key, None when it was never there or had to go."""
        with self._lock:
            found = self._memory.get(key)
            if found is None:
                return None
            self._memory.move_to_end(key)
            return found[0]

    def remember(self, key: str, value: Any, size: int) -> None:
        """Keep an object of `size` bytes in memory only, letting the least recently used go."""
        if size > self._memory_bytes:
            return
        with self._lock:
            old = self._memory.pop(key, None)
            self._used += size - (old[1] if old else 0)
            self._memory[key] = (value, size)
            while self._used > self._memory_bytes:
                _, (_, gone) = self._memory.popitem(last=False)
                self._used -= gone

    def trim(self) -> None:
        """Delete the least recently used objects on disk until what is left fits, and temporary files a killed run left.

        Of a disk that refuses, everything stays as it is.
        """
        if self.folder is None:
            return
        entries = []
        for path in _files(self.folder / "objects"):
            with contextlib.suppress(OSError):
                status = path.stat()
                if not path.name.startswith(TEMPORARY):
                    entries.append((status.st_mtime_ns, status.st_size, path))
                elif time.time() - status.st_mtime > ABANDONED:
                    path.unlink()
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._disk_bytes:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size

    def _path(self, key: str) -> Path:
        return (self.folder or Path()) / "objects" / key[:2] / key[2:]

    def _read(self, key: str) -> bytes | None:
        if self.folder is None:
            return None
        path = self._path(key)
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        data = raw[CHECK:]
        if raw[:CHECK] != _check(data):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return data


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of every folder in `folder`; what cannot be listed holds none."""
    with contextlib.suppress(OSError):
        for inner in folder.iterdir():
            with contextlib.suppress(OSError):
                yield from inner.iterdir()


def _write(path: Path, data: bytes) -> None:
    """Write an object under a temporary name, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_check(data))
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _check(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=CHECK).digest()
