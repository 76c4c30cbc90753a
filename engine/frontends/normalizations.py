"""Layer normalization spelled with its parts: one layer in float32, since its deviation is no value that levels can keep.

    d = x - mean(x)      y = d / sqrt(mean(d^2) + epsilon) [* gamma] [+ beta]

Its squares and their root span the square of the range of x: in integers of 8 bits nothing would be left of small deviations. Without
the subtraction it is the normalization by the root of the mean square (RMS). Exporters write d^2 as Pow or Mul, and the quotient as Div or
as a product with the reciprocal.
"""

from __future__ import annotations

from collections.abc import Callable

from ..ir import RawNode
from ..ops.view import View

Found = tuple[str, tuple[RawNode, ...]]
"""What the operators make up, and the operators."""


def normalization(start: RawNode, view: View) -> Found | None:
    """Return the normalization that starts at a ReduceMean, or at the square in front of one; None when none does."""
    if start.domain:
        return None
    if start.op == "ReduceMean":
        differences = [r for r in view.readers(start.outputs[0]) if r.op == "Sub" and r.inputs == (start.inputs[0], start.outputs[0])]
        # some exporters subtract twice: once for the square, once for the quotient
        squares = [s for d in differences for s in view.readers(d.outputs[0]) if _is_square(s, view)]
        core = _core(squares[0], view, tuple(d.outputs[0] for d in differences)) if squares else None
        return _closed("LayerNormalization", (start, *differences, *core), view) if core else None
    core = _core(start, view, start.inputs[:1]) if _is_square(start, view) else None
    return _closed("RMSNormalization", core, view) if core else None


def _is_square(node: RawNode, view: View) -> bool:
    if node.op == "Mul":
        return len(node.inputs) == 2 and node.inputs[0] == node.inputs[1] and view.const(node.inputs[0]) is None
    return node.op == "Pow" and _number(node, view) == 2.0


def _core(square: RawNode, view: View, numerators: tuple[str, ...]) -> tuple[RawNode, ...] | None:
    """Return the operators from a square to the quotient of one of `numerators` by the root of its mean."""
    chain = [square]
    steps: tuple[Callable[[RawNode], bool], ...] = (
        lambda n: n.op == "ReduceMean",
        lambda n: n.op == "Add" and _number(n, view) is not None,
        lambda n: n.op == "Sqrt" or (n.op == "Pow" and _number(n, view) in (0.5, -0.5)),
    )
    for accepts in steps:
        following = view.only_reader(chain[-1].outputs[0])
        if following is None or not accepts(following):
            return None
        chain.append(following)
    last = view.only_reader(chain[-1].outputs[0])
    if last is not None and (last.op == "Reciprocal" or (last.op == "Div" and view.const(last.inputs[0]) is not None)):
        chain.append(last)
        last = view.only_reader(last.outputs[0])
    if last is None or last.op not in ("Div", "Mul") or not set(last.inputs) & set(numerators):
        return None
    return (*chain, last)


def _number(node: RawNode, view: View) -> float | None:
    """Return the one number among an operator's inputs, None when there is none."""
    values = [c for c in map(view.const, node.inputs) if c is not None and c.size == 1]
    return float(values[0].reshape(-1)[0]) if len(values) == 1 else None


def _closed(name: str, core: tuple[RawNode, ...], view: View) -> Found | None:
    """Return the normalization with the scale and shift behind it, None where a value inside is needed outside."""
    nodes = list(dict.fromkeys(core))
    for op in ("Mul", "Add"):
        following = view.only_reader(nodes[-1].outputs[0])
        if following is not None and following.op == op and any(view.const(t) is not None for t in following.inputs):
            nodes.append(following)
    for node in nodes[:-1]:
        if view.is_output(node.outputs[0]) or any(r not in nodes for r in view.readers(node.outputs[0])):
            return None
    return name, tuple(nodes)
