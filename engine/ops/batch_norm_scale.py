"""BatchNormScale: y = x * scale[c] + shift[c], with one number per channel.

A batch normalization that no convolution could absorb, a constant added or multiplied, and the front of the network:
(x - mean) / normal. A weight alone in its channel is a level of 2^(bits-1) - 1, so nothing is lost but its own rounding to float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from . import activation
from .base import Example, Operator, Parameters, quantization, random_levels, random_params
from .folding import Affine, absorb_affine, scale_and_shift
from .linear import carried_sum, integer_weights
from .lowering import Builder
from .view import Decline, Match, View


class BatchNormScale(Operator):
    type = "BatchNormScale"
    sources = ("BatchNormalization", "Add", "Sub", "Mul", "Div")

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        features = view.features(raw)
        if raw.op == "BatchNormalization" and len(features) > 1:
            return Decline("its statistics are computed at run time")
        if len(features) != 1 or not view.is_float(features[0]):
            return Decline("not one feature with constants")
        source = features[0]
        kind = view.type(source)
        shape = kind.shape if kind else ()
        for axis in dict.fromkeys((1, len(shape) - 1)):
            found = scale_and_shift(raw, view, source, shape[axis], axis) if len(shape) > axis >= 0 else None
            if found is not None and all(np.isfinite(v).all() for v in found):
                return self._layer(raw, view, source, found, axis, len(shape))
        return Decline("not one finite scale and shift per channel")

    def _layer(self, raw: RawNode, view: View, source: str, found: tuple[Array, Array], axis: int, rank: int) -> Match:
        """Return the layer that starts with a scale and shift, with what follows it."""
        layer = Affine(np.ones((len(found[0]), 1))).then(*found)
        folded, tensor, absorbed = absorb_affine(view, raw.outputs[0], layer, axis)
        act = activation.absorb(view, tensor, silu=True)
        attrs = {"axis": axis, "rank": rank, **act.attrs()}
        node = Node(self.type, act.tensor, (source,), (act.tensor,), attrs, folded.params(), act.inner)
        return Match(node, (raw, *absorbed, *act.absorbed))

    def channel_axis(self, node: Node) -> int | None:
        return int(node.attrs["axis"])

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        shape = _broadcast(node.attrs)
        value = b.op("Mul", node.inputs[0], b.const(node.params["weight"].reshape(shape)))
        if "bias" in node.params:
            value = b.op("Add", value, b.const(node.params["bias"].reshape(shape)))
        activation.lower_float(node, b, value)

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        made = integer_weights(node.params["weight"], node.params.get("bias"), p, p.inner or p.out)
        if isinstance(made, Decline):
            return made
        attrs, arrays = activation.integer_attrs(node, p.out, p.inner)
        attrs |= {"axis": node.attrs["axis"], "rank": node.attrs["rank"], "weight_sum": made.weight_sum, "bound": made.bound}
        arrays = {"weight": made.weight, "bias": made.bias, "m": made.m, **arrays}
        return QNode(self.type, node.name, node.inputs, node.outputs, p.ins, (p.out,), attrs, arrays)

    def lower_int(self, q: QNode, b: Builder) -> None:
        shape = _broadcast(q.attrs)
        weight = b.const(q.arrays["weight"].reshape(shape), np.float32)
        bias = q.arrays["bias"].reshape(shape)
        source = quantization(q)[0][0]
        sums, bound = q.attrs["weight_sum"], q.attrs["bound"]
        acc = carried_sum(b, q.inputs[0], source, sums, bound, bias, lambda x: b.op("Mul", x, weight))
        activation.lower_requantize(q, b, acc, q.arrays["m"].reshape(shape))

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        shape = _broadcast(q.attrs)
        weight, bias = (q.arrays[k].astype(np.int64).reshape(shape) for k in ("weight", "bias"))
        acc = (inputs[0].astype(np.int64) - quantization(q)[0][0].zero) * weight + bias
        return acc, activation.reference_requantize(q, acc, q.arrays["m"].reshape(shape))

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        return types[node.outputs[0]].size

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, axis = [((1, 5, 3, 4), 1), ((1, 3, 7), 1), ((1, 4), 1), ((1, 6, 5), 2), ((1, 1, 2, 2), 1)][int(rng.integers(5))]
        channels = shape[axis]
        weight = rng.choice([-1.5, -0.25, 0.0, 0.3, 1.0, 2.0, 700.0], (channels, 1)).astype(np.float32)
        bias = (rng.normal(0, 1, channels) * float(rng.choice([1.0, 1e4]))).astype(np.float32)
        source = random_params(rng, bits)
        spread = float(np.abs(weight).max()) * source.scale * source.qmax + float(np.abs(bias).max())
        target = random_params(rng, bits, float(rng.choice([1.0, 0.05])) * spread / (1 << bits) + 1e-6)
        attrs, inner = activation.random_attrs(rng, spread, target)
        attrs |= {"axis": axis, "rank": len(shape)}
        params = {"weight": weight, "bias": bias} if rng.integers(4) else {"weight": weight}
        node = Node(self.type, "y", ("x",), ("y",), attrs, params, "t" if inner else "")
        types = {name: TensorType(shape) for name in "xyt"}
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),), inner, int(rng.integers(2, 9)))


def front(name: str, tensor: str, mean: Array | Sequence[float], normal: Array | Sequence[float], channels: int) -> Node:
    """Return the layer `name` = (tensor - mean) / normal over images (1, channels, H, W).

    `mean` and `normal` hold one number or one per channel, in the units of the pixels; no `normal` is 0.
    """
    center = np.broadcast_to(np.asarray(mean, np.float64), (channels,))
    width = np.broadcast_to(np.asarray(normal, np.float64), (channels,))
    params = Affine((1.0 / width).reshape(-1, 1), -center / width).params()
    attrs = {"axis": 1, "rank": 4, **activation.Activation(name).attrs()}
    return Node(BatchNormScale.type, name, (tensor,), (name,), attrs, params)


def _broadcast(attrs: Mapping[str, int]) -> tuple[int, ...]:
    """Return the shape in which one number per channel meets the features."""
    return tuple(-1 if i == attrs["axis"] else 1 for i in range(attrs["rank"]))
