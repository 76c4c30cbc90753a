"""`thumbnail`: one small picture, for a screen that draws with characters."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec

from ..errors import UsageError
from ..events import Report, silent
from ..pictures import thumbnail
from ..reading import read_bytes
from ..sources import gather
from .context import Context

LANE = "light"
MOST = 256


class Fields(msgspec.Struct):
    """`file` is one of the files that `data` lists; `side` is the longer side of the thumbnail in pixels, at most MOST."""

    file: str
    side: int = 32
    set: list[str] = []


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `width`, `height` and `rgb`, the pixels row by row in base64. UsageError for a file that is no sample of the project."""
    sources = gather(context.job(fields.set), silent)
    path = Path(fields.file)
    if not any(path in sample.paths for samples in sources.sets().values() for sample in samples):
        raise UsageError(f"{fields.file} is no sample of this project")
    pixels = thumbnail(read_bytes(path), fields.file, max(1, min(MOST, fields.side)))
    height, width, _ = pixels.shape
    return {"width": width, "height": height, "rgb": base64.b64encode(pixels.tobytes()).decode("ascii")}
