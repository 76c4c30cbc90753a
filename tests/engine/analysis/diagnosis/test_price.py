"""What a measured network costs, with some of its work in float."""

from __future__ import annotations

import pytest

from engine.analysis.diagnosis.costs import Cost, cost_of
from engine.analysis.scoring import Unit
from engine.socs import profiles

UNITS = [Unit("a", "Conv2D", ("a",), 300), Unit("b", "Conv2D", ("b",), 100)]


def row(name: str, bits: int | None) -> dict[str, object]:
    return {"name": name, "quantized": bits is not None, "feature_bits": bits, "weight_bits": None}


def test_float_costs_what_the_widest_width_does() -> None:
    chip = profiles()["T41"]
    widest = max(chip.feature_bits)
    part, wide = (cost_of({"nodes": [row("a", bits), row("b", 8)]}, UNITS, chip) for bits in (None, widest))
    assert part.features == wide.features == pytest.approx((3 * chip.feature_bits[widest] + chip.feature_bits[8]) / 4)
    assert (part.floats, wide.floats) == (0.75, 0.0)
    assert wide.order < part.order
    assert cost_of({"nodes": [row("a", None), row("b", 8)]}, UNITS, None) == Cost(None, None, 0.75)
