"""The room of magik.cfg: its text as read, as edited, what is wrong with it, and saving it without losing anybody's edit."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from engine.errors import ConfigError
from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.asking import Choice as Offer
from magik_tui.core.asking import Prompt
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on, walked

FILE = "magik.cfg"


class Text(msgspec.Struct, frozen=True):
    """The answer to `read`."""

    path: str = ""
    text: str = ""
    version: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A draft that was not saved, the variant it is of, and the version of the file that it was made from."""

    text: str
    version: str = ""
    variant: str | None = None


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

    `saved` is the file as it was read last, None before; `unread` says why it could not be. `draft` is what the editor holds; `pushed`
    counts the drafts that did not come from the editor itself (read anew, set by the form): the editor takes those over. `theirs` is what
    somebody else wrote over the file that was read, while the draft is not saved. `kept` is a draft that an earlier session left, until the
    file is read.
    """

    saved: Text | None = None
    draft: str = ""
    pushed: int = 0
    mistakes: tuple[Mistake, ...] = ()
    asked: bool = False
    unread: str = ""
    theirs: Text | None = None
    kept: Kept | None = None
    form: bool = False
    cursor: int = 0

    @property
    def conflict(self) -> bool:
        """Whether somebody else wrote the file since it was read."""
        return self.theirs is not None

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
    """The user wants to give a key, which is `value` now, another one: of the legal ones where they are few, else (or `typed`) any."""

    key: str
    value: str
    typed: bool = False


class KeySet(ev.Event, frozen=True):
    """The form gives a key this value, JSON as it was typed; "" takes the key out."""

    key: str
    value: str


class SaveAsked(ev.Event, frozen=True):
    """The draft is to be written; what somebody else wrote meanwhile is not written over without asking."""


class WriteOver(ev.Event, frozen=True):
    """The draft is to be written over the file of this version: the user is sure."""

    version: str


class RereadAsked(ev.Event, frozen=True):
    """The file is to be read again; a draft is dropped."""


class ConfigChanged(ev.Event, frozen=True):
    """The file changed on disk; an untouched draft follows it, another is kept and told."""


class FormAsked(ev.Event, frozen=True):
    """The form instead of the text, or the other way round."""


class KeyMoved(ev.Event, frozen=True):
    """The cursor of the form goes `by` keys down, or `to` a place."""

    by: int = 0
    to: int | None = None


class EditorAsked(ev.Event, frozen=True):
    """The draft is to be edited in $EDITOR, from a line on that counts from 1."""

    line: int = 1


class OpenEditor(ev.Effect, frozen=True):
    """Suspend the screen and edit `text` in $EDITOR, with the cursor on `line`; `Taken` follows."""

    text: str
    line: int = 1


def mistakes_of(text: str) -> tuple[Mistake, ...]:
    """Return what is wrong or odd with a text, as the engine says it."""
    from engine.config import parse_config

    try:
        config, warnings = parse_config(text, file=FILE)
    except ConfigError as error:
        said = f"{error.message} ({error.hint})" if error.hint else error.message
        return (Mistake("error", error.line, error.column, said),)
    odd = tuple(Mistake("warning", w.line, w.column, w.message) for w in warnings)
    return (*_illegal(text, config.soc, config.quant_feature_bit, config.quant_weight_bit), *odd)


def _illegal(text: str, soc: str, feature: int, weight: int) -> tuple[Mistake, ...]:
    """Return the widths that the chip does not have."""
    from engine.socs import illegal

    found = (("QUANT_FEATURE_BIT", illegal(soc, "feature", feature)), ("QUANT_WEIGHT_BIT", illegal(soc, "weight", weight)))
    return tuple(Mistake("error", *place_of(text, key), f"{key}: {wrong}") for key, wrong in found if wrong)


def place_of(text: str, key: str) -> tuple[int, int]:
    """Return the line and column of a key's value, both counted from 1; of one that the text does not have, of the text's end."""
    from engine.config_schema import find_key
    from engine.jsontext import Object, Source, read_json

    source = Source(text, FILE)
    try:
        top = read_json(source)
    except ConfigError as error:
        return error.line, error.column
    members = top.value.members if isinstance(top.value, Object) else ()
    found = [m.value.offset for m in members if (known := find_key(m.key)) is not None and known.name == key]
    return source.place(found[-1] if found else len(text.rstrip()))


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


def read_config(state: State) -> Step:
    """Read the file; what was edited is dropped."""
    state = state.put(replace(state.of(ConfigFile), asked=True, unread=""))
    return ask(state, "read", {"file": "config"}, then=_was_read, value=Text, label="reading magik.cfg")


def _was_read(state: State, reply: Reply) -> Step:
    mine = replace(state.of(ConfigFile), asked=False)
    if reply.done:
        text, kept = reply.said.text, mine.kept
        if kept is not None and kept.variant == state.variant and kept.text != text:
            mine = replace(_drafted(mine, kept.text), saved=reply.said, pushed=mine.pushed + 1, kept=None)
            state = state.noted("warning", "this edit of magik.cfg was left unsaved: s saves it, R reads the file instead")
            return state.put(replace(mine, theirs=reply.said if reply.said.version != kept.version else None)), ()
        return state.put(replace(_drafted(mine, text), saved=reply.said, pushed=mine.pushed + 1, theirs=None)), ()
    if not reply.failed:
        return state, ()
    return state.put(replace(mine, unread=reply.error)).noted("error", reply.error), ()


def _drafted(mine: ConfigFile, text: str) -> ConfigFile:
    return replace(mine, draft=text, mistakes=mistakes_of(text))


@on(ConfigSeen)
def _seen(state: State, event: ConfigSeen) -> Step:
    mine = state.of(ConfigFile)
    return (state, ()) if mine.asked or mine.unread or mine.saved is not None else read_config(state)


@on(ev.RunEnded)
def _run_ended(state: State, event: ev.RunEnded) -> Step:
    """Read the file that could not be read before: what kept it from that is mended."""
    return read_config(state) if event.ok and state.of(ConfigFile).unread else (state, ())


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
    typed = Prompt(f"{event.key}, as JSON; empty takes it out of the file", lambda text: KeySet(event.key, text), event.value)
    legal = () if event.typed else legal_values(event.key, state.soc)
    if not legal:
        return state, (typed,)
    offers = [Offer(value, KeySet(event.key, value), "now" if value == event.value else "", id=value.strip('"')) for value in legal]
    more = (
        Offer("take it out of the file: the default", KeySet(event.key, ""), id="default"),
        Offer("type another value", KeyAsked(event.key, event.value, typed=True), id="other"),
    )
    return state, (Prompt(f"{event.key}: what is legal; type a part of it, Enter takes it", lambda event: event, choices=(*offers, *more)),)


def legal_values(name: str, soc: str) -> tuple[str, ...]:
    """Return the values of a key as JSON where there are but a few, () where anything of its type is; widths are those of the chip."""
    from engine.config_schema import BY_NAME
    from engine.socs import profiles

    key, chip = BY_NAME[name], profiles().get(soc)
    if key.kind == "flag":
        return ("true", "false")
    if key.kind == "choice":
        return tuple(json.dumps(word) for word in key.choices)
    if chip is not None and name in ("QUANT_FEATURE_BIT", "QUANT_WEIGHT_BIT"):
        return tuple(map(str, chip.feature_bits if name == "QUANT_FEATURE_BIT" else chip.weight_bits))
    return ()


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
    if mine.theirs is not None:
        choices = (
            Offer("leave everything as it is", None, "l"),
            Offer("write this over it", WriteOver(mine.theirs.version), "o"),
            Offer("read it, and drop what was edited here (u brings that back)", RereadAsked(), "r"),
        )
        return state, (Prompt("magik.cfg was changed by somebody else", lambda event: event, choices=choices, letters=True),)
    if not mine.dirty:
        return state.noted("info", "magik.cfg is saved already"), ()
    return _write(state, mine.saved.version)


@on(WriteOver)
def _write_over(state: State, event: WriteOver) -> Step:
    return _write(state, event.version)


def _write(state: State, version: str) -> Step:
    mine = state.of(ConfigFile)
    wrong = next((m for m in mine.mistakes if m.level == "error"), None)
    if wrong:
        state = state.noted("warning", f"saved as it is, but line {wrong.line}: {wrong.text}")
    fields = {"file": "config", "text": mine.draft, "version": version}
    return ask(state, "write", fields, then=_written, value=Text, tag=mine.draft, label="saving")


def _written(state: State, reply: Reply) -> Step:
    mine = state.of(ConfigFile)
    if reply.done:
        said = replace(mine, saved=Text(reply.said.path, reply.request.tag, reply.said.version), theirs=None)
        known = state.note is not None and state.note.level == "warning"
        return (state.put(said) if known else state.put(said).noted("info", f"saved {reply.said.path}")), ()
    if not reply.failed:
        return state, ()
    if isinstance(reply.said, wire.Error) and reply.said.kind == "Conflict":
        return _compare(state)
    return state.noted("error", reply.error), ()


def _compare(state: State) -> Step:
    """Look at what stands in the file now: the draft is not that of it."""
    return ask(state, "read", {"file": "config"}, then=_compared, value=Text, label="reading magik.cfg")


def _compared(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    mine, theirs = state.of(ConfigFile), reply.said
    if not reply.done or mine.saved is None:
        return state, ()
    if theirs.text in (mine.saved.text, mine.draft):  # as it was, or the same edit: nothing is in the way
        return state.put(replace(mine, saved=theirs, theirs=None)), ()
    if not mine.dirty:
        return read_config(state)
    text = "magik.cfg changed on disk while it is edited: s asks what to do"
    return state.put(replace(mine, theirs=theirs)).noted("warning", text), ()


@on(RereadAsked)
def _reread(state: State, event: RereadAsked) -> Step:
    return read_config(state)


@on(ConfigChanged)
def _changed(state: State, event: ConfigChanged) -> Step:
    mine = state.of(ConfigFile)
    if mine.asked or (mine.saved is None and not mine.unread):
        return state, ()
    return _compare(state) if mine.dirty else read_config(state)


@on(FormAsked)
def _form(state: State, event: FormAsked) -> Step:
    mine = state.of(ConfigFile)
    return state.put(replace(mine, form=not mine.form)), ()


@on(KeyMoved)
def _moved(state: State, event: KeyMoved) -> Step:
    from engine.config_schema import SCHEMA

    mine = state.of(ConfigFile)
    return state.put(replace(mine, cursor=walked(mine.cursor, len(SCHEMA), event.by, event.to))), ()


@on(EditorAsked)
def _editor(state: State, event: EditorAsked) -> Step:
    mine = state.of(ConfigFile)
    return (state, ()) if mine.saved is None else (state, (OpenEditor(mine.draft, event.line),))
