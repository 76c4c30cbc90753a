"""What differs between two documents of one network: layers by name, the fields that tell a person what changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TOLD = ("quantized", "feature_bits", "weight_bits", "method", "min", "max", "cosine_avg", "cosine_min", "sqnr_db", "local_cosine")
"""Fields that are compared."""

SMALLEST = 5e-6
"""A metric that moves by less is the same: tables show five decimals."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One layer that differs: `fields` maps what differs to (before, now). A layer that only one document has came or went."""

    name: str
    state: str
    fields: Mapping[str, tuple[Any, Any]]
    now: Row | None


def changes(before: Iterable[Row], now: Iterable[Row]) -> list[Change]:
    """Return the layers that differ, in the order of `now`, those that went last. `state` is "changed", "new" or "gone"."""
    old = {row["name"]: row for row in before}
    found: list[Change] = []
    seen: set[str] = set()
    for row in now:
        seen.add(row["name"])
        if row["name"] not in old:
            found.append(Change(row["name"], "new", {}, row))
            continue
        fields = {f: (old[row["name"]].get(f), row.get(f)) for f in TOLD if _differ(old[row["name"]].get(f), row.get(f))}
        if fields:
            found.append(Change(row["name"], "changed", fields, row))
    return found + [Change(name, "gone", {}, None) for name in old if name not in seen]


def _differ(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) > SMALLEST * max(1.0, abs(a))
    return bool(a != b)
