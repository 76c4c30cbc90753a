"""A bisection by hand: mark, undo, edit, replay; and what the rows of a screen would show."""

from __future__ import annotations

import pytest

from engine.analysis.bisect import Answer, Found, Goal, Problem, Question, Session, Step, states
from engine.analysis.bisect.problem import Floats

from .test_search import by_rule, units

PROBLEM = Problem.of(Goal("./judge"), units(12), {f"n{i}": float(12 - i) for i in range(12)})


def good(floats: Floats) -> bool:
    return {"n2", "n7"} <= floats


def by_hand(session: Session) -> Session:
    while isinstance(question := session.position(), Question):
        session = session.marked(by_rule(good)(question.floats))
    return session


def test_marking_by_hand_is_what_a_judge_does() -> None:
    told: list[int] = []
    carried = Session(PROBLEM).carried_out(lambda q: by_rule(good)(q.floats), lambda s, q, a: told.append(len(s.steps)))
    assert by_hand(Session(PROBLEM)) == carried
    assert told == list(range(1, len(carried.steps) + 1))
    found = carried.position()
    assert isinstance(found, Found)
    assert [c.name for c in found.culprits] == ["n2", "n7"]
    assert [q.floats for q, _ in carried.asked()] == [step.floats for step in carried.steps]
    with pytest.raises(ValueError, match="finished"):
        carried.marked(Answer("good"))


def test_every_beginning_of_it_goes_on_the_same_way() -> None:
    """Undone to any length and answered again, or stopped there and taken up later: the end is the same."""
    whole = by_hand(Session(PROBLEM))
    session = whole
    while session.steps:
        session = session.undone()
        assert by_hand(session) == whole
    assert session == Session(PROBLEM)


def test_what_is_undone_is_what_was_asked() -> None:
    """Facts that the search does not ask for stay; two answers to one question go together."""
    fact = Step(frozenset({"n11"}), Answer("bad"))
    session = Session(PROBLEM, (fact, Step(frozenset(), Answer("good")), Step(frozenset(), Answer("bad")), fact))
    assert session.undone() == Session(PROBLEM, (fact, fact))
    assert session.undone(0) == session


def test_questions_say_how_far_it_is() -> None:
    """What is left never grows within a phase of growing, and the steps are about its logarithm."""
    first = Session(PROBLEM).position()
    assert isinstance(first, Question)
    assert (first.phase, first.left, first.steps) == ("start", 12, 4)
    session = by_hand(Session(PROBLEM))
    assert all(1 <= q.steps <= q.left for q, _ in session.asked() if q.left > 1)


def test_steps_in_any_order_replay() -> None:
    """A log is facts, not a course: shuffled, with facts nobody asks for, it still answers."""
    whole = by_hand(Session(PROBLEM))
    odd = Step(frozenset({"n1", "n11"}), Answer("bad"))
    again = Session(PROBLEM, (odd, *reversed(whole.steps)))
    assert again.position() == whole.position()
    assert len(again.asked()) == len(whole.steps)


def test_an_edited_mark_leads_elsewhere() -> None:
    """Of two marks of one network the last counts; where the edit leaves a gap, the search asks."""
    whole = by_hand(Session(PROBLEM))
    changed = Session(PROBLEM, (*whole.steps, Step(frozenset({"n2"}), Answer("good"))))
    found = by_hand(changed).position()
    assert isinstance(found, Found)
    assert [c.name for c in found.culprits] == ["n2"]


def test_a_good_mark_that_contradicts_a_bad_one() -> None:
    session = Session(PROBLEM, (Step(frozenset({"n1"}), Answer("good")), Step(frozenset({"n1", "n2"}), Answer("bad"))))
    assert list(session.contradictions()) == [(0, 1)]
    mended = Session(PROBLEM, (*session.steps, Step(frozenset({"n1", "n2"}), Answer("good"))))
    assert list(mended.contradictions()) == []


def test_what_rows_show() -> None:
    """Untested at first, the set in question on the way, and in the end who is guilty."""
    assert set(states(Session(PROBLEM)).values()) == {"."}
    session = Session(PROBLEM).marked(Answer("bad"))
    question = session.position()
    assert isinstance(question, Question)
    assert {name for name, state in states(session).items() if state == ">"} == question.floats
    skipped = states(session.marked(Answer("skip")))
    assert "~" in skipped.values() or ">" in skipped.values()
    end = states(by_hand(session))
    assert {name for name, state in end.items() if state == "x"} == {"n2", "n7"}
    assert {name for name, state in end.items() if state == "+"} == set(PROBLEM.operators) - {"n2", "n7"}
