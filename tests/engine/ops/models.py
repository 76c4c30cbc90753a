"""Source models made by hand, as recognisers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.ir import RawNode, TensorType
from engine.numerics import Array
from engine.ops.base import candidates
from engine.ops.view import Decline, Match, View


def raw(op: str, inputs: str, outputs: str = "y", *, domain: str = "", opset: int = 13, **attrs: object) -> RawNode:
    """Return a source operator; its tensors are given as words, "-" being an omitted one."""
    ins, outs = (tuple("" if t == "-" else t for t in names.split()) for names in (inputs, outputs))
    return RawNode(op, ins, outs, attrs, domain, opset)


def view(
    nodes: Sequence[RawNode],
    shapes: Mapping[str, Sequence[int]],
    constants: Mapping[str, object] | None = None,
    outputs: Sequence[str] = ("y",),
) -> View:
    """Return a view of a model of float tensors; a constant that is a list of integers is int64."""
    values: dict[str, Array] = {}
    for name, value in (constants or {}).items():
        array = np.asarray(value)
        values[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
    return View(nodes, outputs, values, {t: TensorType(tuple(s)) for t, s in shapes.items()})


def recognise(nodes: Sequence[RawNode], seen: View, start: int = 0) -> Match | Decline:
    """Return the first match for the operator at `start`, or the last reason."""
    answer: Match | Decline = Decline("no operator starts here")
    for operator in candidates(nodes[start]):
        answer = operator.match(nodes[start], seen)
        if isinstance(answer, Match):
            return answer
    return answer


def matched(nodes: Sequence[RawNode], seen: View, start: int = 0) -> Match:
    """Return the match for the operator at `start`; it has to be recognised."""
    answer = recognise(nodes, seen, start)
    assert isinstance(answer, Match), answer
    return answer


def reason(nodes: Sequence[RawNode], seen: View, start: int = 0) -> str:
    """Return why the operator at `start` stays in float; no recogniser may take it."""
    answer = recognise(nodes, seen, start)
    assert isinstance(answer, Decline), answer.node
    return answer.reason
