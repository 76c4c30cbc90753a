"""AvgPool: the mean under each window, as an exact integer sum and one requantization.

y = rint(float32(acc) * m[i,j]) + zy, m[i,j] = sx / (count[i,j] * sy). Padding is the zero point, so it adds nothing to the sum; it is
counted when the model says so, but never where a window overhangs the padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import FLOAT_EXACT, Array, multiplier, requantize
from .base import Example, Operator, Parameters, qnode, quantization, random_levels, random_params
from .linear import carried_sum, reach
from .lowering import Builder
from .view import Decline, Match, View
from .window import pool_attrs, pooled_size, random_pool, window_cells


class AvgPool(Operator):
    type = "AvgPool"
    sources = ("AveragePool",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        attrs = pool_attrs(raw, view)
        if isinstance(attrs, Decline):
            return attrs
        attrs["count_include_pad"] = int(raw.attrs.get("count_include_pad", 0))
        out = raw.outputs[0]
        return Match(Node(self.type, out, raw.inputs, (out,), attrs), (raw,))

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        b.finish(b.op("AveragePool", node.inputs[0], **node.attrs), node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        shape, a = p.types[node.inputs[0]].shape, node.attrs
        window = int(np.prod(a["kernel_shape"]))
        if window >= FLOAT_EXACT:
            return Decline("its window is too large for exact sums")
        rows, columns = window_cells(shape[2:], a, padding=bool(a["count_include_pad"]))
        counts = np.outer([len(r) for r in rows], [len(c) for c in columns])
        m = multiplier(p.features()[0].scale, counts * np.float64(p.out.scale))
        # a convolution has no ceil_mode: what a window overhangs becomes padding
        pads = list(a["pads"])
        for i, size in enumerate(pooled_size(shape[2:], a)):
            needed = (size - 1) * a["strides"][i] + a["dilations"][i] * (a["kernel_shape"][i] - 1) + 1
            pads[2 + i] += max(0, needed - shape[2 + i] - a["pads"][i] - a["pads"][2 + i])
        return qnode(self.type, node, p, {**a, "channels": shape[1], "summed_pads": tuple(pads)}, m=m.reshape(1, 1, *m.shape))

    def lower_int(self, q: QNode, b: Builder) -> None:
        (source,), target = quantization(q)
        window, channels = int(np.prod(q.attrs["kernel_shape"])), q.attrs["channels"]
        ones = b.const(np.ones((channels, 1, *q.attrs["kernel_shape"]), np.float32))
        attrs = {k: q.attrs[k] for k in ("strides", "dilations")} | {"pads": q.attrs["summed_pads"], "group": channels}
        none = np.zeros(1, np.int32)
        acc = carried_sum(b, q.inputs[0], source, window, window * reach(source), none, lambda x: b.op("Conv", x, ones, **attrs))
        b.finish(b.requantize(acc, q.arrays["m"], target), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        (source,), target = quantization(q)
        x = inputs[0].astype(np.int64) - source.zero
        rows, columns = window_cells(x.shape[2:], q.attrs)
        acc = np.zeros((*x.shape[:2], len(rows), len(columns)), np.int64)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                acc[:, :, i, j] = x[:, :, row][:, :, :, column].sum(axis=(2, 3))
        return acc, requantize(acc, q.arrays["m"], target)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, attrs = random_pool(rng)
        attrs["count_include_pad"] = int(rng.integers(2))
        if rng.integers(4) == 0:
            shape, attrs["kernel_shape"], attrs["dilations"] = (1, 2, 24, 24), (20, 17), (1, 1)
        source = random_params(rng, bits)
        target = random_params(rng, bits, source.scale * float(rng.choice([1.0, 0.5, 0.37])))
        types = {"x": TensorType(shape), "y": TensorType((*shape[:2], *pooled_size(shape[2:], attrs)))}
        node = Node(self.type, "y", ("x",), ("y",), attrs)
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),))
