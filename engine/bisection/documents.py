"""What a bisection comes to: a finished one, or one that pauses; both as documents."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..analysis.bisect import Answer, Found, Goal, Question, Session, states
from ..lab import Lab
from ..plan import Choice
from .judging import value_of
from .kept import Keeper
from .telling import contradictions

SCHEMA = 1
WIDEST = 12

WORDS = {"+": "good", "x": "bad", ">": "current", "~": "skipped", ".": "untested"}


@dataclass(frozen=True, slots=True, eq=False)
class _Searched:
    """What was answered, and who keeps it."""

    session: Session
    keeper: Keeper

    @property
    def log(self) -> str:
        """The file it can be replayed from, or goes on from."""
        return str(self.keeper.path)

    @property
    def kept(self) -> bool:
        """Whether that file could be written."""
        return not self.keeper.trouble

    @property
    def text(self) -> str:
        """What is in that file, or will be."""
        return self.keeper.text(self.session)

    @property
    def goal(self) -> Goal:
        """What is looked for."""
        return self.session.problem.goal


@dataclass(frozen=True, slots=True, eq=False)
class Hunt(_Searched):
    """A finished bisection of a project."""

    found: Found
    lab: Lab

    def document(self) -> dict[str, Any]:
        """Return the document of `magik-tui bisect --json`."""
        found, config = self.found, self.lab.config
        return {
            **_common(self.session, finished=True),
            "baseline": found.baseline.value,
            "healed": found.healed.value,
            "culprit_types": list(found.types),
            "culprits": [self._culprit(index) for index in range(len(found.culprits))],
            "minimal": found.minimal,
            "interacting": found.interacting,
            "config": {
                "QUANT_OP_SKIP": list(config.quant_op_skip),
                "QUANT_NODE_SKIP": [*config.quant_node_skip, *(c.name for c in found.culprits)],
            },
        }

    def _culprit(self, index: int) -> dict[str, Any]:
        culprit, whole = self.found.culprits[index], frozenset(c.name for c in self.found.culprits)
        places = [question.floats for question, _ in self.session.asked()]
        evidence = {
            "before": culprit.without.value,
            "after": self.found.healed.value,
            "mark": culprit.without.mark,
            "step": places.index(whole - {culprit.name}) + 1,
            "local_error": culprit.error,
        }
        return {"name": culprit.name, "op": culprit.op, "evidence": evidence}

    @property
    def widest(self) -> int:
        """The widest feature the chip has."""
        return max(self.lab.profile.feature_bits) if self.lab.profile else WIDEST

    def widened(self, names: Iterable[str]) -> Answer:
        """Return how the network does with some operators at that width, integer like all others; for a metric, not for a program."""
        plan = self.lab.base
        for name in names:
            plan = plan.with_node(name, Choice(feature_bits=self.widest).over(plan.nodes.get(name, Choice())))
        value = value_of(self.lab.score(plan, self.goal.at), self.goal)
        return Answer(self.goal.judge(value), value)


@dataclass(frozen=True, slots=True, eq=False)
class Pause(_Searched):
    """A bisection that waits with a `question`."""

    question: Question

    def document(self) -> dict[str, Any]:
        """Return the document of `magik-tui bisect --steps N --json`."""
        return {
            **_common(self.session, finished=False),
            "asking": question_fields(self.question),
            "states": {name: WORDS[sign] for name, sign in states(self.session).items()},
        }


def question_fields(question: Question) -> dict[str, Any]:
    """Return a question as plain data."""
    return {
        "phase": question.phase,
        "left": question.left,
        "steps": question.steps,
        "floats": sorted(question.floats),
        "types": list(question.types),
        "without": question.without,
    }


def _common(session: Session, *, finished: bool) -> dict[str, Any]:
    asked, goal, priors = session.asked(), session.problem.goal, session.priors
    return {
        "schema": SCHEMA,
        "finished": finished,
        "target": goal.target,
        "metric": goal.metric,
        "at": goal.at,
        "evaluations": len(asked),
        "priors": {"types": dict(priors.types), "nodes": dict(priors.nodes)},
        "contradictions": contradictions(session),
        "log": [_logged(number, question, answer) for number, (question, answer) in enumerate(asked, 1)],
    }


def _logged(number: int, question: Question, answer: Answer) -> dict[str, Any]:
    return {
        "step": number,
        "phase": question.phase,
        "mark": answer.mark,
        "value": answer.value,
        "types": list(question.types),
        "nodes": [] if question.types else sorted(question.floats),
        "without": question.without,
        "note": answer.note,
    }
