"""Files that are there whole or not at all: written under a temporary name beside the target, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable, Iterator
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
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    return path


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
