"""`read`: the text of magik.cfg or of magik_node_quant_bit_info.json."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from ..userfiles import Which, place, read_file
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """`file` is "config" or "bits"."""

    file: Which


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `path`, `text` and `version`; a file that does not exist is empty."""
    files = context.files()
    found = read_file(place(fields.file, files.root, files.config))
    return {"path": str(found.path), "text": found.text, "version": found.version}
