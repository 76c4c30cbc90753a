"""EltwiseAdd, EltwiseSub, EltwiseMul: two tensors met element by element, with any broadcasting; absorb a clamp.

Add and Sub:  y = rint(ma * (qa - za) ± mb * (qb - zb)) + zy, ma = sa / sy; both products and the sum are rounded to float32, in that order.
Mul:          y = rint(float32(acc) * m) + zy, acc = (qa - za) * (qb - zb), m = sa * sb / sy.
One of the two may be constant (not one number per channel: that is a BatchNormScale); it is quantized with its own range.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array, QParams, affine, multiplier, scaled, settle
from ..numerics import quantize as to_levels
from . import activation
from .base import Example, Operator, Parameters, qnode, quantization, random_levels, random_params
from .folding import masks
from .lowering import Builder
from .view import Decline, Match, View


class Eltwise(Operator):
    """What the three share; a constant operand is in `params`, and the attribute `constant` tells its side (-1 when there is none)."""

    float_op: ClassVar[str]

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        if len(raw.inputs) != 2:
            return Decline(f"it combines {len(raw.inputs)} tensors, not two")
        if not view.is_float(*raw.inputs):
            return Decline("the types of its inputs are not known to be float32")
        constants = [view.const(t) for t in raw.inputs]
        side = next((i for i, c in enumerate(constants) if c is not None), -1)
        features = view.features(raw)
        if not features:
            return Decline("both its operands are constant")
        params = {} if side < 0 else {"constant": np.asarray(constants[side], np.float32)}
        if side >= 0 and not np.isfinite(params["constant"]).all():
            return Decline("its constant is not finite everywhere")
        if side >= 0 and self.float_op != "Mul" and masks(params["constant"]):
            return Decline(f"it masks with {params['constant'].min():g}: no range holds that beside its input")
        act = activation.absorb(view, raw.outputs[0])
        node = Node(self.type, act.tensor, features, (act.tensor,), {"constant": side, **act.attrs()}, params)
        return Match(node, (raw, *act.absorbed))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        operands = list(node.inputs)
        if node.attrs["constant"] >= 0:
            operands.insert(node.attrs["constant"], b.const(node.params["constant"]))
        activation.lower_float(node, b, b.op(self.float_op, *operands))

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        attrs, arrays = activation.integer_attrs(node, p.out, None)
        made, sides = dict(arrays), list(p.features())
        side = attrs["constant"] = node.attrs["constant"]
        attrs["constant_params"] = None
        if side >= 0:
            value = node.params["constant"]
            own = affine(float(value.min(initial=0.0)), float(value.max(initial=0.0)), sides[0].bits)
            made["constant"], attrs["constant_params"] = to_levels(value, own), own
            sides.insert(side, own)
        return qnode(self.type, node, p, attrs, **made, **self._multipliers(sides[0], sides[1], p.out))

    def lower_int(self, q: QNode, b: Builder) -> None:
        (first, second), target = _sides(q), quantization(q)[1]
        names = list(q.inputs)
        if q.attrs["constant"] >= 0:
            names.insert(q.attrs["constant"], b.const(q.arrays["constant"]))
        real = self._lower(q, b, (names[0], first), (names[1], second))
        b.finish(b.settle(real, target, q.attrs["low"], q.attrs["high"]), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        operands = list(inputs)
        if q.attrs["constant"] >= 0:
            operands.insert(q.attrs["constant"], q.arrays["constant"])
        first, second = (x.astype(np.int64) - p.zero for x, p in zip(operands, _sides(q), strict=True))
        acc, real = self._combine(q, first, second)
        return acc, settle(real, quantization(q)[1], q.attrs["low"], q.attrs["high"])

    @abstractmethod
    def _multipliers(self, first: QParams, second: QParams, out: QParams) -> dict[str, Array]:
        """Return the float32 multipliers of the layer."""

    @abstractmethod
    def _lower(self, q: QNode, b: Builder, first: tuple[str, QParams], second: tuple[str, QParams]) -> str:
        """Append the combination in units of the output's levels, before rounding; marks the accumulator."""

    @abstractmethod
    def _combine(self, q: QNode, first: Array, second: Array) -> tuple[Array, Array]:
        """Return (accumulator, its value in units of the output's levels) of centred int64 operands."""

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        one: tuple[int, ...] = [(1, 3, 5, 7), (1, 4, 3, 3), (1, 1, 1, 5), (1, 6), (1, 5, 4)][kind := int(rng.integers(5))]
        two: tuple[int, ...] = [(1, 3, 5, 7), (1, 4, 1, 1), (1, 2, 3, 1), (1, 6), (4,)][kind]
        a, c = random_params(rng, bits), random_params(rng, bits)
        side, twice = int(rng.choice([-1, -1, 0, 1])), bool(rng.integers(5) == 0)
        types = {"a": TensorType(one), "b": TensorType(one if twice else two)}
        types["y"] = TensorType(np.broadcast_shapes(types["a"].shape, types["b"].shape))
        names: tuple[str, ...] = ("a", "a") if twice else ("a", "b")
        ins: tuple[QParams, ...] = (a, a if twice else c)
        data = {"a": random_levels(rng, a, one), "b": random_levels(rng, c, two)}
        params = {}
        if side >= 0:
            params["constant"] = (rng.normal(0, 1, types[names[side]].shape) * rng.choice([0.0, 1.0])).astype(np.float32)
            names, ins = (names[1 - side],), (ins[1 - side],)
        # a power of two makes ties of the sums; the other step lands anywhere
        step = float(rng.choice([2.0 ** int(rng.integers(-8, 3)), 0.7 * a.scale, 1.9 * a.scale * max(1.0, c.scale * c.qmax)]))
        target = random_params(rng, bits, step)
        attrs, _ = activation.random_attrs(rng, step * target.qmax, target, silu=False)
        node = Node(self.type, "y", names, ("y",), {"constant": side, **attrs}, params)
        return Example(node, types, ins, target, tuple(data[n] for n in names))


def _sides(q: QNode) -> list[QParams]:
    """Return the quantization of both operands, constant or not."""
    sides = list(quantization(q)[0])
    if q.attrs["constant"] >= 0:
        sides.insert(q.attrs["constant"], q.attrs["constant_params"])
    return sides


class Linear(Eltwise):
    """Add and Sub: the operands meet in units of the output's levels."""

    def _multipliers(self, first: QParams, second: QParams, out: QParams) -> dict[str, Array]:
        return {"ma": multiplier(first.scale, out.scale), "mb": multiplier(second.scale, out.scale)}

    def _lower(self, q: QNode, b: Builder, first: tuple[str, QParams], second: tuple[str, QParams]) -> str:
        left = b.times(*first, float(q.arrays["ma"]))
        right = b.times(*second, float(q.arrays["mb"]))
        return b.accumulator(b.op(self.float_op, left, right))

    def _combine(self, q: QNode, first: Array, second: Array) -> tuple[Array, Array]:
        left, right = scaled(first, q.arrays["ma"]), scaled(second, q.arrays["mb"])
        total = left + right if self.float_op == "Add" else left - right
        return total, total


class EltwiseAdd(Linear):
    type = "EltwiseAdd"
    sources = ("Add", "Sum")
    float_op = "Add"


class EltwiseSub(Linear):
    type = "EltwiseSub"
    sources = ("Sub",)
    float_op = "Sub"


class EltwiseMul(Eltwise):
    type = "EltwiseMul"
    sources = ("Mul",)
    float_op = "Mul"

    def _multipliers(self, first: QParams, second: QParams, out: QParams) -> dict[str, Array]:
        return {"m": multiplier(np.float64(first.scale) * np.float64(second.scale), out.scale)}

    def _lower(self, q: QNode, b: Builder, first: tuple[str, QParams], second: tuple[str, QParams]) -> str:
        # Both factors are integers below 2^16, exact in float32; their float32 product is the exact product rounded once, which is
        # float32(acc) itself. So no width of the features needs wider integers here.
        acc = b.accumulator(b.op("Mul", b.centre(*first), b.centre(*second)))
        return b.op("Mul", acc, b.const(q.arrays["m"]))

    def _combine(self, q: QNode, first: Array, second: Array) -> tuple[Array, Array]:
        acc = first * second
        return acc, scaled(acc, q.arrays["m"])

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        return types[node.outputs[0]].size
