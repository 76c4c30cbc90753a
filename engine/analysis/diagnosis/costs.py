"""What a measured network costs on its chip, relative to 8 bits everywhere.

Features cost what `analysis.costs` says of their widths, weights the same by theirs. A profile has no price for float: it is charged
like the widest width, which is the least it can cost, and the share of the work that is in float stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...socs import Profile
from ..costs import work
from ..scoring import Unit

LITTLE = 0.05
"""Up to this share of the work may be in float at the price of the widest width; more of it is dearer than any width."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`features` and `weights` relative to 8 bits (None where the chip is not known), `floats` the share of the work in float, 0 to 1."""

    features: float | None
    weights: float | None
    floats: float

    @property
    def order(self) -> tuple[bool, float, float]:
        """What costs are compared by: much work in float is dearer than any width, a little of it than as much at the widest one."""
        return self.floats > LITTLE, self.amount, self.floats

    @property
    def amount(self) -> float:
        """Features and weights in one number, 1 for 8 bits everywhere and where the chip is not known."""
        return (self.features or 1.0) * (self.weights or 1.0)


def cost_of(document: Mapping[str, Any], units: Sequence[Unit], chip: Profile | None) -> Cost:
    """Return the cost of the network in a document of `magik-tui run --json`; `units` are all that could be integer."""
    rows = {row["name"]: row for row in document["nodes"]}
    table = [(work(unit), rows[unit.name]) for unit in units]
    whole = sum(amount for amount, _ in table)
    floats = sum(amount for amount, row in table if not row["quantized"]) / whole if whole else 0.0
    if chip is None:
        return Cost(None, None, floats)
    widest = max(chip.feature_bits.values())
    priced = [(amount, row) for amount, row in table if row["feature_bits"] or not row["quantized"]]
    features = [(amount, chip.feature_bits.get(row["feature_bits"]) if row["quantized"] else widest) for amount, row in priced]
    weights = [(amount, chip.weight_bits.get(row["weight_bits"])) for amount, row in table if row["weight_bits"]]
    return Cost(_average(features), _average(weights), floats)


def _average(pairs: list[tuple[int, float | None]]) -> float | None:
    known = [(amount, cost) for amount, cost in pairs if cost is not None]
    whole = sum(amount for amount, _ in known)
    return sum(amount * cost for amount, cost in known) / whole if whole else None
