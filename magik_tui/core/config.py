"""The room of magik.cfg: its text as read, as edited, what is wrong with it, and saving it without losing anybody's edit."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from engine.errors import ConfigError
from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Prompt
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, walked

FILE = "magik.cfg"


class Text(msgspec.Struct, frozen=True):
    """The answer to `read`."""

    path: str = ""
    text: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong or odd at a place of the text; lines and columns count from 1, 0 is nowhere."""

    level: Literal["error", "warning"]
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The slice of this room.

    `saved` is the file as it was read last, None before; `draft` what the editor holds. `pushed` counts the drafts that did not come from
    the editor itself (read anew, set by the form): the editor takes
    those over. `conflict` says that somebody else wrote the file since it was read.
    """

    saved: Text | None = None
    draft: str = ""
    pushed: int = 0
    mistakes: tuple[Mistake, ...] = ()
    asked: bool = False
    conflict: bool = False
    form: bool = False
    cursor: int = 0
    variants: tuple[str, ...] = ()

    @property
    def dirty(self) -> bool:
        """Whether the draft is not what is on the disk."""
        return self.saved is not None and self.draft != self.saved.text


class ConfigSeen(ev.Event, frozen=True):
    """The file is in sight: it shall be there."""


class Drafted(ev.Event, frozen=True):
    """The editor's text is this now."""

    text: str


class Taken(ev.Event, frozen=True):
    """Another program gave this text (an editor of the user's)."""

    text: str


class KeyAsked(ev.Event, frozen=True):
    """The user wants to type the value of a key, which is `value` now."""

    key: str
    value: str


class KeySet(ev.Event, frozen=True):
    """The form gives a key this value, JSON as it was typed; "" takes the key out."""

    key: str
    value: str


class SaveAsked(ev.Event, frozen=True):
    """The draft is to be written; after a conflict a second time writes over what somebody else did."""


class RereadAsked(ev.Event, frozen=True):
    """The file is to be read again; a draft is dropped."""


class ConfigChanged(ev.Event, frozen=True):
    """The file changed on disk; an untouched draft follows it."""


class FormAsked(ev.Event, frozen=True):
    """The form instead of the text, or the other way round."""


class KeyMoved(ev.Event, frozen=True):
    """The cursor of the form goes `by` keys down, or `to` a place."""

    by: int = 0
    to: int | None = None


class VariantAsked(ev.Event, frozen=True):
    """The next variant of the project (T40, T41, ...) is to be worked on."""

    now: float


class EditorAsked(ev.Event, frozen=True):
    """The draft is to be edited in $EDITOR."""


class OpenEditor(ev.Effect, frozen=True):
    """Suspend the screen and edit `text` in $EDITOR; `Taken` follows."""

    text: str


def mistakes_of(text: str) -> tuple[Mistake, ...]:
    """Return what is wrong or odd with a text, as the engine says it."""
    from engine.config import parse_config

    try:
        _, warnings = parse_config(text, file=FILE)
    except ConfigError as error:
        said = f"{error.message} ({error.hint})" if error.hint else error.message
        return (Mistake("error", error.line, error.column, said),)
    return tuple(Mistake("warning", w.line, w.column, w.message) for w in warnings)


def with_key(text: str, key: str, value: str) -> str:
    """Return a text with one key set to a value written as JSON (a bare word is a string), or taken out for "". Raises ConfigError."""
    from engine.configedit import set_keys
    from engine.jsontext import Source

    wanted: Any = None
    if value.strip():
        try:
            wanted = json.loads(value)
        except ValueError:
            wanted = value.strip()
    return set_keys(Source(text, FILE), {key: wanted})


def _read(state: State) -> Step:
    state = state.put(replace(state.of(ConfigFile), asked=True))
    return ask(state, "read", {"file": "config"}, then=_was_read, value=Text, label="reading magik.cfg")


def _was_read(state: State, reply: Reply) -> Step:
    mine = replace(state.of(ConfigFile), asked=False)
    if reply.done:
        text = reply.said.text
        return state.put(replace(_drafted(mine, text), saved=reply.said, pushed=mine.pushed + 1, conflict=False)), ()
    return (state.put(mine).noted("error", reply.error) if reply.failed else state), ()


def _drafted(mine: ConfigFile, text: str) -> ConfigFile:
    return replace(mine, draft=text, mistakes=mistakes_of(text))


@on(ConfigSeen)
def _seen(state: State, event: ConfigSeen) -> Step:
    mine = state.of(ConfigFile)
    return (state, ()) if mine.asked or mine.saved is not None else _read(state)


@on(Drafted)
def _was_drafted(state: State, event: Drafted) -> Step:
    mine = state.of(ConfigFile)
    return (state, ()) if mine.saved is None or event.text == mine.draft else (state.put(_drafted(mine, event.text)), ())


@on(Taken)
def _taken(state: State, event: Taken) -> Step:
    mine = state.of(ConfigFile)
    return state.put(replace(_drafted(mine, event.text), pushed=mine.pushed + 1)), ()


@on(KeyAsked)
def _key_asked(state: State, event: KeyAsked) -> Step:
    return state, (Prompt(f"{event.key}, as JSON; empty takes it out of the file", lambda text: KeySet(event.key, text), event.value),)


@on(KeySet)
def _key_set(state: State, event: KeySet) -> Step:
    mine = state.of(ConfigFile)
    try:
        text = with_key(mine.draft, event.key, event.value)
    except ConfigError as error:
        return state.noted("error", f"{event.key}: {error.message}" + (f" ({error.hint})" if error.hint else "")), ()
    return replace(state.put(replace(_drafted(mine, text), pushed=mine.pushed + 1)), note=None), ()


@on(SaveAsked)
def _save(state: State, event: SaveAsked) -> Step:
    mine = state.of(ConfigFile)
    if mine.saved is None:
        return state, ()
    if not mine.dirty and not mine.conflict:
        return state.noted("info", "magik.cfg is saved already"), ()
    wrong = next((m for m in mine.mistakes if m.level == "error"), None)
    if mine.conflict:
        return ask(state, "read", {"file": "config"}, then=_over, value=Text, tag=mine.draft, label="saving magik.cfg")
    state, effects = _write(state, mine.draft, mine.saved.version)
    return (state.noted("warning", f"saved as it is, but line {wrong.line}: {wrong.text}") if wrong else state), effects


def _over(state: State, reply: Reply) -> Step:
    """Write over what is there now."""
    if reply.failed:
        return state.noted("error", reply.error), ()
    return _write(state, reply.request.tag, reply.said.version) if reply.done else (state, ())


def _write(state: State, text: str, version: str) -> Step:
    return ask(state, "write", {"file": "config", "text": text, "version": version}, then=_written, value=Text, tag=text, label="saving")


def _written(state: State, reply: Reply) -> Step:
    mine = state.of(ConfigFile)
    if reply.done:
        said = replace(mine, saved=Text(reply.said.path, reply.request.tag, reply.said.version), conflict=False)
        known = state.note is not None and state.note.level == "warning"
        return (state.put(said) if known else state.put(said).noted("info", f"saved {reply.said.path}")), ()
    if not reply.failed:
        return state, ()
    if isinstance(reply.said, wire.Error) and reply.said.kind == "Conflict":
        text = "magik.cfg was changed by somebody else meanwhile: save again to write over it, or read it again and lose the edit"
        return state.put(replace(mine, conflict=True)).noted("warning", text), ()
    return state.noted("error", reply.error), ()


@on(RereadAsked)
def _reread(state: State, event: RereadAsked) -> Step:
    return _read(state)


@on(ConfigChanged)
def _changed(state: State, event: ConfigChanged) -> Step:
    mine = state.of(ConfigFile)
    return _read(state) if mine.saved is not None and not mine.dirty and not mine.asked else (state, ())


@on(FormAsked)
def _form(state: State, event: FormAsked) -> Step:
    mine = state.of(ConfigFile)
    return state.put(replace(mine, form=not mine.form)), ()


@on(KeyMoved)
def _moved(state: State, event: KeyMoved) -> Step:
    from engine.config_schema import SCHEMA

    mine = state.of(ConfigFile)
    return state.put(replace(mine, cursor=walked(mine.cursor, len(SCHEMA), event.by, event.to))), ()


@on(wire.Hello)
def _hello(state: State, said: wire.Hello) -> Step:
    return state.put(replace(state.of(ConfigFile), variants=said.variants)), ()


@on(VariantAsked)
def _variant(state: State, event: VariantAsked) -> Step:
    names = state.of(ConfigFile).variants
    if len(names) < 2:
        return state.noted("info", "the project has one variant only"), ()
    if state.of(ConfigFile).dirty:
        return state.noted("warning", "magik.cfg is edited and not saved: save it, or read it again, then change the variant"), ()
    following = names[(names.index(state.variant) + 1) % len(names)] if state.variant in names else names[0]
    return ask(state, "variant", {"name": following}, then=_other, tag=event.now, label=f"variant {following}")


def _other(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    if not reply.done:
        return state, ()
    said = reply.said
    state = replace(state, variant=said.get("variant"), soc=said.get("soc", ""), model=said.get("model", state.model))
    state, effects = _read(state)
    return state, (*effects, ev.RunAsked(reply.request.tag))


@on(EditorAsked)
def _editor(state: State, event: EditorAsked) -> Step:
    mine = state.of(ConfigFile)
    return (state, ()) if mine.saved is None else (state, (OpenEditor(mine.draft),))
