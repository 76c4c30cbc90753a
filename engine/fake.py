"""One side quantized, the other in float: which of the two loses the accuracy?

The fake network is the integer one with every integer layer replaced by its float form:

    weights    its weights are w' = s * clamp(rint(w / s)), with the scales of the integer layer; features are plain float32
    features   it reads dequantized levels and its output is quantized with the parameters of the integer layer; its weights are plain
    both       both of it: the integer network up to the rounding of its requantizations

Layers that are float in the integer network are float here too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .calibrate.weights import weight_scales
from .ir import Graph, Node, QGraph, QNode, TensorType
from .numerics import Array, QParams, quantize_weights, weight_scales_that_hold_bias
from .ops.base import GIVEN_SCALES, REGISTRY
from .ops.unary import Unary
from .plan import Resolved
from .quantize import Quantized

REAL, RAW = "\x1ereal:", "\x1eraw:"
"""Before the name of a tensor: its values dequantized, its values before they are quantized."""

Scales = Callable[[Array, int, str], Array]


def faked(graph: Graph, quantized: Quantized, resolved: Resolved, *, weights: bool, features: bool) -> Quantized:
    """Return the fake network of `quantized` with these sides quantized, and what became of every layer: a side in float has no bits."""
    shown = with_fake_weights(graph, quantized, resolved) if weights else graph
    layers = quantized.layers
    if not features:
        layers = tuple(replace(info, q=None, inner=None, low=None, high=None) for info in layers)
    if not weights:
        layers = tuple(replace(info, weight_bits=None) for info in layers)
    return Quantized(fake_graph(shown, quantized, features=features), layers)


def with_fake_weights(graph: Graph, quantized: Quantized, resolved: Resolved, scales: Scales = weight_scales) -> Graph:
    """Return the float graph in which each integer layer has the weights its integers stand for."""
    made = {q.name: q for q in quantized.graph.nodes if q.op not in ("Float", "Quantize", "Dequantize")}
    return replace(graph, nodes=tuple(_faked(n, made.get(n.name), resolved, scales) for n in graph.nodes))


def _faked(node: Node, q: QNode | None, resolved: Resolved, scales: Scales) -> Node:
    if q is None or "weight" not in node.params or "weight" not in q.arrays:
        return node
    choice, source = resolved.choices[node.name], q.ins[0]
    return replace(node, params={**node.params, "weight": fake_weight(node, source, choice.weight_bits or 8, choice.weight_method, scales)})


def fake_weight(node: Node, source: QParams | None, bits: int, method: str | None, scales: Scales = weight_scales) -> Array:
    """Return the float32 weights that the integers of a layer stand for: channels come first, as `integer_weights` has them.

    `source` quantizes the layer's input; it matters where a scale has to grow for the bias to fit.
    """
    weight = node.params["weight"]
    step = weight_step(node, source, bits, method, scales)
    levels = quantize_weights(weight.reshape(len(weight), -1), step, bits)
    return on_levels(levels, step).reshape(weight.shape)


def weight_step(node: Node, source: QParams | None, bits: int, method: str | None, scales: Scales = weight_scales) -> Array:
    """Return the float32 scale (channels,) of each channel's levels: those a layer was given, else those of the method."""
    weight = node.params["weight"]
    given = node.params.get(GIVEN_SCALES)
    step = scales(weight.reshape(len(weight), -1), bits, method or "MAX_ABS") if given is None else given
    if source is not None and "bias" in node.params:
        step = weight_scales_that_hold_bias(step, node.params["bias"], source.scale)
    return step


def on_levels(levels: Array, step: Array) -> Array:
    """Return the float32 weights (channels, k) that levels of these scales (channels,) stand for."""
    return np.asarray(levels.astype(np.float32) * step.reshape(-1, 1), np.float32)


def fake_graph(graph: Graph, quantized: Quantized, *, features: bool) -> QGraph:
    """Return the network of `quantized` with its integer layers computing in float what the nodes of `graph` say.

    With `features` each tensor has the quantization of the integer network, else none has: every value is float32 then, but for
    pictures, whose pixels come in as they are.
    """
    integers = quantized.graph
    fed = {t: q for t, q in integers.qparams.items() if t in integers.inputs}
    if features:
        work = _Work(dict(integers.types))
        floats = {n.name: n for n in graph.nodes}
        for made in integers.nodes:
            if made.op in ("Float", "Quantize", "Dequantize"):
                work.nodes.append(made)
            else:
                work.layer(floats[made.name], made)
        return replace(integers, nodes=tuple(work.nodes), types=work.types)
    work = _Work({**graph.types, **{t: integers.types[t] for t in fed}})
    real = {t: work.dequantized(t, q) for t, q in fed.items()}
    for node in graph.nodes:
        work.plain(node, real)
    outputs = tuple(real.get(t, t) for t in graph.outputs)
    return replace(integers, nodes=tuple(work.nodes), types=work.types, qparams=fed, outputs=outputs)


@dataclass(slots=True)
class _Work:
    """The fake network while it grows."""

    types: dict[str, TensorType]
    nodes: list[QNode] = field(default_factory=list)

    def layer(self, node: Node, made: QNode) -> None:
        """Append the float form of the integer layer `made` between dequantized inputs and quantized outputs."""
        reads = tuple(t if q is None else self.dequantized(t, q) for t, q in zip(made.inputs, made.ins, strict=True))
        node = replace(node, inputs=reads)
        inner = made.attrs.get("inner")
        function = str(node.attrs.get("function", ""))
        behind = REGISTRY.get(function)
        if node.inner and isinstance(inner, QParams) and isinstance(behind, Unary):  # the table reads levels
            before = {**node.attrs, "low": -np.inf, "high": np.inf, "function": ""}
            self._quantized(replace(node, outputs=(node.inner,), attrs=before, inner=""), (inner,))
            node = Node(function, node.name, (self.dequantized(node.inner, inner),), node.outputs, behind.defaults)
        self._quantized(node, made.outs)

    def _quantized(self, node: Node, outs: tuple[QParams | None, ...]) -> None:
        """Append a float layer whose outputs are quantized by `outs`."""
        raw = tuple(t if q is None else RAW + t for t, q in zip(node.outputs, outs, strict=True))
        self.plain(replace(node, outputs=raw), {})
        for name, tensor, q in zip(raw, node.outputs, outs, strict=True):
            if q is not None:
                self.types[name] = replace(self.types[tensor], dtype="float32")
                self.types[tensor] = replace(self.types[tensor], dtype=q.dtype.name)
                self.nodes.append(QNode("Quantize", tensor, (name,), (tensor,), (None,), (q,)))

    def plain(self, node: Node, renamed: Mapping[str, str]) -> None:
        """Append a layer in float, some of its inputs under another name."""
        source = replace(node, inputs=tuple(renamed.get(t, t) for t in node.inputs))
        attrs = {"rename": tuple(sorted(renamed.items()))} if renamed and node.op == "Float" else {}
        nothing = ((None,) * len(source.inputs), (None,) * len(source.outputs))
        self.nodes.append(QNode("Float", node.name, source.inputs, source.outputs, *nothing, attrs, {}, source))

    def dequantized(self, tensor: str, q: QParams) -> str:
        """Return the real values of a tensor of levels."""
        name = REAL + tensor
        if name not in self.types:
            self.types[name] = replace(self.types[tensor], dtype="float32")
            self.nodes.append(QNode("Dequantize", name, (tensor,), (name,), (q,), (None,)))
        return name
