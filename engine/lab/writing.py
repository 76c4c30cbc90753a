"""A plan becomes what the project's files say, so that every tool obeys it: the file of the nodes' bits, and magik.cfg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from ..bitfile import NAME, Entry, read_entries, text_of
from ..config import read_source
from ..configedit import set_keys
from ..errors import UsageError
from ..export.config_file import edit_config
from ..export.files import atomic_write
from ..planjson import ChoiceText, PlanText, plan_over
from .lab import Lab

UNSAID = ("weight_bits", "feature_method", "weight_method")
"""What no file of the project can say of one layer, and what says it for all of them."""
FOR_ALL = {"weight_bits": "QUANT_WEIGHT_BIT", "feature_method": "QUANT_FEATURE_METHOD", "weight_method": "QUANT_WEIGHT_METHOD"}


LOADS = ("LOAD_OP_QUANT_BIT", "LOAD_OP_QUANT_MIN_MAX")
"""The keys that may be set together with widths: any other would change what these are on top of."""


def write_plan(lab: Lab, document: Mapping[str, Any], config: Mapping[str, object] | None = None) -> list[Path]:
    """Write widths and ranges to the file of bits, skips to magik.cfg, with the keys that load them; return the files written.

    `document` is a plan as plain JSON (`planjson`), `config` keys of magik.cfg to set besides, None to take one out. UsageError for what
    these files cannot say: other weights or methods for one layer, choices by operator type. What stands in them already stays.
    """
    plan = plan_over(lab.base, document, lab.config.soc)
    asked = msgspec.convert(document, PlanText)
    require_sayable(asked)
    nodes = asked.nodes
    root, config_path = lab.job.root, lab.job.config_path
    path = root / NAME
    entries = dict(read_entries(path, lab.config.soc)[0]) if path.exists() else {}
    for name, choice in nodes.items():
        old = entries.get(name, Entry())
        low = old.low if choice.min is None else choice.min
        high = old.high if choice.max is None else choice.max
        entries[name] = replace(old, bits=choice.feature_bits or old.bits, low=low, high=high)
    widths = any(c.feature_bits is not None for c in nodes.values())
    ranges = any(c.min is not None or c.max is not None for c in nodes.values())
    others = sorted(set(config or ()) - set(LOADS))
    if others and (widths or ranges):
        raise UsageError(f"{', '.join(others)} and widths of layers cannot be written at once: widths are on top of the configuration")
    changes = {**_skips(lab, nodes), **(config or {})}
    changes |= {key: True for key, wanted in (("LOAD_OP_QUANT_BIT", widths), ("LOAD_OP_QUANT_MIN_MAX", ranges)) if wanted}
    set_keys(read_source(config_path, hint="-gcfg writes a template"), changes)  # both files or neither
    written = []
    if widths or ranges:
        effective = [(info.name, info.q.bits) for info in lab.quantized(plan).layers if info.q]
        written.append(atomic_write(path, [text_of(effective, entries).encode()]))
    if changes and edit_config(config_path, changes):
        written.append(config_path)
    return written


def require_sayable(asked: PlanText) -> None:
    """Raise UsageError for what the project's files have no place for."""
    if asked.types:
        raise UsageError("choices by operator type cannot be written: QUANT_OP_SKIP and QUANT_FEATURE_BIT say them for the whole project")
    for name, choice in asked.nodes.items():
        for field in UNSAID:
            if getattr(choice, field) is not None:
                text = f"{field} of {name!r} cannot be written: no file of the project has a place for it"
                raise UsageError(text, hint=f"{FOR_ALL[field]} in magik.cfg says it for all layers")


def _skips(lab: Lab, nodes: Mapping[str, ChoiceText]) -> dict[str, object]:
    """Return the change of QUANT_NODE_SKIP, empty where there is none."""
    skips = list(lab.config.quant_node_skip)
    for name, choice in nodes.items():
        if choice.skip is not None:
            skips = [*(s for s in skips if s != name), *([name] if choice.skip else [])]
    return {"QUANT_NODE_SKIP": skips} if tuple(skips) != tuple(lab.config.quant_node_skip) else {}
