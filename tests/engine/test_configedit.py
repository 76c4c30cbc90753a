"""Setting a key changes that key, and not one byte beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import TEMPLATE, parse_config
from engine.configedit import set_keys
from engine.errors import ConfigError
from engine.jsontext import Source

GUIDE = """{
    "SOC":"T40",
    "INPUT":["data"],

    "MEAN":[123.675, 116.28,103.53],   "COLOR" : [ "RGB" ],
    "QUANT_NODE_SKIP":[
        "a",
        "b"
    ],
    "what we tried": {"QUANT_NODE_SKIP": ["not this"], "x": [1,  2]}
}
"""


def edited(text: str, **changes: object) -> str:
    return set_keys(Source(text, "m.cfg"), changes)


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ('"SOC":"T40"', '"SOC":"T41"', {"SOC": "T41"}),
        ('"COLOR" : [ "RGB" ]', '"COLOR" : ["BGR"]', {"COLOR": ["BGR"]}),
        ('"MEAN":[123.675, 116.28,103.53]', '"MEAN":[1, 2.5, 3]', {"MEAN": [1, 2.5, 3]}),
        (
            '[\n        "a",\n        "b"\n    ]',
            '[\n        "a",\n        "b",\n        "\u5c42"\n    ]',
            {"QUANT_NODE_SKIP": ["a", "b", "\u5c42"]},
        ),
        ('[\n        "a",\n        "b"\n    ]', "[]", {"QUANT_NODE_SKIP": []}),
        (' "x": [1,  2]}\n', ' "x": [1,  2]},\n    "QUANT_FEATURE_BIT": 10\n', {"QUANT_FEATURE_BIT": 10}),
        (' "x": [1,  2]}\n', ' "x": [1,  2]},\n    "WEIGHT_FAKE_QUANT": true\n', {"WEIGHT_FAKE_QUANT": True}),
        ('    "QUANT_NODE_SKIP":[\n        "a",\n        "b"\n    ],\n', "", {"QUANT_NODE_SKIP": None}),
        ('"SOC":"T40",\n    ', "", {"SOC": None}),
    ],
)
def test_one_key_and_nothing_else(old: str, new: str, changes: dict[str, object]) -> None:
    assert GUIDE.count(old) == 1
    assert edited(GUIDE, **changes) == GUIDE.replace(old, new)


@pytest.mark.parametrize(
    ("text", "changes", "result"),
    [
        ("{}", {"SOC": "T40"}, '{\n    "SOC": "T40"\n}'),
        ("{\r\n}\r\n", {"SOC": "T40"}, '{\r\n    "SOC": "T40"\r\n}\r\n'),
        ('{"SOC":"T40"}', {"QUANT_WEIGHT_BIT": 4}, '{"SOC":"T40","QUANT_WEIGHT_BIT":4}'),
        ('{"SOC": "T40"}', {"SOC": None}, "{}"),
        ('{"SOC": "T40", "A": 1}', {"QUANT_OP_SKIP": ["Add"]}, '{"SOC": "T40", "A": 1, "QUANT_OP_SKIP": ["Add"]}'),
        ('{\r\n\t"SOC" :\t"T40"\r\n}', {"QUANT_OP_SKIP": ["Add"]}, '{\r\n\t"SOC" :\t"T40",\r\n\t"QUANT_OP_SKIP" :\t["Add"]\r\n}'),
        ('\ufeff{"SOC":"T40"}', {"SOC": "T41"}, '\ufeff{"SOC":"T41"}'),
        ('{"SOC":"T40","soc":"T41"}', {"SOC": "A1"}, '{"SOC":"T40","soc":"A1"}'),
        ('{"SOC":"T40","A":0,"soc":"T41"}', {"SOC": None}, '{"A":0}'),
        ('{"DEUBG_PATH":"./a"}', {"DEBUG_PATH": "./b"}, '{"DEUBG_PATH":"./b"}'),
        ('{"quant feature bit":8}', {"QUANT_FEATURE_BIT": 12}, '{"quant feature bit":12}'),
        ('{"INPUT":"data"}', {"INPUT": ["data"]}, '{"INPUT":"data"}'),
        ('{"MEAN":[127.0 , 1e2]}', {"MEAN": [127, 100]}, '{"MEAN":[127.0 , 1e2]}'),
        ('{"a\\":\\"b":1}', {"SOC": "T40"}, '{"a\\":\\"b":1,"SOC":"T40"}'),
        (
            '{\n "SOC":"T40"\n}',
            {"QUANT_OP_SKIP": ["Add"], "QUANT_NODE_SKIP": ["a", "b"]},
            '{\n "SOC":"T40",\n "QUANT_OP_SKIP":["Add"],\n "QUANT_NODE_SKIP":["a", "b"]\n}',
        ),
    ],
)
def test_the_way_the_file_is_written_is_kept(text: str, changes: dict[str, object], result: str) -> None:
    assert edited(text, **changes) == result


def test_a_list_too_long_for_a_line_has_an_item_on_each() -> None:
    names = [f"resnetv15_stage{i}_batchnorm1_fwd" for i in range(4)]
    lines = edited(TEMPLATE, QUANT_NODE_SKIP=names).splitlines()
    assert lines[-7:] == ['    "QUANT_NODE_SKIP":[', *(f'        "{n}",' for n in names[:3]), f'        "{names[3]}"', "    ]", "}"]


STYLES = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 2, 4, "\t"]), "separators": st.sampled_from([(",", ":"), (",", ": "), (" , ", " : ")])}
)
NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), unique=True, max_size=5)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "SOC": st.sampled_from(["", "T40", "A1"]),
        "QUANT_FEATURE_BIT": st.integers(2, 16),
        "QUANT_OP_SKIP": NAMES,
        "QUANT_NODE_SKIP": NAMES,
        "SAVE_OP_QUANT_BIT": st.booleans(),
        "DEBUG_PATH": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    },
)
UNKNOWN = st.dictionaries(st.text(max_size=4).map("_{}".format), st.lists(st.integers()), max_size=3)


@given(VALUES, UNKNOWN, VALUES, STYLES, st.booleans())
def test_any_file_means_what_was_set_and_all_it_meant_before(
    known: dict[str, Any], unknown: dict[str, Any], changes: dict[str, Any], style: dict[str, Any], windows: bool
) -> None:
    """Whatever the file looks like: the keys set have their values, every other member stands as it stood, character by character."""
    text = json.dumps(known | unknown, **style, ensure_ascii=False)
    text = text.replace("\n", "\r\n") if windows else text
    after = edited(text, **changes)
    assert json.loads(after) == known | unknown | changes
    assert list(json.loads(after))[: len(known | unknown)] == list(known | unknown)
    assert parse_config(after)[0] == parse_config(json.dumps(known | changes))[0]
    for name, value in (known | unknown).items():
        if name not in changes:
            member = json.dumps({name: value}, **style, ensure_ascii=False).strip("{}\n")
            assert (member.replace("\n", "\r\n") if windows else member) in after
    assert edited(after, **changes) == after
    assert json.loads(edited(after, **dict.fromkeys(changes))) == {k: v for k, v in (known | unknown).items() if k not in changes}


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ('{"SOC":"T40",}', {"SOC": "T41"}, 'm.cfg:1:13: trailing comma before "}"'),
        ('{"SOC":"T40"} // mine', {"SOC": "T41"}, "m.cfg:1:15: a comment: JSON has none"),
        ("[]", {"SOC": "T41"}, "m.cfg:1:1: expected an object"),
        ('{"QUANT_WEIGHT_BIT":99}', {"SOC": "T41"}, "m.cfg:1:21: QUANT_WEIGHT_BIT: expected an integer from 2 to 8, got 99"),
        ("{}", {"QUANT_FEATURE_BIT": 99}, "m.cfg: QUANT_FEATURE_BIT: expected an integer from 2 to 16, got 99"),
        ("{}", {"QUANT_NODE_SKIP": ["a", "a"]}, '"a" stands here twice'),
        ("{}", {"QUANT_NODE_SKIPS": ["a"]}, 'm.cfg: there is no key "QUANT_NODE_SKIPS" (did you mean QUANT_NODE_SKIP?)'),
        ("{}", {"SOC": "a\0b"}, "a NUL character"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        edited(text, **changes)
    assert message in str(caught.value)
