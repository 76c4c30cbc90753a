"""`sensitivity`: what each unit does to the output, alone quantized at every width, and alone in float."""

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
    """Return the document of `magik-tui sensitivity --json`; cancelled, what is known by then, with `interrupted` true."""
    from ..analysis.costs import finest, width_costs
    from ..analysis.search_documents import sensitivity_document
    from ..analysis.sensitivity import sensitivity

    lab = context.lab(fields.set, report)
    widths = tuple(width_costs(lab.profile, ()))
    found = sensitivity(lab, widths, finest(lab.profile), report=report)
    return {**sensitivity_document(found, metric="cosine_avg", at=""), "widths": list(widths)}
