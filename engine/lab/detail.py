"""One layer looked at closely: the values it makes, the range that was chosen for them, its weights, its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..analysis.reduce import mean
from ..errors import UsageError, nearest
from ..ir import Node
from ..numerics import Array, QParams, dequantize
from ..plan import Plan
from ..quantize import ends, shown_type
from .lab import Lab

SAMPLES = 8
"""Samples whose values enter the histograms, at most."""


def detail(lab: Lab, plan: Plan, name: str, bins: int) -> dict[str, Any]:
    """Return what is known of the layer `name` under a plan. UsageError when there is no such layer.

    `histogram`: `low`, `high` and counts of the float values and of the quantized ones in `bins` equal bins, over at most SAMPLES samples;
    `clip` the ends of what the levels can represent (None for a float layer); `weights`: minimum and maximum per output channel;
    `inputs` and `readers`: neighbouring layers; `samples`: every sample's figures, the worst first.
    """
    nodes = {n.name: n for n in lab.graph.nodes}
    if name not in nodes:
        near = nearest(name, nodes)
        raise UsageError(f"there is no layer {name!r}", hint=f"did you mean {near!r}?" if near else "")
    node = nodes[name]
    info = next(i for i in lab.quantized(plan).layers if i.name == name)
    compared = lab.figures(plan, name)
    shown = _histogram(lab, plan, node, info.q, bins)
    return {
        "name": name,
        "op": shown_type(node),
        "reason": info.reason,
        "notes": list(info.notes),
        "shape": list(lab.graph.types[node.outputs[0]].shape) if node.outputs[0] in lab.graph.types else None,
        "bits": info.q.bits if info.q else None,
        "scale": info.q.scale if info.q else None,
        "zero_point": info.q.zero if info.q else None,
        "origin": info.origin,
        "range": [info.low, info.high] if info.q else None,
        "clip": list(ends(info.q)) if info.q else None,
        "histogram": shown,
        "weights": _weights(node),
        "inputs": _makers(lab, node),
        "readers": [n.name for n in lab.graph.consumers().get(node.outputs[0], [])],
        "samples": compared,
        "cosine_avg": mean(s["cosine"] for s in compared),
    }


def _histogram(lab: Lab, plan: Plan, node: Node, q: QParams | None, bins: int) -> dict[str, Any] | None:
    pairs = list(lab.pairs(plan, node.outputs[0], SAMPLES))
    floats = [_finite(x) for x, _ in pairs]
    low = min((float(x.min()) for x in floats if x.size), default=0.0)
    high = max((float(x.max()) for x in floats if x.size), default=0.0)
    if not pairs or not low < high:
        return None
    made = [_finite(y if q is None else dequantize(y, q)) for _, y in pairs]
    return {"low": low, "high": high, "float": _counts(floats, low, high, bins), "quantized": _counts(made, low, high, bins)}


def _counts(values: Sequence[Array], low: float, high: float, bins: int) -> list[int]:
    total = np.zeros(bins, np.int64)
    for value in values:
        total += np.histogram(np.clip(value, low, high), bins, (low, high))[0]
    return [int(n) for n in total]


def _finite(value: Array) -> Array:
    flat = np.asarray(value, np.float32).reshape(-1)
    return flat[np.isfinite(flat)]


def _weights(node: Node) -> Mapping[str, Any] | None:
    weight = node.params.get("weight")
    if weight is None or weight.ndim < 2 or not weight.size:
        return None
    flat = weight.reshape(weight.shape[0], -1)
    return {"channels": int(weight.shape[0]), "min": [float(v) for v in flat.min(axis=1)], "max": [float(v) for v in flat.max(axis=1)]}


def _makers(lab: Lab, node: Node) -> list[str]:
    """Return the layers, or graph inputs, that a layer reads."""
    makers = lab.graph.producers()
    return [makers[t].name if t in makers else t for t in node.inputs]
