"""The two files of a project that a person edits, read and written whole: magik.cfg and magik_node_quant_bit_info.json.

A write names the version it was made from, so that an edit somebody else made meanwhile is never lost.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .bitfile import NAME
from .errors import MagikError, OutputError
from .export.files import explained, stage

Which = Literal["config", "bits"]
MOST = 16 << 20
"""Bytes of a file at most."""


class Conflict(MagikError):
    """The file is not the one that was read."""


@dataclass(frozen=True, slots=True)
class UserFile:
    """A text with its path and version; a file that does not exist has the text "" and the version ""."""

    path: Path
    text: str
    version: str


def place(which: Which, root: Path, config: Path) -> Path:
    """Return where a file lies."""
    return config if which == "config" else root / NAME


def read_file(path: Path) -> UserFile:
    """Read a file. OutputError when it is there and cannot be read, or is no text."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except FileNotFoundError:
        return UserFile(path, "", "")
    except OSError as error:
        raise OutputError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    if len(data) > MOST:
        raise OutputError(f"has more than {MOST} bytes", where=str(path))
    try:
        return UserFile(path, data.decode("utf-8"), version_of(data))
    except UnicodeDecodeError as error:
        raise OutputError(f"is not UTF-8: byte {error.start}", where=str(path)) from error


def check_version(path: Path, version: str) -> None:
    """Raise Conflict when the file has changed since `version` was read."""
    now = read_file(path)
    if now.version != version:
        raise Conflict("was changed by somebody else meanwhile", where=str(path), hint="read it again")


def write_file(path: Path, text: str) -> UserFile:
    """Write a file whole or not at all, and return it. A link keeps pointing where it points, and the file its permissions.

    OutputError when it cannot be written; then it is untouched.
    """
    data = text.encode("utf-8")
    target = path.resolve()
    staged = stage(target, [data], sync=True)
    try:
        if target.exists():
            with explained(path):
                shutil.copymode(target, staged.temporary)
    except BaseException:
        staged.discard()
        raise
    staged.commit()
    return UserFile(path, text, version_of(data))


def remove_file(path: Path) -> UserFile:
    """Take a file away, so that it is not there; OutputError when that cannot be done."""
    with explained(path):
        path.unlink(missing_ok=True)
    return UserFile(path, "", "")


def version_of(data: bytes) -> str:
    """Return the version of a file's content."""
    return hashlib.sha256(data).hexdigest()[:32]
