"""magik.cfg as one immutable value.

`load_config` reads the file, `override` applies `--set KEY=VALUE`; both say what is wrong by file, line and column, or
by flag. What can be understood is, with a warning: spellings of the vendor's guide, other case, an unknown key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.config_schema import BY_NAME, SCHEMA, Key, Kind, find_key, template_text
from engine.config_values import Spot, read_value
from engine.errors import ConfigError, nearest
from engine.jsontext import Json, Member, Object, Source, describe, printable, read_json, shown

__all__ = [
    "MAX_BYTES",
    "SCHEMA",
    "TEMPLATE",
    "Config",
    "ConfigWarning",
    "Key",
    "Kind",
    "check_inputs",
    "color_for",
    "input_shapes",
    "load_config",
    "mean_for",
    "normal_for",
    "override",
    "parse_config",
    "read_source",
    "template_text",
]

MAX_BYTES = 1 << 20  # a larger file is something else, most likely the model
TEMPLATE = template_text()


@dataclass(frozen=True, slots=True)
class Config:
    """Every key of magik.cfg under its lower-case name (`config_schema.SCHEMA` explains each).

    Per-input values hold one entry per input as written: `input_shape` (NCHW sizes), `mean` and `normal` (one number
    or one per channel, an empty entry being the default), `color`. Read them with `input_shapes`, `mean_for`,
    `normal_for` and `color_for`, which broadcast. The methods and the data set's size are None when not given.
    Paths are as written.
    """

    soc: str = ""
    input: tuple[str, ...] = ()
    input_shape: tuple[tuple[int, ...], ...] = ()
    mean: tuple[tuple[float, ...], ...] = ()
    normal: tuple[tuple[float, ...], ...] = ()
    color: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    quant_dataset_path: str = ""
    debug_path: str = ""
    quant_feature_bit: int = 8
    quant_weight_bit: int = 8
    quant_feature_method: str | None = None
    quant_weight_method: str | None = None
    quant_dataset_size: int | None = None
    quant_op_skip: tuple[str, ...] = ()
    quant_node_skip: tuple[str, ...] = ()
    weight_fake_quant: bool = False
    feature_fake_quant: bool = False
    weight_correct_path: str = ""
    feature_correct_path: str = ""
    save_op_quant_bit: bool = False
    load_op_quant_bit: bool = False
    load_op_quant_min_max: bool = False


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """What was understood, but should be mended; `line` and `column` count from 1, 0 for a flag."""

    message: str
    where: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}:{self.column}" if self.line else self.where
        return f"{place}: {self.message}"


Read = tuple[Config, tuple[ConfigWarning, ...]]


def load_config(path: str | Path) -> Read:
    """Return the configuration in the file `path` and the warnings.

    The file is JSON in UTF-8 of at most `MAX_BYTES`; ConfigError when it is not, or when it cannot be read.
    """
    source = read_source(path, hint="-gcfg writes a template")
    return parse_config(source.text, file=source.file)


def read_source(path: str | Path, *, hint: str) -> Source:
    """Return the text of the file `path`, UTF-8 of at most `MAX_BYTES`; the ConfigError of one that cannot be read carries `hint`."""
    where = str(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot be read: {reason}", where=where, hint=hint) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"larger than {MAX_BYTES} bytes, expected a file in JSON", where=where)
    try:
        return Source(data.decode("utf-8"), where)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        raise Source(before, where).error("expected text in UTF-8", len(before), "save the file as UTF-8") from error


def parse_config(text: str, *, file: str = "magik.cfg") -> Read:
    """Return the configuration in `text` and the warnings; every ConfigError names `file`, line and column."""
    source = Source(text, file)
    top = read_json(source)
    if not isinstance(top.value, Object):
        raise source.error(f'expected an object {{"KEY": value, ...}}, got {describe(top)}', top.offset)
    warnings: list[ConfigWarning] = []

    def warn(message: str, offset: int) -> None:
        warnings.append(ConfigWarning(message, file, *source.place(offset)))

    values: dict[str, Any] = {}
    for member in top.value.members:
        key = find_key(member.key)
        if key is None:
            warn(_unknown(member.key, " has no effect"), member.offset)
            continue
        _warn_of_spelling(key, member, key.field in values, warn)
        values[key.field] = read_value(Spot(key, source, warn), member.value)
    return Config(**values), tuple(warnings)


def _warn_of_spelling(key: Key, member: Member, again: bool, warn: Callable[[str, int], None]) -> None:
    if member.key != key.name:
        warn(f"{shown(member.key)} is read as {key.name}", member.offset)
    if again:
        warn(f"{key.name} stands here again; the last one counts", member.offset)


def _unknown(written: str, effect: str = "") -> str:
    near = nearest(written, BY_NAME)
    return f"unknown key {shown(written)}{effect}" + (f"; did you mean {near}?" if near else "")


def override(config: Config, items: Iterable[str]) -> Read:
    """Return `config` with each "KEY=VALUE" of `items` applied in order, and the warnings.

    VALUE is JSON; what is not JSON, and what is not a list where text is expected, is taken as it stands (`SOC=T40`,
    `INPUT=740`). An empty VALUE restores the default. ConfigError names the flag; an unknown key is an error here.
    """
    warnings: list[ConfigWarning] = []
    for item in items:
        flag = f"--set {printable(item)}"
        name, equals, written = item.partition("=")
        if not equals:
            raise ConfigError("expected KEY=VALUE", where=flag)
        key = find_key(name)
        if key is None:
            raise ConfigError(_unknown(name), where=flag)
        source = Source(written, flag, positions=False)

        def warn(message: str, offset: int, flag: str = flag) -> None:
            warnings.append(ConfigWarning(message, flag))

        if name != key.name:
            warn(f"{shown(name)} is read as {key.name}", 0)
        value: Any = key.default if not written else read_value(Spot(key, source, warn), _flag_value(key, source))
        config = replace(config, **{key.field: value})
    return config, tuple(warnings)


def _flag_value(key: Key, source: Source) -> Json:
    as_text = Json(source.text, 0)
    try:
        item = read_json(source)
    except ConfigError:
        if key.kind in ("colors", "names") and source.text.lstrip().startswith("["):
            raise  # a list that is broken, and no name
        return as_text
    textual = key.kind in ("choice", "colors", "names", "path")
    return as_text if textual and not isinstance(item.value, str | tuple) else item


def check_inputs(config: Config, n_inputs: int) -> None:
    """Raise ConfigError where INPUT, INPUT_SHAPE, MEAN, NORMAL or COLOR has more entries than there are inputs."""
    for name in ("INPUT", "INPUT_SHAPE", "MEAN", "NORMAL", "COLOR"):
        given = len(getattr(config, BY_NAME[name].field))
        if given > n_inputs:
            raise ConfigError(f"{given} entries for {n_inputs} input{'s' if n_inputs != 1 else ''}", where=name)


def input_shapes(config: Config, n_inputs: int) -> tuple[tuple[int, ...] | None, ...]:
    """Return the shape INPUT_SHAPE gives each input, None where it comes from the model.

    The inputs are those of INPUT in its order, then the model's others. The last shape serves the inputs that follow as
    far as INPUT lists them (all of them when INPUT is empty): what is not listed comes from the model.
    ConfigError from `check_inputs`.
    """
    check_inputs(config, n_inputs)
    shapes: list[tuple[int, ...] | None] = [shape or None for shape in config.input_shape[:n_inputs]]
    if shapes:
        listed = len(config.input) or n_inputs
        shapes += [shapes[-1]] * (listed - len(shapes))
    return tuple(shapes + [None] * (n_inputs - len(shapes)))


def mean_for(config: Config, index: int, channels: int) -> tuple[float, ...]:
    """Return what is subtracted from each channel of input `index`; ConfigError when the count does not fit."""
    return _per_channel("MEAN", config.mean, index, channels, 0.0)


def normal_for(config: Config, index: int, channels: int) -> tuple[float, ...]:
    """Return what each channel of input `index` is divided by; ConfigError when the count does not fit."""
    return _per_channel("NORMAL", config.normal, index, channels, 1.0)


def _per_channel(name: str, rows: tuple[tuple[float, ...], ...], index: int, channels: int, default: float) -> tuple[float, ...]:
    row = (rows[min(index, len(rows) - 1)] if rows else ()) or (default,)
    if len(row) == 1:
        return row * channels
    if len(row) != channels:
        raise ConfigError(
            f"{len(row)} numbers for input {index}, which has {channels} channel{'s' if channels != 1 else ''}",
            where=name,
            hint="give one number, or one per channel",
        )
    return row


def color_for(config: Config, index: int) -> str:
    """Return the colour order of input `index`: RGB, BGR or GRAY; the last one given serves the inputs that follow."""
    return config.color[min(index, len(config.color) - 1)] if config.color else "RGB"
