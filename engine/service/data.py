"""`data`: the sets of samples, and what is odd about each sample."""

from __future__ import annotations

from typing import Any

import msgspec

from ..datacheck import copies, count_warnings, faults, shared
from ..events import Report, silent
from ..sources import gather
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """`set` are KEY=VALUE settings."""

    set: list[str] = []


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `sets` by the key of magik.cfg that names them, each with its `samples` (name, files, fault) and `warnings`."""
    job = context.job(fields.set)
    sources = gather(job, silent)
    store = context.store(job.root)
    sets: dict[str, Any] = {}
    for key, samples in sources.sets().items():
        wrong = {s.name: what for s, what in faults(samples, store)}
        rows = [
            {"name": s.name, "files": [str(p) for p in s.paths], "picture": s.is_picture, "fault": wrong.get(s.name, "")} for s in samples
        ]
        said = [*(count_warnings(len(samples)) if key == "QUANT_DATASET_PATH" and samples else []), *copies(samples)]
        sets[key] = {"samples": rows, "warnings": said}
    if sources.calibration:
        sets["QUANT_DATASET_PATH"]["warnings"] += shared(sources.calibration, sources.debug)
    return {"sets": sets, "warnings": list(sources.warnings)}
