"""Which widths are chosen from, and what plans cost."""

from __future__ import annotations

import pytest

from engine.analysis.costs import finest, relative_cost, width_costs, work, worthwhile
from engine.analysis.scoring import Unit
from engine.errors import UsageError
from engine.socs import Profile, profiles

T40 = profiles()["T40"]


def test_widths_are_those_of_the_chip_from_8_up() -> None:
    assert dict(width_costs(T40)) == {8: 1.0, 10: 2.0, 12: 2.0}
    assert dict(width_costs(T40, (12, 4, 8, 8))) == {4: 0.5, 8: 1.0, 12: 2.0}
    assert finest(T40) == 12


def test_an_unknown_chip_is_taken_to_be_like_the_others() -> None:
    assert dict(width_costs(None)) == dict(width_costs(T40))
    assert finest(None) == 12


def test_a_chip_with_narrow_features_only() -> None:
    assert dict(width_costs(Profile("X", {2: 0.25, 4: 0.5}, {8: 1.0}))) == {2: 0.25, 4: 0.5}


@pytest.mark.parametrize(("chip", "said"), [(T40, "T40 has no 9-bit features, legal are 4, 8, 10, 12"), (None, "no known chip has 9-bit")])
def test_an_illegal_width_is_refused(chip: Profile | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        width_costs(chip, (8, 9))


def test_of_widths_that_cost_the_same_the_widest_is_left() -> None:
    """Bytes moved are the same for 10 and 12 bits; a chip that tells them apart keeps both."""
    assert dict(worthwhile(width_costs(T40))) == {8: 1.0, 12: 2.0}
    assert dict(worthwhile({8: 1.0, 10: 1.25, 12: 1.5})) == {8: 1.0, 10: 1.25, 12: 1.5}


def test_cost_is_work_times_the_cost_of_the_width() -> None:
    """A layer without multiply-accumulates has one operation for each value it makes."""
    units = [Unit("conv", "Conv2D", ("conv",), 900, 10), Unit("add", "EltwiseAdd", ("add",), 0, 100), Unit("odd", "Slice", ("odd",))]
    assert [work(u) for u in units] == [900, 100, 1]
    costs = {8: 1.0, 12: 2.0}
    assert relative_cost(units, dict.fromkeys(("conv", "add", "odd"), 8), costs) == 1.0
    assert relative_cost(units, {"conv": 8, "add": 12, "odd": 8}, costs) == (900 + 200 + 1) / 1001
