"""From one JSON value to the value a key of magik.cfg holds: one small reader per kind of key.

Every reader returns an immutable value or raises the ConfigError that names key, place, what was expected and what was
found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.config_schema import Key, Kind
from engine.errors import ConfigError, nearest
from engine.jsontext import Json, Source, describe, shown

MAX_RANK = 8
MAX_ELEMENTS = 2**31 - 1
LARGEST, SMALLEST = 1e30, 1e-30  # MEAN and NORMAL, and their quotient with a pixel, must stay finite in float32


@dataclass(frozen=True, slots=True)
class Spot:
    """What a reader needs to speak about one key: the key, the text it stands in, and the hook for warnings."""

    key: Key
    source: Source
    warn: Callable[[str, int], None]

    def wrong(self, item: Json, expected: str, hint: str = "") -> ConfigError:
        return self.source.error(f"{self.key.name}: expected {expected}, got {describe(item)}", item.offset, hint)


def read_value(spot: Spot, item: Json) -> object:
    """Return the value of `spot.key` that `item` stands for; ConfigError where it is not a legal one."""
    return _READERS[spot.key.kind](spot, item)


def _text(spot: Spot, item: Json, expected: str) -> str:
    if not isinstance(item.value, str):
        raise spot.wrong(item, expected)
    if "\0" in item.value:
        raise spot.source.error(f"{spot.key.name}: a NUL character in {describe(item)}", item.offset)
    return item.value


def _path(spot: Spot, item: Json) -> str:
    return _text(spot, item, "a path in double quotes")


def _flag(spot: Spot, item: Json) -> bool:
    if isinstance(item.value, bool):
        return item.value
    quoted = isinstance(item.value, str) and item.value.strip().lower() in ("true", "false")
    raise spot.wrong(item, "true or false", "in lower case, without quotes" if quoted else "")


def _integer(spot: Spot, item: Json) -> int:
    low, high = spot.key.low, spot.key.high
    expected = "an integer"
    if low is not None:
        expected += f" from {low} to {high}" if high is not None else f" of {low} or more"
    value = item.value
    if not isinstance(value, int) or isinstance(value, bool):
        raise spot.wrong(item, expected)
    if (low is not None and value < low) or (high is not None and value > high):
        raise spot.wrong(item, expected)
    return value


def _word(spot: Spot, item: Json) -> str:
    key = spot.key
    expected = f"one of {', '.join(key.choices)}"
    written = _text(spot, item, expected)
    word = "_".join(written.upper().replace("-", " ").replace("_", " ").split())
    word = dict(key.respelled).get(word, word)
    if word in key.choices:
        if word != written:
            spot.warn(f"{key.name}: {describe(item)} is read as {word}", item.offset)
        return word
    near = nearest(word, key.choices)
    hint = f"did you mean {near}?" if near else ""
    if key.strict:
        raise spot.wrong(item, expected, hint)
    spot.warn(f"{key.name}: {describe(item)} is not {expected}{'; ' + hint if hint else ''}", item.offset)
    return word


def _choice(spot: Spot, item: Json) -> object:
    return spot.key.default if item.value == "" else _word(spot, item)


def _colors(spot: Spot, item: Json) -> tuple[str, ...]:
    return tuple(_word(spot, each) for each in _listed(spot, item, f"a list of {', '.join(spot.key.choices)}"))


def _names(spot: Spot, item: Json) -> tuple[str, ...]:
    names: list[str] = []
    for each in _listed(spot, item, "a list of names in double quotes"):
        name = _text(spot, each, "a name in double quotes")
        if not name:
            raise spot.wrong(each, "a name")
        if name in names:
            raise spot.source.error(f"{spot.key.name}: {describe(each)} stands here twice", each.offset)
        names.append(name)
    return tuple(names)


def _listed(spot: Spot, item: Json, expected: str) -> tuple[Json, ...]:
    """Return the items of a list; one string alone is taken for a list of one, an empty one for the empty list."""
    if isinstance(item.value, tuple):
        return item.value
    if not isinstance(item.value, str):
        raise spot.wrong(item, expected)
    if not item.value:
        return ()
    if spot.source.positions:  # a file, which other tools read as well; on a command line the short form is welcome
        name = shown(item.value)
        spot.warn(f"{spot.key.name}: expected a list, {name} is read as [{name}]", item.offset)
    return (item,)


def _rows(spot: Spot, item: Json, what: str) -> tuple[tuple[Json, ...], ...]:
    """Return the rows, one per input, of a flat list (one row) or of a list of lists."""
    if not isinstance(item.value, tuple):
        raise spot.wrong(item, what)
    if not item.value:
        return ()
    rows = [each for each in item.value if isinstance(each.value, tuple)]
    if not rows:
        return (item.value,)
    for each in item.value:
        if not isinstance(each.value, tuple):
            raise spot.wrong(each, "a list like the others beside it")
    return tuple(each.value for each in rows if isinstance(each.value, tuple))


def _numbers(spot: Spot, item: Json) -> tuple[tuple[float, ...], ...]:
    if isinstance(item.value, int | float) and not isinstance(item.value, bool):
        return ((_number(spot, item),),)
    return tuple(tuple(_number(spot, each) for each in row) for row in _rows(spot, item, "a number or list of numbers"))


def _number(spot: Spot, item: Json) -> float:
    value = item.value
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise spot.wrong(item, "a number")
    if spot.key.nonzero and abs(value) < SMALLEST:
        raise spot.wrong(item, "a divisor that is not zero")
    if abs(value) > LARGEST:
        raise spot.wrong(item, f"a number up to {LARGEST:g}")
    return float(value)


def _shapes(spot: Spot, item: Json) -> tuple[tuple[int, ...], ...]:
    return tuple(_shape(spot, row) for row in _rows(spot, item, "a shape such as [1,3,224,224], or a list of shapes"))


def _shape(spot: Spot, row: tuple[Json, ...]) -> tuple[int, ...]:
    sizes: list[int] = []
    for each in row:
        if not isinstance(each.value, int) or isinstance(each.value, bool) or each.value < 1:
            raise spot.wrong(each, "a size of 1 or more")
        sizes.append(each.value)
    if len(sizes) > MAX_RANK or math.prod(sizes) > MAX_ELEMENTS:
        limit = f"at most {MAX_RANK} sizes and {MAX_ELEMENTS} elements"
        raise spot.source.error(f"{spot.key.name}: expected {limit}", row[0].offset)
    return tuple(sizes)


_READERS: Mapping[Kind, Callable[[Spot, Json], object]] = {
    "choice": _choice,
    "colors": _colors,
    "flag": _flag,
    "integer": _integer,
    "names": _names,
    "numbers": _numbers,
    "path": _path,
    "shapes": _shapes,
}
