"""Where with a constant condition: each element is that of one of two tensors, in units of the output's levels.

y = rint(d * m) + zy, with d = qa - za and m = sa / sy where the condition holds, those of b elsewhere. A constant side is quantized with
the output's range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array, QParams, multiplier, scaled, settle
from ..numerics import quantize as to_levels
from .base import Example, Operator, Parameters, qnode, quantization, random_levels, random_params
from .folding import MASK
from .lowering import Builder
from .view import Decline, Match, View

SIDES = ("a", "b")


class Where(Operator):
    """The parameter `condition` is 0 or 1; the constant sides among `a` and `b` are parameters as well, the others inputs in this order."""

    type = "Where"
    sources = ("Where",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        condition = view.const(raw.inputs[0])
        if condition is None:
            return Decline("its condition is computed at run time: it chooses in float32")
        features = tuple(t for t in raw.inputs[1:] if view.const(t) is None)
        if not features or not view.is_float(*raw.inputs[1:]):
            return Decline("the types of its inputs are not known to be float32")
        params = {"condition": condition.astype(np.uint8)}
        for side, tensor in zip(SIDES, raw.inputs[1:], strict=True):
            value = view.const(tensor)
            if value is None:
                continue
            if not np.abs(value).max(initial=0.0) < MASK:
                return Decline(f"it masks with {float(value.reshape(-1)[0]):g}: no range holds that beside its input")
            params[side] = np.asarray(value, np.float32)
        return Match(Node(self.type, raw.outputs[0], features, raw.outputs, {}, params), (raw,))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        names = iter(node.inputs)
        sides = [b.const(node.params[s]) if s in node.params else next(names) for s in SIDES]
        b.finish(b.op("Where", b.const(node.params["condition"], np.bool_), *sides), node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        constants = {s: to_levels(node.params[s], p.out) for s in SIDES if s in node.params}
        m = multiplier(np.array([side.scale for side in _params(constants, p.features(), p.out)]), p.out.scale)
        return qnode(self.type, node, p, {}, m=m, condition=node.params["condition"], **constants)

    def lower_int(self, q: QNode, b: Builder) -> None:
        ins, target = quantization(q)
        names = iter(q.inputs)
        tensors = [b.const(q.arrays[s]) if s in q.arrays else next(names) for s in SIDES]
        sides = zip(tensors, _params(q.arrays, ins, target), q.arrays["m"], strict=True)
        real = [b.times(tensor, p, float(m)) for tensor, p, m in sides]
        chosen = b.op("Where", b.const(q.arrays["condition"], np.bool_), *real)
        b.finish(b.settle(chosen, target), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        ins, target = quantization(q)
        rest = iter(inputs)
        tensors = [q.arrays[s] if s in q.arrays else next(rest) for s in SIDES]
        centred = [x.astype(np.int64) - p.zero for x, p in zip(tensors, _params(q.arrays, ins, target), strict=True)]
        condition = q.arrays["condition"] != 0
        real = [scaled(x, m) for x, m in zip(centred, q.arrays["m"], strict=True)]
        return np.where(condition, *centred), settle(np.where(condition, *real), target)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, other, condition = [
            ((1, 3, 4, 5), (1, 3, 4, 5), (4, 5)),
            ((1, 6), (6,), (1, 1)),
            ((1, 2, 5), (1, 1, 5), (1, 2, 1)),
        ][int(rng.integers(3))]
        names: tuple[str, ...] = ("x", "z")
        ins: tuple[QParams, ...] = (random_params(rng, bits), random_params(rng, bits))
        types = {"x": TensorType(shape), "z": TensorType(other)}
        types["y"] = TensorType(np.broadcast_shapes(shape, other, condition))
        params = {"condition": rng.integers(0, 2, condition).astype(np.uint8)}
        target = random_params(rng, bits, ins[0].scale * float(rng.choice([1.0, 0.5, 1.9])))
        side = int(rng.choice([-1, 0, 1]))
        if side >= 0:
            params[SIDES[side]] = rng.normal(0, 1, types[names[side]].shape).astype(np.float32)
            names, ins = (names[1 - side],), (ins[1 - side],)
        node = Node(self.type, "y", names, ("y",), {}, params)
        data = tuple(random_levels(rng, q, types[t].shape) for t, q in zip(names, ins, strict=True))
        return Example(node, types, ins, target, data)


def _params(constants: Mapping[str, Array], ins: Sequence[QParams], target: QParams) -> list[QParams]:
    """Return the quantization of both sides; a constant one has the output's."""
    given = iter(ins)
    return [target if s in constants else next(given) for s in SIDES]
