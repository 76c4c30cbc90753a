"""Source operators -> layers: each operator's own recogniser decides, and what nobody recognises runs in float and says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Graph, Node, RawNode, TensorType
from ..ops.base import Operator, candidates
from ..ops.view import Decline, Match, View
from .normalizations import normalization
from .protos import constant_type
from .raw import RawGraph, reads
from .reasons import REASONS, no_integer_form

FLOAT = "Float"
"""The type of a layer that onnxruntime runs as it is; `attrs["op_type"]` is what the source model calls it."""

UNFIT = "its arguments do not fit a"

GENERAL = 2
"""An operator that starts at more source operators than this is made for none of them."""


def recognise(raw: RawGraph) -> Graph:
    """Return the float graph of a folded source model.

    A layer stands where the last operator that it absorbs stood: whatever it reads was made before.
    """
    view = View(raw.nodes, raw.outputs, raw.constants, raw.types)
    place = {id(n): i for i, n in enumerate(raw.nodes)}
    taken: set[int] = set()
    found: list[tuple[int, Node]] = []
    makers: dict[str, str] = {}
    for node in raw.nodes:
        if id(node) in taken:
            continue
        whole = normalization(node, view)
        match = Match(together(*whole), whole[1]) if whole else _match(node, view, taken)
        if isinstance(match, Match):
            taken.update(id(n) for n in match.absorbed)
            found.append((max(place[id(n)] for n in match.absorbed), match.node))
            makers |= {t: match.node.name for n in match.absorbed for t in n.outputs if t}
        else:
            found.append((place[id(node)], opaque(node, view, match.reason)))
    nodes = tuple(node for _, node in sorted(found, key=lambda item: item[0]))
    read = {t for n in nodes for t in n.inputs}
    constants = {t: value for t, value in raw.constants.items() if t in read}
    types = _types(raw, nodes, constants)
    parts = _parts(raw, nodes, makers)
    return Graph(raw.inputs, raw.outputs, nodes, types, constants, raw.opsets, raw.ir_version, parts)


def _parts(raw: RawGraph, nodes: Sequence[Node], makers: Mapping[str, str]) -> dict[str, str]:
    """Return the layer of every operator and tensor that a layer hides, by the name the model has for it."""
    names = {n.name for n in nodes}
    owners = {**makers, **{t: n.name for n in nodes for t in n.outputs}}
    labels = ((label, next((owners[t] for t in made if t in owners), "")) for label, made in raw.labels.items())
    found = {**owners, **{label: owner for label, owner in labels if owner and label not in owners}}
    return {name: owner for name, owner in found.items() if name not in names}


def _match(node: RawNode, view: View, taken: set[int]) -> Match | Decline:
    """Return the first match, or the most telling reason.

    That is no pattern's, but that of the operator made for the fewest source operators; one made for many says less than what is known
    of the source operator.
    """
    other = next((k.dtype for k in map(view.type, view.features(node)) if k and _is_float(k) and k.dtype != "float32"), "")
    if other:
        return Decline(f"it computes in {other}")
    if not view.features(node) and not node.captured:
        return Decline("it computes from constants alone, too much to keep or not the same every time")
    declined: list[tuple[int, int, Decline]] = []
    for operator in candidates(node):
        answer = _ask(operator, node, view)
        if isinstance(answer, Decline):
            declined.append((operator.priority, len(operator.sources), answer))
        elif not any(id(n) in taken for n in answer.absorbed):
            return answer
    if declined and any(view.type(t) is None for t in view.features(node)):
        return Decline("the size of its input is known at run time only")
    _, kinds, best = min(declined, key=lambda item: item[:2], default=(0, GENERAL + 1, Decline(no_integer_form(node.op))))
    return Decline(REASONS[node.op]) if kinds > GENERAL and node.op in REASONS else best


def _ask(operator: Operator, node: RawNode, view: View) -> Match | Decline:
    """Return an operator's answer; arguments that fit nothing (a scale with too many channels) are onnxruntime's to judge, at run time."""
    try:
        with np.errstate(all="ignore"):  # a weight that is not finite is judged when it is quantized
            return operator.match(node, view)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Decline(f"{UNFIT} {operator.type}: {error}")


def _is_float(kind: TensorType) -> bool:
    return kind.dtype.startswith(("float", "bfloat"))


def opaque(node: RawNode, view: View, reason: str) -> Node:
    """Return the layer that runs a source operator as it is; one that touches no float tensor has nothing to explain."""
    outputs = tuple(t for t in node.outputs if t)
    inputs = reads(node)
    kinds = [view.type(t) for t in (*outputs, *(t for t in inputs if view.const(t) is None))]
    quiet = all(kind is not None and not _is_float(kind) for kind in kinds)
    attrs = {"op_type": node.op, "domain": node.domain}
    return Node(FLOAT, outputs[0], inputs, outputs, attrs, reason="" if quiet else reason, raw=(node,))


def together(name: str, nodes: Sequence[RawNode]) -> Node:
    """Return the layer that runs several source operators as they are, under the name of what they compute as a whole."""
    made = {t for n in nodes for t in n.outputs}
    inputs = tuple(dict.fromkeys(t for n in nodes for t in reads(n) if t not in made))
    attrs = {"op_type": name, "domain": ""}
    return Node(FLOAT, nodes[-1].outputs[0], inputs, nodes[-1].outputs, attrs, reason=no_integer_form(name), raw=tuple(nodes))


def _types(raw: RawGraph, nodes: Sequence[Node], constants: Mapping[str, object]) -> dict[str, TensorType]:
    """Return the types of the tensors that are left, those inside of layers of several source operators included."""
    names = {*raw.inputs, *raw.outputs, *(t for n in nodes for t in (*n.inputs, *n.outputs, n.inner))}
    names |= {t for n in nodes for r in n.raw for t in r.outputs}
    table = {t: raw.types[t] for t in names if t in raw.types}
    return table | {t: constant_type(raw.constants[t]) for t in constants}
