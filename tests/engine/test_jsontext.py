"""The JSON reader: the standard library's values, the place of each, and an error that says what was expected where."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.jsontext import Json, Object, Source, describe, read_json

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def outcome(read: Callable[[], object]) -> object:
    try:
        return read()
    except (ConfigError, ValueError) as error:
        return error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"SOC":"T40",}', '1:13: trailing comma before "}" (remove it)'),
        ('{"INPUT":["a",\n]}', '1:14: trailing comma before "]"'),
        ('{"SOC":"T40"\n "INPUT":[]}', '1:13: expected "," before the next value (a comma is missing here)'),
        ('{"INPUT":["a", "MEAN":[1]}', '1:22: expected "," or "]", got ":" (the "[" of line 1, column 10'),
        ('{"MEAN":[1,2}', '1:13: expected "," or "]", got "}"'),
        ('{"MEAN":[1,2', '1:9: this "[" is never closed'),
        ('{"MEAN":[1,2]', '1:1: this "{" is never closed'),
        ("{", '1:1: this "{" is never closed'),
        ('{"SOC":"T40,\n"INPUT":[]}', "1:8: this string is never closed"),
        ('{"SOC":"T40', "1:8: this string is never closed"),
        ('{"SOC":"T40".\n}', '1:13: expected "," or "}", got "."'),
        ('{"DEBUG_PATH":"C:\\data"}', '1:18: unknown escape "\\d" in a string (write \\\\ for a backslash, or /)'),
        ('{"SOC":"a\tb"}', "1:10: a control character in a string (write \\u0009)"),
        ('{"SOC":"\\ud800"}', "1:8: a string with half of a surrogate pair"),
        ('{"SOC" "T40"}', '1:8: expected ":" after the key "SOC"'),
        ('{"SOC"\uff1a"T40"}', '(write the plain ":", not the full-width one)'),
        ('{"SOC":\u201cT40\u201d}', "(strings take plain double quotes"),
        ("{'SOC':1}", "1:2: expected a key in double quotes"),
        ('{SOC:"T40"}', '1:2: expected a key in double quotes, got "SOC" (text takes double quotes)'),
        ('{"SOC":T40}', '1:8: expected a value, got "T40" (text takes double quotes)'),
        ('{"A":True}', '1:6: expected a value, got "True" (write true)'),
        ('{"A":NaN}', '1:6: expected a value, got "NaN" (JSON has finite numbers only)'),
        ('{"A":-Infinity}', '1:6: expected a number, got "-Infinity"'),
        ('{"A":1e999}', "1:6: the number 1e999 is out of range"),
        ('{"A":' + "9" * 5000 + "}", "1:6: a number of more than 400 characters"),
        ('{"A":01}', '1:6: expected a number, got "01" (no 0 before a number)'),
        ('{"A":.5}', 'got ".5" (a digit goes before and after the ".")'),
        ('{"A":5.}', 'got "5." (a digit goes before and after the ".")'),
        ('{"A":+5}', 'got "+5" (no "+" before a number)'),
        ('{"A":0x10}', '1:6: expected a number, got "0x10"'),
        ('{"A":\u0661}', "1:6: expected a number"),
        ('{"A":1} // why', "1:9: a comment: JSON has none (remove it)"),
        ('# why\n{"A":1}', "1:1: a comment: JSON has none"),
        ('{"A": /* why */ 1}', "1:7: a comment: JSON has none"),
        ('{"A":1}}', '1:8: expected the end of the text, got "}"'),
        ("", "1:1: expected a value, got the end of the text"),
        ('{"A":', "1:6: expected a value, got the end of the text"),
        ("[" * 100_000, "1:65: nested more than 64 deep"),
        ('{"a":' * 100_000, "nested more than 64 deep"),
    ],
)
def test_broken_json_says_where_and_what(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_json(Source(text, "m.cfg"))
    assert message in str(caught.value)
    assert str(caught.value).startswith("m.cfg:")


@given(documents, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
def test_valid_json_reads_as_the_standard_library_reads_it(document: object, indent: Any, ascii_only: bool) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    assert repr(read_json(Source(text, "x")).plain()) == repr(json.loads(text))


def each_value(item: Json) -> list[Json]:
    inner: tuple[Json, ...] = ()
    if isinstance(item.value, tuple):
        inner = item.value
    elif isinstance(item.value, Object):
        inner = tuple(member.value for member in item.value.members)
    return [item, *(below for each in inner for below in each_value(each))]


@given(documents)
def test_every_value_knows_its_place(document: object) -> None:
    text = json.dumps(document, indent=1)
    source = Source(text, "x")
    lines = text.split("\n")
    for item in each_value(read_json(source)):
        line, column = source.place(item.offset)
        assert lines[line - 1][column - 1] == text[item.offset]
        assert repr(json.JSONDecoder().raw_decode(text, item.offset)[0]) == repr(item.plain())


pieces = st.sampled_from([*'{}[],:"\\ \n\t-+.eE019#/', "true", "null", "\\u", "\ud800", "\ufeff", "MEAN", '"SOC":', "\uff0c"])


@given(st.lists(pieces, max_size=30).map("".join) | st.text())
def test_hostile_text_gives_what_the_standard_library_gives_or_a_config_error(text: str) -> None:
    expected = outcome(lambda: json.loads(text.removeprefix("\ufeff")))
    got = outcome(lambda: read_json(Source(text, "x")).plain())
    if isinstance(expected, ValueError):
        assert isinstance(got, ConfigError)
    elif isinstance(got, ConfigError):  # what the standard library adds to JSON
        assert any(word in str(got) for word in ("surrogate", "finite", "Infinity", "out of range"))
    else:
        assert repr(got) == repr(expected)


def test_equal_keys_are_all_there_and_the_last_one_stands() -> None:
    top = read_json(Source('{"a": 1, "b": 2, "a": 3}', "x"))
    assert top.plain() == {"a": 3, "b": 2}
    assert isinstance(top.value, Object)
    assert [(member.key, member.offset) for member in top.value.repeated()] == [("a", 17)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "an empty list"),
        ("[1]", "a list"),
        ("{}", "an object"),
        ("null", "null"),
        ("false", "false"),
        ("1.5", "1.5"),
        ('"' + "a" * 99 + '"', '"' + "a" * 57 + '..."'),
        ("1" * 50, "1" * 37 + "..."),
    ],
)
def test_values_are_described_in_few_words(text: str, words: str) -> None:
    assert describe(read_json(Source(text, "x"))) == words
