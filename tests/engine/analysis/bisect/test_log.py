"""The log of a bisection: written, edited by a person, read again; nonsense is told with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.analysis.bisect import Answer, Goal, Heading, Problem, Step, read_heading, read_log, write_log
from engine.analysis.scoring import Unit
from engine.errors import ConfigError
from engine.jsontext import Source

HEADING = Heading(Goal("cosine_avg", 0.99, "n4"), "3f0c")
NAMES = ("conv/1", "a b", 'q"\\', "line\nbreak", "\u5c42", "[b]x[/b]", "#")
PROBLEM = Problem.of(HEADING.goal, [Unit(n, "Conv2D" if i % 2 else "Add", (n,)) for i, n in enumerate(NAMES)], dict.fromkeys(NAMES, 1.0))

ANSWERS = st.builds(
    Answer,
    st.sampled_from(["good", "bad", "skip"]),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
TYPED = st.lists(st.sampled_from(["Conv2D", "Add"]), min_size=1, unique=True).map(tuple)
STEPS = st.builds(lambda names, a: Step(frozenset(names), a), st.lists(st.sampled_from(NAMES)), ANSWERS) | st.builds(
    lambda types, a: Step(PROBLEM.floats(types, ()), a, types), TYPED, ANSWERS
)


@given(st.lists(STEPS).map(tuple), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(steps: tuple[Step, ...], newline: str) -> None:
    text = write_log(HEADING, steps, ("what this is\nand how", "to edit it"))
    source = Source("\ufeff" + text.replace("\n", newline), "x.log")
    assert text.startswith("# what this is and how\n# to edit it\n{")
    assert text.count("\n") == 3 + len(steps)
    assert read_heading(source) == HEADING
    assert read_log(source, PROBLEM) == steps


def test_blank_lines_and_comments_may_be_added() -> None:
    text = '\n# mine\n{"bisect": 1, "metric": "./judge"}\n\n  # and\n{"mark": "good", "nodes": ["a b"]}\n'
    assert read_heading(Source(text, "x")).goal == Goal("./judge")
    assert read_log(Source(text, "x"), PROBLEM) == (Step(frozenset({"a b"}), Answer("good")),)


HEAD = '{"bisect": 1, "metric": "sqnr", "target": 20}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.log:1:1: expected {\"bisect\": 1, "),
        ("# only words\n", "expected {\"bisect\": 1, "),
        ("not json\n", 'x.log:1:1: expected an object such as {"bisect": 1, '),
        ('{"bisect": 2, "metric": "sqnr"}\n', 'x.log:1:12: expected "bisect": 1 in the first line, got 2'),
        ('{"mark": "good"}\n', "x.log:1:1: expected what the log is about in its first line, such as {\"bisect\": 1,"),
        ('{"bisect": 1}\n', 'x.log:1:1: expected "metric"'),
        ('{"bisect": 1, "metric": 3}\n', 'x.log:1:25: expected "metric": text in double quotes, got 3'),
        ('{"bisect": 1, "metric": "sqnr", "target": "high"}\n', 'expected "target": a number or null, got "high"'),
        (HEAD + '\n{"mark": "god", "nodes": []}\n', 'x.log:3:10: expected "mark": one of good, bad, skip, got "god" (did you mean good?)'),
        (HEAD + '{"nodes": []}\n', 'x.log:2:1: expected "mark": one of good, bad, skip'),
        (HEAD + '{"mark": "bad", "node": []}\n', 'types, nodes, note, got "node" (did you mean nodes?)'),
        (HEAD + '{"mark": "bad", "nodes": ["conv/2"]}\n', 'x.log:2:27: expected the name of a quantized layer, got "conv/2" (did you'),
        (HEAD + '{"mark": "bad", "types": ["Conv"]}\n', 'expected the name of an operator type, got "Conv" (did you mean "Conv2D"?)'),
        (HEAD + '{"mark": "bad", "nodes": "conv/1"}\n', 'expected "nodes": a list of names, got "conv/1"'),
        (HEAD + '{"mark": "bad", "nodes": [1]}\n', 'expected "nodes": text in double quotes, got 1'),
        (HEAD + '{"mark": "bad", "value": true}\n', 'expected "value": a number or null, got true'),
        (HEAD + '{"mark": "bad",}\n', 'x.log:2:15: trailing comma before "}"'),
        (HEAD + "[]\n", "x.log:2:1: expected an object such as"),
        (HEAD + " good\n", 'x.log:2:2: expected an object such as {"mark": "good", "nodes": ["..."]}, got "good"'),
    ],
)  # fmt: skip
def test_nonsense_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_log(Source(text, "x.log"), PROBLEM)
    assert message in str(caught.value)
