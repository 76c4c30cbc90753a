"""`apply`: a plan becomes what the project's files say, so that every tool obeys it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from ..bitfile import NAME, Entry, read_entries, text_of
from ..config import read_source
from ..configedit import set_keys
from ..errors import UsageError
from ..events import Report
from ..export.config_file import edit_config
from ..export.files import atomic_write
from ..planjson import PlanText, plan_over
from .context import Context

LANE = "light"
UNSAID = ("weight_bits", "feature_method", "weight_method")
"""What no file of the project can say of one layer."""


class Fields(msgspec.Struct):
    """As for `live`."""

    set: list[str] = []
    plan: dict[str, Any] = {}


def answer(context: Context, fields: Fields, report: Report) -> dict[str, Any]:
    """Write widths and ranges to magik_node_quant_bit_info.json, skips to magik.cfg, with the keys that load them; return `written`.

    UsageError for what these files cannot say: other weights or methods for one layer, choices by operator type.
    """
    lab = context.lab(fields.set, report)
    plan = plan_over(lab.base, fields.plan, lab.config.soc)
    asked = msgspec.convert(fields.plan, PlanText)
    if asked.types:
        raise UsageError("choices by operator type cannot be written: QUANT_OP_SKIP and QUANT_FEATURE_BIT say them for the whole project")
    for name, choice in asked.nodes.items():
        said = [f for f in UNSAID if getattr(choice, f) is not None]
        if said:
            raise UsageError(f"{said[0]} of {name!r} cannot be written: no file of the project has a place for it")
    files = context.files()
    path = files.root / NAME
    entries = dict(read_entries(path, lab.config.soc)[0]) if path.exists() else {}
    for name, choice in asked.nodes.items():
        old = entries.get(name, Entry())
        low = old.low if choice.min is None else choice.min
        high = old.high if choice.max is None else choice.max
        entries[name] = replace(old, bits=choice.feature_bits or old.bits, low=low, high=high)
    skips = list(lab.config.quant_node_skip)
    for name, choice in asked.nodes.items():
        if choice.skip is not None:
            skips = [*(s for s in skips if s != name), *([name] if choice.skip else [])]
    changes: dict[str, object] = {}
    if tuple(skips) != tuple(lab.config.quant_node_skip):
        changes["QUANT_NODE_SKIP"] = skips
    widths = any(c.feature_bits is not None for c in asked.nodes.values())
    ranges = any(c.min is not None or c.max is not None for c in asked.nodes.values())
    changes |= {key: True for key, wanted in (("LOAD_OP_QUANT_BIT", widths), ("LOAD_OP_QUANT_MIN_MAX", ranges)) if wanted}
    set_keys(read_source(files.config, hint="-gcfg writes a template"), changes)  # both files or neither
    written = []
    if widths or ranges:
        effective = [(info.name, info.q.bits) for info in lab.quantized(plan).layers if info.q]
        written.append(atomic_write(path, [text_of(effective, entries).encode()]))
    if changes and edit_config(files.config, changes):
        written.append(files.config)
    return {"written": [str(p) for p in written]}
