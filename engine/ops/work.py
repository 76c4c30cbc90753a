"""How much work a layer is, in integers and in float: its multiply-accumulates for one picture.

A layer whose type is registered tells it itself, whether it runs in integers or is skipped. One that onnxruntime runs as it is does those
of the source operators it stands for:

    Conv, ConvTranspose     one per output value (input value) and weight that meets it
    MatMul, Gemm            M N K
    Einsum                  one per value of all its indices together
    GRU, LSTM, RNN          steps times batch times all weights of input and state

Source operators of another kind count 0, and so does what is inside of an If or a Loop, whose rounds nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod

from ..ir import Node, RawNode, TensorType
from .base import REGISTRY

Shapes = Sequence[tuple[int, ...]]


def macs(node: Node, types: Mapping[str, TensorType]) -> int:
    """Return the multiply-accumulates of one run of a layer; 0 where they depend on sizes that only the run knows."""
    operator = REGISTRY.get(node.op)
    return operator.macs(node, types) if operator else sum(source_macs(raw, types) for raw in node.raw)


def source_macs(raw: RawNode, types: Mapping[str, TensorType]) -> int:
    """Return the multiply-accumulates of one source operator."""
    count = _COUNTS.get(raw.op)
    tensors = [t for t in (*raw.inputs, raw.outputs[0]) if t]
    if count is None or any(t not in types for t in tensors):
        return 0
    return count(raw, [types[t].shape if t else () for t in raw.inputs], types[raw.outputs[0]].shape)


def _convolution(weight: int) -> Callable[[RawNode, Shapes, tuple[int, ...]], int]:
    return lambda raw, ins, out: prod(out) * prod(ins[weight][1:])


def _transposed(raw: RawNode, ins: Shapes, out: tuple[int, ...]) -> int:
    return prod(ins[0]) * prod(ins[1][1:])


def _product(raw: RawNode, ins: Shapes, out: tuple[int, ...]) -> int:
    a = ins[0]
    return prod(out) * (a[-2] if raw.attrs.get("transA") and len(a) > 1 else a[-1] if a else 1)


def _cell(raw: RawNode, ins: Shapes, out: tuple[int, ...]) -> int:
    return prod(ins[0][:2]) * (prod(ins[1]) + prod(ins[2]))


def _einsum(raw: RawNode, ins: Shapes, out: tuple[int, ...]) -> int:
    """Sizes are found from the left before an ellipsis and from the right behind it; what the ellipsis stands for counts once."""
    equation = raw.attrs.get("equation", "")
    terms = str(equation.decode() if isinstance(equation, bytes) else equation).replace(" ", "").split("->")[0].split(",")
    sizes: dict[str, int] = {}
    rest: tuple[int, ...] = ()
    for term, shape in zip(terms, ins, strict=False):
        before, dots, behind = term.partition("...")
        end = len(shape) - len(behind)
        pairs = [*zip(before, shape, strict=False), *(zip(behind, shape[end:], strict=False) if dots else ())]
        for index, size in pairs:
            sizes[index] = max(size, sizes.get(index, 1))
        if dots:
            rest = max(rest, shape[len(before) : end], key=prod)
    return prod(sizes.values()) * prod(rest)


_COUNTS: Mapping[str, Callable[[RawNode, Shapes, tuple[int, ...]], int]] = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv", "DeformConv"), _convolution(1)),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed,
    **dict.fromkeys(("MatMul", "Gemm", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "FusedGemm"), _product),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _cell),
    "Einsum": _einsum,
}
