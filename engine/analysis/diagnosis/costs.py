"""What a measured network costs on its chip, relative to 8 bits everywhere.

Every integer layer is charged for its multiply-accumulates, at what the chip's profile says of the width of its features, and of its
weights. A profile has no price for float: the share of the work that is in float stands beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...socs import Profile


@dataclass(frozen=True, slots=True)
class Cost:
    """`features` and `weights` relative to 8 bits (None where the chip is not known), `floats` the share of work in float, 0 to 1."""

    features: float | None
    weights: float | None
    floats: float

    @property
    def order(self) -> tuple[bool, float]:
        """What costs are compared by: any work that has to be in float is dearer than any width."""
        return self.floats > 0, (self.features or 1.0) * (self.weights or 1.0)


def cost_of(document: Mapping[str, Any], chip: Profile | None) -> Cost:
    """Return the cost of the network in a document of `magik-tui run --json`."""
    rows = document["nodes"]
    whole = sum(row["macs"] for row in rows)
    integer = [row for row in rows if row["quantized"] and row["macs"]]
    floats = 1 - sum(row["macs"] for row in integer) / whole if whole else 0.0
    if chip is None:
        return Cost(None, None, floats)
    features = [(row["macs"], chip.feature_bits.get(row["feature_bits"])) for row in integer if row["feature_bits"]]
    weights = [(row["macs"], chip.weight_bits.get(row["weight_bits"])) for row in integer if row["weight_bits"]]
    return Cost(_average(features), _average(weights), floats)


def _average(pairs: list[tuple[int, float | None]]) -> float | None:
    known = [(macs, cost) for macs, cost in pairs if cost is not None]
    whole = sum(macs for macs, _ in known)
    return sum(macs * cost for macs, cost in known) / whole if whole else None
