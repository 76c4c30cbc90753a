"""The made-up worker's bisection: three questions, and the third layer is guilty."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class Hunt:
    """A search by hand or by itself. A mark by hand answers a question, a replay takes its marks from the text."""

    def __init__(self, known: list[str]) -> None:
        self.known, self.guilty = known, known[2]
        self.questions: tuple[tuple[str, list[str], str, float], ...] = (
            ("start", [], "bad", 0.9),
            ("operators", known[:4], "good", 0.995),
            ("check", [self.guilty], "good", 0.992),
        )
        self.forget()

    def forget(self) -> None:
        self.answers: list[tuple[str, float | None, str]] = []
        self.priors: dict[str, dict[str, str]] = {"types": {}, "nodes": {}}

    @property
    def done(self) -> bool:
        return len(self.answers) == len(self.questions)

    def asked(self, id_: int, request: dict[str, Any], say: Callable[..., None]) -> None:
        self.by_hand(request)
        count = request.get("steps")
        while not self.done and (count is None or count > 0):
            place = len(self.answers)
            _, _, mark, value = self.questions[place]
            say(id=id_, event="asking", states=self.states(), **self.question(place))
            self.answers.append((mark, value, ""))
            say(id=id_, event="answered", mark=mark, value=value, note="", states=self.states(), **self.question(place))
            count = None if count is None else count - 1
        say(id=id_, event="result", value=self.document(request))

    def by_hand(self, request: dict[str, Any]) -> None:
        if request.get("fresh"):
            self.forget()
        if "text" in request:
            lines = [json.loads(line) for line in request["text"].splitlines()]
            self.answers = [(line["mark"], line["value"], line.get("note", "")) for line in lines]
        del self.answers[len(self.answers) - request.get("undo", 0) :]
        for prior in ("untested", "good", "suspect"):
            for name in request.get(prior, ()):
                self.priors["nodes" if name in self.known else "types"][name] = prior
        if request.get("mark"):
            self.answers.append((request["mark"], None, "marked by hand"))

    def question(self, place: int) -> dict[str, Any]:
        phase, floats, _, _ = self.questions[place]
        return {"phase": phase, "left": len(floats), "steps": 2, "floats": floats, "types": [], "without": ""}

    def states(self) -> str:
        place = len(self.answers)
        if self.done:
            return "".join("x" if n == self.guilty else "+" for n in self.known[:-1]) + "-"
        floats = self.questions[place][1]
        cleared = place > 1 and self.answers[1][0] == "good"
        return "".join(">" if n in floats else "+" if cleared and n not in self.known[:4] else "." for n in self.known[:-1]) + "-"

    def document(self, request: dict[str, Any]) -> dict[str, Any]:
        log = [
            {"step": i + 1, **self.question(i), "mark": mark, "value": value, "note": note, "nodes": self.questions[i][1]}
            for i, (mark, value, note) in enumerate(self.answers)
        ]
        skipped = any(mark == "skip" for mark, _, _ in self.answers)
        text = "".join(json.dumps({"mark": mark, "value": value}) + "\n" for mark, value, _ in self.answers)
        culprit = {"name": self.guilty, "op": "Conv2D", "evidence": {"before": 0.9, "after": 0.992, "local_error": 0.02}}
        verdict = {
            "baseline": 0.9,
            "healed": 0.992,
            "culprit_types": ["Conv2D"],
            "minimal": True,
            "interacting": False,
            "culprits": [culprit],
        }
        return {
            "schema": 1, "finished": self.done, "at": "",
            "target": request.get("target", 0.99), "metric": request.get("metric", "cosine_avg"),
            "evaluations": len(log), "priors": self.priors, "log": log, "path": ".magik/bisect/log", "states": self.states(),
            "contradictions": ["step 2 is bad, and less was good: errors are not monotone"] if skipped else [],
            "text": text if request.get("read") else "",
            **(verdict if self.done else {"asking": self.question(len(self.answers))}),
        }  # fmt: skip
