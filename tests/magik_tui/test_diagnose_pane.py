"""The diagnosis on the screen: what is tried, what was found, a fix written and taken back, jumps, copies and files."""

from __future__ import annotations

import base64
import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from magik_tui import events as ev
from magik_tui import terminal, wire
from magik_tui.core import State, update
from magik_tui.core.data import Data
from magik_tui.core.diagnose import (
    DiagnoseAsked,
    Diagnosis,
    EntryClosed,
    EntryMoved,
    EntryOpened,
    FixUndone,
    PartAsked,
    ReportAsked,
    fix_line,
)
from magik_tui.core.findings import Before, Diagnosed, Finding, Fix, named
from magik_tui.core.live import Changed, FilesChanged
from magik_tui.core.places import Places
from magik_tui.core.requests import Requests
from magik_tui.diagnosis import columns, head_lines, line_of, more_lines, sheet_of
from magik_tui.sheets import as_csv, written
from magik_tui.widgets.ink import line_text, line_width
from tests.magik_tui import playing
from tests.magik_tui.playing import Talk

READY = State("p", worker="ready", phase="done")
FIX = Fix(1, "features of 12 bits", {"QUANT_FEATURE_BIT": 12}, heals=True)
FOUND = Diagnosed(
    "doubtful", headline=Finding(claim="doubtful: {because}"), findings=(Finding("health", "bad", "outputs 0.98"),), fixes=(FIX,),
    recipes=(("in magik.cfg:", '    "QUANT_FEATURE_BIT": 12'),), markdown="# it\n",
)  # fmt: skip


def live(app: Any, talk: Talk, size: tuple[int, int] = (110, 30)) -> None:
    playing.live(app, talk, size, key="8")


async def diagnosed(app: Any, pilot: Pilot[None]) -> str:
    await pilot.press("d")
    await app.until(lambda s: s.of(Diagnosis).found is not None)
    await pilot.pause()
    return "\n".join(app.text())


def on_fix(state: State = READY, fix: Fix = FIX, **changes: Any) -> State:
    """A state with a diagnosis, the cursor on its one fix."""
    mine = Diagnosis(found=msgspec.structs.replace(FOUND, fixes=(fix,)), cursor=3)
    return state.put(replace(mine, **changes))


def after(state: State, *events: Any) -> State:
    for event in events:
        state, _ = update(state, event)
    return state


def test_it_says_what_it_does_then_what_was_found(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert "d finds out" in "\n".join(app.text())
        text = await diagnosed(app, pilot)
        assert "Unhealthy: the activations lose the accuracy" in text
        assert ">x health" in text
        assert "outputs 0.97840; the worst is" in text
        assert "not tried: WEIGHT_CORRECT_PATH: weights make 2.2% of the noise" in text
        assert ["heals" in line for line in text.splitlines() if "+0.02040" in line] == [True, True, False]
        assert "with caution" in text
        assert "magik-tui diagnose /home/me/resnet18 --variant t40" in "\n".join(note.text for note in app.bench.log)

    live(watched("good"), talk)


def test_a_fix_is_opened_written_and_taken_back(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await diagnosed(app, pilot)
        await pilot.press("n", "enter")
        await app.until(lambda s: s.of(Diagnosis).opened == 1)
        text = "\n".join(app.text())
        assert '"LOAD_OP_QUANT_BIT": true' in text
        assert "Enter writes these lines" in text
        await pilot.press("dollar_sign")
        line = "magik-tui diagnose /home/me/resnet18 --variant t40 --apply 1"
        await app.until(lambda s: s.note is not None and s.note.text == line)
        await pilot.press("enter")
        state = await app.until(lambda s: s.of(Diagnosis).applied == 1)
        assert line in [note.text for note in state.log]
        assert app.notes[-1] == "wrote magik_node_quant_bit_info.json, magik_t40.cfg; u takes it back"
        await pilot.press("enter")
        await app.until(lambda s: s.note is not None and s.note.text == "it is written already; u takes it back")
        await pilot.press("u")
        await app.until(lambda s: not s.of(Diagnosis).before)
        assert app.notes[-1].startswith("as before: ")
        await pilot.press("backspace")
        state = await app.until(lambda s: not s.of(Diagnosis).opened)
        assert state.of(Diagnosis).chosen.value.rank == 1

    live(watched("good"), talk)


def test_the_lines_of_a_fix_are_in_sight_on_the_smallest_screen(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        assert ">x health" in await diagnosed(app, pilot)
        await pilot.press("n", "enter")
        await pilot.pause()
        assert '"LOAD_OP_QUANT_BIT": true' in "\n".join(app.text())

    live(watched("good"), talk, (60, 15))


def test_rows_lead_to_layers_and_samples(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await diagnosed(app, pilot)
        await pilot.press("enter")  # the worst layer of the first finding
        state = await app.until(lambda s: s.of(Places).focus == "layer")
        assert state.cursor == 12
        await pilot.press("8", "G", "k", "enter")  # the debug sample that does badly
        state = await app.until(lambda s: s.of(Places).focus == "data" and s.of(Data).sets is not None)
        assert state.table.samples[state.column] == "cat_001.jpg"
        assert state.of(Data).chosen.sample.name == "cat_001.jpg"
        await pilot.press("8", "G", "enter")  # the calibration picture that teaches little
        state = await app.until(lambda s: s.of(Places).focus == "data")
        assert (state.of(Data).chosen.key, state.of(Data).chosen.sample.name) == ("QUANT_DATASET_PATH", "b.png")

    live(watched("good"), talk)


def test_a_finding_of_several_layers_asks_which(watched: Any) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await diagnosed(app, pilot)
        await pilot.press("j", "j", "j")
        bar = await playing.opened(app, pilot, "enter")
        await pilot.press("down", "enter")
        state = await app.until(lambda s: s.of(Places).focus == "layer")
        assert state.cursor == 3
        assert not bar.display

    live(watched("good"), talk)


def test_it_is_copied_whole_and_by_the_row(watched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    got: list[str] = []
    monkeypatch.setattr(terminal, "write", lambda _, text: got.append(text))

    def last() -> str:
        return base64.b64decode(got[-1].removeprefix("\x1b]52;c;").removesuffix("\a")).decode()

    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await diagnosed(app, pilot)
        await pilot.press("m")
        await app.until(lambda s: s.note is not None and s.note.text == "sent to the terminal: the diagnosis in Markdown")
        await pilot.pause()
        assert last() == "# Diagnosis of resnet18\n"
        await pilot.press("n")
        for key, said in (("n", "12 bits for"), ("l", "magik-tui diagnose /home/me/resnet18 --variant t40")):
            await playing.opened(app, pilot, "y")
            await pilot.press(key)
            await app.workers.wait_for_complete()
            await pilot.pause()
            assert last().startswith(said)

    live(watched("good"), talk)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
def test_hostile_names_stay_text(watched: Any, size: tuple[int, int]) -> None:
    async def talk(app: Any, pilot: Pilot[None]) -> None:
        await diagnosed(app, pilot)
        for key in (
            "j",
            "n",
            "enter",
            "j",
            "j",
            "backspace",
            "j",
            "j",
            "enter",
            "j",
            "G",
            "backspace",
            "n",
            "n",
            "j",
            "G",
            "k",
            "enter",
            "8",
        ):
            await pilot.press(key)
            await pilot.pause()
            assert all(line.isprintable() for line in app.text())

    live(watched("hostile"), talk, size)


def test_what_is_tried_is_told_while_it_works() -> None:
    state, effects = update(READY, DiagnoseAsked())
    assert effects[-1].request == {"id": 1, "do": "diagnose"}
    lines = ("trying: features of 12 bits", "  0.97 -> 0.99 (+0.02)", "trying: weights of 8 bits")
    state = after(state, *(wire.Log(text, source="Diagnose", id=1) for text in lines), wire.Log("cold", source="lab", id=1))
    mine = state.of(Diagnosis)
    assert [entry.text for entry in mine.entries] == ["features of 12 bits  0.97 -> 0.99 (+0.02)", "weights of 8 bits"]
    assert "Esc stops it" in line_text(head_lines(mine, 100, 3)[0])
    assert update(state, DiagnoseAsked())[1] == ()
    assert after(state, EntryOpened()).note.text == "a diagnosis is at work; Esc stops it"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (wire.Error("Cancelled", id=1), "d goes on from there"),
        (
            wire.Error("DataError", "DEBUG_PATH: there is nothing to measure on", id=1),
            "DEBUG_PATH: there is nothing to measure on. Mend that",
        ),
    ],
)
def test_an_end_without_a_diagnosis_says_what_to_do(error: wire.Error, said: str) -> None:
    state = after(READY, DiagnoseAsked(), wire.Log("trying: a", source="Diagnose", id=1), error)
    mine = state.of(Diagnosis)
    assert mine.job is None
    assert said in " ".join(line_text(line) for line in head_lines(mine, 100, 3))
    assert [entry.text for entry in mine.entries] == ["a"]
    state, effects = update(state, EntryOpened())  # with nothing to open Enter begins again
    assert effects[-1].request["do"] == "diagnose"


def test_a_stopped_diagnosis_leaves_the_earlier_one() -> None:
    state = after(on_fix(), DiagnoseAsked())
    assert state.of(Diagnosis).entries == ()
    state = after(state, wire.Error("Cancelled", id=state.of(Diagnosis).job))
    assert state.of(Diagnosis).found is not None
    assert len(state.of(Diagnosis).entries) == 4


def test_an_answer_that_does_not_fit_is_an_error() -> None:
    state = after(READY, DiagnoseAsked(), wire.Result(msgspec.Raw(b'{"fixes": [8]}'), id=1))
    assert state.of(Diagnosis).job is None
    assert "does not fit" in state.of(Diagnosis).error


def test_files_that_change_make_it_old() -> None:
    state = after(on_fix(), FilesChanged(Changed(config=("magik.cfg",))))
    for mine in (state.of(Diagnosis), replace(state.of(Diagnosis), opened=1)):
        said = line_text(head_lines(mine, 100, 3)[0]).strip()
        assert said == "Files or variant changed since this was measured: d diagnoses again."
    mine = replace(state.of(Diagnosis), opened=1, applied=1)  # it was the fix itself
    assert line_text(head_lines(mine, 100, 3)[0]).strip() == "1. features of 12 bits"


def test_a_fix_of_another_variant_is_not_written() -> None:
    state = after(replace(on_fix(variant="t40"), variant="t41"), ev.RunAsked(0.0))
    assert state.of(Diagnosis).stale
    state, effects = update(after(state, EntryOpened()), EntryOpened())
    assert effects == ()
    assert state.note.text == "this was measured on the variant t40; d diagnoses t41"


def test_what_only_a_person_can_do_is_not_written() -> None:
    state = on_fix(fix=Fix(1, "without 2 pictures", without=("a", "b"), do="take them out"))
    state, effects = update(after(state, EntryOpened()), EntryOpened())
    assert effects == ()
    assert state.note.text == "no file says this, it is yours to do: take them out"


@pytest.mark.parametrize(
    ("fix", "settings", "said"),
    [
        (FIX, (), "wrote magik.cfg; u takes it back"),
        (FIX, ("QUANT_FEATURE_BIT=8",), "wrote magik.cfg; u takes it back; here --set QUANT_FEATURE_BIT=8 still counts instead"),
        (
            Fix(1, "corrected", {"WEIGHT_CORRECT_PATH": "./c"}, do="copy them"),
            (),
            "wrote magik.cfg; u takes it back; still yours to do: copy them",
        ),
        (Fix(1, "12 bits", {}, {"a": {"QUANT_FEATURE_BIT": 12}}, do="add these"), (), "wrote magik.cfg; u takes it back"),
    ],
)
def test_a_written_fix_says_what_is_left(fix: Fix, settings: tuple[str, ...], said: str) -> None:
    state = on_fix(replace(READY, settings=settings), fix)
    state, effects = update(after(state, EntryOpened()), EntryOpened())
    request = effects[-1].request
    nodes = {name: {"feature_bits": 12} for name in fix.bit_file}
    assert (request["do"], request["config"], request["plan"]) == ("apply", fix.config, {"nodes": nodes})
    answer = {"written": ["/p/magik.cfg"], "before": [{"file": "config", "text": "{}", "version": "v"}]}
    state = after(state, wire.Result(msgspec.Raw(json.dumps(answer).encode()), id=request["id"]))
    assert state.note.text == said
    state, effects = update(state, FixUndone())
    assert list(effects[-1].request["before"]) == answer["before"]
    state = after(state, wire.Error("Conflict", "was changed by somebody else meanwhile", id=effects[-1].request["id"]))
    assert state.note.text == "not taken back: was changed by somebody else meanwhile"
    assert state.of(Diagnosis).before == ((Before("config", "{}", "v"),),)


def test_a_command_line_writes_a_fix_only_while_it_is_the_same() -> None:
    opened = after(on_fix(), EntryOpened())
    assert fix_line(on_fix()) == ""  # nothing is opened
    assert fix_line(opened) == "magik-tui diagnose p --apply 1"
    assert fix_line(replace(opened, variant="t41")) == ""
    changed = after(opened, FilesChanged(Changed(config=("magik.cfg",))))
    assert fix_line(changed) == ""
    state, _ = update(changed, EntryOpened())
    assert not [note for note in state.log if "--apply" in note.text]
    assert fix_line(changed.put(replace(changed.of(Diagnosis), applied=1))) == "magik-tui diagnose p --apply 1"
    assert fix_line(after(on_fix(fix=Fix(1, "others", do="take them out")), EntryOpened())) == ""


def test_keys_that_can_do_nothing_say_why() -> None:
    assert after(READY, FixUndone()).note.text == "no fix was written that could be taken back"
    assert after(READY, ReportAsked()).note.text == "there is no diagnosis yet; d makes one"
    assert after(READY, EntryMoved(1), PartAsked(1), EntryClosed()).of(Diagnosis) == Diagnosis()
    assert after(on_fix(cursor=1), EntryOpened()).note.text == "this row names no layer and no sample of the table"
    assert not READY.of(Requests).open


def test_parts_go_round() -> None:
    state = on_fix(cursor=1)
    places = []
    for step in (1, 1, -1, -1):
        state = after(state, PartAsked(step))
        places.append(state.of(Diagnosis).cursor)
    assert places == [3, 1, 3, 1]


@pytest.mark.parametrize("width", [20, 40, 64, 80, 120, 200])
def test_every_row_fits_its_width(width: int) -> None:
    mine = on_fix().of(Diagnosis)
    for entry in mine.entries:
        assert line_width(line_of(mine, entry, width, here=True)) == width
    assert all(line_width(line) <= width for line in (*head_lines(mine, width, 3), *more_lines(mine, width, 3)))
    assert [name for name, _ in columns(width)] == [name for name, _ in columns(200) if (name, dict(columns(200))[name]) in columns(width)]


def test_the_part_under_the_cursor_is_a_table_and_the_report_is_whole(tmp_path: Path) -> None:
    mine = replace(on_fix().of(Diagnosis), document={"schema": 1, "markdown": "# it\n", "recipes": []})
    sheet = sheet_of(mine, "t")
    assert sheet is not None
    assert list(csv.reader(io.StringIO(as_csv(sheet))))[1][0] == "features of 12 bits"
    assert written(sheet, "md") == "# it\n"
    assert json.loads(written(sheet, "json")) == {"schema": 1}
    assert written(sheet, "svg").startswith("<svg")
    with pytest.raises(ValueError, match=r"nothing is written to \.xls"):
        written(sheet, "xls")
    lines = sheet_of(replace(mine, opened=1, cursor=1), "t")
    assert lines is not None
    assert lines.rows[lines.row] == ('    "QUANT_FEATURE_BIT": 12',)
    findings = sheet_of(replace(mine, cursor=1), "t")
    assert findings is not None
    assert findings.rows == (("health", "bad", "outputs 0.98"),)
    assert sheet_of(Diagnosis(), "t") is None


def test_what_the_engine_says_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.events import silent
    from engine.service.context import Context
    from engine.service.lanes import service
    from tests.engine import tiny

    tiny.build(tmp_path)
    tiny.configure(tmp_path, QUANT_WEIGHT_BIT=2)
    monkeypatch.chdir(tmp_path)
    asked = service("diagnose")
    document = json.loads(json.dumps(asked.answer(Context(tmp_path, None), asked.read({}), silent)))
    found = wire.read(document, Diagnosed)
    said = document["fixes"][0]
    assert (found.verdict, found.headline.claim) == (document["verdict"], document["headline"]["claim"])
    assert (found.fixes[0].config, found.fixes[0].gain, found.fixes[0].after.cosine_avg) == (
        said["config"], said["gain"], said["after"]["cosine_avg"],
    )  # fmt: skip
    assert found.fixes[0].cost.features == said["cost"]["features"] is not None
    assert [f.topic for f in found.findings] == [f["topic"] for f in document["findings"]]
    assert [s.cosine for s in found.debug_samples] == [s["cosine"] for s in document["debug_samples"]]
    mine = Diagnosis(found=found, document=document, cursor=1)
    rows = "\n".join(line_text(line_of(mine, entry, 200, here=False)) for entry in mine.entries)
    assert all(text in rows for text in (said["title"], document["findings"][0]["claim"][:60], f"{said['gain']:+.5f}"))
    worst = named(found, found.findings[0])[0]
    assert found.findings[0].numbers["worst"] in worst
