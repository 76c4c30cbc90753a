"""File names are safe, unique and stable; C identifiers are legal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.export.names import MOST_BYTES, c_identifier, file_name, file_names


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("data/BatchNormScale", "data_BatchNormScale"),
        ("resnetv15_relu0_fwd", "resnetv15_relu0_fwd"),
        ("414", "414"),
        ("", "%"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("../x", "%2E._x"),
        ("a:b*c", "a%3Ab%2Ac"),
        ("50%", "50%25"),
        ("层", "%E5%B1%82"),
        ("a\nb\x1b", "a%0Ab%1B"),
        ("\ud800", "%ED%A0%80"),
    ],
)
def test_file_name(name: str, wanted: str) -> None:
    assert file_name(name) == wanted


@given(st.text(st.characters(codec=None), max_size=300))
def test_any_name_is_a_safe_file_name(name: str) -> None:
    text = file_name(name)
    assert text not in ("", ".", "..")
    assert len(text.encode("ascii")) <= MOST_BYTES
    assert not re.search(r'[/\\\x00-\x1f:*?"<>|]', text)
    assert text == file_name(name)


@given(st.lists(st.text("ab/_AB%", max_size=5), unique=True, max_size=30))
def test_names_of_a_model_never_meet(names: list[str]) -> None:
    table = file_names(names)
    assert list(table) == names
    assert len({text.casefold() for text in table.values()}) == len(names)
    assert table == file_names(names)
    assert {n: table[n] for n in reversed(names)} == file_names(reversed(names))


def test_long_names_stay_apart_and_keep_their_beginning() -> None:
    table = file_names(["x" * 500, "x" * 501, "x" * 200])
    assert len(set(table.values())) == 3
    assert all(len(t) <= MOST_BYTES and t.startswith("x" * 150) for t in table.values())


def test_of_two_that_meet_the_one_that_needs_no_change_keeps_its_name() -> None:
    table = file_names(["a/b", "a_b"])
    assert table["a_b"] == "a_b"
    assert re.fullmatch("a_b~[0-9a-f]{12}", table["a/b"])


@given(st.text(max_size=40))
def test_c_identifier_is_legal(name: str) -> None:
    assert re.fullmatch("[0-9A-Za-z_]*", c_identifier(name))
