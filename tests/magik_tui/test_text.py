"""Names mean harm: what reaches the terminal is text of a known width, and nothing else."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from magik_tui.numerals import duration, fixed, numbers, short, shorts
from magik_tui.text import clean, distinct, elide, fit, plain


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


@given(st.lists(st.text("ab/_1", max_size=30), max_size=12, unique=True), st.integers(8, 24))
def test_shortened_names_stay_distinct(names: list[str], width: int) -> None:
    short = distinct(tuple(names), width)
    assert len(set(short)) == len(names)
    assert all(cell_len(text) <= width for text in short)
    assert all(text == name for text, name in zip(short, names, strict=True) if len(name) <= width)


def test_names_lose_what_they_share() -> None:
    blocks = tuple(f"/_blocks.{i}/_swish/Clip_output_0" for i in (1, 2, 12))
    assert distinct(blocks, 28) == ("…ocks.1/_swish/Clip_output_0", "…ocks.2/_swish/Clip_output_0", "…cks.12/_swish/Clip_output_0")
    assert distinct(blocks, 12) == ("…s.1/_swish…", "…s.2/_swish…", "…s.12/_swis…")
    assert distinct(tuple("x" * 40 + c + "y" * 40 for c in "ab"), 12) == ("…xxayyyyyyy…", "…xxbyyyyyyy…")


@given(st.floats(-1e300, 1e300))
def test_a_number_has_a_form_that_fits_nine_cells(value: float) -> None:
    forms = numbers(value)
    assert any(len(form) <= 9 for form in forms)
    assert any(len(form) <= 9 for form in shorts(value))
    chosen = float(next(form for form in forms if len(form) <= 9))
    assert chosen == pytest.approx(value, rel=0.51, abs=0.0005)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.9, "59s"), (125, "2m05s"), (3725, "1h02m"), (-1, "0s")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_that_do_not_exist_are_a_dash() -> None:
    assert [fixed(None), short(None), fixed(float("nan")), short(float("inf"))] == ["-"] * 4
    assert (fixed(0.123456), short(0.0000123456), short(67.0)) == ("0.12346", "1.2346e-05", "67")
