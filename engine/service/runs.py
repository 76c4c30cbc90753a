"""`runs`: the project's history, listed, read, noted, compared, restored or, one by one, forgotten."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .. import history
from ..errors import UsageError
from ..events import Report
from ..restoring import outlook, restore
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """`act` on the run `run`: list (of all), read, note (with `note`), forget; outlook says what restore would do to the user's files.

    restore makes both files as they were; `versions` of both are those that outlook told.
    """

    act: Literal["list", "read", "note", "forget", "outlook", "restore"] = "list"
    run: str = ""
    note: str = ""
    versions: dict[str, str] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `runs` (summaries, the newest first), or the one run: for `read` with `config`, `bits` and `document`.

    `outlook` and `restore` return what `engine.restoring` describes, and of the run the summary. Conflict when a file was changed since.
    """
    root = context.files().root
    if fields.act == "list":
        return {"runs": [history.summary(r) for r in history.records(root)]}
    if not fields.run:
        raise UsageError(f"{fields.act} needs the id of a run", where="run")
    found = history.find(root, fields.run)
    match fields.act:
        case "read":
            return {**history.summary(found), "config": found.config, "bits": found.bits, "document": found.document}
        case "note":
            return history.summary(history.annotate(root, fields.run, fields.note))
        case "forget":
            history.forget(root, fields.run)
            return {}
        case "outlook":
            return {**history.summary(found), **outlook(context.files_of(found.variant), found)}
    return {**history.summary(found), **restore(context.files_of(found.variant), found, fields.versions)}
