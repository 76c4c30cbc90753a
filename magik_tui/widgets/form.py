"""The form of magik.cfg: every key with its value, what it holds, what is legal and what it means; as rows, help and a table."""

from __future__ import annotations

import json
import textwrap
from pathlib import PurePath

from magik_tui.core import State
from magik_tui.core.config import ConfigFile, legal_values
from magik_tui.sheets import Sheet
from magik_tui.text import clean, cut, fit
from magik_tui.widgets.ink import Line, Role
from magik_tui.widgets.rows import Rows

LINES = 3  # of help
NAME, KIND, DEFAULT = 27, 14, 12  # cells of the form's columns
WIDE = 76  # from this width on the form has columns for type and default
KINDS = {
    "choice": "word", "colors": "words", "flag": "true, false", "integer": "whole number", "names": "names", "numbers": "numbers",
    "path": "path", "shapes": "shapes",
}  # fmt: skip


class Form(Rows):
    """Every key of magik.cfg with its value; the default where the file does not have it."""

    def __init__(self) -> None:
        super().__init__(id="config-form")
        self._rows: tuple[tuple[str, str, bool], ...] = ()

    def show(self, mine: ConfigFile) -> None:
        """Draw the keys."""
        self._rows, self.cursor = form_rows(mine.draft), mine.cursor
        self.count = len(self._rows)
        self.redraw()

    def head(self) -> Line:
        """Return the names of the columns."""
        return self._columns("  key", "value", "type", "default", "head")

    def row(self, index: int) -> Line:
        """Return one key."""
        key, value, given = self._rows[index]
        role: Role = "cursor" if index == self.cursor else "text" if given else "dim"
        return self._columns(f"{'*' if given else ' '} {key}", clean(value), kind_of(key), default_of(key) or "-", role)

    def _columns(self, key: str, value: str, kind: str, default: str, role: Role) -> Line:
        beside = KIND + DEFAULT if self.room >= WIDE else 0
        room = max(1, self.room - NAME - beside)
        text = fit(key, NAME) + fit(cut(value, room - 1), room)
        return ((text + (fit(kind, KIND) + fit(cut(default, DEFAULT - 1), DEFAULT) if beside else ""), role),)

    def key(self, index: int) -> tuple[str, str, bool]:
        """Return the key of a row, its value as text, and whether the file has it."""
        return self._rows[index]


def form_rows(text: str) -> tuple[tuple[str, str, bool], ...]:
    """Return (key, value as JSON, whether the file has it) for every key of the schema; a broken text gives the defaults."""
    from engine.config_schema import SCHEMA, find_key
    from engine.errors import ConfigError
    from engine.jsontext import Object, Source, read_json

    given: dict[str, str] = {}
    try:
        top = read_json(Source(text, "magik.cfg"))
        members = top.value.members if isinstance(top.value, Object) else ()
    except ConfigError:
        members = ()
    for member in members:
        found = find_key(member.key)
        if found is not None:
            given[found.name] = " ".join(text[member.value.offset : member.value.end].split())
    return tuple((key.name, given.get(key.name, default_of(key.name)), key.name in given) for key in SCHEMA)


def default_of(name: str) -> str:
    """Return the default of a key as JSON, "" where the engine decides."""
    from engine.config_schema import BY_NAME

    default = BY_NAME[name].default
    return "" if default is None else json.dumps(default)


def kind_of(name: str) -> str:
    """Return what a key holds, in words."""
    from engine.config_schema import BY_NAME

    return KINDS[BY_NAME[name].kind]


def changed_settings(saved: str, draft: str) -> tuple[str, ...]:
    """Return the keys that a draft gives another value than the file has, as KEY=VALUE."""
    before = {key: value for key, value, given in form_rows(saved) if given}
    return tuple(f"{key}={value}" for key, value, given in form_rows(draft) if given and before.get(key) != value)


def help_lines(name: str, width: int, soc: str = "") -> tuple[Line, ...]:
    """Return what a key is, its default, what is legal, and what it means."""
    return tuple(((part, "text"),) for part in textwrap.wrap(f"{name}: {legal_of(name, soc)}. {help_of(name)}", max(20, width))[:LINES])


def help_of(name: str) -> str:
    """Return what a key means."""
    from engine.config_schema import BY_NAME

    return BY_NAME[name].help


def legal_of(name: str, soc: str = "") -> str:
    """Return the type, the legal values and the default of a key, in words."""
    from engine.config_schema import BY_NAME

    key, few = BY_NAME[name], legal_values(name, soc)
    said = kind_of(name)
    if key.kind == "integer" and few:
        said += f", {soc} has {', '.join(few)}"
    elif key.low is not None:
        said += f", {key.low} to {key.high}" if key.high is not None else f", {key.low} or more"
    elif key.choices:
        said += f", one of {', '.join(key.choices)}"
    default = default_of(name)
    return f"{said}; default {default}" if default not in ("", "[]", '""') else said


def config_sheet(state: State) -> Sheet:
    """Return every key with its value, as a table."""
    mine = state.of(ConfigFile)
    rows = tuple(
        (key, value, "yes" if given else None, legal_of(key, state.soc), default_of(key), help_of(key))
        for key, value, given in form_rows(mine.draft)
    )
    title = " ".join(filter(None, (PurePath(state.project).name, state.variant, "magik.cfg")))
    return Sheet(("key", "value", "in the file", "legal", "default", "meaning"), rows, mine.cursor, 1, frozenset(), title)
