"""The table is the vendor's: its heading, its decimals, its order."""

from __future__ import annotations

from engine.analysis.report import LayerRow
from engine.analysis.table import table

HEADING = "feature name cosine_avg cosine_min cosine_max euc_distan stand_devi max_absolu max_abs_0~1"
PUBLISHED = "data/BatchNormScale 0.99813 0.99813 0.99813 0.09554 0.08244 0.14382 0.40347"
ANCHOR = LayerRow(
    "data/BatchNormScale",
    "BatchNormScale",
    True,
    cosine_avg=0.998131,
    cosine_min=0.99813,
    cosine_max=0.99813,
    euc_distance=0.09554,
    standard_deviation=0.08244,
    max_absolute=0.14382,
    max_absolute_normalized=0.40347,
)


def test_heading_and_values_are_those_of_the_published_table() -> None:
    heading, row = table([ANCHOR])
    assert " ".join(heading.split()) == HEADING
    assert " ".join(row.split()) == PUBLISHED
    assert heading.startswith("feature name  ")


def test_float_nodes_are_not_in_it_and_order_is_kept() -> None:
    rows = [LayerRow("z", "Conv2D", True), LayerRow("f", "Softmax", False), LayerRow("a", "Conv2D", True)]
    assert [line.split()[0] for line in table(rows)[1:]] == ["z", "a"]


def test_columns_stay_aligned_whatever_the_names_and_values() -> None:
    names = ["n", "x" * 300, "层/卷积", "évil", "tab\there", "esc\x1b[31m", "new\nline", "bidi\u202e", "half\ud800"]
    rows = [LayerRow(n, "Conv2D", True, cosine_avg=0.5, max_absolute=10.0**i) for i, n in enumerate(names)]
    lines = table([ANCHOR, *rows])
    assert all(line.isprintable() for line in lines)
    ascii_lines = [line for line in lines if line.isascii()]
    assert len({len(line) for line in ascii_lines}) == 1
    column = lines[0].index("cosine_avg")
    assert all(line[column - 1] == " " and line[column + 10] == " " for line in ascii_lines)
    wide = next(line for line in lines if line.startswith("层"))
    assert len(wide) == len(lines[0]) - 3


def test_a_missing_metric_is_a_dash() -> None:
    assert table([LayerRow("n", "Conv2D", True)])[1].split() == ["n"] + ["-"] * 7


def test_no_rows_leave_the_heading() -> None:
    assert len(table([])) == 1
