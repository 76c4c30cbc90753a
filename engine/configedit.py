"""Keys set in the text of a magik.cfg; every other byte stays as it is.

The file belongs to a person: its order, its white space, its line ends, keys we do not know. A value that is already there is not
written again in another form. A new key goes behind the last one, spaced like it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from .config import parse_config
from .config_schema import BY_NAME, Key, find_key
from .config_values import Spot, read_value
from .errors import ConfigError, nearest
from .jsontext import Json, Member, Object, Source, read_json, shown

WIDTH = 100
"""Longest line of a list before each item gets one of its own."""

INDENT = "    "


def set_keys(source: Source, changes: Mapping[str, object]) -> str:
    """Return the text of `source` with each key of `changes` set to its value, or taken out where that is None.

    Values are plain JSON values. A key is found in every spelling that is read for it; of one that stands twice the last counts, so
    that one is changed. ConfigError where the text is no magik.cfg (with its place), where there is no such key, or where a value is
    not legal for it.
    """
    parse_config(source.text, file=source.file)
    text = source.text
    for name, value in changes.items():
        key = _key(name, source)
        current = Source(text, source.file)
        text = _without(current, key) if value is None else _with(current, key, value)
    parse_config(text, file=source.file)
    return text


def _key(name: str, source: Source) -> Key:
    key = find_key(name)
    if key is None:
        near = nearest(name, BY_NAME)
        raise ConfigError(f"there is no key {shown(name)}", where=source.file, hint=f"did you mean {near}?" if near else "")
    return key


def _with(source: Source, key: Key, value: object) -> str:
    """Return the text with one key set."""
    written = json.dumps(value, ensure_ascii=False)
    wanted = _meaning(key, Source(written, source.file, positions=False))
    item, members = _members(source)
    found = [member for member in members if find_key(member.key) is key]
    if not found:
        return _added(source, item, members, key, value)
    old = found[-1].value
    if _same(key, source, old, wanted):
        return source.text
    style = _Style.of(source.text, item, found[-1])
    return _replaced(source.text, old.offset, old.end, style.value(value, source.text[old.offset : old.end], style.column))


def _same(key: Key, source: Source, old: Json, wanted: object) -> bool:
    return bool(read_value(Spot(key, source, lambda message, offset: None), old) == wanted)


def _meaning(key: Key, written: Source) -> object:
    return read_value(Spot(key, written, lambda message, offset: None), read_json(written))


def _members(source: Source) -> tuple[Json, tuple[Member, ...]]:
    item = read_json(source)
    return item, item.value.members if isinstance(item.value, Object) else ()


def _added(source: Source, item: Json, members: tuple[Member, ...], key: Key, value: object) -> str:
    """Return the text with a member behind the last one."""
    text = source.text
    name = json.dumps(key.name)
    if not members:
        newline = "\r\n" if "\r\n" in text else "\n"
        style = _Style(newline + INDENT, ": ", newline, len(INDENT))
        member = f"{style.before}{name}{style.colon}{style.value(value, '', len(INDENT) + len(name) + 2)}{newline}"
        return _replaced(text, item.offset + 1, item.end - 1, member)
    last = members[-1]
    style = _Style.of(text, item, last)
    column = style.indent + len(name) + len(style.colon)
    return _replaced(text, last.value.end, last.value.end, f",{style.before}{name}{style.colon}{style.value(value, '', column)}")


def _without(source: Source, key: Key) -> str:
    """Return the text without any member that sets the key."""
    while True:
        item, members = _members(source)
        index = next((i for i, member in enumerate(members) if find_key(member.key) is key), None)
        if index is None:
            return source.text
        if index:
            start, end = members[index - 1].value.end, members[index].value.end
        elif len(members) > 1:
            start, end = members[0].offset, members[1].offset
        else:
            start, end = item.offset + 1, members[0].value.end
        source = Source(_replaced(source.text, start, end, ""), source.file)


@dataclass(frozen=True, slots=True)
class _Style:
    """How members are spaced: white space `before` a key, the `colon` with its own, the line end; `indent` and `column` count characters.

    `column` is where the value begins in its line.
    """

    before: str
    colon: str
    newline: str
    indent: int
    column: int = 0

    @classmethod
    def of(cls, text: str, item: Json, member: Member) -> _Style:
        """Return the style of a member of the object `item`."""
        start = member.offset
        while text[start - 1] in " \t\r\n":
            start -= 1
        before = text[start : member.offset]
        middle = text[member.offset : member.value.offset]
        line = text.rfind("\n", 0, member.offset) + 1
        head = text[line : member.offset]
        return cls(
            before,
            middle[middle.rindex('"') + 1 :],
            "\r\n" if "\r\n" in text else "\n",
            len(head) if head.isspace() or not head else 0,
            member.value.offset - line,
        )

    def value(self, value: object, old: str, column: int) -> str:
        """Return the text of a value; a list that does not fit its line, or whose items had lines of their own, has one item a line."""
        flat = json.dumps(value, ensure_ascii=False)
        if not isinstance(value, list | tuple) or not value:
            return flat
        if "\n" not in old and (column + len(flat) <= WIDTH or "\n" not in self.before):
            return flat
        margin = self.before.rpartition("\n")[2]
        unit = "\t" if margin.startswith("\t") else INDENT
        items = [self.newline + margin + unit + json.dumps(each, ensure_ascii=False) for each in value]
        return f"[{','.join(items)}{self.newline}{margin}]"


def _replaced(text: str, start: int, end: int, new: str) -> str:
    return text[:start] + new + text[end:]
