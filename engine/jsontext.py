"""JSON read with the place of every value, so that a wrong one can be named by line and column.

The grammar is that of RFC 8259 and nothing more: what `json.loads` adds to it (NaN, Infinity, lone surrogates) is
refused.
A broken text says what was expected and how to mend it, because the files read here are written by hand.
"""

from __future__ import annotations

import bisect
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from engine.errors import ConfigError

MAX_DEPTH = 64  # far above what any of our files needs, far below the interpreter's recursion limit
MAX_DIGITS = 400  # a longer number cannot be a float64 anyway

_SPACE = re.compile(r"[ \t\r\n]*+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*+')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[^\W\d]\w*")
_NUMBER_LIKE = re.compile(r"[-+.\w]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_FULL_WIDTH = dict(zip("\uff0c\uff1a\uff3b\uff3d\uff5b\uff5d\u3010\u3011\u3001", ",:[]{}[],", strict=True))
_QUOTES = "'`\u2018\u2019\u201c\u201d\uff02"


def printable(text: str, limit: int = 60) -> str:
    """Return `text` shortened to `limit` characters, with everything a terminal could obey escaped."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in cut)


def shown(text: str, limit: int = 60) -> str:
    """Return `printable` text in double quotes."""
    return f'"{printable(text, limit)}"'


@dataclass(frozen=True, slots=True)
class Json:
    """One value and the offset of its first character; a list holds a tuple of `Json`, an object an `Object`.

    `end` is the offset behind its last character, 0 of a value that no text holds.
    """

    value: bool | int | float | str | tuple[Json, ...] | Object | None
    offset: int
    end: int = 0

    def plain(self) -> object:
        """Return what `json.loads` would: of equal keys the last one stands."""
        if isinstance(self.value, tuple):
            return [item.plain() for item in self.value]
        if isinstance(self.value, Object):
            return {member.key: member.value.plain() for member in self.value.members}
        return self.value


@dataclass(frozen=True, slots=True)
class Member:
    """One `"key": value` of an object and the offset of its key."""

    key: str
    offset: int
    value: Json


@dataclass(frozen=True, slots=True)
class Object:
    """The members of an object in the order of the file, equal keys included."""

    members: tuple[Member, ...]

    def repeated(self) -> Iterator[Member]:
        """Yield every member whose key stood before."""
        seen: set[str] = set()
        for member in self.members:
            if member.key in seen:
                yield member
            seen.add(member.key)


@dataclass(frozen=True)
class Source:
    """A text and the name it goes by in errors; `positions` is False where a line number would say nothing (a flag)."""

    text: str
    file: str
    positions: bool = True

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(i + 1 for i, c in enumerate(self.text) if c == "\n")]

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of `offset`, both counted from 1 in characters, or (0, 0) without positions."""
        if not self.positions:
            return 0, 0
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def error(self, message: str, offset: int, hint: str = "") -> ConfigError:
        """Return, for the caller to raise, the error that points at `offset`."""
        line, column = self.place(offset)
        return ConfigError(message, where=self.file, line=line, column=column, hint=hint)


def read_json(source: Source) -> Json:
    """Return the one JSON value `source` holds; a byte order mark before it is ignored.

    ConfigError for everything else, nesting beyond `MAX_DEPTH` and numbers beyond float64 included.
    """
    return _Reader(source).document()


def describe(item: Json) -> str:
    """Return the words for "got ..." in an error about `item`."""
    value = item.value
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, Object):
        return "an object"
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


class _Reader:
    """Recursive descent; `at` is the offset of the next character to look at."""

    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self.at = 1 if self.text.startswith("\ufeff") else 0

    def document(self) -> Json:
        item = self._value(0)
        if self._peek():
            self._unexpected("the end of the text")
        return item

    def _peek(self) -> str:
        """Skip white space and return the next character, "" at the end."""
        space = _SPACE.match(self.text, self.at)
        self.at = space.end() if space else self.at
        return self.text[self.at : self.at + 1]

    def _value(self, depth: int) -> Json:
        char, start = self._peek(), self.at
        if char == '"':
            return Json(self._string(), start, self.at)
        if char in ("{", "["):
            if depth >= MAX_DEPTH:
                raise self.source.error(f"nested more than {MAX_DEPTH} deep", start)
            self.at += 1
            return Json(self._object(start, depth) if char == "{" else self._array(start, depth), start, self.at)
        if char and (char in "-+." or char.isdigit()):
            return Json(self._number(), start, self.at)
        word = _WORD.match(self.text, start)
        if word and word[0] in _WORDS:
            self.at = word.end()
            return Json(_WORDS[word[0]], start, self.at)
        self._unexpected("a value")

    def _array(self, start: int, depth: int) -> tuple[Json, ...]:
        items: list[Json] = []
        if self._peek() == "]":
            self.at += 1
            return ()
        while True:
            self._not_at_end(start)
            items.append(self._value(depth + 1))
            if not self._more(start, "]"):
                return tuple(items)

    def _object(self, start: int, depth: int) -> Object:
        members: list[Member] = []
        if self._peek() == "}":
            self.at += 1
            return Object(())
        while True:
            self._not_at_end(start)
            if self._peek() != '"':
                self._unexpected("a key in double quotes")
            offset = self.at
            key = self._string()
            if self._peek() != ":":
                self._unexpected(f'":" after the key {shown(key)}')
            self.at += 1
            members.append(Member(key, offset, self._value(depth + 1)))
            if not self._more(start, "}"):
                return Object(tuple(members))

    def _more(self, start: int, close: str) -> bool:
        """Step over the comma (True) or the closing bracket (False) that must follow a value."""
        end = self.at
        char = self._peek()
        if char == close:
            self.at += 1
            return False
        if char == ",":
            comma, self.at = self.at, self.at + 1
            if self._peek() == close:
                raise self.source.error(f'trailing comma before "{close}"', comma, "remove it")
            return True
        self._not_at_end(start)
        if char in '"{[-' or char.isdigit():
            raise self.source.error('expected "," before the next value', end, "a comma is missing here")
        line, column = self.source.place(start)
        opened = f'the "{self.text[start]}" of line {line}, column {column} is still open' if line else ""
        self._unexpected(f'"," or "{close}"', opened)

    def _not_at_end(self, start: int) -> None:
        if not self._peek():
            raise self.source.error(f'this "{self.text[start]}" is never closed', start)

    def _string(self) -> str:
        start = self.at
        found = _STRING.match(self.text, start)
        end = found.end() if found else start + 1
        stop = self.text[end : end + 1]
        if stop in ("", "\n", "\r"):
            raise self.source.error('this string is never closed: expected " before the end of the line', start)
        if stop == "\\":
            raise self.source.error(
                f"unknown escape {shown(self.text[end : end + 2])} in a string", end, "write \\\\ for a backslash, or /"
            )
        if stop != '"':
            code = f"\\u{ord(stop):04x}"
            raise self.source.error("a control character in a string", end, f"write {code}")
        self.at = end + 1
        value = str(json.loads(self.text[start : self.at]))
        if _SURROGATE.search(value):
            raise self.source.error("a string with half of a surrogate pair, which is not text", start)
        return value

    def _number(self) -> int | float:
        start = self.at
        found = _NUMBER.match(self.text, start)
        written = _NUMBER_LIKE.match(self.text, start)
        if not found or (written and written.end() > found.end()):
            text = written[0] if written else self.text[start]
            raise self.source.error(f"expected a number, got {shown(text, 40)}", start, _number_hint(text))
        if len(found[0]) > MAX_DIGITS:
            raise self.source.error(f"a number of more than {MAX_DIGITS} characters", start)
        self.at = found.end()
        if found[1] is None and found[2] is None:
            return int(found[0])
        number = float(found[0])
        if math.isinf(number):
            raise self.source.error(f"the number {found[0]} is out of range", start)
        return number

    def _unexpected(self, expected: str, hint: str = "") -> NoReturn:
        char = self._peek()
        rest = self.text[self.at : self.at + 2]
        if not char:
            raise self.source.error(f"expected {expected}, got the end of the text", self.at, hint)
        if char == "#" or rest in ("//", "/*"):
            raise self.source.error("a comment: JSON has none", self.at, "remove it")
        if char in _FULL_WIDTH:
            hint = f'write the plain "{_FULL_WIDTH[char]}", not the full-width one'
        elif char in _QUOTES:
            hint = 'strings take plain double quotes: "'
        word = _WORD.match(self.text, self.at)
        got = word[0] if word else char
        if got.lower() in _WORDS:
            hint = f"write {got.lower()}"
        elif got in ("NaN", "Infinity"):
            hint = "JSON has finite numbers only"
        elif word and expected.startswith("a "):
            hint = "text takes double quotes"
        raise self.source.error(f"expected {expected}, got {shown(got, 40)}", self.at, hint)


def _number_hint(text: str) -> str:
    if text.startswith("+"):
        return 'no "+" before a number'
    if re.match(r"-?0[0-9]", text):
        return "no 0 before a number"
    if text.startswith((".", "-.")) or text.endswith("."):
        return 'a digit goes before and after the "."'
    return ""
