"""What a person holds of operators before they are tried: the good are left alone, suspects are tried first, the log keeps both."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.analysis.bisect import Answer, Found, Goal, Heading, Priors, Problem, Question, Session, Step, read_priors, states, write_log
from engine.analysis.bisect.priors import narrowed
from engine.analysis.bisect.problem import Floats
from engine.errors import ConfigError
from engine.jsontext import Source

from .test_search import by_rule, units

PROBLEM = Problem.of(Goal("./judge"), units(12), {f"n{i}": float(12 - i) for i in range(12)})


def good(floats: Floats) -> bool:
    return {"n2", "n11"} <= floats


def carried_out(priors: Priors) -> tuple[Any, list[Question]]:
    asked: list[Question] = []

    def judge(question: Question) -> Answer:
        asked.append(question)
        return by_rule(good)(question.floats)

    return Session(PROBLEM, priors=priors).carried_out(judge, lambda *_: None).position(), asked


def names(found: Any) -> list[str]:
    assert isinstance(found, Found)
    return [culprit.name for culprit in found.culprits]


def test_suspects_are_tried_first_and_save_questions() -> None:
    found, plain = carried_out(Priors())
    assert names(found) == ["n2", "n11"]
    told, fewer = carried_out(Priors(nodes={"n2": "suspect", "n11": "suspect"}))
    assert names(told) == ["n2", "n11"]
    assert len(fewer) < len(plain)
    assert next(q for q in fewer if q.phase == "operators").floats == {"n2", "n11"}


def test_a_wrong_suspicion_costs_questions_and_no_truth() -> None:
    found, _ = carried_out(Priors(types={"MatMul": "suspect"}, nodes={"n0": "suspect"}))
    assert names(found) == ["n2", "n11"]


@given(st.sets(st.sampled_from([n for n in PROBLEM.operators if n not in ("n2", "n11")])))
def test_what_is_held_to_be_good_is_never_in_float(innocent: set[str]) -> None:
    found, asked = carried_out(Priors(nodes=dict.fromkeys(sorted(innocent), "good")))
    assert names(found) == ["n2", "n11"]
    assert not any(question.floats & innocent for question in asked)


def test_a_node_wins_over_its_type() -> None:
    priors = Priors(types={"Conv2D": "good"}, nodes={"n3": "suspect", "n6": "untested"})
    held = priors.of(PROBLEM)
    assert (held["n0"], held["n3"]) == ("good", "suspect")
    assert "n6" not in held
    problem = narrowed(PROBLEM, priors)
    assert [name for name in problem.operators if PROBLEM.operators[name].op == "Conv2D"] == ["n3", "n6"]
    assert [group.name for group in problem.groups if group.suspect] == ["n3"]


def test_marks_are_set_and_taken_back() -> None:
    priors = Priors().marked("suspect", PROBLEM, nodes=("n3",)).marked("good", PROBLEM, types=("Conv2D",))
    assert priors == Priors({"Conv2D": "good"})
    out = priors.marked("untested", PROBLEM, nodes=("n3",))
    assert out == Priors({"Conv2D": "good"}, {"n3": "untested"})
    assert not out.marked("untested", PROBLEM, types=("Conv2D",))
    assert not Priors(nodes={"n1": "good"}).marked("untested", PROBLEM, nodes=("n1",))


def test_a_mark_that_the_steps_refute_is_named() -> None:
    session = Session(PROBLEM).carried_out(lambda q: by_rule(good)(q.floats), lambda *_: None)
    told = Session(PROBLEM, session.steps, Priors(nodes={"n11": "good", "n4": "good"}))
    (refuted,) = list(told.refuted())
    name, index, other = refuted
    assert name == "n11"
    assert (told.steps[index].answer.mark, told.steps[other].answer.mark) == ("good", "bad")
    assert told.steps[index].floats - told.steps[other].floats == {"n11"}


def test_rows_show_it() -> None:
    shown = states(Session(PROBLEM, priors=Priors(nodes={"n5": "good"})))
    assert shown["n5"] == "+"
    assert set(shown.values()) == {"+", "."}


PRIOR = st.sampled_from(["good", "suspect", "untested"])
HELD = st.builds(
    Priors, st.dictionaries(st.sampled_from(["Conv2D", "MatMul"]), PRIOR), st.dictionaries(st.sampled_from([*PROBLEM.operators]), PRIOR)
)


@given(HELD, st.integers())
def test_the_log_keeps_it(priors: Priors, seed: int) -> None:
    heading, steps = Heading(PROBLEM.goal), (Step(frozenset({"n1"}), Answer("bad")),)
    lines = write_log(heading, steps, (), priors).splitlines()
    rest = lines[1:]
    Random(seed).shuffle(rest)
    assert read_priors(Source("\n".join([lines[0], *rest]), "x"), PROBLEM) == priors


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"prior": "god", "nodes": []}', 'x:2:11: expected "prior": one of good, suspect, untested, got "god" (did you mean good?)'),
        ('{"prior": "good", "types": ["Conv"]}', 'expected the name of an operator type, got "Conv" (did you mean "Conv2D"?)'),
        ('{"prior": "good", "mark": "good"}', 'x:2:19: expected one of prior, types, nodes, got "mark"'),
        ('{"prior": 1}', 'expected "prior": text in double quotes, got 1'),
    ],
)
def test_nonsense_is_told_with_its_line(line: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_priors(Source('{"bisect": 1, "metric": "sqnr", "target": 20}\n' + line, "x"), PROBLEM)
    assert message in str(caught.value)
