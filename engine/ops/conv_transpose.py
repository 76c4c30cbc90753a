"""ConvTranspose2D: the transposed convolution (deconvolution); absorbs batch normalization, bias and activation.

Every input pixel adds its value times the kernel to a window of the output; pads cut the output's border away, output padding adds to it.
Weights are kept with the output channels first, (O, I / group, kh, kw), so that scales and sums are per output channel as elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode, TensorType
from ..numerics import Array
from . import activation
from .base import Example, Operator, Parameters, quantization, random_levels, random_params
from .folding import Affine, absorb_affine
from .linear import carried_sum, integer_weights
from .lowering import Builder
from .view import Decline, Match, View
from .window import grid, grouped


class ConvTranspose2D(Operator):
    type = "ConvTranspose2D"
    sources = ("ConvTranspose",)

    def match(self, raw: RawNode, view: View) -> Match | Decline:
        weight = view.const(raw.inputs[1])
        if weight is None:
            return Decline("its weights are computed at run time")
        if weight.ndim != 4:
            return Decline(f"a transposed convolution over {weight.ndim - 2} axes has no integer form here")
        bias = view.const(raw.inputs[2]) if len(raw.inputs) > 2 and raw.inputs[2] else None
        if len(raw.inputs) > 2 and raw.inputs[2] and bias is None:
            return Decline("its bias is computed at run time")
        if not view.is_float(raw.inputs[0]):
            return Decline("the type or size of its input is not known")
        attrs = _geometry(raw, view, weight.shape[2:])
        if isinstance(attrs, Decline):
            return attrs
        layer = Affine(outputs_first(weight, attrs["group"]), bias)
        folded, tensor, absorbed = absorb_affine(view, raw.outputs[0], layer)
        act = activation.absorb(view, tensor, silu=True)
        node = Node(self.type, act.tensor, raw.inputs[:1], (act.tensor,), {**attrs, **act.attrs()}, folded.params(), act.inner)
        return Match(node, (raw, *absorbed, *act.absorbed))

    def channel_axis(self, node: Node) -> int | None:
        return 1

    def lower_float(self, node: Node, b: Builder, types: Mapping[str, TensorType]) -> None:
        inputs = [node.inputs[0], b.const(inputs_first(node.params["weight"], node.attrs["group"]))]
        if "bias" in node.params:
            inputs.append(b.const(node.params["bias"]))
        activation.lower_float(node, b, b.op("ConvTranspose", *inputs, **_attrs(node.attrs)))

    def lower_windows(self, node: Node, b: Builder, types: Mapping[str, TensorType], most: int) -> str:
        kernel, (batch, channels, *_) = node.params["weight"].shape[2:], types[node.inputs[0]].shape
        cells = int(np.prod(kernel))
        picks = np.tile(np.eye(cells, dtype=np.float32).reshape(1, cells, *kernel), (channels, 1, 1, 1))
        cast = b.op("ConvTranspose", node.inputs[0], b.const(picks), **{**_attrs(node.attrs), "group": channels})
        step = grid(types[node.outputs[0]].shape[2:], most // batch)
        if step > 1:
            cast = b.op("Slice", cast, *(b.const(v, np.int64) for v in ([0, 0], [2**31, 2**31], [2, 3], [step, step])))
        return grouped(b, cast, batch, node.attrs["group"], channels * cells)

    def quantize(self, node: Node, p: Parameters) -> QNode | Decline:
        made = integer_weights(node.params["weight"], node.params.get("bias"), p, p.inner or p.out)
        if isinstance(made, Decline):
            return made
        attrs, arrays = activation.integer_attrs(node, p.out, p.inner)
        attrs |= {**_attrs(node.attrs), "weight_sum": made.weight_sum, "bound": made.bound}
        arrays = {"weight": made.weight, "bias": made.bias, "m": made.m, **arrays}
        return QNode(self.type, node.name, node.inputs, node.outputs, p.ins, (p.out,), attrs, arrays)

    def lower_int(self, q: QNode, b: Builder) -> None:
        weight = b.const(inputs_first(q.arrays["weight"], q.attrs["group"]), np.float32)
        acc = carried_sum(
            b,
            q.inputs[0],
            quantization(q)[0][0],
            q.attrs["weight_sum"],
            q.attrs["bound"],
            q.arrays["bias"].reshape(1, -1, 1, 1),
            lambda x: b.op("ConvTranspose", x, weight, **_attrs(q.attrs)),
        )
        activation.lower_requantize(q, b, acc, q.arrays["m"].reshape(1, -1, 1, 1))

    def reference(self, q: QNode, inputs: Sequence[Array]) -> tuple[Array, Array]:
        source = quantization(q)[0][0]
        acc = spread(inputs[0].astype(np.int64) - source.zero, q.arrays["weight"].astype(np.int64), q.attrs)
        acc = acc + q.arrays["bias"].astype(np.int64).reshape(1, -1, 1, 1)
        return acc, activation.reference_requantize(q, acc, q.arrays["m"].reshape(1, -1, 1, 1))

    def macs(self, node: Node, types: Mapping[str, TensorType]) -> int:
        weight, (height, width) = node.params["weight"], types[node.inputs[0]].shape[2:]
        return int(weight.size) * height * width

    def example(self, rng: np.random.Generator, bits: int) -> Example:
        group, per_in, per_out = int(rng.choice([1, 1, 2, 3])), int(rng.choice([1, 2, 24])), int(rng.integers(1, 3))
        kernel = tuple(int(v) for v in rng.integers(1, 4, 2))
        strides = tuple(int(v) for v in rng.integers(1, 4, 2))
        attrs = {
            "strides": strides,
            "dilations": tuple(int(v) for v in rng.integers(1, 3, 2)),
            "pads": tuple(int(v) for v in rng.integers(0, 2, 4)),
            "output_padding": tuple(int(rng.integers(0, s)) for s in strides),
            "group": group,
        }
        shape = (1, group * per_in, *(int(v) for v in rng.integers(3, 6, 2)))
        weight = rng.normal(0, 1, (group * per_out, per_in, *kernel)).astype(np.float32)
        if rng.integers(2):
            weight = np.abs(weight)
        source = random_params(rng, bits)
        reached = float(np.abs(weight).reshape(len(weight), -1).sum(1).max()) * source.scale * source.qmax
        target = random_params(rng, bits, float(rng.choice([1.0, 0.01])) * reached / (1 << bits) + 1e-6)
        act, inner = activation.random_attrs(rng, reached, target)
        params = {"weight": weight}
        if rng.integers(3):  # without a bias nothing stands between the sums and their multiplier: optimizers would merge the two
            params["bias"] = rng.normal(0, 1, group * per_out).astype(np.float32)
        node = Node(self.type, "y", ("x",), ("y",), {**attrs, **act}, params, "t" if inner else "")
        out = spread(np.zeros(shape), weight, attrs).shape
        types = {"x": TensorType(shape), "y": TensorType(out), "t": TensorType(out)}
        return Example(node, types, (source,), target, (random_levels(rng, source, shape),), inner, int(rng.integers(2, 9)))


def outputs_first(weight: Array, group: int) -> Array:
    """Return ONNX's weights (I, O / group, kh, kw) as (O, I / group, kh, kw)."""
    ins, per_out, *kernel = weight.shape
    grouped = weight.reshape(group, ins // group, per_out, *kernel)
    return grouped.swapaxes(1, 2).reshape(group * per_out, ins // group, *kernel)


def inputs_first(weight: Array, group: int) -> Array:
    """Return weights (O, I / group, kh, kw) as ONNX has them, (I, O / group, kh, kw): the same swap."""
    return outputs_first(weight, group)


def _geometry(raw: RawNode, view: View, kernel: Sequence[int]) -> dict[str, Any] | Decline:
    """Return strides, dilations, explicit pads, output padding and groups; what pads follow from is the size of the output."""
    before, after = view.type(raw.inputs[0]), view.type(raw.outputs[0])
    if before is None or after is None:
        return Decline("the size of its input or output is not known")
    strides, dilations, extra = (
        tuple(int(v) for v in raw.attrs.get(name) or (default, default))
        for name, default in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    auto = raw.attrs.get("auto_pad", "NOTSET")
    pads = [int(v) for v in raw.attrs.get("pads") or (0, 0, 0, 0)]
    for i in range(2):
        full = (before.shape[2 + i] - 1) * strides[i] + dilations[i] * (kernel[i] - 1) + 1 + extra[i]
        total = full - after.shape[2 + i]
        if raw.attrs.get("output_shape") or auto in ("SAME_UPPER", "SAME_LOWER"):
            small = total // 2
            pads[i], pads[i + 2] = (small, total - small) if auto == "SAME_UPPER" else (total - small, small)
        if auto == "VALID":
            pads[i] = pads[i + 2] = 0
        if pads[i] + pads[i + 2] != total or min(pads) < 0:
            return Decline("its output is larger than its windows reach")
    group = int(raw.attrs.get("group", 1))
    return {"strides": strides, "dilations": dilations, "pads": tuple(pads), "output_padding": extra, "group": group}


def _attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {k: attrs[k] for k in ("strides", "dilations", "pads", "output_padding", "group")}


def spread(x: Array, w: Array, attrs: Mapping[str, Any]) -> Array:
    """Transpose-convolve x (1, C, H, W) with w (O, C / group, kh, kw), one kernel position at a time, in the dtype given."""
    (sy, sx), (dy, dx), (ey, ex) = attrs["strides"], attrs["dilations"], attrs["output_padding"]
    top, left, bottom, right = attrs["pads"]
    group, (height, width), (kh, kw) = int(attrs["group"]), x.shape[2:], w.shape[2:]
    size = (height - 1) * sy + dy * (kh - 1) + 1 + ey, (width - 1) * sx + dx * (kw - 1) + 1 + ex
    out = np.zeros((x.shape[0], w.shape[0], *size), np.result_type(x, w))
    per_in, per_out = w.shape[1], w.shape[0] // group
    for g in range(group):
        block, kernel = x[:, g * per_in : (g + 1) * per_in], w[g * per_out : (g + 1) * per_out]
        for i in range(kh):
            for j in range(kw):
                rows = slice(i * dy, i * dy + sy * (height - 1) + 1, sy)
                columns = slice(j * dx, j * dx + sx * (width - 1) + 1, sx)
                out[:, g * per_out : (g + 1) * per_out, rows, columns] += np.einsum("nchw,oc->nohw", block, kernel[:, :, i, j])
    return out[:, :, top : size[0] - bottom, left : size[1] - right]
