"""MatMul: features times constant weights; absorbs bias, scale and activation. Gemm and fully connected layers take this form.

y[n] = sum_k x[k] * w[n,k] + b[n], for every row x of the features (channels are their last axis). Weights are kept as (n, k).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from . import activation
from .base import Example, Operator, Parameters, quantization, random_levels, random_params
from .folding import Affine, absorb_affine, per_channel
from .linear import carried_sum, integer_weights
from .lowering import Builder
from .view import Decline, Match, View
from .window import grid


class MatMul(Operator):
    type = "MatMul"
    sources = ("MatMul", "Gemm")

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        source = raw.inputs[0]
        rank = view.rank(source)
        weight = view.const(raw.inputs[1])
        if view.const(source) is not None:
            return Decline("its left operand is constant")
        if weight is None:
            return Decline("both its operands are computed at run time")
        if rank < 2 or not view.is_float(source):
            return Decline("the type or shape of its input is not known, or it has less than two axes")
        layer = _gemm(raw, view, weight) if raw.op == "Gemm" else _product(weight, rank)
        if isinstance(layer, Decline):
            return layer
        folded, tensor, absorbed = absorb_affine(view, raw.outputs[0], layer, axis=rank - 1)
        act = activation.absorb(view, tensor, silu=True)
        attrs = {"transpose": raw.op == "Gemm" and bool(raw.attrs.get("transA", 0)), **act.attrs()}
        node = Node(self.type, act.tensor, (source,), (act.tensor,), attrs, folded.params(), act.inner)
        return Match(node, (raw, *absorbed, *act.absorbed))

    def channel_axis(self, node: Node) -> int | None:
        return -1

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        x = b.op("Transpose", node.inputs[0], perm=(1, 0)) if node.attrs["transpose"] else node.inputs[0]
        value = b.op("MatMul", x, b.const(node.params["weight"].T))
        if "bias" in node.params:
            value = b.op("Add", value, b.const(node.params["bias"]))
        activation.lower_float(node, b, value)

    def lower_windows(self, node: Node, b: Builder, types: Mapping[str, TensorType], most: int) -> str:
        x, k = node.inputs[0], node.params["weight"].shape[1]
        if not node.attrs["transpose"]:
            x = b.op("Transpose", b.op("Reshape", x, b.const([-1, k], np.int64)), perm=(1, 0))
        step = grid((types[node.outputs[0]].size // len(node.params["weight"]),), most)
        if step > 1:
            x = b.op("Slice", x, *(b.const([v], np.int64) for v in (0, 2**31, 1, step)))
        return b.op("Unsqueeze", x, b.const([0], np.int64))

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        made = integer_weights(node.params["weight"], node.params.get("bias"), p, p.inner or p.out)
        if isinstance(made, Decline):
            return made
        attrs, arrays = activation.integer_attrs(node, p.out, p.inner)
        attrs |= {"transpose": node.attrs["transpose"], "weight_sum": made.weight_sum, "bound": made.bound}
        arrays = {"weight": made.weight, "bias": made.bias, "m": made.m, **arrays}
        return QNode(self.type, node.name, node.inputs, node.outputs, p.ins, (p.out,), attrs, arrays)

    def lower_int(self, q: QNode, b: Builder) -> None:
        x = b.op("Transpose", q.inputs[0], perm=(1, 0)) if q.attrs["transpose"] else q.inputs[0]
        weight = b.const(q.arrays["weight"].T, np.float32)
        source, sums, bound = quantization(q)[0][0], q.attrs["weight_sum"], q.attrs["bound"]
        acc = carried_sum(b, x, source, sums, bound, q.arrays["bias"], lambda part: b.op("MatMul", part, weight))
        activation.lower_requantize(q, b, acc, q.arrays["m"])

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        x = inputs[0].astype(np.int64) - quantization(q)[0][0].zero
        if q.attrs["transpose"]:
            x = x.T
        acc = np.zeros((*x.shape[:-1], len(q.arrays["weight"])), np.int64)
        for n, row in enumerate(q.arrays["weight"].astype(np.int64)):
            acc[..., n] = (x * row).sum(axis=-1) + int(q.arrays["bias"][n])
        return acc, activation.reference_requantize(q, acc, q.arrays["m"])

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        return types[node.outputs[0]].size * int(node.params["weight"].shape[1])

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        channels, k = int(rng.choice([1, 1, 2, 5])), int(rng.choice([1, 7, 33, 300]))
        transpose = bool(rng.integers(4) == 0)
        lead = [(1,), (3,), (1, 5), (1, 2, 3)][0 if transpose else int(rng.integers(4))]
        weight = rng.normal(0, 1, (channels, k)).astype(np.float32)
        if rng.integers(2):
            weight = np.abs(weight)
        if rng.integers(3) == 0:
            weight[0] = 0
        source = random_params(rng, bits)
        spread = float(np.abs(weight).sum(1).max()) * source.scale * source.qmax
        target = random_params(rng, bits, float(rng.choice([1.0, 0.01])) * spread / (1 << bits) + 1e-6)
        attrs, inner = activation.random_attrs(rng, spread, target)
        params = {"weight": weight}
        if rng.integers(3):
            params["bias"] = rng.normal(0, 1, channels).astype(np.float32)
        node = Node(self.type, "y", ("x",), ("y",), {"transpose": transpose, **attrs}, params, "t" if inner else "")
        shape = (k, lead[0]) if transpose else (*lead, k)
        types = {"x": TensorType(shape), "y": TensorType((*lead, channels)), "t": TensorType((*lead, channels))}
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),), inner, int(rng.integers(2, 9)))


def _product(weight: Array, rank: int) -> Affine | Decline:
    """Return the weights of a MatMul as (n, k)."""
    if weight.ndim < 2 or weight.ndim > rank or any(d != 1 for d in weight.shape[:-2]):
        return Decline("its weights are not one matrix")
    return Affine(weight.reshape(weight.shape[-2:]).T)


def _gemm(raw: RawNode, view: View, weight: Array) -> Affine | Decline:
    """Return the weights and bias of alpha * A' B' + beta * C."""
    if weight.ndim != 2:
        return Decline("its weights are not one matrix")
    w = weight if raw.attrs.get("transB", 0) else weight.T
    alpha, beta = float(raw.attrs.get("alpha", 1.0)), float(raw.attrs.get("beta", 1.0))
    channels = w.shape[0]
    shift = np.zeros(channels)
    if len(raw.inputs) > 2 and raw.inputs[2] and beta != 0.0:
        bias = per_channel(view.const(raw.inputs[2]), channels, 2, 1)
        if bias is None:
            return Decline("its bias is computed at run time, or not one number per channel")
        shift = beta * bias
    if alpha == 1.0 and not shift.any():
        return Affine(w)
    return Affine(w).then(np.full(channels, alpha), shift)
