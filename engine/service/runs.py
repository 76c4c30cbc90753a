"""`runs`: the project's history, listed, read, noted, compared, restored or, one by one, forgotten."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .. import history
from ..errors import UsageError
from ..events import Report
from ..export.files import atomic_write
from ..userfiles import place
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """`act` on the run `run`: list (of all), read, note (with `note`), forget, restore (both of the user's files as they were)."""

    act: Literal["list", "read", "note", "forget", "restore"] = "list"
    run: str = ""
    note: str = ""


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `runs` (summaries, the newest first), or the one run: for `read` with `config`, `bits` and `document`."""
    files = context.files()
    root = files.root
    if fields.act == "list":
        return {"runs": [history.summary(r) for r in history.records(root)]}
    if not fields.run:
        raise UsageError(f"{fields.act} needs the id of a run", where="run")
    if fields.act == "read":
        found = history.find(root, fields.run)
        return {**history.summary(found), "config": found.config, "bits": found.bits, "document": found.document}
    if fields.act == "note":
        return history.summary(history.annotate(root, fields.run, fields.note))
    if fields.act == "forget":
        history.forget(root, fields.run)
        return {}
    found = history.find(root, fields.run)
    written = [atomic_write(files.config, [found.config.encode()])]
    bits = place("bits", root, files.config)
    if found.bits:
        written.append(atomic_write(bits, [found.bits.encode()]))
    return {**history.summary(found), "written": [str(p) for p in written]}
