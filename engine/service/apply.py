"""`apply`: a plan becomes what the project's files say, so that every tool obeys it."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from ..userfiles import UserFile, Which, place, read_file
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """As for `live`; `config` holds keys of magik.cfg to set besides, null takes one out."""

    set: list[str] = []
    plan: dict[str, Any] = {}
    config: dict[str, Any] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Write what `engine.lab.writing` describes; UsageError for what the files cannot say.

    Return `written`, and `before` for `undo`: of each file that changed its `text`, null where there was none, and the `version` now.
    """
    from ..lab.writing import write_plan

    files = context.files()
    kept: dict[Which, UserFile] = {which: read_file(place(which, files.root, files.config)) for which in ("config", "bits")}
    lab = context.lab(fields.set, report)
    written = write_plan(lab, fields.plan, fields.config)
    before = []
    for which, old in kept.items():
        version = read_file(old.path).version
        if version != old.version:
            before.append({"file": which, "text": old.text if old.version else None, "version": version})
    return {"written": [str(path) for path in written], "before": before}
