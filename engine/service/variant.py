"""`variant`: serve another of the project's variants from now on."""

from __future__ import annotations

from typing import Any

import msgspec

from ..config import load_config
from ..discover import find_project
from ..errors import MagikError
from ..events import Report
from .context import Context

LANE = "light"


class Fields(msgspec.Struct):
    """`name` is one of the variants that the greeting listed."""

    name: str


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Return `variant`, `model` and `soc`, which is "" while the configuration cannot be read. UsageError when there is no such variant."""
    files = find_project(context.path, fields.name)
    context.variant = files.variant
    try:
        soc = load_config(files.config)[0].soc
    except MagikError:
        soc = ""
    return {"variant": files.variant, "variants": list(files.variants), "model": str(files.model), "soc": soc}
