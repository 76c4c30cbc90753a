"""Activations that a layer absorbs: what follows it, when nothing else needs the value between.

ReLU, ReLU6 and Clip become the clamp of the requantization; x * sigmoid(x) becomes a lookup table behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..ir import Node, QNode, RawNode
from ..numerics import Array, QParams, level_of, lookup_table, requantize
from .base import quantization
from .lowering import Builder
from .view import View

INF = float("inf")


@dataclass(frozen=True, slots=True)
class Activation:
    """What was absorbed: a clamp [low, high], or a table function with the tensor before it as `inner`; `tensor` is the new output."""

    tensor: str
    low: float = -INF
    high: float = INF
    function: str = ""
    inner: str = ""
    absorbed: tuple[RawNode, ...] = ()

    def attrs(self) -> dict[str, Any]:
        """Return the layer attributes that say the same."""
        return {"low": self.low, "high": self.high, "function": self.function}


def clip_limits(raw: RawNode, view: View) -> tuple[float, float] | None:
    """Return the limits of Relu or Clip, None when the operator is neither or its limits are computed."""
    if raw.op == "Relu":
        return 0.0, INF
    if raw.op != "Clip":
        return None
    try:
        low, high = view.argument(raw, 1, "min"), view.argument(raw, 2, "max")
    except LookupError:
        return None
    lo = -INF if low is None or float(low.reshape(-1)[0]) < -3e38 else float(low.reshape(-1)[0])
    hi = INF if high is None or float(high.reshape(-1)[0]) > 3e38 else float(high.reshape(-1)[0])
    return (lo, hi) if lo <= hi else None


def absorb(view: View, tensor: str, *, silu: bool = False) -> Activation:
    """Return the activation that follows `tensor` and can be absorbed, possibly none."""
    reader = view.only_reader(tensor)
    limits = clip_limits(reader, view) if reader and reader.inputs[0] == tensor else None
    if reader and limits:
        return Activation(reader.outputs[0], limits[0], limits[1], absorbed=(reader,))
    if silu and not view.is_output(tensor) and len(view.readers(tensor)) == 2:
        gate = next((r for r in view.readers(tensor) if r.op == "Sigmoid" and not r.domain), None)
        times = view.only_reader(gate.outputs[0]) if gate else None
        if gate and times and times.op == "Mul" and set(times.inputs) == {tensor, gate.outputs[0]}:
            return Activation(times.outputs[0], function="SiLU", inner=tensor, absorbed=(gate, times))
    return Activation(tensor)


def lower_float(node: Node, b: Builder, value: str) -> None:
    """Append the absorbed activation of a float layer and name its results."""
    if node.inner:
        b.finish(value, node.inner)
        b.finish(b.op("Mul", node.inner, b.op("Sigmoid", node.inner)), node.outputs[0])
        return
    low, high = node.attrs.get("low", -INF), node.attrs.get("high", INF)
    if low == 0.0 and high == INF:
        value = b.op("Relu", value)
    elif low > -INF or high < INF:
        value = b.op("Clip", value, b.const(max(low, -3.4e38), np.float32), b.const(min(high, 3.4e38), np.float32))
    b.finish(value, node.outputs[0])


def clamp_levels(node: Node, q: QParams) -> dict[str, int]:
    """Return the integer ends of the requantization's clamp."""
    return {"low": level_of(node.attrs.get("low", -INF), q), "high": level_of(node.attrs.get("high", INF), q)}


def table(function: str, inner: QParams, out: QParams) -> Array:
    """Tabulate an absorbed function (SiLU)."""
    if function != "SiLU":
        raise ValueError(function)
    return lookup_table(lambda x: x / (1.0 + np.exp(-x)), inner, out)


def lower_requantize(q: QNode, b: Builder, acc: str, m: Array) -> None:
    """Append requantization, clamp and table of an integer layer whose exact sum is carried in float32."""
    out = q.attrs.get("inner") or quantization(q)[1]
    levels = b.requantize(acc, m, out, q.attrs["low"], q.attrs["high"])
    finish_table(q, b, levels)


def finish_table(q: QNode, b: Builder, levels: str) -> None:
    """Append the table behind the requantization, if there is one, and name the result."""
    if q.attrs.get("inner") is not None:
        levels = b.table(levels, q.arrays["table"])
    b.finish(levels, q.outputs[0])


def reference_requantize(q: QNode, acc: Array, m: Array) -> Array:
    """Requantize, clamp and look up, the obvious way."""
    inner: QParams | None = q.attrs.get("inner")
    out = inner or quantization(q)[1]
    levels = requantize(acc, m, out, q.attrs["low"], q.attrs["high"])
    return np.asarray(q.arrays["table"][levels]) if inner else levels


def random_attrs(rng: np.random.Generator, spread: float, out: QParams, *, silu: bool = True) -> tuple[dict[str, Any], QParams | None]:
    """Draw an absorbed activation for an adversarial example whose values reach `spread`: its attributes, and its inner quantization."""
    low, high = [(-INF, INF), (0.0, INF), (0.0, 0.4 * spread), (-0.1 * spread, 0.3 * spread)][int(rng.integers(4))]
    if silu and rng.integers(4) == 0:
        return {"low": -INF, "high": INF, "function": "SiLU"}, out
    return {"low": low, "high": high, "function": ""}, None


def integer_attrs(node: Node, out: QParams, inner: QParams | None) -> tuple[dict[str, Any], Mapping[str, Array]]:
    """Return the attributes and arrays that an integer layer needs for its clamp and table."""
    if inner is None:
        return {**clamp_levels(node, out), "inner": None}, {}
    return {"low": 0, "high": inner.qmax, "inner": inner}, {"table": table(node.attrs["function"], inner, out)}
