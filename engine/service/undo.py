"""`undo`: the files of the project as they were before an `apply`, if nobody changed them since."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from ..userfiles import Which, check_version, place, remove_file, write_file
from .context import Context

LANE = "light"


class Before(msgspec.Struct):
    """A file as it was: its `text`, null where it was not there; `version` is the one that was written over it."""

    file: Which
    text: str | None
    version: str


class Fields(msgspec.Struct):
    """`before` is what `apply` answered."""

    before: list[Before]


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Put the files back, all or none: `written`. Conflict where one was changed meanwhile."""
    files = context.files()
    todo = [(place(each.file, files.root, files.config), each) for each in fields.before]
    for path, each in todo:
        check_version(path, each.version)
    for path, each in todo:
        if each.text is None:
            remove_file(path)
        else:
            write_file(path, each.text)
    return {"written": [str(path) for path, _ in todo]}
