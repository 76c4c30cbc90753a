"""What a bisection is on this side of the wire: the engine's messages, the slice, what each row is known to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from magik_tui import events as ev
from magik_tui.core.state import State

Mark = Literal["good", "bad", "skip", "current", "untested", "suspect", "outside", "float"]
METRICS = ("cosine_avg", "cosine_min", "sqnr")
TARGETS = {"cosine_avg": 0.99, "cosine_min": 0.99, "sqnr": 20.0}
SIGNS: Mapping[str, Mark] = {"+": "good", "x": "bad", ">": "current", "~": "skip", ".": "untested", "-": "float"}


class Asking(msgspec.Struct, frozen=True):
    """What is tried now, or next: `floats` stay in float; `left` operators, about `steps` steps. `without` is quantized again."""

    phase: str = ""
    left: int = 0
    steps: int = 0
    floats: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    without: str = ""
    states: str = ""


class Answered(msgspec.Struct, frozen=True):
    """How it went; of a step in a document `nodes` are what was in float, unless `types` say it."""

    phase: str = ""
    mark: str = ""
    value: float | None = None
    floats: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    without: str = ""
    note: str = ""
    states: str = ""


class Evidence(msgspec.Struct, frozen=True):
    """What shows that an operator is guilty: the value with it quantized again, and with all culprits in float."""

    before: float | None = None
    after: float | None = None
    local_error: float | None = None


class Culprit(msgspec.Struct, frozen=True):
    """One operator that has to stay in float."""

    name: str
    op: str = ""
    evidence: Evidence = Evidence()


class Priors(msgspec.Struct, frozen=True):
    """What a person holds of operator types and of layers: "good", "suspect", "untested" (of a layer: not as its type)."""

    types: dict[str, str] = {}
    nodes: dict[str, str] = {}

    def of(self, name: str, op: str) -> str:
        """Return what is held of a layer, "" where nothing is."""
        held = self.nodes.get(name, self.types.get(op, ""))
        return "" if held == "untested" else held


NOTHING_HELD = Priors()


class Verdict(msgspec.Struct, frozen=True):
    """The document of a bisection, or of one that pauses (not `finished`)."""

    target: float | None = None
    metric: str = ""
    at: str = ""
    finished: bool = True
    asking: Asking | None = None
    states: str = ""
    priors: Priors = Priors()
    contradictions: tuple[str, ...] = ()
    log: tuple[Answered, ...] = ()
    baseline: float | None = None
    healed: float | None = None
    culprits: tuple[Culprit, ...] = ()
    evaluations: int = 0
    minimal: bool = False
    interacting: bool = False
    path: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Bisection:
    """The slice of this room. `job` is the request at work; `steps` are the answers so far, `states` a sign for each row of the table.

    `known` says that the engine has told where this search stands, `old` that files changed since, or the `variant` that is served.
    `place` is the operator type under the cursor, None while that is on a layer. `edited` is a log that the engine did not take,
    `following` what is to be done after a mark that is on its way.
    """

    metric: str = METRICS[0]
    target: float | None = None
    at: str = ""
    job: int | None = None
    known: bool = False
    asking: Asking | None = None
    steps: tuple[Answered, ...] = ()
    verdict: Verdict | None = None
    error: str = ""
    states: str = ""
    priors: Priors = NOTHING_HELD
    contradictions: tuple[str, ...] = ()
    path: str = ""
    place: int | None = None
    old: bool = False
    variant: str | None = None
    edited: str = ""
    following: ev.Event | None = None

    @property
    def wanted(self) -> float | None:
        """The target, that of the metric where none is given; None where a command judges."""
        return TARGETS.get(self.metric) if self.target is None else self.target

    @property
    def fresh(self) -> Bisection:
        """The same search before anything is known of it."""
        return Bisection(self.metric, self.target, self.at, place=self.place)

    def goal(self) -> tuple[str, ...]:
        """Return the options of the command line that say what is looked for."""
        target = () if self.wanted is None else ("--target", f"{self.wanted:g}")
        return ("--metric", self.metric, *target, *(("--at", self.at) if self.at else ()))


@dataclass(frozen=True, slots=True)
class Kind:
    """One operator type: its name, its mark, and how many of its operators have each mark."""

    name: str
    mark: Mark
    counts: Mapping[Mark, int] = field(default_factory=dict)


def marks(state: State) -> tuple[Mark, ...]:
    """Return what each row of the table is known to be: as the engine says, and where it has not said anything as the user did."""
    mine, rows = state.of(Bisection), state.table.rows
    signs = mine.states if len(mine.states) == len(rows) else ""
    found: list[Mark] = []
    for index, row in enumerate(rows):
        mark: Mark = SIGNS.get(signs[index], "untested") if signs else "untested" if row.quantized else "float"
        if mark == "float" and row.quantized:
            mark = "outside"
        if mark == "untested" and mine.priors.of(row.name, row.op) == "suspect":
            mark = "suspect"
        found.append(mark)
    return tuple(found)


ORDER: tuple[Mark, ...] = ("current", "bad", "suspect", "skip", "untested", "good")
"""What a type is, if any of its operators is."""


def kinds(state: State, known: tuple[Mark, ...]) -> tuple[Kind, ...]:
    """Return the operator types of the layers that may be searched, in the order in which they are first met."""
    counts: dict[str, dict[Mark, int]] = {}
    for row, mark in zip(state.table.rows, known, strict=True):
        if mark not in ("float", "outside"):
            table = counts.setdefault(row.op, {})
            table[mark] = table.get(mark, 0) + 1
    return tuple(Kind(name, next(mark for mark in ORDER if mark in table), table) for name, table in counts.items())
