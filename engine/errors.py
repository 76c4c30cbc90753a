"""Every error the engine raises on purpose: one short tree.

Each error carries its fields, speaks to the person who can act on it, and pickles, so that it crosses a process
border whole.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like `name`, or None when nothing comes close."""
    table = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower(), table, n=1, cutoff=0.6)
    return table[found[0]] if found else None


class MagikError(Exception):
    """Base of the tree.

    `where` names what is at fault (a file, a key, a node), `line` and `column` count from 1, `hint` says what to do
    next.
    """

    exit_code = EXIT_FAILED

    def __init__(self, message: str, *, where: str = "", line: int = 0, column: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.line, self.column, self.hint = message, where, line, column, hint

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.where, self.line, self.column, self.hint)

    def __str__(self) -> str:
        place = self.where
        if self.line:
            place += f":{self.line}:{self.column}"
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} ({self.hint})" if self.hint else text


def _rebuild(kind: type[MagikError], message: str, where: str, line: int, column: int, hint: str) -> MagikError:
    return kind(message, where=where, line=line, column=column, hint=hint)


class UsageError(MagikError):
    """The command line, or the project folder it names, makes no sense."""

    exit_code = EXIT_USAGE


class ConfigError(MagikError):
    """magik.cfg (or a bit file) is broken: unreadable, not JSON, a value of the wrong type or not a legal one."""

    exit_code = EXIT_USAGE


class ModelError(MagikError):
    """The model file is missing, truncated, not ONNX, or does not have what the configuration names."""

    exit_code = EXIT_USAGE


class DataError(MagikError):
    """Pictures or samples cannot be used: folder empty, every file unreadable, a size or dtype that does not fit."""

    exit_code = EXIT_USAGE


class OutputError(MagikError):
    """An artefact could not be written: no permission, disk full, a folder in the way."""


class WorkError(MagikError):
    """The work itself failed although its input was sound."""


class Cancelled(MagikError):
    """The person, or the program that drives the engine, asked to stop."""

    exit_code = EXIT_INTERRUPTED

    def __init__(self, message: str = "interrupted", **fields: object) -> None:
        super().__init__(message, **fields)  # type: ignore[arg-type]
