"""The log of a bisection: a text file that a person can edit and that replays.

    # lines like this one, and empty ones, say nothing
    {"bisect": 1, "metric": "cosine_avg", "target": 0.99, "at": "", "of": "3f0c..."}
    {"mark": "bad", "value": 0.97846}
    {"prior": "good", "types": ["Relu"]}
    {"mark": "good", "value": 0.99612, "types": ["Conv2D"]}
    {"mark": "good", "value": 0.99108, "nodes": ["resnetv15_stage1_batchnorm1_fwd"]}

The first line says what is looked for (`of` names the project's content), every other one a judged network: the operator types and the
nodes that were in float. To change a step, change its mark to good, bad or skip; to have it judged again, delete it. A line with a prior
says what a person holds of types and nodes before they are tried: good, suspect, or (of a node whose type is one of these) untested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.errors import ConfigError, nearest
from engine.jsontext import Json, Object, Source, describe, read_json, shown

from .priors import NOTHING_HELD, PRIORS, Prior, Priors
from .problem import MARKS, Answer, Goal, Problem, Step

VERSION = 1
HEAD = ("bisect", "metric", "target", "at", "of")
STEP = ("mark", "value", "types", "nodes", "note")
PRIOR = ("prior", "types", "nodes")


@dataclass(frozen=True, slots=True)
class Heading:
    """The first line of a log: the goal, and the key of the project it was made on."""

    goal: Goal
    of: str = ""


def write_log(heading: Heading, steps: tuple[Step, ...], comments: tuple[str, ...] = (), priors: Priors = NOTHING_HELD) -> str:
    """Return the text of a log."""
    goal = heading.goal
    lines = [f"# {' '.join(text.split())}" for text in comments]
    lines.append(_line({"bisect": VERSION, "metric": goal.metric, "target": goal.target, "at": goal.at, "of": heading.of}))
    lines += [_line(fields) for fields in prior_fields(priors)]
    lines += [_line(step_fields(step)) for step in steps]
    return "\n".join(lines) + "\n"


def step_fields(step: Step) -> dict[str, object]:
    """Return a step as plain values; what is empty is left out."""
    found: dict[str, object] = {"mark": step.answer.mark, "value": step.answer.value}
    if step.types:
        found["types"] = list(step.types)
    elif step.floats:
        found["nodes"] = sorted(step.floats)
    if step.answer.note:
        found["note"] = step.answer.note
    return found


def prior_fields(priors: Priors) -> list[dict[str, object]]:
    """Return what is held as plain values, an object for each kind of prior."""
    found: list[dict[str, object]] = []
    for prior in PRIORS:
        types = [name for name, each in priors.types.items() if each == prior]
        nodes = [name for name, each in priors.nodes.items() if each == prior]
        if types or nodes:
            found.append({"prior": prior, **({"types": types} if types else {}), **({"nodes": nodes} if nodes else {})})
    return found


def read_heading(source: Source) -> Heading:
    """Return what a log is about; ConfigError with the line where its first line is no such thing."""
    for line in _lines(source):
        return line.heading()
    raise ConfigError('expected {"bisect": 1, "metric": ...}, got an empty log', where=source.file, line=1, column=1)


def read_log(source: Source, problem: Problem) -> tuple[Step, ...]:
    """Return the steps of a log about a problem; ConfigError with line and column for everything that cannot be meant."""
    lines = list(_lines(source))
    if not lines:
        read_heading(source)
    lines[0].heading()
    return tuple(line.step(problem) for line in lines[1:] if not line.tells_prior)


def read_priors(source: Source, problem: Problem) -> Priors:
    """Return what a log says is held of operators; ConfigError as for its steps."""
    types: dict[str, Prior] = {}
    nodes: dict[str, Prior] = {}
    for line in list(_lines(source))[1:]:
        if line.tells_prior:
            prior, kinds, names = line.prior(problem)
            types |= dict.fromkeys(kinds, prior)
            nodes |= dict.fromkeys(names, prior)
    return Priors(types, nodes)


def _line(fields: Mapping[str, object]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def _lines(source: Source) -> Iterator[_Line]:
    for number, text in enumerate(source.text.removeprefix("\ufeff").split("\n"), 1):
        if text.strip() and not text.lstrip().startswith("#"):
            yield _Line(source.file, number, text.rstrip("\r"))


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a log."""

    file: str
    number: int
    text: str

    def heading(self) -> Heading:
        example = '{"bisect": 1, "metric": "cosine_avg", "target": 0.99}'
        if self.text.lstrip().startswith("{") and "bisect" not in self._members():
            raise self._wrong(None, f"expected what the log is about in its first line, such as {example}")
        fields = self._fields(HEAD, example)
        version = fields.get("bisect")
        if version is None or version.value != VERSION or isinstance(version.value, bool):
            raise self._wrong(version, f'expected "bisect": {VERSION} in the first line')
        target = self._number(fields.get("target"), "target")
        goal = Goal(self._text(fields.get("metric"), "metric"), target, self._text(fields.get("at"), "at"))
        if not goal.metric:
            raise self._wrong(fields.get("metric"), 'expected "metric"')
        return Heading(goal, self._text(fields.get("of"), "of"))

    @property
    def tells_prior(self) -> bool:
        return self.text.lstrip().startswith("{") and "prior" in self._members()

    def prior(self, problem: Problem) -> tuple[Prior, tuple[str, ...], tuple[str, ...]]:
        fields = self._fields(PRIOR, '{"prior": "good", "types": ["..."]}')
        prior = next((each for each in PRIORS if each == self._text(fields["prior"], "prior")), None)
        if prior is None:
            near = nearest(self._text(fields["prior"], "prior"), PRIORS)
            hint = f"did you mean {near}?" if near else ""
            raise self._wrong(fields["prior"], f'expected "prior": one of {", ".join(PRIORS)}', hint)
        types = self._names(fields.get("types"), "types", problem.kinds, "an operator type")
        return prior, types, self._names(fields.get("nodes"), "nodes", problem.operators, "a quantized layer")

    def step(self, problem: Problem) -> Step:
        fields = self._fields(STEP, '{"mark": "good", "nodes": ["..."]}')
        mark = self._text(fields.get("mark"), "mark")
        if mark not in MARKS:
            near = nearest(mark, MARKS)
            raise self._wrong(fields.get("mark"), f'expected "mark": one of {", ".join(MARKS)}', f"did you mean {near}?" if near else "")
        types = self._names(fields.get("types"), "types", problem.types, "an operator type")
        names = self._names(fields.get("nodes"), "nodes", problem.operators, "a quantized layer")
        answer = Answer(mark, self._number(fields.get("value"), "value"), self._text(fields.get("note"), "note"))
        return Step(problem.floats(types, names), answer, types if not names else ())

    def _members(self) -> dict[str, Json]:
        item = self._json()
        return {member.key: member.value for member in item.value.members} if isinstance(item.value, Object) else {}

    def _json(self) -> Json:
        try:
            return read_json(Source(self.text, self.file))
        except ConfigError as error:
            raise ConfigError(error.message, where=self.file, line=self.number, column=error.column, hint=error.hint) from error

    def _fields(self, known: tuple[str, ...], example: str) -> dict[str, Json]:
        start = self.text.lstrip()
        if not start.startswith("{"):
            raise self._wrong(Json(start, len(self.text) - len(start)), f"expected an object such as {example}")
        item = self._json()
        if not isinstance(item.value, Object):
            raise self._wrong(item, f"expected an object such as {example}")
        for member in item.value.members:
            if member.key not in known:
                near = nearest(member.key, known)
                raise self._wrong(
                    Json(member.key, member.offset), f"expected one of {', '.join(known)}", f"did you mean {near}?" if near else ""
                )
        return {member.key: member.value for member in item.value.members}

    def _text(self, item: Json | None, name: str) -> str:
        if item is None:
            return ""
        if not isinstance(item.value, str):
            raise self._wrong(item, f'expected "{name}": text in double quotes')
        return item.value

    def _number(self, item: Json | None, name: str) -> float | None:
        if item is None or item.value is None:
            return None
        if not isinstance(item.value, int | float) or isinstance(item.value, bool):
            raise self._wrong(item, f'expected "{name}": a number or null')
        return float(item.value)

    def _names(self, item: Json | None, name: str, known: Mapping[str, object], what: str) -> tuple[str, ...]:
        if item is None:
            return ()
        if not isinstance(item.value, tuple):
            raise self._wrong(item, f'expected "{name}": a list of names')
        found = []
        for each in item.value:
            text = self._text(each, name)
            if text not in known:
                near = nearest(text, known)
                raise self._wrong(each, f"expected the name of {what}", f"did you mean {shown(near)}?" if near else "")
            found.append(text)
        return tuple(found)

    def _wrong(self, item: Json | None, message: str, hint: str = "") -> ConfigError:
        got = f", got {describe(item)}" if item is not None else ""
        column = item.offset + 1 if item is not None else 1
        return ConfigError(message + got, where=self.file, line=self.number, column=column, hint=hint)
