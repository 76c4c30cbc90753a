"""The bytes of a user's file, read with care; and which names are pictures. Light to import: it knows no decoder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from engine.errors import DataError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
"""Endings, in lower case, of files that are taken for pictures."""
MAX_FILE_BYTES = 512 << 20


def is_picture(path: Path) -> bool:
    """Tell by its name whether a file is taken for a picture."""
    return path.suffix.lower() in PICTURES


def read_bytes(path: Path) -> bytes:
    """Return the bytes of the regular file at `path`; DataError when it is none, cannot be read or is too large."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise DataError("not a regular file", where=str(path))
            if info.st_size > MAX_FILE_BYTES:
                raise DataError(f"{info.st_size} bytes, expected at most {MAX_FILE_BYTES}", where=str(path))
            return file.read(MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from error


def _open_at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end, should `path` be a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
