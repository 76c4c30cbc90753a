"""Lines from the worker: whatever comes is a message or garbage, never an exception."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magik_tui import wire
from magik_tui.bridge import LineSplitter


@pytest.mark.parametrize(
    "line",
    [b"", b"x", b"\xff\xfe", b"[1, 2]", b"null", b'{"event": "sample"}', b'{"event": "news"}', b'{"id": 1}', b"[" * 100_000,
     b'{"event": "progress", "stage": 3}', b'{"event": "log", "text": "x", "id": NaN}', b'{"event": "layers", "rows": [{}]}'],
)  # fmt: skip
def test_what_does_not_fit_is_garbage(line: bytes) -> None:
    said = wire.read_line(line)
    assert isinstance(said, wire.Garbage)
    assert said.why
    assert len(said.text) <= wire.QUOTE


@given(st.binary())
def test_no_line_raises(line: bytes) -> None:
    wire.read_line(line)


def test_a_hello_of_the_protocol_page() -> None:
    said = wire.read_line(
        b'{"event": "hello", "protocol": 1, "engine": "0.1.0", "pid": 4711, "project": "/home/me/resnet18", '
        b'"variant": "t40", "variants": ["t40", "t41"]}'
    )
    assert said == wire.Hello(1, "0.1.0", 4711, "/home/me/resnet18", "t40", ("t40", "t41"))


def test_file_names_that_are_no_utf8_arrive() -> None:
    said = wire.read_line(json.dumps({"event": "log", "text": "cat\udc80.jpg"}).encode())
    assert said == wire.Log("cat\udc80.jpg")


def test_a_field_of_a_newer_engine_is_no_error() -> None:
    assert wire.read_line(b'{"event": "log", "text": "x", "colour": "red"}') == wire.Log("x")


def test_the_empty_result_of_a_ping() -> None:
    said = wire.read_line(b'{"id": 3, "event": "result", "value": {}}')
    assert isinstance(said, wire.Result)
    assert (said.id, wire.read(said.value, dict)) == (3, {})
    assert wire.read(wire.Result().value, wire.Document) == wire.Document()


def test_a_value_is_read_as_what_was_asked_for_even_with_names_that_are_no_utf8() -> None:
    for name in ("cat.jpg", "cat\udc80.jpg"):
        line = json.dumps({"id": 3, "event": "result", "value": {"nodes": [{"name": name, "cosine_avg": 0.5}]}}).encode()
        said = wire.read_line(line)
        assert isinstance(said, wire.Result)
        assert wire.read(said.value, wire.Document).nodes == (wire.Row(name, cosine_avg=0.5),)
        with pytest.raises(wire.Unfit):
            wire.read(said.value, list)
    with pytest.raises(wire.Unfit):
        wire.read(msgspec.Raw(b"[" * 100_000), wire.Document)
    with pytest.raises(wire.Unfit):
        wire.read(msgspec.Raw(b'{"model": "\xff"}'), wire.Document)


def test_an_event_that_only_one_request_has_keeps_its_fields() -> None:
    assert wire.read_line(b'{"id": 3, "event": "step", "left": 4}') == wire.News("step", 3, {"id": 3, "event": "step", "left": 4})


@given(st.lists(st.binary(max_size=20), max_size=20), st.integers(1, 7))
def test_lines_come_out_whole_however_the_stream_is_cut(lines: list[bytes], size: int) -> None:
    lines = [line.replace(b"\n", b"") for line in lines]
    stream = b"".join(line + b"\n" for line in lines) + b"no end"
    splitter = LineSplitter()
    got = [line for at in range(0, len(stream), size) for line in splitter.feed(stream[at : at + size])]
    assert got == [line for line in lines if line.strip()]


def test_a_line_over_the_limit_is_dropped_and_the_next_one_is_not() -> None:
    splitter = LineSplitter(limit=10)
    assert list(splitter.feed(b"x" * 8)) == []
    assert list(splitter.feed(b"y" * 8 + b"\n" + b"short\n")) == [b"short"]
