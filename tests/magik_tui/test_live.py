"""What changes on top of the configuration, and on disk: one job at work, at most one waits, nothing superseded is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.config import ConfigFile, Text
from magik_tui.core.live import WATCH, AutoToggled, Choice, Live, LiveAsked, PlanReset, PlanSet, UndoAsked
from magik_tui.core.session import restored, saved

HELLO = wire.Hello(1)
MakeDocument = Callable[..., wire.Document]


def play(state: State, *events: Any) -> tuple[State, list[dict[str, Any]]]:
    """Return the state after the events, and the requests that were sent."""
    sent: list[dict[str, Any]] = []
    for event in events:
        state, effects = update(state, event)
        sent += [e.request for e in effects if isinstance(e, ev.Send)]
    return state, sent


def ready(document: MakeDocument) -> State:
    return play(State("p"), ev.Opened(0.0), HELLO, wire.Result(msgspec.to_builtins(document()), id=1))[0]


def result(state: State, document: wire.Document) -> wire.Result:
    job = state.of(Live).job
    return wire.Result({**msgspec.to_builtins(document), "recomputed": ["a", "b"]}, id=job)


def bits(n: int) -> PlanSet:
    return PlanSet({"conv": Choice(feature_bits=n)})


def test_a_changed_plan_runs_at_once(document: MakeDocument) -> None:
    state, sent = play(ready(document), bits(12))
    assert sent == [{"id": 2, "do": "live", "plan": {"nodes": {"conv": {"feature_bits": 12}}}}]
    assert state.stale
    state, _ = play(state, result(state, document(count=7)))
    assert (len(state.table.rows), state.stale, state.of(Live).recomputed) == (7, False, 2)


def test_a_newer_plan_takes_the_place_of_the_one_at_work(document: MakeDocument) -> None:
    state, _ = play(ready(document), bits(12))
    state, sent = play(state, bits(10))
    assert [s["do"] for s in sent] == ["cancel"]
    state, sent = play(state, bits(4))
    assert sent == []
    state, sent = play(state, wire.Error("Cancelled", id=2))
    assert [s["plan"]["nodes"]["conv"]["feature_bits"] for s in sent] == [4]


def test_a_superseded_result_is_not_shown(document: MakeDocument) -> None:
    state, _ = play(ready(document), bits(12), bits(10))
    before = state.table
    state, sent = play(state, result(state, document(count=3)))
    assert state.table == before
    assert [s["do"] for s in sent] == ["live"]
    assert state.stale


def test_undo_and_redo(document: MakeDocument) -> None:
    state, _ = play(ready(document), bits(12), PlanSet({"fc": Choice(skip=True)}))
    assert set(state.of(Live).plan) == {"conv", "fc"}
    state, _ = play(state, UndoAsked(-1))
    assert set(state.of(Live).plan) == {"conv"}
    state, _ = play(state, UndoAsked(-1), UndoAsked(-1))
    assert state.of(Live).plan == {}
    assert state.note is not None
    assert state.note.text == "nothing to undo"
    state, _ = play(state, UndoAsked(1), UndoAsked(1))
    assert set(state.of(Live).plan) == {"conv", "fc"}
    state, _ = play(state, PlanReset(), UndoAsked(-1))
    assert set(state.of(Live).plan) == {"conv", "fc"}


def test_a_choice_that_says_nothing_leaves_the_plan(document: MakeDocument) -> None:
    state, _ = play(ready(document), bits(12), PlanSet({"conv": Choice()}))
    assert state.of(Live).plan == {}


def test_changes_wait_when_they_are_told_to(document: MakeDocument) -> None:
    state, sent = play(ready(document), AutoToggled(), bits(12))
    assert (sent, state.stale) == ([], True)
    _, sent = play(state, LiveAsked())
    assert [s["do"] for s in sent] == ["live"]
    _, sent = play(state, AutoToggled())
    assert [s["do"] for s in sent] == ["live"]


def test_files_that_others_change_are_followed(document: MakeDocument) -> None:
    state = ready(document).put(ConfigFile(saved=Text("magik.cfg", "{}", "1"), draft="{}"))
    _, sent = play(state, wire.News("changed", 0, {"config": ["magik.cfg"]}))
    assert [s["do"] for s in sent] == ["live", "read"]
    _, sent = play(state, wire.News("changed", 5, {"config": ["magik.cfg"]}))
    assert sent == []


@pytest.mark.parametrize("kind", ["UsageError", "Cancelled"])
def test_a_table_that_follows_a_failed_run_ends_the_failure(document: MakeDocument, kind: str) -> None:
    state, _ = play(State("p"), ev.Opened(0.0), HELLO, wire.Error(kind, "the model is not there", id=1))
    assert state.phase in ("failed", "cancelled")
    state, _ = play(state, wire.News("changed", 0, {"model": ["m.onnx"]}))
    state, _ = play(state, result(state, document()))
    assert (state.phase, state.stale) == ("done", False)
    assert state.table.rows


def test_the_log_parts_what_was_said_of_an_older_table_from_what_comes_after(document: MakeDocument) -> None:
    state, _ = play(ready(document), wire.Log("the model is converted without quantization", "warning", "plan", 1), bits(12))
    made = msgspec.structs.replace(document(), outputs=(wire.Output("o", 0.9911),), timing={"run": 0.25})
    state, _ = play(state, result(state, made))
    assert state.log[-1].text == "the table follows what changed: 2 layers computed in 0.25 s, output cosine 0.99110"


def test_a_whole_run_is_followed_by_the_plan(document: MakeDocument) -> None:
    state, _ = play(ready(document), AutoToggled(), bits(12), AutoToggled())
    state, _ = play(state, result(state, document()))
    state, sent = play(state, ev.RunAsked(1.0))
    assert [s["do"] for s in sent] == ["run"]
    _, sent = play(state, wire.Result(msgspec.to_builtins(document()), id=state.run))
    assert [s["do"] for s in sent] == ["live"]


def test_a_killed_worker_loses_no_plan(document: MakeDocument) -> None:
    state, _ = play(ready(document), bits(12))
    state, _ = play(state, ev.Exited("was killed (SIGKILL)"))
    assert (state.worker, state.of(Live).plan) == ("starting", {"conv": Choice(feature_bits=12)})
    _, sent = play(state, HELLO)
    assert sent == [WATCH.request, {"id": 3, "do": "live", "plan": {"nodes": {"conv": {"feature_bits": 12}}}}]


def test_a_plan_that_fails_is_told_and_the_table_stays(document: MakeDocument) -> None:
    state, _ = play(ready(document), bits(9))
    before = state.table
    state, _ = play(state, wire.Error("ConfigError", "T40 has no 9-bit features", id=2))
    assert (state.table, state.stale) == (before, True)
    assert state.note is not None
    assert state.note.text == "T40 has no 9-bit features"


def test_esc_stops_it_and_says_so(document: MakeDocument) -> None:
    state, _ = play(ready(document), bits(12))
    state, sent = play(state, ev.CancelAsked())
    assert [s["do"] for s in sent] == ["cancel"]
    state, sent = play(state, wire.Error("Cancelled", id=2))
    assert (sent, state.stale) == ([], True)


def test_a_sample_that_is_gone_takes_its_column_along(document: MakeDocument) -> None:
    state, _ = play(ready(document), wire.News("changed", 0, {"pictures": ["a/cat_011.jpg", "b", "c", "d"]}))
    assert state.note is not None
    assert state.note.text == "changed on disk: cat_011.jpg, b, c and 1 more"
    fewer = document(samples=11)
    names = tuple(f"cat_{i:03d}.jpg" for i in range(11))
    state, _ = play(state, wire.Layers(fewer.nodes, names, id=state.of(Live).job), result(state, fewer))
    assert (state.table.samples, len(state.table.columns)) == (names, 11)
    unread = (*names, "cat_999.jpg")  # one that cannot be read keeps its place
    state, _ = play(state, bits(12))
    state, _ = play(state, wire.Layers(fewer.nodes, unread, id=state.of(Live).job), result(state, fewer))
    assert state.table.samples == unread


def test_what_somebody_changed_does_not_hide_what_went_wrong(document: MakeDocument) -> None:
    state = ready(document).noted("error", "no space left")
    state, _ = play(state, wire.News("changed", 0, {"config": ["magik.cfg"]}))
    assert state.note is not None
    assert state.note.text == "no space left"


def test_a_new_engine_is_told_first_which_variant_is_worked_on() -> None:
    both = ("t40", "t41")
    state, _ = play(State("p", variant="t41"), ev.Opened(0.0), wire.Hello(1, variant="t41", variants=both))
    state, _ = play(state, ev.Exited("was killed (SIGKILL)"))
    state, sent = play(state, wire.Hello(1, variant="t40", variants=both))
    assert [s["do"] for s in sent] == ["variant", "watch"]
    assert (state.variant, state.worker) == ("t41", "starting")
    state, sent = play(state, wire.Result({"variant": "t41", "soc": "T41", "model": "m.onnx"}, id=sent[0]["id"]))
    assert [s["do"] for s in sent] == ["run"]
    assert (state.variant, state.soc, state.worker) == ("t41", "T41", "ready")


def test_a_plan_outlives_the_session(document: MakeDocument) -> None:
    hello = wire.Hello(1, variant="t40", variants=("t40", "t41"))
    state, _ = play(replace(ready(document), variant="t40"), bits(12))
    kept = saved(state)
    again, sent = play(restored(State("p"), kept), ev.Opened(0.0), hello, wire.Result(msgspec.to_builtins(document()), id=1))
    assert again.of(Live).plan == {"conv": Choice(feature_bits=12)}
    assert [s["do"] for s in sent if s["do"] != "watch"] == ["run", "live"]
    assert again.note is not None
    assert "1 layers are changed on top of the files" in again.note.text
    other, _ = play(restored(State("p"), kept), ev.Opened(0.0), wire.Hello(1, variant="t41"))
    assert other.of(Live).plan == {}
    assert saved(other)["plan"] == kept["plan"]  # it waits for its variant
