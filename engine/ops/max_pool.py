"""MaxPool: the largest level under each window; nothing is rounded, the output has the quantization of the input.

Padding never wins. A global maximum is a window as large as the input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from .base import Example, Operator, Origin, Parameters, Shared, qnode, quantization, random_levels, random_params
from .lowering import Builder
from .view import Decline, Match, View
from .window import pool_attrs, pooled_size, random_pool, window_cells


class MaxPool(Operator):
    type = "MaxPool"
    sources = ("MaxPool", "GlobalMaxPool")

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        if any(raw.outputs[1:]):
            return Decline("the positions of its maxima are asked for")
        attrs = pool_attrs(raw, view) if raw.op == "MaxPool" else _whole(raw, view)
        if isinstance(attrs, Decline):
            return attrs
        out = raw.outputs[0]
        return Match(Node(self.type, out, raw.inputs, (out,), attrs), (raw,))

    def origin(self, node: Node) -> Origin:
        return Shared()

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        b.finish(b.op("MaxPool", node.inputs[0], **node.attrs), node.outputs[0])

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        return qnode(self.type, node, p, node.attrs)

    def lower_int(self, q: QNode, b: Builder) -> None:
        # onnxruntime's float kernel with both conversions is twelve times faster than its uint8 kernel; there is none for uint16
        (source,), target = quantization(q)
        largest = b.op("MaxPool", b.centre(q.inputs[0], source), **q.attrs)
        b.finish(b.op("QuantizeLinear", largest, b.const(1.0, np.float32), b.const(target.zero, target.dtype)), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        x = inputs[0]
        rows, columns = window_cells(x.shape[2:], q.attrs)
        out = np.zeros((*x.shape[:2], len(rows), len(columns)), x.dtype)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                out[:, :, i, j] = x[:, :, row][:, :, :, column].max(axis=(2, 3))
        return out.astype(np.int64), out

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        shape, attrs = random_pool(rng)
        source = random_params(rng, bits)
        types = {"x": TensorType(shape), "y": TensorType((*shape[:2], *pooled_size(shape[2:], attrs)))}
        node = Node(self.type, "y", ("x",), ("y",), attrs)
        return Example(node, types, (source,), source, (random_levels(rng, source, shape),))


def _whole(raw: RawNode, view: View) -> dict[str, Any] | Decline:
    """Return the window of a global pool."""
    kind = view.type(raw.inputs[0])
    if kind is None or len(kind.shape) != 4 or kind.dtype != "float32":
        return Decline("the type or size of its input is not known, or it is no picture")
    return {"kernel_shape": kind.shape[2:], "strides": (1, 1), "dilations": (1, 1), "pads": (0, 0, 0, 0), "ceil_mode": 0}
