"""The heatmap's lines and the panes as text: columns that stand under each other at every width, for every name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from magik_tui import table as tb
from magik_tui import wire
from magik_tui.panes.bars import header_line, note_lines, status_line
from magik_tui.panes.layer import HEIGHT_BELOW, layer_lines
from magik_tui.state import Note, State
from magik_tui.table import Table
from magik_tui.widgets.grid import Extent, extent, head_line, lay_out, row_line
from magik_tui.widgets.ink import line_text, line_width

MakeDocument = Callable[..., wire.Document]


def drawn(table: Table, width: int, cursor: int = 1, column: int = 0) -> list[str]:
    grid = lay_out(extent(table), width, column)
    rows = [row_line(table, i, grid, selected=i == cursor) for i in range(len(table.rows))]
    return [line_text(line) for line in (head_line(grid, column), *rows)]


@pytest.fixture
def table(document: MakeDocument) -> Table:
    return tb.from_document(document(), ())


def test_the_heatmap_at_79_cells(table: Table) -> None:
    lines = drawn(table, 79)
    assert lines[:3] + lines[12:16] + lines[-2:] == [
        "  layer                          type           bits  worst   mean 123456789012",
        "  resnetv15_relu0_fwd            Conv2D         8/8  0.9985 0.9990 ············",
        "> resnetv15…tage1_batchnorm1_fwd Conv2D         8/8  0.9981 0.9987 ············",
        "  resnetv15…tage2_batchnorm5_fwd GlobalAvgPool  8    0.9925 0.9942 ·░·░░░░·░░░░",
        "x resnetv15_relu12_fwd           Conv2D         8/8  0.9701 0.9779 ▒▒░▒░▒▒░▒░▒▒",
        "x resnetv15…tage3_batchnorm1_fwd Conv2D         8/8  0.9044 0.9334 ▓▒▓▓▓▓▒▓▓▓▓▒",
        "x resnetv15…tage3_batchnorm2_fwd EltwiseAdd     8    0.8039 0.8603 ▓▓▓▓▓▓▓▓▓▓▓▓",
        "  resnetv15…tage4_batchnorm5_fwd GlobalAvgPool  8                  ------------",
        "  resnetv15_relu24_fwd           Softmax        fp32 0.9973 0.9979 ············",
    ]


def test_the_heatmap_at_150_cells_holds_digits(table: Table) -> None:
    lines = drawn(table, 150)
    assert lines[0] + "|" == (
        "  layer                           type           bits   worst    mean "
        "   1   2   3   4   5   6   7   8   9  10  11  12|"
    )
    assert lines[13] == (
        "x resnetv15_relu12_fwd            Conv2D         8/8  0.97015 0.97795 "
        " 979 971 982 974 986 978 970 982 974 986 978 970"
    )


def test_samples_out_of_sight_are_told(document: MakeDocument) -> None:
    wide = tb.from_document(document("good", 5, 40), ())
    heads = [line_text(head_line(lay_out(extent(wide), 79, column), column)) for column in (0, 20, 39)]
    assert [head[-16:] for head in heads] == ["123456789012345>", "<789012345678901", "<678901234567890"]



def test_unmeasured_cells_are_blank_and_not_a_dash(document: MakeDocument) -> None:
    begun = tb.from_layers(wire.Layers(document().nodes, ("a", "b")))
    line = drawn(begun, 79)[1]
    assert line.rstrip().endswith("8/8")
    assert "-" not in line


@pytest.mark.parametrize("mode", ["good", "hostile"])
@pytest.mark.parametrize("width", [40, 60, 79, 81, 99, 120, 149, 200])
@pytest.mark.parametrize("samples", [0, 1, 12, 300])
def test_columns_stand_under_each_other(document: MakeDocument, mode: str, width: int, samples: int) -> None:
    table = tb.from_document(document(mode, 40, samples), ())
    grid = lay_out(extent(table), width, 0)
    widths = {line_width(row_line(table, i, grid)) for i in range(40)} | {line_width(head_line(grid, 0))}
    assert len(widths) == 1
    assert grid.name >= 1
    if width >= 60:
        assert widths.pop() <= width
        assert not samples or grid.last > grid.first


@given(st.integers(1, 500), st.lists(st.integers(0, 499), max_size=10), st.integers(60, 220))
def test_the_sample_at_the_cursor_is_always_in_sight(samples: int, columns: list[int], width: int) -> None:
    first = 0
    for column in (min(c, samples - 1) for c in columns):
        grid = lay_out(Extent(30, 14, 4, samples), width, column, first)
        assert 0 <= grid.first <= column < grid.last <= samples
        first = grid.first


def shown(table: Table, **fields: object) -> State:
    return replace(State(project="/p/resnet18", variant="t40", soc="T40", phase="done"), table=table, **fields)  # type: ignore[arg-type]


def test_the_layer_under_the_table(table: Table) -> None:
    lines = [line_text(line).rstrip() for line in layer_lines(shown(table, cursor=13), 80, HEIGHT_BELOW, beside=False)]
    assert lines == [
        " resnetv15_stage3_batchnorm1_fwd                                  Conv2D 8/8 KL",
        " cosine worst 0.90443 x  SQNR      18.42 dB max err 1.40185  min   -16.25",
        "        mean  0.93342 x  saturated 0.12 %   err 0~1 3.95415  max   16.5",
        "        best  0.96031    euclid    0.09554  method  KL       scale 0.018628",
        "        local 0.99910 +  std dev   0.08244                   zero  67",
        " sample 0.91903 x  1/12 cat_000.jpg",
    ]


def test_a_float_layer_says_why(table: Table) -> None:
    below = [line_text(line) for line in layer_lines(shown(table, cursor=24), 120, HEIGHT_BELOW, beside=False)]
    assert "float Softmax runs in float between a dequantize and a quantize" in below[-1]
    beside = "\n".join(line_text(line).rstrip() for line in layer_lines(shown(table, cursor=24), 38, 40, beside=True))
    assert "why it is float\n   Softmax runs in float between a\n   dequantize and a quantize" in beside


@pytest.mark.parametrize("beside", [True, False])
def test_the_layer_pane_holds_hostile_names_in_its_width(document: MakeDocument, beside: bool) -> None:
    table = tb.from_document(document("hostile", 20, 3), ())
    hurt = replace(table, samples=tuple(row.name for row in table.rows[:3]))
    width = 38 if beside else 80
    for cursor in range(20):
        for line in layer_lines(shown(hurt, cursor=cursor), width, 40, beside=beside):
            assert cell_len(line_text(line)) <= width
            assert line_text(line).isprintable()


def test_the_header_and_its_verdict(table: Table) -> None:
    state = shown(table, outputs=(wire.Output("o", 0.9911, 0.98),), model="/p/net.onnx")
    assert line_text(header_line(state, 80)) == (
        " resnet18  t40  T40  net.onnx                      output cosine 0.99110 ~ fair "
    )
    assert "7 of 24 layers fall below 0.98" in line_text(header_line(state, 120))
    assert " stale " in line_text(header_line(replace(state, stale=True), 80))


def test_the_status_row_tells_the_phase_and_the_keys_that_fit() -> None:
    keys = (("?", "help"), ("q", "quit"), ("r", "run"))
    state = State(project="p", phase="running", stage="CollectFeatureDistribution", done=3, total=4, started=1, now=66)
    assert line_text(status_line(state, 80, keys)) == (
        " CollectFeatureDistribution 3/4 75% 1m05s                 ? help  q quit  r run "
    )
    assert line_text(status_line(state, 60, keys)).rstrip().endswith("? help  q quit")


def test_a_long_message_takes_three_lines_and_says_where_the_rest_is() -> None:
    state = State(project="p", note=Note("error", "word " * 100 + "\x1b[2J[/x]", "magik.cfg"))
    lines = [line_text(line) for line in note_lines(state, 80)]
    assert len(lines) == 3
    assert lines[0].startswith(" error: magik.cfg: word")
    assert lines[-1].endswith("(w)")
    assert all(cell_len(line) <= 80 and line.isprintable() for line in lines)
    warning = [line_text(line) for line in note_lines(State(project="p", note=Note("warning", "word " * 100)), 60)]
    assert warning == [f" warning: {'word ' * 8}word… (w)"]
    assert note_lines(State(project="p"), 80) == ()
