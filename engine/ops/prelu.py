"""PRelu with slopes that differ from channel to channel: two multipliers.

y = rint(d * m) + zy where d = q - z is not negative, else rint(d * n[c]) + zy; m = s / sy, n = s * slope / sy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array, multiplier, scaled, settle
from .base import Example, Operator, Parameters, qnode, quantization, random_levels, random_params
from .lowering import Builder
from .view import Decline, Match, View


class PRelu(Operator):
    """The parameter `slope` broadcasts to the input. One slope for all is a LeakyRelu."""

    type = "PRelu"
    sources = ("PRelu",)
    priority = -1

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        slope = view.const(raw.inputs[1])
        if slope is None or not view.is_float(raw.inputs[0]) or slope.ndim > view.rank(raw.inputs[0]):
            return Decline("its slopes are computed at run time, or the type of its input is not known")
        if not np.isfinite(slope).all():
            return Decline("its slopes are not all finite")
        return Match(Node(self.type, raw.outputs[0], raw.inputs[:1], raw.outputs, {}, {"slope": np.asarray(slope, np.float32)}), (raw,))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        b.finish(b.op("PRelu", node.inputs[0], b.const(node.params["slope"])), node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        scale = np.float64(p.features()[0].scale)
        slope = node.params["slope"].astype(np.float64)
        return qnode(self.type, node, p, m=multiplier(scale, p.out.scale), n=multiplier(scale * slope, p.out.scale))

    def lower_int(self, q: QNode, b: Builder) -> None:
        (source,), target = quantization(q)
        centred = b.centre(q.inputs[0], source)
        above, below = (b.op("Mul", centred, b.const(q.arrays[k])) for k in ("m", "n"))
        negative = b.op("Less", centred, b.const(0.0, np.float32))
        b.finish(b.settle(b.op("Where", negative, below, above), target), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        (source,), target = quantization(q)
        acc = inputs[0].astype(np.int64) - source.zero
        return acc, settle(np.where(acc < 0, scaled(acc, q.arrays["n"]), scaled(acc, q.arrays["m"])), target)

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        return types[node.outputs[0]].size

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, slopes = [((1, 3, 4, 5), (3, 1, 1)), ((1, 6, 3), (6, 1)), ((1, 7), (7,)), ((1, 2, 3, 3), (2, 3, 1))][int(rng.integers(4))]
        slope = rng.choice([0.25, 0.0, -0.7, 1.5, 0.01], slopes).astype(np.float32)
        source = random_params(rng, bits)
        target = random_params(rng, bits, source.scale * float(rng.choice([1.0, 0.5, 1.7])))
        node = Node(self.type, "y", ("x",), ("y",), {}, {"slope": slope})
        types = {"x": TensorType(shape), "y": TensorType(shape)}
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),))
