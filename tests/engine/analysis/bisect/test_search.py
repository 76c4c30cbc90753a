"""The search alone, on networks that are a rule: what it finds is minimal, whatever the rule; what nobody can know is said."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.analysis.bisect import Answer, Found, Goal, Mark, Problem, Question, Session, Unreachable
from engine.analysis.bisect.problem import Floats
from engine.analysis.scoring import Unit

BY_RULE = Goal("./judge")
SQNR = Goal("sqnr", 10.0)
TYPES = ("Conv2D", "EltwiseAdd", "MatMul")


def units(count: int, tied: int = 1) -> tuple[Unit, ...]:
    """Layers n0, n1, ... of three types in turn, `tied` at a time."""
    names = [f"n{i}" for i in range(count)]
    return tuple(Unit(names[i], TYPES[(i // tied) % 3], tuple(names[i : i + tied])) for i in range(0, count, tied))


def carried_out(problem: Problem, judge: Callable[[Floats], Answer]) -> tuple[Any, list[Question]]:
    asked: list[Question] = []

    def answer(question: Question) -> Answer:
        asked.append(question)
        return judge(question.floats)

    return Session(problem).carried_out(answer, lambda *_: None).position(), asked


def decibels(noise: float) -> float:
    return -10 * math.log10(noise)


def by_rule(good: Callable[[Floats], bool]) -> Callable[[Floats], Answer]:
    return lambda floats: Answer("good" if good(floats) else "bad")


def verified(found: Any, good: Callable[[Floats], bool]) -> Floats:
    """The found set, of which every member is needed."""
    assert isinstance(found, Found)
    names = frozenset(c.name for c in found.culprits)
    assert found.minimal
    assert good(names)
    assert all(not good(names - {name}) for name in names)
    return names


ERRORS = st.lists(st.floats(0, 1), min_size=24, max_size=24)
SETS = st.frozensets(st.integers(0, 23).map("n{}".format), min_size=1, max_size=5)


@given(st.lists(SETS, min_size=1, max_size=4), ERRORS, st.sampled_from([1, 2, 3]))
def test_any_of_some_sets_has_to_be_float(ways: list[Floats], errors: list[float], tied: int) -> None:
    """The network is good where one of some sets is in float: one of them is found, without more."""

    def good(floats: Floats) -> bool:
        return any(way <= floats for way in ways)

    problem = Problem.of(BY_RULE, units(24, tied), {f"n{i}": e for i, e in enumerate(errors)})
    found, asked = carried_out(problem, by_rule(good))
    assert verified(found, good) in ways
    assert not found.interacting
    assert len({q.floats for q in asked}) == len(asked)


@given(st.integers(), ERRORS)
def test_any_rule_at_all_ends_in_a_checked_set(seed: int, errors: list[float]) -> None:
    """Good and bad by lot: nothing is monotone, and still what is found holds."""

    def good(floats: Floats) -> bool:
        return len(floats) == 24 or (len(floats) > 0 and hash((seed, floats)) % 3 == 0)

    problem = Problem.of(BY_RULE, units(24), {f"n{i}": e for i, e in enumerate(errors)})
    found, asked = carried_out(problem, by_rule(good))
    verified(found, good)
    assert len({q.floats for q in asked}) == len(asked)


@given(st.lists(st.floats(0, 0.05), min_size=24, max_size=24), st.randoms(use_true_random=False))
def test_noise_powers_that_add_up(noises: list[float], random: Random) -> None:
    """Numbers lead the search, here with local errors that say little, and what it finds is minimal by them."""
    powers = {f"n{i}": p for i, p in enumerate(noises)}

    def judge(floats: Floats) -> Answer:
        value = decibels(0.001 + sum(p for name, p in powers.items() if name not in floats))
        return Answer(SQNR.judge(value), value)

    found, _ = carried_out(Problem.of(SQNR, units(24), {n: p * random.uniform(0, 2) for n, p in powers.items()}), judge)
    names = verified(found, lambda floats: judge(floats).mark == "good")
    assert bool(names) == (judge(frozenset()).mark == "bad")


def test_one_guilty_layer_costs_three_questions() -> None:
    errors = {f"n{i}": 1.0 if i == 9 else 1e-4 for i in range(90)}

    def judge(floats: Floats) -> Answer:
        value = 30.0 if "n9" in floats else 3.0
        return Answer(SQNR.judge(value), value)

    found, asked = carried_out(Problem.of(SQNR, units(90), errors), judge)
    assert [(q.phase, q.types, len(q.floats)) for q in asked] == [("start", (), 0), ("types", ("Conv2D",), 30), ("operators", (), 1)]
    assert [(c.name, c.op, c.error, c.without) for c in found.culprits] == [("n9", "Conv2D", 1.0, Answer("bad", 3.0))]
    assert (found.types, found.baseline.value, found.healed.value) == (("Conv2D",), 3.0, 30.0)


def test_a_network_that_is_good_takes_one_question() -> None:
    found, asked = carried_out(Problem.of(BY_RULE, units(9), {f"n{i}": 1.0 for i in range(9)}), by_rule(lambda floats: True))
    assert len(asked) == 1
    assert (found.culprits, found.minimal, found.types) == ((), True, ())


def test_a_program_is_asked_about_the_float_network_first() -> None:
    """Where not even that is good the program is wrong, or does not see what it should: no search would tell."""
    problem = Problem.of(BY_RULE, units(60), {f"n{i}": 1.0 for i in range(60)})
    end, asked = carried_out(problem, by_rule(lambda floats: False))
    assert end == Unreachable(Answer("bad"), Answer("bad"))
    assert [len(q.floats) for q in asked] == [0, 60]


def test_a_target_beyond_float_is_seen_in_two_questions() -> None:
    goal = Goal("cosine_avg", 1.5)
    problem = Problem.of(goal, units(60), {f"n{i}": 0.01 for i in range(60)})
    end, asked = carried_out(problem, lambda floats: Answer("bad", 1.0 if len(floats) == 60 else 0.9))
    assert end == Unreachable(Answer("bad", 0.9), Answer("bad", 1.0))
    assert len(asked) == 2


def test_what_cannot_be_told_is_no_proof() -> None:
    """A judge that cannot tell of one network: its member stays, and the set is not called minimal."""

    def judge(floats: Floats) -> Answer:
        mark: Mark = "good" if {"n3", "n4"} <= floats else "bad"
        return Answer("skip" if floats == {"n3"} else mark)

    found, _ = carried_out(Problem.of(BY_RULE, units(12), {f"n{i}": float(i in (3, 4)) for i in range(12)}), judge)
    assert {c.name: c.without.mark for c in found.culprits} == {"n3": "bad", "n4": "skip"}
    assert not found.minimal


def test_errors_that_cancel_do_not_hide_behind_each_other() -> None:
    """n1 and n4 cancel: with one of them in float the other shows. Only n2 is guilty, and the way to it leads through all three."""
    errors = {f"n{i}": {1: 1.0, 4: 0.9, 2: 0.8}.get(i, 1e-6) for i in range(9)}

    def judge(floats: Floats) -> Answer:
        noise = 0.02 + 0.5 * ("n2" not in floats) + 3.0 * (("n1" in floats) != ("n4" in floats))
        return Answer(SQNR.judge(decibels(noise)), decibels(noise))

    found, asked = carried_out(Problem.of(SQNR, units(9), errors), judge)
    assert [c.name for c in found.culprits] == ["n2"]
    assert found.interacting
    assert found.minimal
    assert any(q.phase == "again" for q in asked)


def test_tied_layers_are_taken_apart_in_the_end() -> None:
    """A tied group goes into float whole; of its layers only the one that was needed is left."""
    found, asked = carried_out(
        Problem.of(BY_RULE, units(30, 3), {f"n{i}": float(i == 12) for i in range(30)}), by_rule(lambda floats: "n13" in floats)
    )
    assert [c.name for c in found.culprits] == ["n13"]
    assert any(q.phase == "parts" for q in asked)


def test_the_layers_that_feed_a_guilty_one_come_next() -> None:
    """A tensor's levels are at fault: its reader shows the error, and its maker, which looks innocent, has to be float too."""
    errors = {f"n{i}": 0.5 if i == 21 else 1e-5 * (60 - i) for i in range(60)}

    def judge(floats: Floats) -> Answer:
        value = 20.0 if {"n6", "n21"} <= floats else 2.0
        return Answer(SQNR.judge(value), value)

    blind = Problem.of(SQNR, units(60), errors)
    seeing = Problem.of(SQNR, units(60), errors, feeders={"n21": ["n6"], "n6": ["n5"]})
    counts = []
    for problem in (blind, seeing):
        found, asked = carried_out(problem, judge)
        assert [c.name for c in found.culprits] == ["n6", "n21"]
        counts.append(len(asked))
    assert counts[1] == 5 < counts[0]


def test_only_layers_that_are_integer_are_suspects() -> None:
    problem = Problem.of(BY_RULE, units(6, 2), {"n1": 0.1, "n2": 0.2, "n3": 0.3}, ops={"n1": "MaxPool"})
    assert list(problem.operators) == ["n1", "n2", "n3"]
    assert {kind: [g.names for g in groups] for kind, groups in problem.types.items()} == {
        "MaxPool": [("n1",)],
        "EltwiseAdd": [("n2", "n3")],
    }


@given(st.integers(), ERRORS)
def test_a_rule_that_is_almost_monotone_ends_too(seed: int, errors: list[float]) -> None:
    """More in float is better but for chance: what seemed needed is not, and what was dropped is missed; it comes to an end that holds."""

    def judge(floats: Floats) -> Answer:
        value = len(floats) + 3.0 * Random(f"{seed} {sorted(floats)}").random()
        return Answer("good" if value >= 16 else "bad", value)

    problem = Problem.of(Goal("./judge"), units(24), {f"n{i}": e for i, e in enumerate(errors)})
    found, asked = carried_out(problem, judge)
    verified(found, lambda floats: judge(floats).mark == "good")
    assert len({q.floats for q in asked}) == len(asked)
