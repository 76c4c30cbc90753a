"""The table as a value: columns, scores, verdicts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magik_tui import table as tb
from magik_tui import wire
from magik_tui.levels import BACKGROUNDS, DIGIT_INKS, FLOORS, GLYPH_INKS, GLYPHS, level, permille

COSINES = st.none() | st.floats(-1, 1)


@given(st.lists(st.lists(COSINES, min_size=3, max_size=3), max_size=6))
def test_scores_grow_with_the_samples_and_agree_with_the_finished_run(columns: list[list[float | None]]) -> None:
    names = ("a", "b", "c")
    samples = tuple(f"s{i}" for i in range(len(columns)))
    table = tb.from_layers(wire.Layers(tuple(map(wire.Row, names)), samples))
    for index, column in enumerate(columns):
        metrics = {name: {"cosine": cosine} for name, cosine in zip(names, column, strict=True)}
        table = tb.with_sample(table, wire.Sample(samples[index], index, metrics))
    for row in range(3):
        known = [column[row] for column in columns if column[row] is not None]
        assert table.worst[row] == min(known, default=None)
        assert table.mean(row) == (pytest.approx(sum(known) / len(known)) if known else None)
    scores = [tuple(wire.Score(s, column[row]) for s, column in zip(samples, columns, strict=True)) for row in range(3)]
    nodes = tuple(wire.Row(name, samples=score) for name, score in zip(names, scores, strict=True))
    done = tb.from_document(wire.Document(nodes), samples)
    assert (done.columns, done.worst, done.complete) == (table.columns, table.worst, True)


def test_a_sample_without_a_column_or_measured_twice_changes_nothing() -> None:
    table = tb.from_layers(wire.Layers((wire.Row("a"),), ("s",)))
    for index in (-1, 1, 10**12):
        assert tb.with_sample(table, wire.Sample("x", index, {})) is table
    once = tb.with_sample(table, wire.Sample("s", 0, {"a": {"cosine": 0.5}}))
    assert tb.with_sample(once, wire.Sample("s", 0, {"a": {"cosine": 0.9}})) is once


def made(*worst: float | None) -> tb.Table:
    nodes = tuple(wire.Row(f"n{i}", samples=(wire.Score("s", c),)) for i, c in enumerate(worst))
    return tb.from_document(wire.Document(nodes), ("s",))


@pytest.mark.parametrize(
    ("worst", "output", "mark", "word"),
    [
        ((0.999, 0.991, 0.995), 0.995, "+", "healthy"),
        ((0.999, 0.985, 0.995), 0.995, "+", "good"),
        ((0.999, 0.90, 0.99), 0.99, "~", ""),
        ((0.999, 0.90, 0.97), 0.97, "x", "debug"),
        ((0.97, 0.99, 0.99), 0.99, "x", "bad"),
        ((0.999, 0.99, 0.94), 0.94, "x", "bad"),
    ],
)
def test_verdicts(worst: tuple[float, ...], output: float, mark: str, word: str) -> None:
    verdict = tb.judge(made(*worst), (wire.Output("o", output, output),))
    assert verdict is not None
    assert (verdict.mark, verdict.word) == (mark, word)
    assert f"{mark} {word}".strip() in dict(tb.RULES)
    assert verdict.low == sum(cosine < 0.98 for cosine in worst)


def test_the_first_layer_below_its_border_points_at_the_input() -> None:
    verdict = tb.judge(made(0.95, 0.99), ())
    assert verdict is not None
    assert "colour order, mean and normal" in verdict.advice


def test_there_is_no_verdict_on_half_a_table() -> None:
    assert tb.judge(tb.from_layers(wire.Layers((wire.Row("a"),), ("s",))), ()) is None
    assert tb.judge(made(None), ()) is None


def test_next_bad_goes_round_and_gives_up_when_there_is_none() -> None:
    table = made(0.9, 0.99, None, 0.5)
    assert [tb.next_bad(table, row, 1) for row in range(4)] == [3, 3, 3, 0]
    assert [tb.next_bad(table, row, -1) for row in range(4)] == [3, 0, 0, 0]
    assert tb.next_bad(made(0.99), 0, 1) is None


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_levels_are_monotone(a: float, b: float) -> None:
    assert level(max(a, b)) <= level(min(a, b))


def test_levels_have_their_colours_and_glyphs() -> None:
    assert len({len(BACKGROUNDS), len(DIGIT_INKS), len(GLYPH_INKS), len(GLYPHS), len(FLOORS) + 1}) == 1
    assert [level(c) for c in (1.0, 0.999, 0.9989, 0.98, 0.9799, 0.0)] == [0, 0, 1, 3, 4, 7]


@given(st.floats(-1, 1))
def test_digits_take_three_cells_and_never_flatter(cosine: float) -> None:
    text = permille(cosine)
    assert len(text) == 3
    if text.isdigit():
        assert int(text) / 1000 <= cosine < int(text) / 1000 + 0.0011
