"""Conv2D: two-dimensional convolution with groups, dilation and any padding; absorbs Pad, batch normalization, bias and activation.

y[c] = sum_k w[c,k] * x[k] + b[c].  With batch normalization behind it: w' = w * gamma / std, b' = (b - mean) * gamma / std + beta.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import INT32_MAX, Array, QParams
from . import activation, gemm
from .base import Example, Operator, Parameters, quantization, random_levels, random_params
from .folding import Affine, absorb_affine
from .linear import FLOAT, carried_sum, integer_weights
from .lowering import Builder
from .view import Decline, Match, View
from .window import lower_unfolded, pads_of, zero_pads


class Conv2D(Operator):
    type = "Conv2D"
    sources: ClassVar[tuple[str, ...]] = ("Conv", "Pad")

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        first: tuple[RawNode, ...] = ()
        extra = [0, 0, 0, 0]
        source = raw.inputs[0]
        if raw.op == "Pad":
            padded = zero_pads(raw, view)
            reader = view.only_reader(raw.outputs[0])
            if padded is None or reader is None or reader.op != "Conv" or reader.inputs[0] != raw.outputs[0]:
                return Decline("padding that no convolution can absorb")
            first, extra, raw = (raw,), padded, reader
        weight = view.const(raw.inputs[1])
        if weight is None:
            return Decline("its weights are computed at run time")
        if weight.ndim != 4:
            return Decline(f"a convolution over {weight.ndim - 2} axes has no integer form here")
        pads = pads_of(raw, view, weight.shape[2:])
        if pads is None or not view.is_float(raw.inputs[0]):
            return Decline("the type or size of its input is not known")
        attrs = {
            "strides": tuple(raw.attrs.get("strides") or (1, 1)),
            "dilations": tuple(raw.attrs.get("dilations") or (1, 1)),
            "pads": tuple(a + c for a, c in zip(pads, extra, strict=True)),
            "group": int(raw.attrs.get("group", 1)),
        }
        return self._layer(raw, view, source, weight, attrs, first)

    def _layer(
        self, raw: RawNode, view: View, source: str, weight: Array, attrs: Mapping[str, Any], first: tuple[RawNode, ...] = ()
    ) -> Match | Decline:
        """Return the layer of a convolution with what follows it."""
        bias = view.const(raw.inputs[2]) if len(raw.inputs) > 2 and raw.inputs[2] else None
        if len(raw.inputs) > 2 and raw.inputs[2] and bias is None:
            return Decline("its bias is computed at run time")
        folded, tensor, absorbed = absorb_affine(view, raw.outputs[0], Affine(weight, bias))
        act = activation.absorb(view, tensor, silu=True)
        node = Node(self.type, act.tensor, (source,), (act.tensor,), {**attrs, **act.attrs()}, folded.params(), act.inner)
        return Match(node, (*first, raw, *absorbed, *act.absorbed))

    def channel_axis(self, node: Node) -> int | None:
        return 1

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        inputs = [node.inputs[0], b.const(node.params["weight"])]
        if "bias" in node.params:
            inputs.append(b.const(node.params["bias"]))
        activation.lower_float(node, b, b.op("Conv", *inputs, **_attrs(node.attrs)))

    def lower_windows(self, node: Node, b: Builder, types: Mapping[str, TensorType], most: int) -> str:
        kernel, out = node.params["weight"].shape[2:], types[node.outputs[0]].shape[2:]
        return lower_unfolded(b, node.inputs[0], types[node.inputs[0]].shape, kernel, node.attrs, out, most)

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        made = integer_weights(node.params["weight"], node.params.get("bias"), p, p.inner or p.out)
        if isinstance(made, Decline):
            return made
        attrs, arrays = activation.integer_attrs(node, p.out, p.inner)
        attrs |= {**_attrs(node.attrs), "weight_sum": made.weight_sum, "bound": made.bound}
        arrays = {"weight": made.weight, "bias": made.bias, "m": made.m, **arrays}
        return QNode(self.type, node.name, node.inputs, node.outputs, p.ins, (p.out,), attrs, arrays)

    def lower_int(self, q: QNode, b: Builder) -> None:
        (source,), out = quantization(q)
        target: QParams = q.attrs["inner"] or out
        if "QLinearConv" in b.fast and source.bits <= 8 and target.bits <= 8 and q.attrs["bound"] <= INT32_MAX:
            activation.finish_table(q, b, self._fast(q, b, source, target))
            return
        activation.lower_requantize(q, b, self._sum(q, b, source), q.arrays["m"].reshape(1, -1, 1, 1))

    def _sum(self, q: QNode, b: Builder, source: QParams) -> str:
        """Append the exact sums and return them as float32."""
        if gemm.fits(b, q.attrs, q.arrays["weight"]):
            return b.op("Cast", gemm.integer_sum(b, q.inputs[0], source, q.arrays["weight"], q.arrays["bias"], q.attrs), to=FLOAT)
        weight = b.const(q.arrays["weight"], np.float32)
        return carried_sum(
            b,
            q.inputs[0],
            source,
            q.attrs["weight_sum"],
            q.attrs["bound"],
            q.arrays["bias"].reshape(1, -1, 1, 1),
            lambda x: b.op("Conv", x, weight, **_attrs(q.attrs)),
        )

    def _fast(self, q: QNode, b: Builder, source: QParams, target: QParams) -> str:
        """Append QLinearConv: its multiplier is x_scale * w_scale / y_scale, so scales of one hand it m itself."""
        one = b.const(1.0, np.float32)
        levels = b.op(
            "QLinearConv",
            *(q.inputs[0], one, b.const(source.zero, np.uint8)),
            *(b.const(q.arrays["weight"]), b.const(q.arrays["m"]), b.const(0, np.int8)),
            *(one, b.const(target.zero, np.uint8), b.const(q.arrays["bias"])),
            **_attrs(q.attrs),
        )
        low, high = q.attrs["low"], q.attrs["high"]
        if low > 0 or high < 255:
            levels = b.op("Clip", levels, b.const(low, np.uint8), b.const(high, np.uint8))
        return levels

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        source = quantization(q)[0][0]
        acc = convolve(inputs[0].astype(np.int64) - source.zero, q.arrays["weight"].astype(np.int64), q.attrs)
        acc = acc + q.arrays["bias"].astype(np.int64).reshape(1, -1, 1, 1)
        return acc, activation.reference_requantize(q, acc, q.arrays["m"].reshape(1, -1, 1, 1))

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        weight = node.params["weight"]
        return types[node.outputs[0]].size * int(np.prod(weight.shape[1:]))

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        group = int(rng.choice([1, 1, 2, 3, 6]))
        per_in, per_out = int(rng.choice([1, 2, 3, 24])), int(rng.integers(1, 3))
        kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        attrs = {
            "strides": tuple(int(v) for v in rng.integers(1, 3, 2)),
            "dilations": tuple(int(v) for v in rng.integers(1, 3, 2)),
            "pads": tuple(int(v) for v in rng.integers(0, 3, 4)),
            "group": group,
        }
        size = tuple(int(v) for v in rng.integers(6, 10, 2))
        shape = (1, group * per_in, *size)
        weight = rng.normal(0, 1, (group * per_out, per_in, *kernel)).astype(np.float32)
        if rng.integers(2):
            weight = np.abs(weight)
        if rng.integers(3) == 0:
            weight[0] = 0
        inner, function = None, ""
        source = random_params(rng, bits)
        spread = float(np.abs(weight).reshape(len(weight), -1).sum(1).max()) * source.scale * source.qmax
        target = random_params(rng, bits, float(rng.choice([1.0, 0.01])) * spread / (1 << bits) + 1e-6)
        low, high = [(-np.inf, np.inf), (0.0, np.inf), (0.0, 0.4 * spread)][int(rng.integers(3))]
        if rng.integers(4) == 0:
            inner, function, low, high = target, "SiLU", -np.inf, np.inf
        params = {"weight": weight}
        if rng.integers(3):  # without a bias nothing stands between the sums and their multiplier: optimizers would merge the two
            params["bias"] = rng.normal(0, 1, group * per_out).astype(np.float32)
        node = Node(self.type, "y", ("x",), ("y",), {**attrs, "low": low, "high": high, "function": function}, params, "t" if inner else "")
        out = convolve(np.zeros(shape), weight, attrs).shape
        types = {"x": TensorType(shape), "y": TensorType(out), "t": TensorType(out)}
        weight_bits = int(rng.choice([2, 3, 4, 5, 6, 7, 8, 8, 8]))
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),), inner, weight_bits)


def _attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {k: attrs[k] for k in ("strides", "dilations", "pads", "group")}


def convolve(x: Array, w: Array, attrs: Mapping[str, Any]) -> Array:
    """Convolve x (1, C, H, W) with w (O, C / group, kh, kw), one kernel position at a time, in the dtype given."""
    top, left, bottom, right = attrs["pads"]
    (sy, sx), (dy, dx) = attrs["strides"], attrs["dilations"]
    group = int(attrs["group"])
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    kh, kw = w.shape[2:]
    height = (padded.shape[2] - dy * (kh - 1) - 1) // sy + 1
    width = (padded.shape[3] - dx * (kw - 1) - 1) // sx + 1
    out = np.zeros((x.shape[0], w.shape[0], height, width), np.result_type(x, w))
    per_in, per_out = w.shape[1], w.shape[0] // group
    for g in range(group):
        block = padded[:, g * per_in : (g + 1) * per_in]
        kernel = w[g * per_out : (g + 1) * per_out]
        for i in range(kh):
            for j in range(kw):
                window = block[:, :, i * dy : i * dy + sy * (height - 1) + 1 : sy, j * dx : j * dx + sx * (width - 1) + 1 : sx]
                out[:, g * per_out : (g + 1) * per_out] += np.einsum("nchw,oc->nohw", window, kernel[:, :, i, j])
    return out
