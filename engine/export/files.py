"""Files that are there whole or not at all: written under a temporary name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError

TEMPORARY = ".magik-tmp-"
"""What the names of our temporary files and folders start with."""

Chunk = bytes | bytearray | memoryview


def atomic_write(path: Path, chunks: Iterable[Chunk], *, sync: bool = False) -> Path:
    """Write the chunks to `path`, replacing a file that is there; its folder is made when missing.

    With `sync` the bytes are on the disk before the name is. OutputError when it cannot be; whatever is raised on the way (Cancelled
    and KeyboardInterrupt included), the temporary file is gone and the old file untouched.
    """
    return stage(path, chunks, sync=sync).commit()


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that is written in full under a temporary name, and waits to take its own."""

    path: Path
    temporary: Path

    def commit(self) -> Path:
        """Put the file in its place and return the path. OutputError when it cannot be; then the temporary file is gone."""
        with explained(self.path):
            try:
                self.temporary.replace(self.path)
            except BaseException:
                self.discard()
                raise
        return self.path

    def discard(self) -> None:
        """Remove the temporary file."""
        self.temporary.unlink(missing_ok=True)


def stage(path: Path, chunks: Iterable[Chunk], *, sync: bool = False) -> Staged:
    """Write the chunks beside `path` under a temporary name, as `atomic_write` does; nothing is replaced yet."""
    path = Path(path)
    with explained(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_sibling(path)
        try:
            with open(temporary, "xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return Staged(path, temporary)


def temporary_sibling(path: Path) -> Path:
    """Return a name in the folder of `path` that nothing has."""
    return path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write `path` into an OutputError that says what to do."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write it: {_reason(error)}", where=str(path), hint=_hint(error)) from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _hint(error: OSError) -> str:
    hints = {
        errno.EACCES: "choose a folder you may write to",
        errno.EPERM: "choose a folder you may write to",
        errno.EROFS: "choose a folder you may write to",
        errno.ENOSPC: "free some space, or write elsewhere",
        errno.EDQUOT: "free some space, or write elsewhere",
        errno.EISDIR: "a folder has this name: move it away or choose another name",
        errno.ENOTDIR: "a file stands where a folder is needed: move it away or choose another name",
        errno.EEXIST: "a file stands where a folder is needed: move it away or choose another name",
        errno.ENAMETOOLONG: "choose a shorter name",
    }
    return hints.get(error.errno or 0, "")
