"""Lowering: a layer written as a few steps of a standard operator set, independent of any library.

Steps are ONNX operators of version `OPSET` (or of onnxruntime's contrib domain), named by strings; the simulator turns them into a
session. Integer helpers keep the rules of `numerics` in this one place: centre, scale, settle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir import RawNode
from ..numerics import Array, QParams

OPSET = 21


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One operator call; `raw` is set for an operator taken unchanged from the source model."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    raw: RawNode | None = None


class Builder:
    """Collects the steps and constants of lowered layers.

    `fast` names integer kernels that a start-up test has shown exact on this machine ("QLinearConv"). `accumulators` lists, per layer,
    the tensors that hold its exact integer sums, so that a test can look at them before any clamp.
    """

    def __init__(self, fast: frozenset[str] = frozenset()) -> None:
        self.fast = fast
        self.steps: list[Step] = []
        self.constants: dict[str, Array] = {}
        self.accumulators: dict[str, str] = {}
        self._layer = ""
        self._count = 0

    def begin(self, layer: str) -> None:
        """Start a layer: temporary names are made from its name."""
        self._layer = layer

    def fresh(self) -> str:
        """Return a tensor name no model can have."""
        self._count += 1
        return f"\x1f{self._count}:{self._layer}"

    def op(self, op: str, *inputs: str, domain: str = "", **attrs: Any) -> str:
        """Append one single-output operator and return the name of its result; an empty input is an omitted one."""
        out = self.fresh()
        self.steps.append(Step(op, inputs, (out,), attrs, domain))
        return out

    def const(self, value: Any, dtype: Any = None) -> str:
        """Append a constant and return its name."""
        name = self.fresh()
        self.constants[name] = np.asarray(value, dtype)
        return name

    def finish(self, result: str, output: str) -> None:
        """Give `result` the name `output`; a result that no step of this layer made is copied."""
        for index in range(len(self.steps) - 1, -1, -1):
            step = self.steps[index]
            if result in step.outputs:
                break
        else:
            self.steps.append(Step("Identity", (result,), (output,)))
            return
        if not result.startswith("\x1f"):
            self.steps.append(Step("Identity", (result,), (output,)))
            return
        rename = {result: output}
        for i in range(index, len(self.steps)):
            s = self.steps[i]
            if result in s.inputs or result in s.outputs:
                self.steps[i] = Step(
                    s.op, tuple(rename.get(t, t) for t in s.inputs), tuple(rename.get(t, t) for t in s.outputs), s.attrs, s.domain, s.raw
                )
        for layer, tensor in self.accumulators.items():
            if tensor == result:
                self.accumulators[layer] = output

    def accumulator(self, tensor: str) -> str:
        """Mark the exact integer sum of the present layer and return it."""
        self.accumulators[self._layer] = tensor
        return tensor

    # the rules of numerics, as steps ------------------------------------------------------------------------------------------

    def centre(self, x: str, q: QParams) -> str:
        """Return q - zero as float32, exact."""
        return self.times(x, q, 1.0)

    def times(self, x: str, q: QParams, m: float) -> str:
        """Return the float32 product (q - zero) * m."""
        return self.op("DequantizeLinear", x, self.const(m, np.float32), self.const(q.zero, q.dtype))

    def settle(self, real: str, q: QParams, low: int = 0, high: int | None = None) -> str:
        """Return clamp(rint(real) + zero, low, high): `numerics.settle` as steps."""
        top = q.qmax if high is None else high
        if low > 0 or top < int(np.iinfo(q.dtype).max):
            real = self.op("Clip", real, self.const(low - q.zero, np.float32), self.const(top - q.zero, np.float32))
        return self.op("QuantizeLinear", real, self.const(1.0, np.float32), self.const(q.zero, q.dtype))

    def requantize(self, acc: str, m: Any, q: QParams, low: int = 0, high: int | None = None) -> str:
        """Return the requantization of a float32-carried exact sum by the multiplier `m` (scalar or broadcastable array)."""
        return self.settle(self.op("Mul", acc, self.const(m, np.float32)), q, low, high)

    def quantize(self, real: str, q: QParams) -> str:
        """Quantize a float tensor with the scale of `q`."""
        if q.qmax < int(np.iinfo(q.dtype).max):
            ratio = self.op("Div", real, self.const(q.scale, np.float32))
            return self.settle(ratio, q)
        return self.op("QuantizeLinear", real, self.const(q.scale, np.float32), self.const(q.zero, q.dtype))

    def table(self, levels: str, table: Array) -> str:
        """Return table[levels]: `table` has an entry for every level, of any dtype.

        GatherElements over one flat axis is three times faster than Gather, whose price is a call of memcpy per element.
        """
        flat = self.op("Reshape", self.op("Cast", levels, to=6), self.const([-1], np.int64))
        found = self.op("GatherElements", self.const(table), flat, axis=0)
        return self.op("Reshape", found, self.op("Shape", levels))

    def dequantize(self, x: str, q: QParams) -> str:
        """Return scale * (q - zero) as float32."""
        return self.times(x, q, q.scale)
