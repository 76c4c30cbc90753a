"""The pure core: what each event does, told as recorded lists of events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.live import DEATHS, WATCH
from magik_tui.core.requests import PATIENCE

Make = Callable[..., wire.Layers]
MakeDocument = Callable[..., wire.Document]
HELLO = wire.Hello(protocol=1, project="/p/resnet18", variant="t40")


def play(events: Iterable[ev.Event], state: State | None = None) -> tuple[State, list[ev.Effect]]:
    state, effects = state or State(project="p"), []
    for event in events:
        state, more = update(state, event)
        effects += (effect for effect in more if effect != WATCH)  # the watch is another room's
    return state, effects


def sample(layers: wire.Layers, index: int, cosine: float | None, run: int = 1) -> wire.Sample:
    metrics = {row.name: {"cosine": cosine} for row in layers.rows}
    return wire.Sample(layers.samples[index], index, metrics, id=run)


def finished(document: MakeDocument) -> State:
    state, _ = play([ev.Opened(0.0), HELLO, wire.Result(document(), id=1)])
    assert state.phase == "done"
    return state


def test_opening_starts_the_worker_and_its_hello_the_run() -> None:
    state, effects = play([ev.Opened(10.0)])
    assert (state.worker, state.phase, effects) == ("starting", "waiting", [ev.Start()])
    state, effects = play([HELLO], state)
    assert (state.worker, state.phase, state.variant) == ("ready", "running", "t40")
    assert effects == [ev.Send({"id": 1, "do": "run"})]


def test_settings_go_with_the_run() -> None:
    _, effects = play([ev.Opened(0.0), HELLO], State(project="p", settings=("SOC=T41",)))
    assert effects[-1] == ev.Send({"id": 1, "do": "run", "set": ["SOC=T41"]})


def test_the_table_fills_while_samples_arrive(layers: Make) -> None:
    said = layers(count=3, samples=2)
    state, _ = play([ev.Opened(0.0), HELLO, said, sample(said, 0, 0.99)])
    assert state.table.measured == 1
    assert state.table.cell(1, 0) == 0.99
    assert state.table.cell(1, 1) is None
    state, _ = play([sample(said, 1, 0.97)], state)
    assert state.table.worst == (0.97,) * 3
    assert state.table.mean(0) == pytest.approx(0.98)
    assert state.table.bad(0)


def test_a_second_run_keeps_the_old_table_marked_until_its_own_layers_come(layers: Make, document: MakeDocument) -> None:
    state = finished(document)
    state, effects = play([ev.RunAsked(9.0)], state)
    assert effects == [ev.Send({"id": 2, "do": "run"})]
    assert state.stale
    assert len(state.table.rows) == 25
    state, _ = play([layers(count=3, run=2)], state)
    assert not state.stale
    assert len(state.table.rows) == 3


def test_an_error_leaves_the_previous_table_marked_stale_and_its_message(layers: Make, document: MakeDocument) -> None:
    before = finished(document)
    failure = wire.Error("ConfigError", "magik.cfg:7:12: expected a number", 2, id=2)
    state, _ = play([ev.RunAsked(9.0), layers(count=3, run=2), failure], before)
    assert state.phase == "failed"
    assert state.stale
    assert state.table is before.table
    assert state.note is not None
    assert (state.note.level, state.note.text) == ("error", "magik.cfg:7:12: expected a number")


def test_messages_of_an_older_run_are_dropped(layers: Make, document: MakeDocument) -> None:
    state = finished(document)
    state, _ = play([ev.RunAsked(9.0)], state)
    late = [layers(run=1), wire.Progress("x", 1, 2, id=1), wire.Error("WorkError", "late", id=1), wire.Result(document(), id=1)]
    assert play(late, state)[0] == state


def test_cancel_is_sent_at_once_and_overdue_ends_the_worker(layers: Make) -> None:
    state, _ = play([ev.Opened(0.0), HELLO, layers()])
    state, effects = play([ev.CancelAsked()], state)
    assert state.phase == "cancelling"
    assert effects == [ev.Send({"id": 2, "do": "cancel", "target": 1}), ev.Alarm(PATIENCE, ev.Overdue(1))]
    assert PATIENCE < 1
    ended, effects = play([ev.Overdue(1)], state)
    assert (ended.phase, ended.worker, effects) == ("cancelled", "stopping", [ev.Terminate()])
    ended, effects = play([ev.Exited("was killed (SIGKILL)")], ended)
    assert (ended.worker, ended.phase, effects) == ("starting", "cancelled", [ev.Start()])
    ended, effects = play([HELLO], ended)
    assert (ended.worker, effects) == ("ready", [])


def test_an_answered_cancel_makes_the_alarm_harmless(layers: Make) -> None:
    state, effects = play([ev.Opened(0.0), HELLO, layers(), ev.CancelAsked(), wire.Error("Cancelled", id=1), ev.Overdue(1)])
    assert (state.phase, state.worker) == ("cancelled", "ready")
    assert ev.Terminate() not in effects


def test_a_run_asked_while_another_stops_begins_after_it() -> None:
    state, effects = play([ev.Opened(0.0), HELLO, ev.CancelAsked(), ev.RunAsked(3.0), wire.Error("Cancelled", id=1)])
    assert state.phase == "running"
    assert effects[-1] == ev.Send({"id": 3, "do": "run"})


def test_esc_before_hello_replaces_a_worker_that_may_never_say_it() -> None:
    state, effects = play([ev.Opened(0.0), ev.CancelAsked()])
    assert (state.phase, state.worker, state.wanted) == ("cancelled", "stopping", False)
    assert effects[-1] == ev.Terminate()
    state, effects = play([ev.RunAsked(1.0), ev.Exited("was killed"), HELLO], state)
    assert state.phase == "running"


def test_a_worker_that_dies_is_told_and_starts_again_with_its_run(document: MakeDocument) -> None:
    state = finished(document)
    state, effects = play([ev.RunAsked(1.0), ev.Exited("was killed (SIGKILL)", "out of [memory]")], state)
    assert (state.phase, state.worker, state.stale) == ("waiting", "starting", True)
    assert effects[-1] == ev.Start()
    assert state.note is not None
    assert "was killed (SIGKILL); it starts again" in state.note.text
    assert "out of [memory]" in state.note.text
    state, effects = play([HELLO], state)
    assert effects == [ev.Send({"id": 3, "do": "run"})]


def test_a_worker_that_dies_again_and_again_is_left_alone_until_r(document: MakeDocument) -> None:
    state, _ = play([*[ev.Exited("was killed (SIGKILL)"), HELLO] * DEATHS], finished(document))
    state, effects = play([ev.Exited("was killed (SIGKILL)")], state)
    assert (state.worker, effects) == ("off", [])
    assert state.note is not None
    assert "r starts it again" in state.note.text
    state, effects = play([ev.RunAsked(5.0), HELLO], state)
    assert effects[0] == ev.Start()
    assert state.phase == "running"


def test_the_death_of_an_idle_worker_is_told_and_keeps_the_table_valid(document: MakeDocument) -> None:
    state, _ = play([ev.Exited("ended")], finished(document))
    assert (state.phase, state.stale, state.worker) == ("done", False, "starting")
    assert state.note is not None
    assert state.note.level == "error"


def test_r_while_a_run_works_changes_nothing_but_the_note() -> None:
    state, _ = play([ev.Opened(0.0), HELLO])
    after, effects = play([ev.RunAsked(1.0)], state)
    assert effects == []
    assert replace(after, note=None) == state


def test_another_protocol_is_refused_plainly() -> None:
    state, effects = play([ev.Opened(0.0), wire.Hello(protocol=2)])
    assert state.phase == "failed"
    assert effects == [ev.Start()]
    assert state.note is not None
    assert "protocol 2" in state.note.text


def test_garbage_and_warnings_are_kept_and_counted(document: MakeDocument) -> None:
    noise = [wire.Garbage("segfault", "no JSON"), wire.Log("one picture is corrupt", "warning", "dataset", id=1)]
    state, _ = play([ev.Opened(0.0), HELLO, *noise, wire.Result(document(), id=1)])
    assert state.warnings == 2
    assert [note.text for note in state.log][2] == "one picture is corrupt"
    assert state.note is not None
    assert state.note.level == "warning"


def test_the_weightiest_warning_comes_first_whatever_came_before() -> None:
    noise = wire.Garbage("libgomp speaks", "no JSON")
    said = [("a key of a newer tool", "config"), ("skipped: cat.jpg: no picture", "dataset"), ("a range was guessed", "")]
    whole = "QUANT_DATASET_PATH is not set: the model is converted without quantization"
    warnings = [wire.Log(text, "warning", source, id=1) for text, source in (*said, (whole, "plan"))]
    for left, first in ((4, whole), (3, said[1][0]), (1, said[0][0])):
        state, _ = play([ev.Opened(0.0), HELLO, noise, *warnings[:left], wire.Result(wire.Document(), id=1)])
        assert state.note is not None
        assert state.note.text == f"{first} ({left} more: w)"


def test_what_is_open_is_known_from_the_hello_and_the_settings() -> None:
    hello = wire.Hello(protocol=1, project="/p/net", variant="t40", model="/p/net/net.onnx", soc="T40")
    state, _ = play([ev.Opened(0.0), hello])
    assert (state.soc, state.model, state.table.rows) == ("T40", "/p/net/net.onnx", ())
    state, _ = play([ev.Opened(0.0), hello], State(project="p", settings=("SOC=A1", 'SOC="T41"', "COLOR=BGR")))
    assert state.soc == "T41"


@pytest.mark.parametrize(
    ("kind", "message", "said"),
    [
        ("ConfigError", "magik.cfg:7:12: expected a number", "magik.cfg:7:12: expected a number"),
        ("InternalError", "internal error: KeyError: 3", "the engine made a mistake of its own: 3 (more in worker.log)"),
        ("InternalError", "out of memory", "out of memory"),
        ("Busy", "", "the engine made a mistake of its own (more in worker.log)"),
    ],
)
def test_an_error_has_no_names_of_classes_and_stays_in_the_log(kind: str, message: str, said: str) -> None:
    begun = State(project="p", engine_log="worker.log")
    state, _ = play([ev.Opened(0.0), HELLO, wire.Error(kind, message, id=1)], begun)
    assert state.note is not None
    assert (state.note.text, state.note.source) == (said, "")
    state, _ = play([ev.CancelAsked()], state)
    assert state.note is not None
    assert "w shows the error again" in state.note.text
    assert [note.text for note in state.log] == ["magik-tui run /p/resnet18 --variant t40", said]
    assert play([ev.CancelAsked()], state)[0].note is None


def test_the_outputs_stay_with_the_table_that_is_shown_again(layers: Make, document: MakeDocument) -> None:
    before = finished(document)
    state, _ = play([ev.RunAsked(9.0), layers(count=3, run=2), wire.Error("Cancelled", id=2)], before)
    assert (state.table, state.outputs, state.stale) == (before.table, before.outputs, True)


def test_an_empty_log_is_told_and_not_opened() -> None:
    state, effects = play([ev.LogAsked()], State(project="p", engine_log="/state/worker.log"))
    assert effects == []
    assert state.note is not None
    assert state.note.text == "the log is empty; what the engine wrote to stderr is in /state/worker.log"
    logged = replace(state, log=(state.note,), note=None)
    assert play([ev.LogAsked()], logged)[0] == logged


@pytest.mark.parametrize(
    ("moves", "row"),
    [
        ([ev.Moved(1), ev.Moved(1)], 2),
        ([ev.Moved(-1)], 0),
        ([ev.Moved(1000)], 24),
        ([ev.MovedTo(-1)], 24),
        ([ev.MovedTo(-1), ev.MovedTo(0)], 0),
        ([ev.BadAsked(1)], 12),
        ([ev.BadAsked(-1)], 18),
        ([ev.BadAsked(1)] * 8, 12),
    ],
)
def test_the_cursor(document: MakeDocument, moves: list[ev.Event], row: int) -> None:
    assert play(moves, finished(document))[0].cursor == row


def test_the_cursor_stays_on_its_layer_when_the_graph_changes(layers: Make) -> None:
    state, _ = play([ev.Opened(0.0), HELLO, layers(names=["a", "b", "c"]), ev.MovedTo(2)])
    moved, _ = play([layers(names=["c", "d"])], state)
    assert moved.cursor == 0
    gone, _ = play([layers(names=["x"])], state)
    assert gone.cursor == 0


def test_moving_in_an_empty_table_does_nothing() -> None:
    empty = State(project="p")
    for event in (ev.Moved(1), ev.MovedTo(-1), ev.ColumnMoved(1)):
        state, effects = update(empty, event)
        assert (state.cursor, state.column, effects) == (0, 0, ())
    assert update(empty, ev.BadAsked(1))[0].cursor == 0


def test_the_sample_cursor_stays_inside(document: MakeDocument) -> None:
    state = finished(document)
    assert play([ev.ColumnMoved(5)], state)[0].column == 5
    assert play([ev.ColumnMoved(-1)], state)[0].column == 0
    assert play([ev.ColumnMoved(99)], state)[0].column == 11


def test_time_counts_only_while_something_works(document: MakeDocument) -> None:
    state, _ = play([ev.Opened(10.0), ev.Tick(12.0), HELLO])
    assert state.elapsed == 0  # a run is timed from its own beginning
    assert play([ev.Tick(15.0)], state)[0].elapsed == 3.0
    idle = finished(document)
    assert update(idle, ev.Tick(99.0))[0] is idle
