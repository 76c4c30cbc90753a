"""`write`: a new text for magik.cfg or magik_node_quant_bit_info.json, if nobody changed it meanwhile."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from ..userfiles import Which, check_version, place, write_file
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """`version` is that of the text which was read before; "" for a file that was not there."""

    file: Which
    text: str
    version: str


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Write the file whole or not at all, and return `path` and the new `version`. Conflict when it was changed meanwhile."""
    files = context.files()
    path = place(fields.file, files.root, files.config)
    check_version(path, fields.version)
    return {"path": str(path), "version": write_file(path, fields.text).version}
