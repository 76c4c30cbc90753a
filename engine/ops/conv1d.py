"""Conv1D: convolution along one axis, with all that Conv2D knows: groups, dilation, padding, batch normalization, bias, activation.

It is kept as the two-dimensional convolution of a picture of height 1 that it is: weights (O, I / group, 1, k), pads (0, left, 0, right).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from . import activation
from .base import Example, random_levels, random_params
from .conv2d import Conv2D
from .lowering import Builder
from .view import Decline, Match, View
from .window import lower_unfolded, pads_of

HEIGHT = 2
"""The axis of size 1."""


class Conv1D(Conv2D):
    type = "Conv1D"
    sources = ("Conv",)
    priority = 1

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        weight = view.const(raw.inputs[1])
        if weight is None or weight.ndim != 3:
            return Decline("it is no convolution along one axis with constant weights")
        pads = pads_of(raw, view, weight.shape[2:])
        if pads is None or not view.is_float(raw.inputs[0]):
            return Decline("the type or size of its input is not known")
        attrs = {
            "strides": (1, *(raw.attrs.get("strides") or (1,))),
            "dilations": (1, *(raw.attrs.get("dilations") or (1,))),
            "pads": (0, pads[0], 0, pads[1]),
            "group": int(raw.attrs.get("group", 1)),
        }
        return self._layer(raw, view, raw.inputs[0], np.expand_dims(weight, HEIGHT), attrs)

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        inputs = [node.inputs[0], b.const(node.params["weight"].squeeze(HEIGHT))]
        if "bias" in node.params:
            inputs.append(b.const(node.params["bias"]))
        a = node.attrs
        flat: dict[str, Any] = {"strides": a["strides"][1:], "dilations": a["dilations"][1:], "pads": a["pads"][1::2], "group": a["group"]}
        activation.lower_float(node, b, b.op("Conv", *inputs, **flat))

    def lower_windows(self, node: Node, b: Builder, types: Mapping[str, TensorType], most: int) -> str:
        kernel, out = node.params["weight"].shape[2:], types[node.outputs[0]].shape
        x = b.op("Unsqueeze", node.inputs[0], b.const([HEIGHT], np.int64))
        return lower_unfolded(b, x, types[node.inputs[0]].shape, kernel, node.attrs, (1, out[2]), most)

    def lower_int(self, q: QNode, b: Builder) -> None:
        axis = b.const([HEIGHT], np.int64)
        result = b.fresh()
        super().lower_int(replace(q, inputs=(b.op("Unsqueeze", q.inputs[0], axis),), outputs=(result,)), b)
        b.finish(b.op("Squeeze", result, axis), q.outputs[0])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        acc, out = super().reference(q, [np.expand_dims(inputs[0], HEIGHT)])
        return acc, out.squeeze(HEIGHT)

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        case = super().example(rng, bits)
        a, weight = case.node.attrs, case.node.params["weight"][:, :, :1]
        attrs = {
            **a,
            "strides": (1, a["strides"][1]),
            "dilations": (1, a["dilations"][1]),
            "pads": (0, a["pads"][1], 0, a["pads"][3]),
        }
        shape = (*case.types["x"].shape[:2], int(rng.integers(6, 12)))
        left, right = attrs["pads"][1::2]
        size = (shape[2] + left + right - attrs["dilations"][1] * (weight.shape[3] - 1) - 1) // attrs["strides"][1] + 1
        made = TensorType((1, len(weight), size))
        node = replace(case.node, attrs=attrs, params={**case.node.params, "weight": weight})
        source = random_params(rng, bits)
        types = {"x": TensorType(shape), "y": made, "t": made}
        return replace(case, node=node, types=types, ins=(source,), inputs=(random_levels(rng, source, shape),))
