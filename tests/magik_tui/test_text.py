"""Names mean harm: what reaches the terminal is text of a known width, and nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from magik_tui.text import clean, duration, elide, fit, fixed, plain, short


def harmless(text: str) -> bool:
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


def test_hostile_names_are_shown_as_they_are_but_obey_nobody(hostile: Sequence[str]) -> None:
    for name in hostile:
        assert harmless(clean(name))
        assert plain(name).plain == clean(name)
        assert not plain(name).spans
    assert plain("x[/foo]").plain == "x[/foo]"
    assert plain("onnx::Conv_123[int8]").plain == "onnx::Conv_123[int8]"
    assert clean("\x1b[31mred") == "\N{REPLACEMENT CHARACTER}[31mred"


@given(st.text(st.characters(exclude_categories=())), st.integers(0, 40))
def test_every_text_fits_its_cells(text: str, width: int) -> None:
    assert harmless(clean(text))
    assert cell_len(elide(text, width)) <= width
    assert cell_len(fit(text, width)) == width
    assert cell_len(fit(text, width, right=True)) == width


def test_the_middle_of_a_long_name_goes_first() -> None:
    assert elide("resnetv15_stage1_batchnorm1_fwd", 20) == "resnet…atchnorm1_fwd"
    assert elide("short", 20) == "short"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (125, "2m05s"), (3725, "1h02m"), (-1, "0s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_that_do_not_exist_are_a_dash() -> None:
    assert [fixed(None), short(None), fixed(float("nan")), short(float("inf"))] == ["-"] * 4
    assert (fixed(0.123456), short(0.0000123456), short(67.0)) == ("0.12346", "1.2346e-05", "67")
