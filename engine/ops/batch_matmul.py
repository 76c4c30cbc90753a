"""BatchMatMul: the matrix product of two tensors, of which at most one is constant (and then no single matrix of weights: a MatMul).

y = rint(float32(acc) * m) + zy, acc = sum_k (qa - za) * (qb - zb), m = alpha * sa * sb / sy. The batch axes broadcast. A constant factor
behind it (the 1 / sqrt(d) of attention) is alpha. A constant operand is quantized with its own range, as a feature is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import FLOAT_EXACT, Array, QParams, affine, multiplier, requantize
from ..numerics import quantize as to_levels
from . import activation
from .base import Example, Operator, Parameters, qnode, quantization, random_levels, random_params
from .folding import scale_and_shift
from .linear import FLOAT, reach
from .lowering import Builder
from .view import Decline, Match, View

DOUBLE = 11
DOUBLE_EXACT = 2**53


class BatchMatMul(Operator):
    """A constant operand is in `params`, and the attribute `constant` tells its side (-1 when there is none)."""

    type = "BatchMatMul"
    sources = ("MatMul",)
    priority = -1

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        kinds = [view.type(t) for t in raw.inputs]
        if not view.is_float(*raw.inputs) or any(k is None or len(k.shape) < 2 for k in kinds):
            return Decline("the types of its operands are not known, or one is a vector")
        constants = [view.const(t) for t in raw.inputs]
        side = next((i for i, c in enumerate(constants) if c is not None), -1)
        features = view.features(raw)
        if not features:
            return Decline("both its operands are constant")
        params = {} if side < 0 else {"constant": np.asarray(constants[side], np.float32)}
        if side >= 0 and not np.isfinite(params["constant"]).all():
            return Decline("its constant is not finite everywhere")
        alpha, tensor, absorbed = absorb_factors(view, raw.outputs[0])
        act = activation.absorb(view, tensor)
        attrs = {"constant": side, "alpha": alpha, **act.attrs()}
        node = Node(self.type, act.tensor, features, (act.tensor,), attrs, params)
        return Match(node, (raw, *absorbed, *act.absorbed))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        operands = list(node.inputs)
        if node.attrs["constant"] >= 0:
            operands.insert(node.attrs["constant"], b.const(node.params["constant"]))
        value = b.op("MatMul", *operands)
        if node.attrs["alpha"] != 1.0:
            value = b.op("Mul", value, b.const(node.attrs["alpha"], np.float32))
        activation.lower_float(node, b, value)

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        attrs, arrays = activation.integer_attrs(node, p.out, None)
        made, sides, side = dict(arrays), list(p.features()), node.attrs["constant"]
        attrs |= {"constant": side, "constant_params": None}
        summands = p.types[node.inputs[0]].shape[-2 if side == 0 else -1]
        if side >= 0:
            value = node.params["constant"]
            own = affine(float(value.min(initial=0.0)), float(value.max(initial=0.0)), sides[0].bits)
            made["constant"], attrs["constant_params"] = to_levels(value, own), own
            sides.insert(side, own)
        attrs["bound"] = summands * reach(sides[0]) * reach(sides[1])
        if attrs["bound"] >= DOUBLE_EXACT:
            return Decline(f"a sum of {summands} products is too long to be exact")
        m = multiplier(node.attrs["alpha"] * np.float64(sides[0].scale) * np.float64(sides[1].scale), p.out.scale)
        return qnode(self.type, node, p, attrs, m=m, **made)

    def lower_int(self, q: QNode, b: Builder) -> None:
        names = list(q.inputs)
        if q.attrs["constant"] >= 0:
            names.insert(q.attrs["constant"], b.const(q.arrays["constant"]))
        operands = [b.centre(name, side) for name, side in zip(names, _sides(q), strict=True)]
        if q.attrs["bound"] < FLOAT_EXACT:
            acc = b.accumulator(b.op("MatMul", *operands))
        else:
            # float64 sums are exact to 2^53 and take twice the time of float32 ones, less than any split into limbs
            wide = b.op("MatMul", *(b.op("Cast", name, to=DOUBLE) for name in operands))
            acc = b.op("Cast", b.accumulator(wide), to=FLOAT)
        activation.lower_requantize(q, b, acc, q.arrays["m"])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        operands = list(inputs)
        if q.attrs["constant"] >= 0:
            operands.insert(q.attrs["constant"], q.arrays["constant"])
        first, second = (x.astype(np.int64) - p.zero for x, p in zip(operands, _sides(q), strict=True))
        acc = np.matmul(first, second)
        return acc, requantize(acc, q.arrays["m"], quantization(q)[1], q.attrs["low"], q.attrs["high"])

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        inner = types[node.inputs[0]].shape[-2 if node.attrs["constant"] == 0 else -1]
        return types[node.outputs[0]].size * inner

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        m, k, n = int(rng.integers(1, 5)), int(rng.choice([1, 8, 65, 400])), int(rng.integers(1, 5))
        kind = int(rng.integers(4))
        lead = [((), ()), ((1, 3), (1, 3)), ((1, 2), (2, 1)), ((1, 4), ())][kind]
        shapes = {"a": (*lead[0], m, k), "b": (*lead[1], k, n)}
        types = {t: TensorType(s) for t, s in shapes.items()}
        types["y"] = TensorType((*np.broadcast_shapes(*lead), m, n))
        ins: tuple[QParams, ...] = (random_params(rng, bits), random_params(rng, bits))
        names: tuple[str, ...] = ("a", "b")
        data = {t: random_levels(rng, q, shapes[t]) for t, q in zip(names, ins, strict=True)}
        side, params = int(rng.choice([-1, -1, 0, 1])), {}
        spread = k * float(np.prod([reach(q) * q.scale for q in ins]))
        if side >= 0:
            params["constant"] = np.abs(rng.normal(0, 0.02, shapes[names[side]])).astype(np.float32)
            names, ins = (names[1 - side],), (ins[1 - side],)
            spread = 0.02 * k * reach(ins[0]) * ins[0].scale
        alpha = float(rng.choice([1.0, 0.125, -0.3]))
        step = abs(alpha) * spread / (1 << bits) * float(rng.choice([1.0, 0.01]))
        target = random_params(rng, bits, step)
        attrs, _ = activation.random_attrs(rng, spread, target, silu=False)
        node = Node(self.type, "y", names, ("y",), {"constant": side, "alpha": alpha, **attrs}, params)
        return Example(node, types, ins, target, tuple(data[t] for t in names))


def absorb_factors(view: View, tensor: str) -> tuple[float, str, tuple[RawNode, ...]]:
    """Return the product of the constant factors that follow `tensor`, the new output, and what was absorbed."""
    factor, absorbed = 1.0, list[RawNode]()
    while (reader := view.only_reader(tensor)) is not None:
        found = scale_and_shift(reader, view, tensor, 1, view.rank(tensor) - 1) if _scalar(reader, view) else None
        if found is None or not np.isfinite(found[0]).all() or found[1].any():
            break
        factor, tensor = factor * float(found[0][0]), reader.outputs[0]
        absorbed.append(reader)
    return factor, tensor, tuple(absorbed)


def _scalar(raw: RawNode, view: View) -> bool:
    """Tell whether an operator has a constant operand of one number."""
    return any(c is not None and c.size == 1 for c in map(view.const, raw.inputs))


def _sides(q: QNode) -> list[QParams]:
    """Return the quantization of both operands, constant or not."""
    sides = list(quantization(q)[0])
    if q.attrs["constant"] >= 0:
        sides.insert(q.attrs["constant"], q.attrs["constant_params"])
    return sides
