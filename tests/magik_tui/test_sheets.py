"""Tables for elsewhere: what is written can be read again, whatever the names hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree import ElementTree

from magik_tui import wire
from magik_tui.core import State
from magik_tui.sheets import Sheet, as_csv, as_json, as_line, as_markdown, as_svg, as_tabs, layers_sheet
from magik_tui.table import from_document

ROWS = (('a,b\n"c"', 0.97123, None, 8), ("层", float("nan"), "x|y", 12))
SHEET = Sheet(("layer", "cosine", "note", "note"), ROWS, cosines=frozenset({1}), title="net <t40>")


def test_csv_is_read_back_as_it_was() -> None:
    assert list(csv.reader(io.StringIO(as_csv(SHEET)))) == [
        ["layer", "cosine", "note", "note"], ['a,b\n"c"', "0.97123", "", "8"], ["层", "", "x|y", "12"],
    ]  # fmt: skip


def test_json_has_an_object_per_row_and_no_nan() -> None:
    assert json.loads(as_json(SHEET)) == [
        {"layer": 'a,b\n"c"', "cosine": 0.97123, "note": None, "note 4": 8},
        {"layer": "层", "cosine": None, "note": "x|y", "note 4": 12},
    ]


def test_markdown_keeps_its_columns(hostile: Sequence[str]) -> None:
    assert as_markdown(SHEET).splitlines() == [
        "| layer | cosine | note | note |", "| --- | ---: | --- | ---: |", '| a,b "c" | 0.97123 |  | 8 |', "| 层 |  | x\\|y | 12 |",
    ]  # fmt: skip
    for line in as_markdown(Sheet(("name", "n"), tuple((name, 1) for name in hostile))).splitlines():
        assert line.isprintable()
        assert line.replace("\\|", "").count("|") == 3


def test_a_row_is_one_line(hostile: Sequence[str]) -> None:
    assert as_tabs(SHEET).splitlines()[1] == 'a,b "c"\t0.97123\t\t8'
    assert all("\n" not in as_line((name, 1)) and as_line((name, 1)).count("\t") == 1 for name in hostile)


def test_the_picture_is_xml_with_the_colours_of_the_levels(document: Callable[..., wire.Document]) -> None:
    said = document("hostile", 40, 3)
    table = from_document(said, ())
    sheet = layers_sheet(replace(State("/p/net", settings=("SOC=T41",)), table=table, cursor=3, column=1))
    assert (sheet.row, sheet.heads[sheet.column]) == (3, table.samples[1])
    tree = ElementTree.fromstring(as_svg(sheet))
    texts = ["".join(each.itertext()) for each in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "net SOC=T41"
    assert all(text.isprintable() for text in texts)
    fills = {each.get("fill") for each in tree.iter("{http://www.w3.org/2000/svg}rect")}
    assert {"#00005f", "#d7d75f"} <= fills
    assert len(sheet.rows) == 40
