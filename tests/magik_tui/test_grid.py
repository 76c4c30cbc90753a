"""The heatmap's lines and the panes as text: columns that stand under each other at every width, for every name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from magik_tui import table as tb
from magik_tui import wire
from magik_tui.bars import header_line, hints, note_lines, status_line
from magik_tui.core import Note, State
from magik_tui.panes.layer import layer_lines
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
        "   layer                         type           bits  worst   mean 123456789012",
        "   resnetv15_relu0_fwd           Conv2D         8/8  0.9985 0.9990 ············",
        ">  resnetv15…age1_batchnorm1_fwd Conv2D         8/8  0.9981 0.9987 ············",
        "   resnetv15…age2_batchnorm5_fwd GlobalAvgPool  8    0.9925 0.9942 ·░·░░░░·░░░░",
        " x resnetv15_relu12_fwd          Conv2D         8/8  0.9701 0.9779 ▒▒░▒░▒▒░▒░▒▒",
        " x resnetv15…age3_batchnorm1_fwd Conv2D         8/8  0.9044 0.9334 ▓▒▓▓▓▓▒▓▓▓▓▒",
        " x resnetv15…age3_batchnorm2_fwd EltwiseAdd     8    0.8039 0.8603 ▓▓▓▓▓▓▓▓▓▓▓▓",
        "   resnetv15…age4_batchnorm5_fwd GlobalAvgPool  8                  ------------",
        "   resnetv15_relu24_fwd          Softmax        fp32 0.9973 0.9979 ············",
    ]


def test_the_heatmap_at_150_cells_holds_digits(table: Table) -> None:
    lines = drawn(table, 150)
    assert lines[0] + "|" == (
        "   layer                           type           bits   worst    mean    1   2   3   4   5   6   7   8   9  10  11  12|"
    )
    assert lines[13] == (
        " x resnetv15_relu12_fwd            Conv2D         8/8  0.97015 0.97795  979 971 982 974 986 978 970 982 974 986 978 970"
    )


def test_samples_out_of_sight_are_told(document: MakeDocument) -> None:
    wide = tb.from_document(document("good", 5, 40), ())
    heads = [line_text(head_line(lay_out(extent(wide), 79, column), column)) for column in (0, 20, 39)]
    assert [head[-16:] for head in heads] == [" 12345678901234>", " <89012345678901", " <78901234567890"]


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
    lines = [line_text(line).rstrip() for line in layer_lines(shown(table, cursor=13), 80, 6, beside=False)]
    assert lines == [
        " resnetv15_stage3_batchnorm1_fwd                                  Conv2D 8/8 KL",
        " cosine worst 0.90443 x  SQNR      18.42 dB max err  1.40185  min   -16.25",
        "        mean  0.93342 x  saturated 0.12 %   err 0~1  3.95415  max   16.5",
        "        best  0.96031    euclid    0.09554  mean err -0.00123 scale 0.018628",
        "        local 0.99910 +  std dev   0.08244  method   KL       zero  67",
        " sample 0.91903 x  1/12 cat_000.jpg",
    ]


@pytest.mark.parametrize(("share", "said"), [(7.97e-5, "0.008 %"), (1.2e-7, "<0.001 %"), (0.12345, "12.3 %"), (1.0, "100 %"), (0.0, "0 %")])
def test_no_share_loses_its_middle_or_has_an_exponent(document: MakeDocument, share: float, said: str) -> None:
    made = document()
    rows = tuple(msgspec.structs.replace(row, saturation=share) for row in made.nodes)
    state = shown(tb.from_document(msgspec.structs.replace(made, nodes=rows), ()), cursor=13)
    assert f" saturated {said} " in line_text(layer_lines(state, 80, 6, beside=False)[2])


def test_a_float_layer_says_why(table: Table) -> None:
    below = [line_text(line) for line in layer_lines(shown(table, cursor=24), 120, 6, beside=False)]
    assert "float Softmax runs in float between a dequantize and a quantize" in below[-1]
    beside = "\n".join(line_text(line).rstrip() for line in layer_lines(shown(table, cursor=24), 38, 40, beside=True))
    assert "why it is float\n   Softmax runs in float between a\n   dequantize and a quantize" in beside


def test_a_layer_of_another_width_than_asked_says_so(document: MakeDocument) -> None:
    made = document()
    rows = list(made.nodes)
    rows[13] = msgspec.structs.replace(rows[13], feature_bits=12, requested_feature_bits=4, method="SHARED")
    state = shown(tb.from_document(msgspec.structs.replace(made, nodes=tuple(rows)), ()), cursor=13)
    below = [line_text(line) for line in layer_lines(state, 80, 6, beside=False)]
    assert "why   4 asked: keeps input levels" in below[-1]
    beside = "\n".join(line_text(line).rstrip() for line in layer_lines(state, 38, 40, beside=True))
    assert " why\n   4 asked: keeps input levels" in beside


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
    assert line_text(header_line(state, 80)) == " resnet18  T40  net.onnx                  mean output cosine 0.99110 ~ 7 < 0.98 "
    assert line_text(header_line(state, 60)) == " resnet18  T40  net.onnx          output 0.99110 ~ 7 < 0.98 "
    assert "~ 7 of 24 layers below 0.98" in line_text(header_line(state, 120))
    assert line_text(header_line(replace(state, stale=True), 80)).endswith("  stale 0.99110 ")


def test_the_header_shows_what_was_set(table: Table) -> None:
    state = shown(table, settings=("QUANT_FEATURE_BIT=10", "SOC=T40"), model="/p/net.onnx", variant="other")
    assert line_text(header_line(state, 120)).startswith(" resnet18  other T40 +QUANT_FEATURE_BIT=10 +SOC=T40  net.onnx ")
    assert line_text(header_line(state, 60)).startswith(" resnet18  other T40 +2 set  net.onnx ")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_there_is_no_verdict_where_nothing_is_quantized(table: Table, width: int) -> None:
    rows = tuple(msgspec.structs.replace(row, quantized=False) for row in table.rows)
    line = line_text(header_line(shown(replace(table, rows=rows), outputs=(wire.Output("o", 1.0, 1.0),)), width))
    assert line.endswith(" not quantized ")
    assert not {"+", "~", "healthy", "good"} & set(line.split())


def test_no_number_of_the_layer_is_cut(table: Table) -> None:
    row = msgspec.structs.replace(
        table.rows[0], min=-1.23456e-12, max=123456789.0, scale=-1.23456e-12, euc_distance=12345678.9, max_absolute=-9.87e30,
        max_absolute_normalized=123456.789, sqnr_db=-123.456, mean_error=-1.2345e-12, cosine_max=-0.987654, local_cosine=-0.123456,
    )  # fmt: skip
    state = shown(replace(table, rows=(row, *table.rows[1:])))
    for width, beside in ((60, False), (80, False), (38, True)):
        text = "\n".join(line_text(line) for line in layer_lines(state, width, 40, beside=beside)[1:])
        assert "…" not in text.rpartition("cat_")[0]
    exact = shown(replace(table, rows=(msgspec.structs.replace(row, sqnr_db=999.0), *table.rows[1:])))
    assert "SQNR      exact" in "\n".join(line_text(line) for line in layer_lines(exact, 80, 6, beside=False))


def test_layers_with_long_names_stay_distinct() -> None:
    names = [f"/_blocks.{i}/_swish/Clip_output_0" for i in range(16)]
    begun = tb.from_layers(wire.Layers(tuple(wire.Row(name, op="Conv2D") for name in names), tuple("abcdefgh")))
    for width in (60, 70, 79):
        shown_names = [line[3:20] for line in drawn(begun, width)[1:]]
        assert len(set(shown_names)) == len(names), width


def test_the_cursor_leaves_the_mark_of_a_bad_layer_in_sight(table: Table) -> None:
    assert drawn(table, 79, cursor=13)[14].startswith(">x resnetv15")


def test_the_status_row_tells_the_phase_and_the_keys_that_fit() -> None:
    keys = (("?", "help"), ("q", "quit"), ("r", "run"))
    state = State(project="p", phase="running", stage="CollectFeatureDistribution", done=3, total=4, started=1, now=66)
    assert line_text(status_line(state, 80, keys)) == (" CollectFeatureDistribution 3/4 75% 1m05s                 ? help  q quit  r run ")
    assert line_text(status_line(state, 60, keys)) == " CollectFeatureDistribution 75% 1m05s ? help  q quit  r run "
    assert line_text(status_line(state, 40, keys)) == " Col…ribution 75% 1m05s  ? help  q quit "


KEYS = {"run.stop": "Esc stop", "log.open": "w log", "help.open": "? help", "app.quit": "q quit", "run.start": "r run", "bad.next": "n bad"}


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"phase": "running", "stage": "CollectFeatureDistribution", "done": 3, "total": 4}, "Esc stop  ? help  q quit"),
        ({"phase": "running", "warnings": 2}, "Esc stop  w log  ? help  q quit"),
        ({"phase": "done", "warnings": 2}, "n bad  w log  r run  ? help  q quit"),
        ({"phase": "done"}, "n bad  r run  ? help  q quit"),
        ({"phase": "failed"}, "w log  r run  ? help  q quit"),
    ],
)
def test_the_keys_suit_the_moment(table: Table, width: int, fields: dict[str, object], said: str) -> None:
    state = shown(table, **fields)
    keys = [tuple(KEYS[id_].split(" ")) for id_ in hints(state, ("bad.next",) if state.table.any_bad else ())]
    assert line_text(status_line(state, width, keys)).rstrip().endswith(said)  # type: ignore[arg-type]


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


def test_a_table_without_a_measure_counts_no_bad_layers() -> None:
    table = tb.from_layers(wire.Layers((wire.Row("a", quantized=False), wire.Row("b", quantized=False))))
    said = line_text(status_line(State("p", phase="done", table=table), 80, ()))
    assert "done 2 layers, none measured in 0s" in said


def test_of_keys_that_have_no_room_the_help_goes_last(table: Table) -> None:
    keys = (("+", "raise"), ("-", "lower"), ("/", "filter"), ("?", "help"), ("q", "quit"))
    said = [line_text(status_line(shown(table), width, keys)).split("0s")[-1].split() for width in (80, 44, 30)]
    assert [each[-2:] for each in said] == [["q", "quit"], ["?", "help"], ["?", "help"]]
    assert said[1][:2] == ["+", "raise"]
