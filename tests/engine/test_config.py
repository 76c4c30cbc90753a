"""magik.cfg: what is read, what is mended with a warning, what is refused and where."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import (
    MAX_BYTES,
    SCHEMA,
    TEMPLATE,
    Config,
    color_for,
    input_shapes,
    load_config,
    mean_for,
    normal_for,
    override,
    parse_config,
)
from engine.errors import EXIT_USAGE, ConfigError

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)

RESNET18 = """{
    "SOC":"T40",
    "INPUT":["data"],
    "INPUT_SHAPE":[1,3,224,224],
    "MEAN":[123.675,116.28,103.53],
    "NORMAL":[58.395,57.12,57.375],
    "COLOR":["RGB"],
    "OUTPUT":["resnetv15_dense0_fwd"],
    "QUANT_DATASET_PATH":"./Val_2012_Images_part"
}
"""


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file="m.cfg")
    return str(caught.value)


def outcome(read: Callable[[], Config]) -> Config | ConfigError:
    try:
        return read()
    except ConfigError as error:
        return error


def only(key: str, value: object) -> Any:
    """Return what `key` holds after reading it alone, from text that must give no warning."""
    config, warnings = parse_config(json.dumps({key: value}))
    assert warnings == ()
    return getattr(config, key.lower())


# ---------------------------------------------------------------- the whole


def test_the_guides_own_file() -> None:
    config, warnings = parse_config(RESNET18)
    assert warnings == ()
    assert config == Config(
        soc="T40",
        input=("data",),
        input_shape=((1, 3, 224, 224),),
        mean=((123.675, 116.28, 103.53),),
        normal=((58.395, 57.12, 57.375),),
        color=("RGB",),
        output=("resnetv15_dense0_fwd",),
        quant_dataset_path="./Val_2012_Images_part",
    )


def test_every_key_of_the_schema_is_a_field_with_the_same_default() -> None:
    assert [key.field for key in SCHEMA] == [field.name for field in fields(Config)]
    assert {key.field: key.default for key in SCHEMA} == {field.name: field.default for field in fields(Config)}
    spellings = [name for key in SCHEMA for name in (key.name, *key.aliases)]
    assert len(spellings) == len(set(spellings))
    assert all(key.help.endswith(".") for key in SCHEMA)


def test_the_template_is_the_guides() -> None:
    assert TEMPLATE.splitlines() == [
        "{",
        '    "SOC":"",',
        '    "INPUT":[],',
        '    "INPUT_SHAPE":[],',
        '    "MEAN":[],',
        '    "NORMAL":[],',
        '    "COLOR":[],',
        '    "OUTPUT":[],',
        '    "QUANT_DATASET_PATH":"./path/to/"',
        "}",
    ]
    assert parse_config(TEMPLATE) == (Config(quant_dataset_path="./path/to/"), ())


def test_a_config_is_a_value() -> None:
    config, _ = parse_config(RESNET18)
    assert hash(config) == hash(parse_config(RESNET18)[0])
    assert pickle.loads(pickle.dumps(config)) == config


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("INPUT_SHAPE", [1, 3, 8, 8], ((1, 3, 8, 8),)),
        ("INPUT_SHAPE", [[1, 3, 8, 8]], ((1, 3, 8, 8),)),
        ("INPUT_SHAPE", [[1, 3, 1, 256], [1, 16, 128]], ((1, 3, 1, 256), (1, 16, 128))),
        ("MEAN", 127.5, ((127.5,),)),
        ("MEAN", [1, 2, 3], ((1.0, 2.0, 3.0),)),
        ("MEAN", [[1, 2, 3], [4]], ((1.0, 2.0, 3.0), (4.0,))),
        ("NORMAL", [[], [2]], ((), (2.0,))),
        ("NORMAL", [-1], ((-1.0,),)),
        ("COLOR", ["BGR", "GRAY"], ("BGR", "GRAY")),
        ("INPUT", [], ()),
        ("OUTPUT", ["a/b:0", "层"], ("a/b:0", "层")),
        ("SOC", "", ""),
        ("SOC", "X2500", "X2500"),
        ("QUANT_FEATURE_BIT", 2, 2),
        ("QUANT_FEATURE_BIT", 16, 16),
        ("QUANT_WEIGHT_BIT", 4, 4),
        ("QUANT_FEATURE_METHOD", "KL", "KL"),
        ("QUANT_FEATURE_METHOD", "", None),
        ("QUANT_WEIGHT_METHOD", "ADMM", "ADMM"),
        ("QUANT_DATASET_SIZE", 40, 40),
        ("QUANT_OP_SKIP", ["Conv2D"], ("Conv2D",)),
        ("FEATURE_FAKE_QUANT", True, True),
        ("DEBUG_PATH", "./a picture.jpg", "./a picture.jpg"),
    ],
)
def test_legal_values(key: str, written: object, value: object) -> None:
    got = only(key, written)
    assert (got, type(got)) == (value, type(value))


def test_an_explicit_default_method_is_not_the_same_as_none() -> None:
    assert Config().quant_feature_method is None
    assert only("QUANT_FEATURE_METHOD", "KL") == "KL"


@pytest.mark.parametrize(
    ("key", "written", "message"),
    [
        ("MEAN", "abc", 'expected a number or list of numbers, got "abc"'),
        ("MEAN", [1, "2"], 'expected a number, got "2"'),
        ("MEAN", [1, True], "expected a number, got true"),
        ("MEAN", [[1], 2], "expected a list like the others beside it, got 2"),
        ("MEAN", [[[1]]], "expected a number, got a list"),
        ("MEAN", 10**300, "expected a number up to 1e+30, got 10"),
        ("NORMAL", 0, "expected a divisor that is not zero, got 0"),
        ("NORMAL", [1, 0.0, 1], "expected a divisor that is not zero, got 0.0"),
        ("INPUT_SHAPE", [1, 3, -1, 8], "expected a size of 1 or more, got -1"),
        ("INPUT_SHAPE", [1, 3.0], "expected a size of 1 or more, got 3.0"),
        ("INPUT_SHAPE", [True], "expected a size of 1 or more, got true"),
        ("INPUT_SHAPE", [65536, 65536], "expected at most 8 sizes and 2147483647 elements"),
        ("INPUT_SHAPE", 3, "expected a shape such as [1,3,224,224], or a list of shapes, got 3"),
        ("INPUT", 740, "expected a list of names in double quotes, got 740"),
        ("INPUT", [740], "expected a name in double quotes, got 740"),
        ("INPUT", ["a", "a"], '"a" stands here twice'),
        ("OUTPUT", [""], 'expected a name, got ""'),
        ("COLOR", ["YUV"], 'expected one of RGB, BGR, GRAY, got "YUV"'),
        ("COLOR", {}, "expected a list of RGB, BGR, GRAY, got an object"),
        ("QUANT_FEATURE_BIT", 17, "expected an integer from 2 to 16, got 17"),
        ("QUANT_FEATURE_BIT", 1, "expected an integer from 2 to 16, got 1"),
        ("QUANT_WEIGHT_BIT", 9, "expected an integer from 2 to 8, got 9"),
        ("QUANT_WEIGHT_BIT", "8", 'expected an integer from 2 to 8, got "8"'),
        ("QUANT_WEIGHT_BIT", True, "expected an integer from 2 to 8, got true"),
        ("QUANT_DATASET_SIZE", 0, "expected an integer of 1 or more, got 0"),
        ("QUANT_FEATURE_METHOD", "MES", 'expected one of KL, MSE, ADMM, MAX_ABS, got "MES" (did you mean MSE?)'),
        ("QUANT_WEIGHT_METHOD", "KL", 'expected one of MAX_ABS, ADMM, got "KL"'),
        ("WEIGHT_FAKE_QUANT", "True", 'expected true or false, got "True" (in lower case, without quotes)'),
        ("WEIGHT_FAKE_QUANT", 1, "expected true or false, got 1"),
        ("DEBUG_PATH", [], "expected a path in double quotes, got an empty list"),
        ("DEBUG_PATH", "a\0b", 'a NUL character in "a\\u0000b"'),
    ],
)
def test_illegal_values(key: str, written: object, message: str) -> None:
    assert f"{key}: {message}" in refusal(json.dumps({key: written}))


@pytest.mark.parametrize("key", [key.name for key in SCHEMA])
def test_null_is_refused_everywhere(key: str) -> None:
    assert refusal(f'{{"{key}": null}}').endswith("got null")


def test_an_error_points_at_the_value_not_at_the_line() -> None:
    text = RESNET18.replace("116.28", '"abc"')
    assert refusal(text) == 'm.cfg:5:21: MEAN: expected a number, got "abc"'
    assert refusal(" [1]") == 'm.cfg:1:2: expected an object {"KEY": value, ...}, got a list'
    with pytest.raises(ConfigError) as caught:
        parse_config('\ufeff{\r\n  "MEAN": "abc"}', file="m.cfg")
    assert (caught.value.line, caught.value.column, caught.value.exit_code) == (2, 11, EXIT_USAGE)


# ---------------------------------------------------------------- warnings


@pytest.mark.parametrize(
    ("text", "field", "value", "warning"),
    [
        ('{"DEUBG_PATH":"x"}', "debug_path", "x", '1:2: "DEUBG_PATH" is read as DEBUG_PATH'),
        ('{"QUANT_BATASET_SIZE":3}', "quant_dataset_size", 3, "is read as QUANT_DATASET_SIZE"),
        ('{"QUANT_FEATURE_BITS":10}', "quant_feature_bit", 10, "is read as QUANT_FEATURE_BIT"),
        ('{"FEATURE_QUANT_BITS":10}', "quant_feature_bit", 10, "is read as QUANT_FEATURE_BIT"),
        ('{"WEIGHT_COREECT_PATH":"x"}', "weight_correct_path", "x", "is read as WEIGHT_CORRECT_PATH"),
        ('{"INPUT SHAPE":[1,2]}', "input_shape", ((1, 2),), '"INPUT SHAPE" is read as INPUT_SHAPE'),
        ('{"LOAD OP QUANT BIT":true}', "load_op_quant_bit", True, "is read as LOAD_OP_QUANT_BIT"),
        ('{"soc":"T40"}', "soc", "T40", '"soc" is read as SOC'),
        ('{"COLOR":["BRG"]}', "color", ("BGR",), '1:11: COLOR: "BRG" is read as BGR'),
        ('{"COLOR":["rgb"]}', "color", ("RGB",), 'COLOR: "rgb" is read as RGB'),
        ('{"COLOR":"GRAY"}', "color", ("GRAY",), 'COLOR: expected a list, "GRAY" is read as ["GRAY"]'),
        ('{"INPUT":"data"}', "input", ("data",), 'INPUT: expected a list, "data" is read as ["data"]'),
        ('{"QUANT_FEATURE_METHOD":"max abs"}', "quant_feature_method", "MAX_ABS", "is read as MAX_ABS"),
        ('{"SOC":"T31"}', "soc", "T31", 'SOC: "T31" is not one of T40, T41, A1, X2500'),
        ('{"SOC":"T02"}', "soc", "T02", 'SOC: "T02" is not one of'),
        ('{"MEAN":1,\n "MEAN":2}', "mean", ((2.0,),), "2:2: MEAN stands here again; the last one counts"),
        ('{"OUANT_DATASET_PATH":"x"}', "quant_dataset_path", "", "has no effect; did you mean QUANT_DATASET_PATH?"),
    ],
)
def test_what_is_mended_or_passed_over_with_a_warning(text: str, field: str, value: object, warning: str) -> None:
    config, warnings = parse_config(text, file="m.cfg")
    assert getattr(config, field) == value
    assert [warning in str(each) and str(each).startswith("m.cfg:") for each in warnings] == [True]


def test_a_name_from_the_file_cannot_speak_to_the_terminal() -> None:
    _, (warning,) = parse_config('{"\\u001b[2J\\u202e": 1}')
    assert str(warning) == 'magik.cfg:1:2: unknown key "\\u001b[2J\\u202e" has no effect'


@given(st.dictionaries(st.sampled_from([key.name for key in SCHEMA]), documents))
def test_hostile_values_give_a_config_or_a_config_error(document: dict[str, object]) -> None:
    text = json.dumps(document)
    got = outcome(lambda: parse_config(text)[0])
    if isinstance(got, ConfigError):
        assert got.line == 1
        assert 1 < got.column <= len(text)
    else:
        assert {key.field for key in SCHEMA if getattr(got, key.field) != key.default} <= {k.lower() for k in document}


# ---------------------------------------------------------------- files


def test_load_names_the_file_as_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "magik.cfg"
    file.write_bytes(b"\xef\xbb\xbf" + RESNET18.encode())
    assert load_config(file)[0].soc == "T40"
    file.write_text('{"MEAN":\n"x"}')
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert str(caught.value).startswith(f"{file}:2:1: MEAN: expected")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"SOC":\n "\xc4\xe3"}', ":2:3: expected text in UTF-8"),
        (b"\xff\xfe{\0}\0", ":1:1: expected text in UTF-8"),
        (b" " * (MAX_BYTES + 1), f"larger than {MAX_BYTES} bytes"),
        (b"\0" * 10, ":1:1: expected a value"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "magik.cfg"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(file))


def test_missing_file_folder_and_nonsense(tmp_path: Path) -> None:
    for path in (tmp_path / "none.cfg", tmp_path, "a\0b"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_config(path)


# ---------------------------------------------------------------- broadcast


def config_of(**keys: object) -> Config:
    return parse_config(json.dumps(keys))[0]


def test_shapes_broadcast_the_last_one() -> None:
    assert input_shapes(Config(), 2) == (None, None)
    assert input_shapes(config_of(INPUT_SHAPE=[1, 2]), 3) == ((1, 2),) * 3
    assert input_shapes(config_of(INPUT_SHAPE=[[1, 2], [3]]), 3) == ((1, 2), (3,), (3,))
    assert input_shapes(config_of(INPUT_SHAPE=[[], [3]]), 2) == (None, (3,))


def test_inputs_that_are_not_listed_take_their_shape_from_the_model() -> None:
    gru = config_of(INPUT=["740"], INPUT_SHAPE=[[1, 3, 1, 256]])
    assert input_shapes(gru, 2) == ((1, 3, 1, 256), None)
    both = config_of(INPUT=["740"], INPUT_SHAPE=[[1, 3, 1, 256], [1, 16, 128]])
    assert input_shapes(both, 2) == ((1, 3, 1, 256), (1, 16, 128))


@pytest.mark.parametrize("keys", [{"INPUT": ["a", "b"]}, {"INPUT_SHAPE": [[1], [1]]}, {"MEAN": [[1], [2]]}])
def test_more_entries_than_inputs_are_refused(keys: dict[str, object]) -> None:
    (name,) = keys
    with pytest.raises(ConfigError, match=f"{name}: 2 entries for 1 input"):
        input_shapes(config_of(**keys), 1)


def test_mean_normal_and_color_broadcast_over_channels_and_inputs() -> None:
    assert mean_for(Config(), 1, 3) == (0.0, 0.0, 0.0)
    assert normal_for(Config(), 0, 2) == (1.0, 1.0)
    assert color_for(Config(), 5) == "RGB"
    config = config_of(MEAN=[[1, 2, 3], [4]], NORMAL=[[], [2]], COLOR=["BGR", "GRAY"])
    assert mean_for(config, 0, 3) == (1.0, 2.0, 3.0)
    assert mean_for(config, 2, 2) == (4.0, 4.0)
    assert normal_for(config, 0, 3) == (1.0, 1.0, 1.0)
    assert normal_for(config, 1, 3) == (2.0, 2.0, 2.0)
    assert [color_for(config, index) for index in range(3)] == ["BGR", "GRAY", "GRAY"]
    with pytest.raises(ConfigError, match="MEAN: 3 numbers for input 0, which has 1 channel "):
        mean_for(config, 0, 1)


# ---------------------------------------------------------------- --set


def test_override_takes_json_and_bare_words() -> None:
    config, warnings = override(
        Config(quant_dataset_size=3),
        ["MEAN=[1,2,3]", "SOC=T41", "INPUT=740", "DEBUG_PATH=a=b", "QUANT_FEATURE_BIT=12", "QUANT_DATASET_SIZE="],
    )
    assert warnings == ()
    assert config == Config(mean=((1.0, 2.0, 3.0),), soc="T41", input=("740",), debug_path="a=b", quant_feature_bit=12)
    assert override(config, ['INPUT=["a","b"]', 'DEBUG_PATH="12"', "COLOR=BGR", "MEAN=0.5"])[0] == Config(
        mean=((0.5,),), soc="T41", input=("a", "b"), color=("BGR",), debug_path="12", quant_feature_bit=12
    )


def test_override_in_order_and_with_warnings() -> None:
    config, warnings = override(Config(), ["QUANT_FEATURE_BITS=4", "QUANT_FEATURE_BIT=10", "quant_feature_method=kl"])
    assert (config.quant_feature_bit, config.quant_feature_method) == (10, "KL")
    assert [str(warning) for warning in warnings] == [
        '--set QUANT_FEATURE_BITS=4: "QUANT_FEATURE_BITS" is read as QUANT_FEATURE_BIT',
        '--set quant_feature_method=kl: "quant_feature_method" is read as QUANT_FEATURE_METHOD',
        '--set quant_feature_method=kl: QUANT_FEATURE_METHOD: "kl" is read as KL',
    ]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("MEAN", "--set MEAN: expected KEY=VALUE"),
        ("MEEN=1", '--set MEEN=1: unknown key "MEEN"; did you mean MEAN?'),
        ("=1", '--set =1: unknown key ""'),
        ("MEAN=1,2,3", '--set MEAN=1,2,3: MEAN: expected a number or list of numbers, got "1,2,3"'),
        ("MEAN=[1,", '--set MEAN=[1,: MEAN: expected a number or list of numbers, got "[1,"'),
        ('QUANT_NODE_SKIP=["a", "b"', '--set QUANT_NODE_SKIP=["a", "b": this "[" is never closed'),
        ("QUANT_FEATURE_BIT=null", "--set QUANT_FEATURE_BIT=null: QUANT_FEATURE_BIT: expected an integer"),
        ("WEIGHT_FAKE_QUANT=yes", 'expected true or false, got "yes"'),
    ],
)
def test_override_refuses_with_the_flag_as_the_place(item: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Config(), [item])
    assert message in str(caught.value)


@given(st.sampled_from([key.name for key in SCHEMA]), st.text())
def test_override_survives_anything(key: str, value: str) -> None:
    got = outcome(lambda: override(Config(), [f"{key}={value}"])[0])
    if isinstance(got, ConfigError):
        assert got.where.startswith(f"--set {key}=")
    else:
        assert replace(got, **{key.lower(): getattr(Config(), key.lower())}) == Config()
