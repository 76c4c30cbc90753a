"""All correction samples on their way through a network, side by side, from one layer to correct to the next.

Each layer runs once per sample and its own mean once more; what is alive between two stops is all that is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..calibrate.bias_correct import ChannelMeans, Means, corrected
from ..events import Log, Progress, Report
from ..ir import Node, QGraph, QNode, TensorType
from ..numerics import Array
from ..ops.base import REGISTRY
from ..ops.lowering import Builder
from ..ort.session import Program
from ..simulate import lower_int_node

VALUES, MEANS = "\x1evalues:", "\x1emeans:"
"""Before a layer's name: its values, the mean of each of their channels."""


class Sweep:
    """All samples on their way through the quantized network, stopping before each layer to correct it."""

    def __init__(
        self, graph: QGraph, layers: Mapping[str, int], fed: list[dict[str, Array]], expected: Mapping[str, Means], report: Report
    ) -> None:
        self.graph, self.layers, self.expected, self.report = graph, layers, expected, report
        self.values = fed
        self.nodes = list(graph.nodes)

    def run(self) -> dict[str, Array]:
        """Return the corrected bias of every layer by name."""
        biases: dict[str, Array] = {}
        begin = 0
        for stop, name in stops(self.nodes, self.layers):
            means = self._advance(begin, stop, name)
            target = self.nodes[stop]
            source = _source(target)
            biases[name] = corrected(source.params.get("bias"), self.expected[name], means)
            self.nodes[stop] = replace(target, source=replace(source, params={**source.params, "bias": biases[name]}))
            begin = stop
            self.report(Log(f"bias_correct Op-----> {len(biases)}, total Op is {len(self.layers)}"))
            self.report(Progress("BiasCorrect", len(biases), len(self.layers)))
        return biases

    def _advance(self, begin: int, stop: int, name: str) -> Means:
        """Run the layers from `begin` to before `stop` on every sample and return the channel means of the layer at `stop`."""
        keep = alive(self.nodes, stop) & ({t for n in self.nodes[begin:stop] for t in n.outputs} | set(self.values[0]))
        b = Builder()
        b.constants |= self.graph.constants
        for node in self.nodes[begin:stop]:
            lower_int_node(node, b, self.graph.types)
        lower_means(self.nodes[stop], self.layers[name], b, self.graph.types)
        made = sorted(keep - set(self.values[0]))
        program = _program(b, self.graph, self.values[0], [MEANS + name, *made])
        total = ChannelMeans()
        for index, values in enumerate(self.values):
            found = program.run(values)
            total.add(found[MEANS + name])
            self.values[index] = {t: values[t] if t in values else found[t].copy() for t in keep}
        return total.result()


def stops(nodes: Sequence[QNode], layers: Mapping[str, int]) -> list[tuple[int, str]]:
    """Return the place of every layer to correct, in graph order; where an absorbed table is a node of its own, the one before it."""
    found: dict[str, int] = {}
    for index, node in enumerate(nodes):
        if node.name in layers and node.source is not None and "weight" in node.source.params:
            found.setdefault(node.name, index)
    return [(index, name) for name, index in found.items()]


def alive(nodes: Sequence[QNode], stop: int) -> set[str]:
    """Return the tensors that the layers from `stop` on read and do not make."""
    read: set[str] = set()
    for node in reversed(nodes[stop:]):
        read -= set(node.outputs)
        read |= set(node.inputs)
        if node.source is not None:
            renamed, raw = dict(node.attrs.get("rename", ())), node.source.raw if node.source.op == "Float" else ()
            read |= {renamed.get(t, t) for r in raw for t in (*r.inputs, *r.captured)} - {t for r in raw for t in r.outputs}
    return read


def lower_means(node: QNode, axis: int, b: Builder, types: Mapping[str, TensorType], *, lowered: bool = False) -> None:
    """Append the mean of each channel of a layer: behind an absorbed clamp, before an absorbed table, where integers are rounded.

    Where the layer itself is `lowered`, its values are taken, else it computes them once more.
    """
    source = _source(node)
    values = source.inner or source.outputs[0]
    b.begin(node.name)
    if not lowered:
        values = VALUES + node.name
        attrs = {**source.attrs, "function": ""} if source.inner else source.attrs
        REGISTRY[source.op].lower_float(replace(source, outputs=(values,), attrs=attrs, inner=""), b, types)
    others = [a for a in range(len(types[source.outputs[0]].shape)) if a != axis]
    b.finish(b.op("ReduceMean", values, b.const(others, np.int64), keepdims=0), MEANS + node.name)


def _source(node: QNode) -> Node:
    if node.source is None:
        raise ValueError(f"layer {node.name} has no float form")
    return node.source


def expected_means(graph: QGraph, layers: Mapping[str, int], fed: Sequence[Mapping[str, Array]]) -> dict[str, Means]:
    """Run the reference network on every sample and return the channel means of each layer."""
    b = Builder()
    b.constants |= graph.constants
    at = dict(stops(graph.nodes, layers))
    for index, node in enumerate(graph.nodes):
        lower_int_node(node, b, graph.types)
        if index in at:
            lower_means(node, layers[at[index]], b, graph.types, lowered=True)
    program = _program(b, graph, fed[0], [MEANS + name for name in layers])
    totals = {name: ChannelMeans() for name in layers}
    for values in fed:
        found = program.run(values)
        for name, total in totals.items():
            total.add(found[MEANS + name])
    return {name: total.result() for name, total in totals.items()}


def _program(b: Builder, graph: QGraph, fed: Mapping[str, Array], wanted: Sequence[str]) -> Program:
    """Compile steps that read values as a sweep holds them: inputs as NHWC, everything else in the model's layout."""
    feeds = {t: graph.types[t] if t in graph.types else TensorType(v.shape, v.dtype.name) for t, v in fed.items()}
    return Program(b, feeds, wanted, types=graph.types, opsets=graph.opsets, nhwc=frozenset(graph.inputs))


def live_bytes(graph: QGraph, layers: Mapping[str, int]) -> int:
    """Return the most bytes that one sample's values take between two corrected layers."""
    sizes = {t: kind.size * np.dtype(kind.dtype).itemsize for t, kind in graph.types.items() if kind.dtype not in ("object", "str")}
    return max((sum(sizes.get(t, 0) for t in alive(graph.nodes, stop)) for stop, _ in stops(graph.nodes, layers)), default=0)
