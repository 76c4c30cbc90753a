"""The rows of a diagnosis: figures that were measured, and costs that can be told apart."""

from __future__ import annotations

import msgspec
import pytest

from magik_tui.core.diagnose import Diagnosis
from magik_tui.core.findings import Cost, Diagnosed, Fix, Operator, Operators
from magik_tui.diagnosis import line_of
from magik_tui.widgets.ink import line_text

FIX = Fix(1, "features of 12 bits", {"QUANT_FEATURE_BIT": 12})
FOUND = Diagnosed("doubtful", fixes=(FIX,))


@pytest.mark.parametrize(("again", "shown"), [(None, False), (0.98765, True)])
def test_what_was_not_measured_of_the_operators_has_no_column(again: float | None, shown: bool) -> None:
    found = msgspec.structs.replace(FOUND, operators=Operators(culprits=(Operator("x", "Conv2D", 0.02, again),)))
    mine = Diagnosis(found=found)
    text = [line_text(line_of(mine, entry, 120, here=False)) for entry in mine.entries]
    assert any("quantized again" in line for line in text) is shown
    assert any("0.98765" in line for line in text) is shown
    row = next(line for line in text if "local error 0.02" in line)
    assert " - " not in row


def test_a_cost_just_above_one_is_told_from_it() -> None:
    fix = msgspec.structs.replace(FIX, restores=True, cost=Cost(1.0011, 1.0, 0.001))
    mine = Diagnosis(found=msgspec.structs.replace(FOUND, fixes=(fix,)))
    row = next(line_text(line_of(mine, entry, 120, here=False)) for entry in mine.entries if entry.value == fix)
    assert "x1.001" in row
    assert "good outputs" in row


@pytest.mark.parametrize(("width", "said"), [(76, "74% in float"), (150, "good outputs")])
def test_much_work_in_float_is_said_at_every_width(width: int, said: str) -> None:
    fix = msgspec.structs.replace(FIX, restores=True, cost=Cost(1.74, 1.0, 0.74))
    mine = Diagnosis(found=msgspec.structs.replace(FOUND, fixes=(fix,)))
    row = next(line_text(line_of(mine, entry, width, here=False)) for entry in mine.entries if entry.value == fix)
    assert "x1.74" in row
    assert "74%" in row
    assert row.rstrip().endswith(said)
