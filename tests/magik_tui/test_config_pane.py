"""magik.cfg on the screen: mistakes at their line as one types, form, undo, saving that loses nobody's edit, variants, $EDITOR."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.asking import Prompt
from magik_tui.core.config import (
    ConfigChanged,
    ConfigFile,
    ConfigSeen,
    Drafted,
    EditorAsked,
    Kept,
    KeySet,
    OpenEditor,
    RereadAsked,
    SaveAsked,
    Taken,
    Text,
    WriteOver,
    legal_values,
    mistakes_of,
    place_of,
)
from magik_tui.core.session import restored, saved
from magik_tui.core.variants import VariantAsked
from magik_tui.deeds import editor
from magik_tui.panes.config import head_line
from magik_tui.widgets.form import config_sheet, form_rows
from magik_tui.widgets.jsonarea import JsonArea, highlights
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk

TEXT = '{\n  "SOC": "T40",\n  "MEAN": [127]\n}\n'


def live(app: Any, talk: Talk, size: tuple[int, int] = (100, 30)) -> None:
    playing.live(app, talk, size, key="1", ready=lambda s: s.of(ConfigFile).saved is not None)


def read(text: str = TEXT, version: str = "1") -> State:
    return State("p", worker="ready").put(ConfigFile(saved=Text("magik.cfg", text, version), draft=text))


def answer(state: State, value: dict[str, Any]) -> State:
    return update(state, wire.Result(value, id=state.last_id))[0]


def test_a_mistake_is_told_at_its_line_as_it_is_typed(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert '2      "SOC": "T40",' in "\n".join(app.text())
        await pilot.press("i", "x")
        await app.until(lambda s: bool(s.of(ConfigFile).mistakes))
        await pilot.pause()
        text = "\n".join(app.text())
        assert "line 1, column 1: expected" in text
        assert "* not saved" in text
        await pilot.press("escape", "u")
        await app.until(lambda s: not s.of(ConfigFile).dirty)
        await pilot.press("U")
        await app.until(lambda s: s.of(ConfigFile).dirty)

    live(watched("good"), talk)


def test_undo_ends_at_the_file_as_it_was_read(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        area = app.screen.query_one(JsonArea)
        await pilot.press("u")
        state = await app.until(lambda s: s.note is not None and s.note.text == "nothing to undo")
        assert area.text == state.of(ConfigFile).saved.text != ""
        await pilot.press("i", "x", "escape", "u", "u")
        await app.until(lambda s: not s.of(ConfigFile).dirty)
        await pilot.press("v")
        state = await app.until(lambda s: s.variant == "t41" and not s.of(ConfigFile).asked)
        await pilot.press("u", "U")
        await app.until(lambda s: s.note is not None and s.note.text == "nothing to redo")
        assert area.text == state.of(ConfigFile).saved.text

    live(watched("good"), talk)


def test_keys_are_letters_while_the_text_is_edited_and_commands_after_esc(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("i", "q", "2", "z", "ctrl+o")
        state = await app.until(lambda s: not s.of(ConfigFile).dirty)
        assert state.of(ConfigFile).saved.text.startswith("q2z{")
        await pilot.press("escape", "2")
        await pilot.pause()
        assert "heatmap" in app.focused.id

    live(watched("good"), talk)


def test_the_form_sets_a_key_and_leaves_the_rest(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("f")
        await pilot.pause()
        text = "\n".join(app.text())
        assert '* SOC                      "T40"' in text
        assert "SOC: word, one of T40, T41, A1, X2500. The chip the model will run on." in text
        await playing.opened(app, pilot, "enter")
        await pilot.pause()
        assert '"X2500"' in "\n".join(app.text())
        await pilot.press(*"t41", "enter", "s")
        state = await app.until(lambda s: '"T41"' in s.of(ConfigFile).saved.text)
        assert state.of(ConfigFile).saved.text.replace("T41", "T40").count('"MEAN": [127]') == 1
        await pilot.press("x")
        await app.until(lambda s: "SOC" not in s.of(ConfigFile).draft)
        await pilot.press("u")
        await app.until(lambda s: not s.of(ConfigFile).dirty)

    live(watched("good"), talk)


def test_any_value_is_typed_and_the_form_goes_to_its_mistake(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("f")
        await playing.opened(app, pilot, "enter")
        await pilot.press(*"another", "enter")
        await pilot.pause()
        await pilot.press(*["backspace"] * 5, *"T42", "enter")
        state = await app.until(lambda s: '"T42"' in s.of(ConfigFile).draft)
        assert [m.line for m in state.of(ConfigFile).mistakes] == [2]
        await pilot.press("n")
        await pilot.pause()
        assert (app.focused.id, app.focused.cursor_location[0]) == ("config-text", 1)

    live(watched("good"), talk, (120, 40))


def test_the_form_as_a_table_and_the_edit_as_a_command_line(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        app.dispatch(KeySet("QUANT_FEATURE_BIT", "10"))
        await pilot.press("dollar_sign")
        state = await app.until(lambda s: s.note is not None)
        assert state.note.text == "magik-tui run /home/me/resnet18 --variant t40 --set QUANT_FEATURE_BIT=10"
        sheet = config_sheet(state)
        row = next(row for row in sheet.rows if row[0] == "QUANT_FEATURE_BIT")
        assert row[1:5] == ("10", "yes", "whole number, T40 has 4, 8, 10, 12; default 8", "8")

    live(watched("good"), talk)


def test_the_other_variant(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert "[t40] t41" in "\n".join(app.text())
        await pilot.press("v")
        await app.until(lambda s: s.variant == "t41" and s.phase == "done" and s.run > 1)  # the table is made anew

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_text_stays_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        for key in ("i", "escape", "f", "j", "G"):
            await pilot.press(key)
            await pilot.pause()
            assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_the_user_s_own_editor(watched: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "editor.py"
    script.write_text("import sys, pathlib; p = pathlib.Path(sys.argv[1]); p.write_text(p.read_text().replace('127', '128'))")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")

    class Suspends:
        def suspend(self) -> Any:
            return contextlib.nullcontext()

    assert asyncio.run(editor._open(Suspends(), OpenEditor("[127]"))) == Taken("[128]")  # type: ignore[arg-type]
    state, _ = update(read(), Taken(TEXT.replace("127", "128")))
    assert state.of(ConfigFile).dirty
    assert state.of(ConfigFile).pushed == 1


@pytest.mark.parametrize("named", ["/no/such/editor --wait", "it's not a line"])
def test_an_editor_that_is_not_there_leaves_the_screen_where_it_was(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", named)
    said: list[str] = []

    class Suspends:
        def suspend(self) -> Any:
            @contextlib.contextmanager
            def given_back() -> Iterator[None]:  # as textual's: what is raised inside keeps it from taking the terminal again
                yield
                said.append("taken again")

            return given_back()

        def notify(self, text: str, **_: Any) -> None:
            said.append(text)

    assert asyncio.run(editor._open(Suspends(), OpenEditor("[127]"))) is None  # type: ignore[arg-type]
    assert said[0] == "taken again"
    assert said[1].endswith("cannot be opened here: No such file or directory")


def test_a_conflict_is_told_and_the_user_chooses(layers: Any) -> None:
    state, _ = update(read(), Drafted("{}"))
    state, effects = update(state, SaveAsked())
    assert effects[0].request["version"] == "1"
    state, effects = update(state, wire.Error("Conflict", "changed", id=state.last_id))
    assert effects[0].request["do"] == "read"
    state = answer(state, {"path": "p", "text": "[]", "version": "7"})
    assert state.of(ConfigFile).conflict
    assert state.of(ConfigFile).draft == "{}"
    state, effects = update(state, SaveAsked())
    assert isinstance(effects[0], Prompt)
    assert [choice.value for choice in effects[0].choices] == [None, WriteOver("7"), RereadAsked()]
    state, effects = update(state, WriteOver("7"))
    assert (effects[0].request["text"], effects[0].request["version"]) == ("{}", "7")
    state = answer(state, {"path": "p", "version": "8"})
    assert not state.of(ConfigFile).conflict
    assert not state.of(ConfigFile).dirty


def test_a_change_on_disk_is_followed_by_an_untouched_draft_and_told_to_another() -> None:
    _, effects = update(read(), ConfigChanged())
    assert [e.request["do"] for e in effects] == ["read"]
    edited, _ = update(read(), Drafted("{ }"))
    asked, effects = update(edited, ConfigChanged())
    assert [e.request["do"] for e in effects] == ["read"]
    state = answer(asked, {"path": "p", "text": TEXT, "version": "2"})  # touched only
    assert (state.of(ConfigFile).conflict, state.of(ConfigFile).draft) == (False, "{ }")
    state = answer(asked, {"path": "p", "text": "{ }", "version": "2"})  # the same edit
    assert (state.of(ConfigFile).conflict, state.of(ConfigFile).dirty) == (False, False)
    state = answer(asked, {"path": "p", "text": "[]", "version": "2"})
    assert (state.of(ConfigFile).conflict, state.of(ConfigFile).draft) == (True, "{ }")
    assert state.note is not None
    assert "s asks what to do" in state.note.text


def test_a_file_that_cannot_be_read_is_read_once_what_was_wrong_is_mended() -> None:
    state, _ = update(State("p", worker="ready"), ConfigSeen())
    state, _ = update(state, wire.Error("UsageError", "the model is not there", id=state.last_id))
    head = head_line(state, 60)
    assert head[0][0].startswith("magik.cfg cannot be read; R tries again")
    assert update(state, ConfigSeen())[1] == ()  # a pane in sight does not ask for it again and again
    for event in (RereadAsked(), ConfigChanged(), ev.RunEnded(ok=True)):
        again, effects = update(state, event)
        assert any(isinstance(each, ev.Send) and each.request["do"] == "read" for each in effects)
        read = answer(again, {"path": "magik.cfg", "text": TEXT, "version": "1"}).of(ConfigFile)
        assert read.draft == TEXT
        assert not read.unread
    assert not update(state, ev.RunEnded(ok=False))[0].of(ConfigFile).asked


def test_an_edit_outlives_the_session() -> None:
    edited, _ = update(replace(read(), variant="a"), Drafted("{ }"))
    again = restored(State("p", worker="ready", variant="a"), saved(edited))
    assert again.of(ConfigFile).kept == Kept("{ }", "1", "a")
    assert restored(State("p"), saved(again)).of(ConfigFile).kept == Kept("{ }", "1", "a")  # nobody looked at it
    asked, _ = update(again, ConfigSeen())
    state = answer(asked, {"path": "p", "text": TEXT, "version": "1"})
    assert (state.of(ConfigFile).draft, state.of(ConfigFile).dirty, state.of(ConfigFile).conflict) == ("{ }", True, False)
    state = answer(asked, {"path": "p", "text": "[]", "version": "2"})
    assert (state.of(ConfigFile).draft, state.of(ConfigFile).conflict) == ("{ }", True)
    other = answer(replace(asked, variant="b"), {"path": "p", "text": TEXT, "version": "1"})
    assert not other.of(ConfigFile).dirty
    assert "draft" not in saved(read())["draft"] or saved(read())["draft"]["draft"] is None


def test_what_is_legal_for_a_key() -> None:
    assert legal_values("QUANT_FEATURE_BIT", "T40") == ("4", "8", "10", "12")
    assert legal_values("LOAD_OP_QUANT_BIT", "") == ("true", "false")
    assert legal_values("QUANT_FEATURE_BIT", "") == legal_values("MEAN", "T40") == ()
    (wrong,) = mistakes_of('{"SOC": "T40",\n "QUANT_FEATURE_BIT": 11}')
    assert (wrong.level, wrong.line, wrong.column) == ("error", 2, 23)
    assert "T40 has no 11-bit features" in wrong.text


def test_the_editor_opens_at_the_line_of_the_key() -> None:
    assert place_of(TEXT, "MEAN") == (3, 11)
    assert place_of(TEXT, "NORMAL")[0] == 4
    _, effects = update(read(), EditorAsked(3))
    assert effects == (OpenEditor(TEXT, 3),)
    assert editor.arguments(["/usr/bin/vim", "-n"], Path("f"), 3) == ["/usr/bin/vim", "-n", "+3", "f"]
    assert editor.arguments(["code", "--wait"], Path("f"), 3) == ["code", "--wait", "f"]


def test_of_several_variants_one_is_chosen() -> None:
    state, _ = update(read(), wire.Hello(1, variants=("a", "b", "c"), variant="a"))
    state, effects = update(state, VariantAsked(0.0))
    assert [choice.value.name for choice in effects[0].choices] == ["b", "c"]
    _, effects = update(state, VariantAsked(0.0, "c"))
    assert effects[-1].request == {"id": state.last_id + 1, "do": "variant", "name": "c"}


def test_a_value_that_makes_no_sense_changes_nothing() -> None:
    state, _ = update(read(), KeySet("QUANT_FEATURE_BIT", '"many"'))
    assert state.note is not None
    assert state.note.level == "error"
    assert state.of(ConfigFile).draft == TEXT


def test_an_edit_is_not_lost_to_another_variant() -> None:
    state, _ = update(read(), wire.Hello(1, variants=("a", "b"), variant="a"))
    state, _ = update(state, Drafted("{ }"))
    assert all(getattr(e, "request", {}).get("do") != "variant" for e in update(state, VariantAsked(0.0))[1])


def test_mistakes_have_places() -> None:
    (found,) = mistakes_of('{"SOC": "T40",}')
    assert (found.level, found.line, found.column) == ("error", 1, 14)
    (odd,) = mistakes_of('{"QUANT_BATASET_SIZE": 3}')
    assert (odd.level, odd.line) == ("warning", 1)


def test_tokens_of_a_line() -> None:
    line = '  "层": ["a\\"b", -1.5e3, true]'
    kinds = [(line.encode()[a:b].decode(), kind) for a, b, kind in highlights(line)]
    assert kinds == [('"层"', "key"), ('"a\\"b"', "string"), ("-1.5e3", "number"), ("true", "word")]


def test_a_form_of_a_broken_text_shows_defaults() -> None:
    rows = {key: (value, given) for key, value, given in form_rows("{")}
    assert rows["QUANT_WEIGHT_BIT"] == ("8", False)
    assert {k: v for k, v, g in form_rows(TEXT) if g} == {"SOC": '"T40"', "MEAN": "[127]"}


def test_the_editor_draws_what_was_marked() -> None:
    area = JsonArea(id="x")
    area.text = '{"a": 1,}'
    area.mark((0, 7))
    assert (7, 8, "mistake") in area._highlights[0]
