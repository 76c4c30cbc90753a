"""magik_node_quant_bit_info.json: written as the guide prints it, read with the place of every mistake, obeyed, never lost."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bitfile import NAME, Entry, over, read_entries, text_of
from engine.errors import ConfigError
from engine.plan import Choice, Plan

from .running import converted, rows, told

SAVE, LOAD, RANGES = "SAVE_OP_QUANT_BIT=true", "LOAD_OP_QUANT_BIT=true", "LOAD_OP_QUANT_MIN_MAX=true"


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_the_text_is_that_of_the_guide() -> None:
    """Tabs, graph order, MAX before MIN, whole numbers without a point."""
    entries = {"relu0": Entry(None, 0.0, 1.7), "gone": Entry(10, -1.0, None)}
    expected = (
        '{\n\t"data/BatchNormScale": {\n\t\t"QUANT_FEATURE_BIT": 8\n\t},\n'
        '\t"relu0": {\n\t\t"QUANT_FEATURE_BIT": 10,\n\t\t"MAX": 1.7,\n\t\t"MIN": 0\n\t},\n'
        '\t"gone": {\n\t\t"QUANT_FEATURE_BIT": 10,\n\t\t"MIN": -1\n\t}\n}\n'
    )
    assert text_of([("data/BatchNormScale", 8), ("relu0", 10)], entries) == expected


@given(st.dictionaries(st.text(min_size=1), st.tuples(st.sampled_from([4, 8, 10, 12]), st.none() | st.floats(-1e30, -1e-30))))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, table: dict[str, tuple[int, float | None]]) -> None:
    path = tmp_path_factory.mktemp("bits") / NAME
    entries = {name: Entry(bits, low, None) for name, (bits, low) in table.items()}
    write(path, text_of([(name, bits) for name, (bits, _) in table.items()], entries))
    assert read_entries(path, "T40") == (entries, ())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{\n"a": {"QUANT_FEATURE_BIT": 8},\n}', 2, "trailing comma"),
        ("[]", 1, "expected an object"),
        ('{\n "a": 8}', 2, 'node "a": expected an object'),
        ('{"a": {\n"QUANT_FEATURE_BIT": 16}}', 2, "from 2 to 12, got 16"),
        ('{"a": {"QUANT_FEATURE_BIT": true}}', 1, "from 2 to 12, got true"),
        ('{"a": {"QUANT_FEATURE_BIT": 9}}', 1, "T40 has no 9-bit features, expected 4, 8, 10 or 12"),
        ('{"a": {"MAX": "1.7"}}', 1, 'MAX: expected a number up to 1e+30, got "1.7"'),
        ('{"a": {"MAX": 1,\n "MIN": 2}}', 2, "MIN 2 is not below MAX 1"),
        ("", 1, "expected"),
    ],
)
def test_a_broken_file_is_an_error_with_its_place(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_entries(write(tmp_path / NAME, text), "T40")
    assert said in str(caught.value)
    assert (caught.value.line, Path(caught.value.where).name) == (line, NAME)
    assert caught.value.column >= 1


@given(st.text())
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / NAME
    try:
        write(path, text)
    except UnicodeEncodeError:
        return
    with contextlib.suppress(ConfigError):
        entries, _ = read_entries(path, "")
        assert all(isinstance(entry, Entry) for entry in entries.values())


def test_what_can_be_understood_is_with_a_warning(tmp_path: Path) -> None:
    text = '{"a": {"quant_feature_bit": 8, "Max": 2, "QUANT_FEATURE_BITT": 4}, "b": {"MIN": 0.5, "MAX": 1}, "b": {"MIN": -1, "MIN": -2}}'
    entries, warnings = read_entries(write(tmp_path / NAME, text), "T40")
    assert entries == {"a": Entry(8, None, 2.0), "b": Entry(None, -2.0, None)}
    said = "\n".join(map(str, warnings))
    for words in (
        'node "b" stands here again',
        '"quant_feature_bit" is read as QUANT_FEATURE_BIT',
        "did you mean QUANT_FEATURE_BIT?",
        "MIN is taken as 0",
        "MIN stands here again",
    ):
        assert words in said


def test_the_entries_lie_over_the_plan() -> None:
    plan = Plan(Choice(8, 8), {}, {"a": Choice(skip="why"), "c": Choice(4)})
    entries = {"a": Entry(10, None, 1.5), "b": Entry(12), "c": Entry(None, -1.0, 1.0)}
    assert over(plan, entries, bits=False, ranges=False) == plan
    assert over(plan, entries, bits=True, ranges=False).nodes == {"a": Choice(10, skip="why"), "b": Choice(12), "c": Choice(4)}
    both = over(plan, entries, bits=True, ranges=True).nodes
    assert both["a"] == Choice(10, high=1.5, skip="why")
    assert both["c"] == Choice(4, low=-1.0, high=1.0)


def test_save_lists_every_integer_node_in_graph_order(project: Path) -> None:
    document, said = told(project, SAVE, 'QUANT_NODE_SKIP=["c2"]')
    assert f"model quant info save in ./{NAME}" in said
    text = (project / NAME).read_text("utf-8")
    names = [node["name"] for node in document["nodes"] if node["quantized"]]
    assert "c2" not in names
    assert text == json.dumps({name: {"QUANT_FEATURE_BIT": 8} for name in names}, indent="\t") + "\n"
    assert any(Path(path).name == NAME for path in document["artefacts"])


def test_load_beats_quant_feature_bit(project: Path) -> None:
    write(project / NAME, '{"r1": {"QUANT_FEATURE_BIT": 12}, "C2": {"QUANT_FEATURE_BIT": 12}}')
    plain = converted(project, "QUANT_FEATURE_BIT=4")
    document = converted(project, "QUANT_FEATURE_BIT=4", LOAD)
    found = rows(document)
    assert (found["r1"]["feature_bits"], found["r1"]["requested_feature_bits"]) == (12, 12)
    assert found["c2"]["feature_bits"] == 4
    assert found["r1"]["local_cosine"] > rows(plain)["r1"]["local_cosine"]
    assert "no layer 'C2', did you mean 'c2'?" in document["warnings"]


def test_given_ranges_act_and_are_told_in_the_vendors_words(project: Path) -> None:
    write(project / NAME, '{"r1": {"QUANT_FEATURE_BIT": 12, "MAX": 1.7, "MIN": 0}, "f": {"MAX": 3}}')
    document, said = told(project, RANGES)
    row = rows(document)["r1"]
    assert "Updata Node: r1, MIN: 0, MAX: 1.7" in said
    assert (row["feature_bits"], row["method"], row["min"]) == (8, "GIVEN", 0.0)
    assert row["max"] == pytest.approx(1.7)
    assert row["scale"] == pytest.approx(1.7 / 255)
    assert "MIN and MAX of 'f' have no effect: its levels are those of its input" in document["warnings"]


def test_a_range_of_nothing_is_told(project: Path) -> None:
    """r1 is a ReLU: without what is above 0 nothing of its range is left."""
    write(project / NAME, '{"r1": {"MAX": -1}}')
    document, _ = told(project, RANGES)
    assert (rows(document)["r1"]["min"], rows(document)["r1"]["max"], rows(document)["r1"]["scale"]) == (0, 0, 1)
    assert "MIN and MAX of 'r1' leave no range but 0: its scale is taken as 1" in document["warnings"]


def test_every_name_of_the_file_is_looked_for(project: Path) -> None:
    """Those of which nothing was asked for as well; ranges that nobody asked for are told, and change nothing."""
    write(project / NAME, '{"R1": {"MAX": 3}, "r1": {"MAX": 0.5, "MIN": -1}, "C2": {"QUANT_FEATURE_BIT": 8}, "gone": {}}')
    plain = converted(project)
    document, said = told(project, LOAD)
    lost = ["no layer 'R1', did you mean 'r1'?", "no layer 'C2', did you mean 'c2'?", "no layer 'gone'"]
    assert document["warnings"] == lost
    assert f"{NAME} has MAX or MIN of 2 nodes, which LOAD_OP_QUANT_MIN_MAX would take" in said
    assert {name: row["scale"] for name, row in rows(document).items()} == {name: row["scale"] for name, row in rows(plain).items()}
    document, said = told(project, RANGES)
    assert document["warnings"] == lost
    assert not any("would take" in text for text in said)
    assert told(project, SAVE)[0]["warnings"] == []


def test_the_files_content_decides_whether_a_run_is_new(project: Path) -> None:
    """An edited file is a new run; the same content again is the recorded one."""
    bits = []
    for width, cached in ((12, False), (10, False), (12, True)):
        write(project / NAME, json.dumps({"r1": {"QUANT_FEATURE_BIT": width}}))
        document = converted(project, LOAD)
        bits.append(rows(document)["r1"]["feature_bits"])
        assert cached == ("cached" in document["timing"]) or width == 12  # the last run's artefacts are those of width 10
    assert bits == [12, 10, 12]
    assert "cached" in converted(project, LOAD)["timing"]


def test_save_and_load_together_lose_nothing(project: Path) -> None:
    """Widths become the effective ones; what a person wrote stays, even for nodes that are float or not there."""
    write(project / NAME, '{"r1": {"QUANT_FEATURE_BIT": 12, "MAX": 1.7}, "c2": {"QUANT_FEATURE_BIT": 10, "MIN": -1}, "old": {"MAX": 2}}')
    converted(project, SAVE, LOAD, 'QUANT_NODE_SKIP=["c2"]')
    table = json.loads((project / NAME).read_text("utf-8"))
    assert table["r1"] == {"QUANT_FEATURE_BIT": 12, "MAX": 1.7}
    assert table["c2"] == {"QUANT_FEATURE_BIT": 10, "MIN": -1}
    assert table["old"] == {"MAX": 2}
    assert table["scores"] == {"QUANT_FEATURE_BIT": 8}
    before = (project / NAME).read_bytes()
    converted(project, SAVE, LOAD, 'QUANT_NODE_SKIP=["c2"]')
    assert (project / NAME).read_bytes() == before
    converted(project, SAVE)
    assert json.loads((project / NAME).read_text("utf-8"))["r1"] == {"QUANT_FEATURE_BIT": 8, "MAX": 1.7}


def test_save_does_not_write_over_what_it_cannot_read(project: Path) -> None:
    write(project / NAME, broken := '{"r1": {"MAX": 1.7,}}')
    with pytest.raises(ConfigError, match=NAME):
        converted(project, SAVE)
    assert (project / NAME).read_text() == broken


@pytest.mark.parametrize("key", [LOAD, RANGES])
def test_a_file_that_is_not_there_is_a_clear_error(project: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=f"{NAME}: cannot be read: .*SAVE_OP_QUANT_BIT writes one"):
        converted(project, key)
