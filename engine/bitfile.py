"""magik_node_quant_bit_info.json: the width of every node, and the ends of its range where a person gave them.

    {
    <TAB>"resnetv15_relu0_fwd": {
    <TAB><TAB>"QUANT_FEATURE_BIT": 10,
    <TAB><TAB>"MAX": 1.7,
    <TAB><TAB>"MIN": 0
    <TAB>}
    }

Any subset of the nodes, in any order, each with any subset of the three keys. SAVE_OP_QUANT_BIT writes it, LOAD_OP_QUANT_BIT and
LOAD_OP_QUANT_MIN_MAX read it; it lies in the folder the conversion runs in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .config import ConfigWarning, read_source
from .errors import nearest
from .jsontext import Json, Object, Source, describe, read_json, shown
from .plan import Choice, Plan
from .socs import illegal

NAME = "magik_node_quant_bit_info.json"
MOST_BITS = 12
LARGEST = 1e30
BITS, MAX, MIN = KEYS = "QUANT_FEATURE_BIT", "MAX", "MIN"

Warn = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the file says of one node; None where it says nothing."""

    bits: int | None = None
    low: float | None = None
    high: float | None = None


def read_entries(path: Path, soc: str) -> tuple[dict[str, Entry], tuple[ConfigWarning, ...]]:
    """Return the entries of the file by node name, in its order, and the warnings.

    ConfigError as from `entries_of`, and for a file that cannot be read.
    """
    return entries_of(read_source(path, hint="SAVE_OP_QUANT_BIT writes one"), soc)


def entries_of(source: Source, soc: str) -> tuple[dict[str, Entry], tuple[ConfigWarning, ...]]:
    """Return what `read_entries` does, of a text.

    Widths are those of the chip `soc`, never above MOST_BITS. ConfigError with line and column for everything that cannot be meant.
    """
    top = read_json(source)
    if not isinstance(top.value, Object):
        raise source.error(f'expected an object {{"node": {{"{BITS}": 8}}, ...}}, got {describe(top)}', top.offset)
    warnings: list[ConfigWarning] = []

    def warn(message: str, offset: int) -> None:
        warnings.append(ConfigWarning(message, source.file, *source.place(offset)))

    for member in top.value.repeated():
        warn(f"node {shown(member.key)} stands here again; the last one counts", member.offset)
    return {m.key: _entry(m.key, m.value, source, soc, warn) for m in top.value.members}, tuple(warnings)


def _entry(node: str, item: Json, source: Source, soc: str, warn: Warn) -> Entry:
    if not isinstance(item.value, Object):
        raise source.error(f'node {shown(node)}: expected an object {{"{BITS}": 8}}, got {describe(item)}', item.offset)
    found: dict[str, Json] = {}
    for member in item.value.members:
        key = member.key.strip().upper()
        if key not in KEYS:
            near = nearest(key, KEYS)
            mend = f"; did you mean {near}?" if near else ""
            warn(f"node {shown(node)}: unknown key {shown(member.key)} has no effect{mend}", member.offset)
            continue
        if member.key != key:
            warn(f"node {shown(node)}: {shown(member.key)} is read as {key}", member.offset)
        if key in found:
            warn(f"node {shown(node)}: {key} stands here again; the last one counts", member.offset)
        found[key] = member.value
    bits = _bits(found[BITS], source, soc) if BITS in found else None
    low, high = (_number(key, found[key], source) if key in found else None for key in (MIN, MAX))
    if low is not None and high is not None and low >= high:
        raise source.error(f"node {shown(node)}: MIN {low:g} is not below MAX {high:g}", found[MIN].offset)
    if (low is not None and low > 0) or (high is not None and high < 0):
        outside = MIN if low is not None and low > 0 else MAX
        warn(f"node {shown(node)}: a range always holds 0, {outside} is taken as 0", found[outside].offset)
    return Entry(bits, low, high)


def _bits(item: Json, source: Source, soc: str) -> int:
    value = item.value
    if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= MOST_BITS:
        raise source.error(f"{BITS}: expected an integer from 2 to {MOST_BITS}, got {describe(item)}", item.offset)
    wrong = illegal(soc, "feature", value)
    if wrong:
        raise source.error(f"{BITS}: {wrong}", item.offset)
    return value


def _number(key: str, item: Json, source: Source) -> float:
    value = item.value
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > LARGEST:
        raise source.error(f"{key}: expected a number up to {LARGEST:g}, got {describe(item)}", item.offset)
    return float(value)


def over(plan: Plan, entries: Mapping[str, Entry], *, bits: bool, ranges: bool) -> Plan:
    """Return the plan with the widths and ranges of `entries` on top, as far as they are asked for."""
    for name, entry in entries.items():
        choice = Choice(
            feature_bits=entry.bits if bits else None,
            low=entry.low if ranges else None,
            high=entry.high if ranges else None,
        )
        if choice != Choice():
            plan = plan.with_node(name, choice.over(plan.nodes.get(name, Choice())))
    return plan


def text_of(effective: Iterable[tuple[str, int]], entries: Mapping[str, Entry]) -> str:
    """Return the file: the `effective` width of every integer node in graph order, each with the ends that `entries` gives it.

    Nodes of `entries` that have no width now (skipped, or not in this graph) follow as they stood: nothing a person wrote is lost.
    """
    table = {name: _plain(Entry(bits, entry.low, entry.high)) for name, bits in effective for entry in (entries.get(name, Entry()),)}
    table |= {name: _plain(entry) for name, entry in entries.items() if name not in table}
    return json.dumps(table, indent="\t", ensure_ascii=False) + "\n"


def _plain(entry: Entry) -> dict[str, int | float]:
    found = {BITS: entry.bits, MAX: _short(entry.high), MIN: _short(entry.low)}
    return {key: value for key, value in found.items() if value is not None}


def _short(value: float | None) -> int | float | None:
    return int(value) if value is not None and value.is_integer() and abs(value) < 1e15 else value
