"""Palette, copies, exports, sessions, themes and keymaps as the user meets them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from magik_tui import terminal
from magik_tui.core import State, update
from magik_tui.core.diagnose import Diagnosis
from magik_tui.core.export import MOST, CopyAsked
from magik_tui.core.looking import Looks
from magik_tui.core.places import Places
from magik_tui.core.session import restored, saved
from magik_tui.core.twin import twin
from magik_tui.deeds.clipboard import sequence
from magik_tui.deeds.session import read_session, session_file
from magik_tui.opening import Wishes
from magik_tui.widgets.heatmap import Heatmap
from magik_tui.widgets.ink import line_width
from magik_tui.widgets.prompt import title_line
from tests.magik_tui.playing import live, opened


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def bottom(app: Any) -> str:
    return "\n".join(app.text()[10:])


def test_the_palette_does_what_was_typed(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        bar = await opened(app, pilot, "colon")
        await pilot.press(*"next bad")
        await pilot.pause()
        assert "> Next layer that is worth a look (x)" in bottom(app)
        await pilot.press("enter")
        await pilot.pause()
        assert not bar.display
        assert app.bench.cursor == 12
        assert app.screen.query_one(Heatmap).has_focus
        await opened(app, pilot, "ctrl+p")
        await pilot.press(*"layout single", "enter")
        await app.until(lambda s: s.of(Places).layout == "single")
        await opened(app, pilot, "colon")
        await pilot.press("escape")
        await pilot.pause()
        assert not bar.display
        assert app.bench.phase == "done"

    live(watched("good"), talk)


def test_the_palette_does_what_keys_of_other_panes_do(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "colon")
        await pilot.press(*("full_stop" if c == "." else c for c in "diagnose.start"))
        await pilot.pause()
        assert re.search(r"> Diagnose: Find out why it lost its accuracy.* 8 d$", bottom(app), re.MULTILINE)
        await pilot.press("escape")
        app.set_keymap({"diagnose.start": "f9,d"})
        await opened(app, pilot, "colon")
        await pilot.press(*("full_stop" if c == "." else c for c in "diagnose.start"))
        await pilot.pause()
        assert re.search(r"> Diagnose: Find out why it lost its accuracy.* 8 f9$", bottom(app), re.MULTILINE)
        await pilot.press("enter")
        state = await app.until(lambda s: s.of(Diagnosis).found is not None)
        assert state.of(Places).focus == "diagnose"

    live(watched("good"), talk)


def test_what_cannot_be_had_now_says_why(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        bar = await opened(app, pilot, "colon")
        await pilot.press(*"theme default")
        await pilot.pause()
        assert "Draw with the theme default (it is in use)" in bottom(app)
        await pilot.press("enter")
        await pilot.pause()
        assert bar.display
        assert "what to do  it is in use" in bottom(app)
        await pilot.press("end", *["backspace"] * 13, *"xyzzyx")
        await pilot.pause()
        assert "nothing is called so" in bottom(app)
        await pilot.press("enter", "escape")
        assert app.bench.of(Looks).theme == "default"

    live(watched("good"), talk)


def test_what_is_wrong_with_an_answer_is_read_in_full() -> None:
    line = title_line("QUANT_WEIGHT_METHOD: what is legal; type a part of it, Enter takes it", "nothing is called so", 60)
    assert line_width(line) == 60
    assert line[1][0] == "  nothing is called so "
    assert line_width(title_line("short", "", 60)) == line_width(title_line("x" * 90, "y" * 90, 60)) == 60


def sent(app: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    got: list[str] = []
    monkeypatch.setattr(terminal, "write", lambda _, text: got.append(text))
    return got


def test_copies_go_to_the_terminal(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        got = sent(app, monkeypatch)
        await pilot.press("j", "l")
        texts = []
        for letter in "ncrtl":
            await opened(app, pilot, "y")
            await pilot.press(letter)
            await app.until(lambda s: s.note is not None and s.note.text.startswith("sent to the terminal"))
            await pilot.pause()
            texts.append(base64.b64decode(got[-1].removeprefix("\x1b]52;c;").removesuffix("\a")).decode())
        table = app.bench.table
        assert texts[0] == table.rows[1].name
        assert float(texts[1]) == table.cell(1, 1)
        assert texts[2].startswith(f"{table.rows[1].name}\t")
        assert texts[3].count("\n") == 26
        assert texts[4] == "magik-tui run /home/me/resnet18 --variant t40"

    live(watched("good"), talk)


def test_inside_tmux_the_copy_is_wrapped_and_nothing_in_it_is_obeyed() -> None:
    assert sequence("a", False) == "\x1b]52;c;YQ==\a"
    assert sequence("a", True) == "\x1b]52;c;YQ==\a\x1bPtmux;\x1b\x1b]52;c;YQ==\a\x1b\\"
    inside = base64.b64decode(sequence("x\x1b[31m\ty\nz", False)[7:-1]).decode()
    assert inside == "x\N{REPLACEMENT CHARACTER}[31m\ty\nz"


def test_a_copy_that_terminals_do_not_take_is_not_sent() -> None:
    state, effects = update(State("p"), CopyAsked("x" * MOST, "the table"))
    assert effects == ()
    assert state.note is not None
    assert "85 KB, and terminals take 64: E writes it to a file" in state.note.text
    assert len(update(State("p"), CopyAsked("x" * (MOST // 4 * 3), "the table"))[1]) == 1


def test_a_table_is_written_to_a_file_once_it_has_a_name(watched: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "resnet18-heatmap.csv"

    def read() -> str:
        return file.read_text(encoding="utf-8")

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "E")
        assert app.screen.query_one("#prompt-line", Input).value == "resnet18-heatmap.csv"
        await pilot.press("enter")
        await app.until(lambda s: s.note is not None and s.note.text.startswith("written: resnet18-heatmap.csv"))
        first = read()
        assert first.startswith("layer,type,")
        file.write_text("mine", encoding="utf-8")
        for answer, content in (("l", "mine"), ("o", first)):
            await opened(app, pilot, "E")
            await pilot.press("enter")
            async with asyncio.timeout(10):
                while "exists" not in bottom(app):
                    await pilot.pause()
            await pilot.press(answer)
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert read() == content
        for name, said in (("t.xls", "the ending says how it is written"), ("no/such/t.md", "No such file or directory")):
            await opened(app, pilot, "E")
            await pilot.press(*["backspace"] * 25, *(("full_stop" if c == "." else "slash" if c == "/" else c) for c in name), "enter")
            await app.until(lambda s, said=said: s.note is not None and said in s.note.text)

    live(watched("good"), talk)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["resnet18-heatmap.csv"]


def test_a_pane_without_a_table_says_so(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("9", "E")
        await app.until(lambda s: s.note is not None and "no table in this pane" in s.note.text)
        await opened(app, pilot, "y")
        assert "the table (the pane has no table)" in bottom(app)
        await pilot.press("t")
        await pilot.pause()
        assert "copy  the pane has no table" in bottom(app)

    live(watched("good"), talk)


def test_the_command_line_is_shown_and_every_run_is_in_the_log(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("dollar_sign")
        await pilot.pause()
        assert any(line.startswith(" magik-tui run /home/me/resnet18 --variant t40") for line in app.text())
        await pilot.press("9")
        await pilot.pause()
        assert any("$ magik-tui run /home/me/resnet18 --variant t40" in line for line in app.text())

    live(watched("good"), talk)


def test_a_command_line_survives_a_shell() -> None:
    state = State("/p/my net", "t40", ("A=it's", "B=$(reboot)"))
    line = twin(state, "run", "--json")
    assert line == "magik-tui run '/p/my net' --variant t40 --set 'A=it'\"'\"'s' --set 'B=$(reboot)' --json"


def test_the_next_start_finds_pane_layer_sample_sizes_layout_and_theme(watched: Any) -> None:
    async def first(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("n", "l", "l", "3", "right_square_bracket")
        await opened(app, pilot, "colon")
        await pilot.press(*"theme ansi", "enter")
        await app.until(lambda s: s.of(Looks).theme == "ansi")
        app.save_session()

    async def second(app: Any, pilot: Pilot[None]) -> None:
        assert app.bench.table.rows[app.bench.cursor].name == "resnetv15_relu12_fwd"
        assert app.bench.column == 2
        places = app.bench.of(Places)
        assert (places.focus, places.sizes) == ("layer", {"wide/1": 40})
        assert app.bench.of(Looks).theme == "ansi"
        assert app.theme == "magik-ansi"

    live(watched("good"), first, (120, 40))
    live(watched("good"), second, (120, 40))


def test_a_session_that_makes_no_sense_is_left_out(tmp_path: Path) -> None:
    whole = saved(State("p").put(Places(("heatmap", "log"), layout="wide", sizes={"wide/1": 44})))
    fresh = State("p").put(Places(("heatmap", "log")))
    assert restored(fresh, {"version": 1, **whole}).of(Places).layout == "wide"
    for wrong in ({"recent": 3}, {"layout": ["x"]}, [], "x", {"sizes": {"wide/1": "big"}}):
        assert restored(fresh, {"sight": wrong}).of(Places) == fresh.of(Places)
    odd = {"recent": ["gone", "log"], "layout": "gone", "sizes": {"gone/1": 4}}
    places = restored(fresh, {"sight": odd}).of(Places)
    assert (places.recent, places.layout, places.sizes) == (("log",), "", {})
    path = session_file(tmp_path, "/p/n\udc80t")
    assert path.parent == tmp_path / "sessions"
    for text in ("", "{", "[]", '{"version": 2}', "[" * 100_000):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        assert read_session(path) == {}


def test_two_projects_of_one_name_have_sessions_of_their_own(tmp_path: Path) -> None:
    assert session_file(tmp_path, "/a/net") != session_file(tmp_path, "/b/net")
    assert session_file(tmp_path, "/a/net/") == session_file(tmp_path, "/a/../a/net")


def test_keys_are_taken_from_a_keymap_and_what_it_gets_wrong_is_said(watched: Any) -> None:
    config = terminal.config_folder()
    config.mkdir(parents=True)
    (config / "keymap.json").write_text(json.dumps({"row.next": "x", "row.nxt": "j", "help.open": "q"}), encoding="utf-8")

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("x", "x", "j")
        assert app.bench.cursor == 2
        said = " ".join(note.text for note in app.bench.log)
        assert "the keymap names row.nxt, which no key does; did you mean row.next?" in said
        assert "the keymap takes q from app.quit for help.open" in said
        await pilot.press("q")
        await pilot.pause()
        page = str(app.screen.query_one("Overlay Static").visual)
        assert re.search(r"\nq +This help\n", page)
        assert re.search(r"\nx +Next layer\n", page)

    live(watched("good"), talk)


def test_vim_keys_walk_by_pages_from_the_palette(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "colon")
        await pilot.press(*"keymap vim", "enter")
        await app.until(lambda s: s.of(Looks).keymap == "vim")
        await pilot.press("escape", "ctrl+f")
        assert app.bench.cursor == 14
        await pilot.press("ctrl+u", "j")
        assert app.bench.cursor == 1

    live(watched("good"), talk)


def test_the_help_goes_by_the_keymap_too(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await pilot.press("question_mark")
        await pilot.pause()
        frame = app.screen.query_one("Overlay VerticalScroll")
        await pilot.press("ctrl+d")
        await pilot.pause()
        assert 10 < frame.scroll_y < 24
        await pilot.press("ctrl+u", "q")
        await pilot.pause()
        assert frame.scroll_y == 0
        assert app.is_running

    live(watched("good", wishes=Wishes(keymap="vim")), talk)


@pytest.mark.parametrize("theme", ["light", "ansi", "mono", "default"])
def test_a_theme_changes_colours_and_no_text(watched: Any, theme: str) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        before = app.text()
        await opened(app, pilot, "colon")
        await pilot.press(*"theme light", "enter")
        await app.until(lambda s: s.of(Looks).theme == "light")
        if theme != "light":
            await opened(app, pilot, "colon")
            await pilot.press(*f"theme {theme}", "enter")
            await app.until(lambda s: s.of(Looks).theme == theme)
        await pilot.press("escape")
        await pilot.pause()
        assert app.text() == before
        styles = [segment.style for strip in app.screen.query_one(Heatmap).render_lines(app.screen.query_one(Heatmap).size.region)
                  for segment in strip if segment.style is not None]  # fmt: skip
        colours = {s.color for s in styles if s.color is not None} | {s.bgcolor for s in styles if s.bgcolor is not None}
        if theme == "mono":
            assert all(colour.is_default for colour in colours)
        elif theme == "ansi":
            assert all(colour.is_default or ((colour.number or 0) < 16 and colour.triplet is None) for colour in colours)
        else:
            assert any(colour.number == 185 for colour in colours) is (theme == "default")

    live(watched("good"), talk)


def test_with_low_bandwidth_cells_are_digits_and_frames_are_rare(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert app.frame == 1.0
        heads = app.text()[2]
        assert heads.endswith((">", "12"))
        assert re.search(r" 9\d\d 9\d\d", app.text()[4])

    live(watched("good", wishes=Wishes(low_bandwidth=True)), talk)
