"""The room of the bisection: what it asks for, what it makes of answers, what cannot be done and why; pure."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import pytest

from magik_tui import events as ev
from magik_tui import hunting, wire
from magik_tui.core import State, update
from magik_tui.core.bisect import BisectAsked, CulpritsApplied, CulpritsTaken, JudgeTyped, MetricAsked, PlaceAsked, TargetAsked, TargetTyped
from magik_tui.core.byhand import (
    BisectMoved,
    EditLog,
    LogEditAsked,
    LogEdited,
    ReplayTyped,
    RowMarked,
    StepAsked,
    StepMarked,
    StepsUndone,
    under_cursor,
)
from magik_tui.core.hunt import Answered, Asking, Bisection, Culprit, Evidence, Priors, Verdict, kinds, marks
from magik_tui.core.live import Changed, Choice, FilesChanged, Live
from magik_tui.core.places import PaneChosen, Places
from magik_tui.sheets import as_csv
from magik_tui.table import from_layers

ROWS = (
    wire.Row("a", "Conv2D"),
    wire.Row("b", "Add"),
    wire.Row("c", "Conv2D"),
    wire.Row("d", "Softmax", quantized=False),
)


def opened(**known: Any) -> State:
    """A workbench with four layers, a free worker, and what is known of a search."""
    state = State("p", worker="ready", phase="done", table=from_layers(wire.Layers(rows=ROWS)))
    return state.put(Bisection(**known))


def answered(state: State, **said: Any) -> tuple[State, tuple[Any, ...]]:
    """The engine answers the last request with where the search stands."""
    document = {"finished": False, "metric": "cosine_avg", "target": 0.99, **said}
    return update(state, wire.Result(id=state.last_id, value=wire.msgspec.Raw(wire.json.dumps(document).encode())))


def asked_of(effects: tuple[Any, ...]) -> dict[str, Any]:
    """The one request among effects, without its id."""
    (sent,) = [effect.request for effect in effects if isinstance(effect, ev.Send)]
    return {name: value for name, value in sent.items() if name != "id"}


def test_rows_are_what_the_engine_says() -> None:
    """A sign for each row; types are the first of current, bad, suspect, skipped, untested, good that any of their operators is."""
    state = opened(states="+x.-", priors=Priors(nodes={"c": "suspect"}))
    assert marks(state) == ("good", "bad", "suspect", "float")
    assert [(kind.name, kind.mark, dict(kind.counts)) for kind in kinds(state, marks(state))] == [
        ("Conv2D", "suspect", {"good": 1, "suspect": 1}),
        ("Add", "bad", {"bad": 1}),
    ]
    assert marks(opened(states="+-.-")) == ("good", "outside", "untested", "float")  # an integer that is not searched
    assert marks(opened(states="+")) == ("untested", "untested", "untested", "float")
    assert marks(opened(states="~>+-", priors=Priors({"Conv2D": "suspect"}))) == ("skip", "current", "good", "float")


def test_the_cursor_goes_over_types_and_layers() -> None:
    state = opened()
    assert under_cursor(state) == ("", "a")
    state, _ = update(state, BisectMoved(-1))
    assert under_cursor(state) == ("Add", "")
    state, _ = update(state, BisectMoved(to=0))
    assert under_cursor(state) == ("Conv2D", "")
    state, _ = update(state, BisectMoved(3))
    assert (under_cursor(state), state.cursor) == (("", "b"), 1)
    state, _ = update(state, BisectMoved(to=0))
    state, _ = update(state, ev.Moved(1))
    assert under_cursor(state) == ("", "c")
    assert under_cursor(State("p").put(Bisection(place=3))) == ("", "")


def test_each_action_is_one_request_that_needs_no_earlier_one() -> None:
    goal = {"do": "bisect", "metric": "cosine_avg", "target": 0.99}
    known = {"known": True, "steps": (Answered("start", "bad", 0.9),), "asking": Asking("operators", 3, 2, ("a",))}
    for event, fields in (
        (BisectAsked(), {"fresh": False}),
        (BisectAsked(fresh=True), {"fresh": True}),
        (StepAsked(), {"steps": 1}),
        (StepMarked("good"), {"mark": "good", "steps": 0}),
        (StepsUndone(), {"undo": 1, "steps": 0}),
        (RowMarked("suspect"), {"suspect": ["a"], "steps": 0}),
    ):
        state, effects = update(opened(**known), event)
        assert asked_of(effects) == {**goal, **fields}
        again, effects = update(state, StepsUndone())
        assert effects == ()
        assert again.note is not None
        assert "at work" in again.note.text
    for event, fields in ((LogEdited("x"), {"text": "x"}), (ReplayTyped(" l.log "), {"replay": "l.log"})):
        _, effects = update(opened(**known), event)
        assert asked_of(effects) == {"do": "bisect", "steps": 0, **fields}


def test_a_step_behind_a_mark_waits_for_it() -> None:
    state, _ = update(opened(known=True, asking=Asking("operators", 3, 2, ("a",))), StepMarked("bad"))
    for event, fields in ((StepAsked(), {"steps": 1}), (BisectAsked(), {"fresh": False})):
        typed, effects = update(state, event)
        assert effects == ()
        done, effects = answered(typed)
        assert asked_of(effects) == {"do": "bisect", "metric": "cosine_avg", "target": 0.99, **fields}
        assert done.of(Bisection).following is None
        failed, effects = update(typed, wire.Error("UsageError", "cannot reach 2", id=typed.last_id))
        assert (effects, failed.of(Bisection).following) == ((), None)


def test_the_same_mark_again_takes_it_back() -> None:
    _, effects = update(opened(priors=Priors(nodes={"a": "good"})), RowMarked("good"))
    assert asked_of(effects)["untested"] == ["a"]
    _, effects = update(opened(place=0, priors=Priors({"Conv2D": "suspect"})), RowMarked("good"))
    assert asked_of(effects)["good"] == ["Conv2D"]


@pytest.mark.parametrize(
    ("event", "known", "said"),
    [
        (StepMarked("good"), {}, "Space judges it"),
        (StepsUndone(), {}, "Space judges it"),
        (StepsUndone(), {"known": True}, "there is no step to take back"),
        (StepMarked("bad"), {"verdict": Verdict()}, "the bisection is finished"),
        (StepAsked(), {"verdict": Verdict()}, "the bisection is finished"),
        (ReplayTyped(" "), {}, "no log was named"),
        (CulpritsApplied(), {}, "there are no culprits"),
        (CulpritsTaken(), {}, "there are no culprits"),
        (TargetAsked(), {"metric": "./judge"}, "the command judges by itself"),
        (PlaceAsked(), {"metric": "./judge"}, "a command judges the network's outputs"),
        (PlaceAsked(), {"place": 0}, "the cursor is on no layer"),
        (TargetTyped("nan"), {}, "'nan' is no number"),
        (RowMarked("good"), {"states": "-+.-"}, "it is not searched"),
    ],
)
def test_what_cannot_be_done_says_why(event: ev.Event, known: dict[str, Any], said: str) -> None:
    state, effects = update(opened(**known), event)
    assert effects == ()
    assert state.note is not None
    assert said in state.note.text


def test_the_log_goes_to_the_editor() -> None:
    asked, _ = update(opened(known=True).put(Places(("bisect", "log"), recent=("bisect",))), LogEditAsked())
    state, effects = answered(asked, text="the log", path="x.log")
    assert effects == (EditLog("the log"),)
    assert state.of(Bisection).path == "x.log"
    state, effects = answered(update(asked, PaneChosen("log"))[0], text="the log")
    assert effects == ()  # no editor opens in another pane
    assert state.note is not None
    assert "e edits it" in state.note.text


def test_an_edit_that_is_not_taken_is_kept() -> None:
    state, effects = update(opened(known=True, path="x.log"), LogEdited("with a slip"))
    assert asked_of(effects)["text"] == "with a slip"
    state, _ = update(state, wire.Error("ConfigError", "the edited log:2: expected a mark", id=state.last_id))
    state, effects = update(state, LogEditAsked())
    assert effects == (EditLog("with a slip"),)
    assert asked_of(update(state, LogEditAsked())[1])["read"] is True  # it was left as it is
    state, _ = update(state, LogEdited("mended"))
    state, _ = answered(state)
    assert state.of(Bisection).edited == ""


def test_what_was_found_for_other_files_is_not_gone_on_with() -> None:
    """It stays in sight and says so; marks and undo would be about another step, and a step begins with the files as they are."""
    known = {"known": True, "states": "x++-", "steps": (Answered(),), "verdict": Verdict(culprits=(Culprit("a"),)), "path": "x.log"}
    state, _ = update(opened(**known).put(Live(auto=False)), FilesChanged(Changed(config=("magik.cfg",))))
    assert any("! files changed since" in line[0][0] for line in hunting.head_lines(state, 80))
    for event in (StepMarked("good"), StepsUndone()):
        refused, effects = update(state, event)
        assert effects == ()
        assert refused.note is not None
        assert "the files changed since" in refused.note.text
    for event, fields in ((StepAsked(), {"steps": 1}), (BisectAsked(), {"fresh": False})):
        begun, effects = update(state, event)
        assert asked_of(effects) == {"do": "bisect", "metric": "cosine_avg", "target": 0.99, **fields}
        assert begun.of(Bisection) == Bisection(job=begun.last_id)
    late, _ = update(begun, FilesChanged(Changed(config=("magik.cfg",))))  # while it works: the answer is of the files before
    assert answered(late)[0].of(Bisection).old
    assert not answered(begun)[0].of(Bisection).old
    assert not update(opened(), FilesChanged(Changed()))[0].of(Bisection).old


def test_culprits_of_another_variant_are_not_taken() -> None:
    state = replace(opened(known=True, variant="t40", verdict=Verdict(culprits=(Culprit("b"),))), variant="t41")
    assert update(state, ev.RunAsked(0.0))[0].of(Bisection).old
    for event in (CulpritsTaken(), CulpritsApplied()):
        refused, effects = update(state, event)
        assert effects == ()
        assert refused.note is not None
        assert refused.note.text == "they were found on the variant t40; Enter bisects t41"


def test_nothing_is_at_hand_once_it_was_answered() -> None:
    """A search that cannot reach its target, or is stopped between two steps, ends with an answer."""
    state, _ = update(opened(), BisectAsked())
    asked = {"phase": "start", "floats": ["a", "b"]}
    state, _ = update(state, wire.News("asking", state.last_id, asked))
    state, _ = update(state, wire.News("answered", state.last_id, {**asked, "mark": "bad"}))
    state, _ = update(state, wire.Error("UsageError", "cannot reach 2", id=state.last_id))
    assert state.of(Bisection).asking is None
    assert not any("next:" in run[0] for line in hunting.head_lines(state, 80) for run in line)


def test_a_search_says_that_it_waits_for_a_run() -> None:
    state, effects = update(replace(opened(), phase="running"), StepAsked())
    assert effects == ()
    assert any("waits until what is at work is done" in line[0][0] for line in hunting.head_lines(state, 80))


def test_the_user_s_own_editor_may_leave_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from magik_tui.deeds import editor

    class Suspends:
        suspend = contextlib.nullcontext

    monkeypatch.setenv("VISUAL", "true")
    assert asyncio.run(editor._log(Suspends(), EditLog("a"))) is None  # type: ignore[arg-type]


def test_a_stopped_search_keeps_its_step_at_hand() -> None:
    state, effects = update(opened(), BisectAsked())
    state, _ = update(state, wire.News("asking", state.last_id, {"phase": "operators", "left": 3, "states": ">..-"}))
    state, _ = update(state, wire.Error("Cancelled", id=state.last_id))
    mine = state.of(Bisection)
    assert (mine.job, mine.asking.left if mine.asking else 0, mine.states) == (None, 3, ">..-")
    assert state.note is not None
    assert "goes on from here" in state.note.text
    assert any("paused" in "".join(run[0] for run in line) for line in hunting.head_lines(state.put(replace(mine, error="")), 80))
    _, effects = update(state, StepMarked("skip"))
    assert asked_of(effects)["mark"] == "skip"


def test_a_contradiction_is_told_when_it_comes() -> None:
    state, _ = update(opened(), BisectAsked())
    state, _ = update(state, wire.Log("step 1 is good; step 2 is bad", "warning", "bisect", state.last_id))
    assert state.note is not None
    assert state.note.text == "step 1 is good; step 2 is bad"


def test_an_unreachable_target_is_an_error_in_words() -> None:
    state, _ = update(State("p", worker="ready"), TargetTyped("2.0"))
    state, effects = update(state, BisectAsked(fresh=True))
    assert (effects[-1].request["target"], effects[-1].request["fresh"]) == (2.0, True)
    state, _ = update(state, wire.Error("UsageError", "cannot reach 2", id=state.last_id))
    assert state.of(Bisection).error == "cannot reach 2"


def test_another_goal_is_another_search() -> None:
    state, _ = update(opened(known=True, steps=(Answered(),), verdict=Verdict()), TargetTyped("0.5"))
    assert state.of(Bisection) == Bisection(target=0.5)
    state, _ = update(state, MetricAsked())
    assert (state.of(Bisection).metric, state.of(Bisection).wanted) == ("cosine_min", 0.99)
    state, _ = update(state, MetricAsked())
    assert state.of(Bisection).wanted == 20.0
    state, _ = update(state, PlaceAsked())
    assert state.of(Bisection).goal() == ("--metric", "sqnr", "--target", "20", "--at", "a")
    state, _ = update(state, PlaceAsked())
    assert state.of(Bisection).at == ""
    state, _ = update(state, JudgeTyped("python3 judge.py"))
    assert state.of(Bisection).goal() == ("--metric", "python3 judge.py")
    _, effects = update(state, BisectAsked())
    assert asked_of(effects) == {"do": "bisect", "metric": "python3 judge.py", "fresh": False}
    state, _ = update(state, MetricAsked())
    assert state.of(Bisection).metric == "cosine_avg"


def test_its_table_has_states_and_evidence() -> None:
    verdict = Verdict(culprits=(Culprit("b", "Add", Evidence(0.9, 0.992, 0.02)),))
    sheet = hunting.hunt_sheet(opened(states="~x+-", verdict=verdict, priors=Priors(nodes={"c": "good"}), place=1))
    assert sheet.rows[sheet.row][:3] == ("all Add", "Add", "bad")
    assert [row[0] for row in sheet.rows] == ["all Conv2D", "all Add", "a", "b", "c", "d"]
    assert [row[2] for row in sheet.rows] == ["skipped", "bad", "skipped", "bad", "good", "float"]
    assert (sheet.rows[3][-2:], sheet.rows[4][3]) == ((0.9, 0.02), "good")
    assert as_csv(sheet).splitlines()[4] == "b,Add,bad,,,,0.9,0.02"


def test_culprits_keep_what_else_is_planned_for_them() -> None:
    state = opened(verdict=Verdict(culprits=(Culprit("b"),))).put(Live(plan={"b": Choice(min=-1.0)}, auto=False))
    state, _ = update(state, CulpritsTaken())
    assert state.of(Live).plan == {"b": Choice(min=-1.0, skip=True)}
    state, _ = update(state, CulpritsTaken(12))
    assert state.of(Live).plan == {"b": Choice(min=-1.0, feature_bits=12)}


def test_culprits_are_written_whatever_else_is_planned() -> None:
    known = {"verdict": Verdict(culprits=(Culprit("b"),))}
    state, effects = update(opened(**known).put(Live(plan={"a": Choice(feature_bits=12)})), CulpritsApplied())
    assert asked_of(effects) == {"do": "apply", "plan": {"nodes": {"b": {"skip": True}}}}
    assert state.log[-1].text == "magik-tui bisect p --apply --metric cosine_avg --target 0.99"


def test_a_network_that_is_good_as_it_is_can_be_asked_for_more() -> None:
    good = Bisection(verdict=Verdict(baseline=0.997))
    said = hunting.verdict_lines(good, 80)[0][0]
    assert said == "None: the network is good as it is, 0.99700 (0 evaluations); t asks for more."
    judged = replace(good, metric="command: ./judge.sh")
    assert (judged.wanted, "t asks" in hunting.verdict_lines(judged, 80)[0][0]) == (None, False)
