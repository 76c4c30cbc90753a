"""`diagnose`: why the network lost its accuracy, and what mends it, every claim measured."""

from __future__ import annotations

from typing import Any

import msgspec

from ..events import Report
from .context import Context

LANE = "heavy"


class Fields(msgspec.Struct):
    """`set` are KEY=VALUE settings."""

    set: list[str] = []


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return the document of `magik-tui diagnose --json`, with a `recipe` of each fix in lines, and the whole in `markdown`.

    Meanwhile lines of the log tell what is tried and what it gains. Nothing is written; what was measured before a stop is found again.
    """
    from ..analysis.diagnosis.document import document_of
    from ..analysis.diagnosis.report import markdown, recipe
    from ..diagnosis.examine import diagnose

    lab = context.lab(fields.set, report)
    document = document_of(diagnose(lab))
    return {**document, "recipes": [list(recipe(fix)) for fix in document["fixes"]], "markdown": markdown(document, lab.job.name)}
