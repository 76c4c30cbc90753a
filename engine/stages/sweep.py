"""All correction samples on their way through a network, side by side, from one layer to correct to the next.

Each layer runs once per sample, its own sums once more; what is alive between two stops is all that is held. A sample is run by one
thread, and what samples give is added in their order in float64, so that neither the number of threads nor a sample's place shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from ..calibrate.bias_correct import ChannelMeans, Means, corrected
from ..calibrate.rounding import parts_of, rounded
from ..events import Log, Progress, Report
from ..fake import on_levels
from ..ir import Node, QGraph, QNode, TensorType
from ..numerics import Array
from ..ops.base import GIVEN_SCALES, REGISTRY
from ..ops.lowering import Builder
from ..ort.session import Program, Runner
from ..simulate import lower_int_node
from .fan import in_order

Found = TypeVar("Found")

VALUES, MEANS, GRAM = "\x1evalues:", "\x1emeans:", "\x1egram:"
"""Before a layer's name: its values, the mean of each of their channels, the products of its inputs with each other."""

POSITIONS = 4
"""Positions of a layer's output, of all samples together, that its weights are rounded by, for each of the weights of a part."""

FEWEST = 4096
"""The least such number of positions, where a layer has as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """What the weights of a layer are rounded from and to: float32 weights (channels, ...), scales (channels,), the width of levels."""

    weight: Array
    step: Array
    bits: int


class Sweep:
    """All samples on their way through the quantized network, stopping before each layer to correct it.

    The layers in `grids` have their weights rounded by what they read, then every layer has its bias corrected.
    """

    def __init__(
        self,
        graph: QGraph,
        layers: Mapping[str, int],
        fed: list[dict[str, Array]],
        expected: Mapping[str, Means],
        report: Report,
        *,
        grids: Mapping[str, Grid] | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.graph, self.layers, self.expected, self.report = graph, layers, expected, report
        self.grids, self.executor = grids or {}, executor
        self.values = fed
        self.nodes = list(graph.nodes)

    def run(self) -> dict[str, dict[str, Array]]:
        """Return what became of the parameters of every layer, by name: its corrected bias and, where it has a grid, weights and scales."""
        found: dict[str, dict[str, Array]] = {}
        begin = 0
        for stop, name in stops(self.nodes, self.layers):
            params: dict[str, Array] = {}
            if name in self.grids:
                params = self._rounded(begin, stop, name)
                self._put(stop, params)
                begin = stop
            means = ChannelMeans()
            self._advance(begin, stop, MEANS + name, partial(self._lower_means, stop, name), means.add)
            begin = stop
            params["bias"] = corrected(_source(self.nodes[stop]).params.get("bias"), self.expected[name], means.result())
            self._put(stop, params)
            found[name] = params
            self.report(Log(f"bias_correct Op-----> {len(found)}, total Op is {len(self.layers)}"))
            self.report(Progress("BiasCorrect", len(found), len(self.layers)))
        return found

    def _rounded(self, begin: int, stop: int, name: str) -> dict[str, Array]:
        """Run the samples to the layer at `stop` and return its weights, rounded by what it reads there, and their scales."""
        grid, total = self.grids[name], np.zeros(1)
        flat = grid.weight.reshape(len(grid.weight), -1)
        most = -(-max(FEWEST, POSITIONS * parts_of(flat.shape[1])[1]) // len(self.values))

        def add(gram: Array) -> None:
            nonlocal total
            total = total + gram

        self._advance(begin, stop, GRAM + name, partial(self._lower_gram, stop, most), add)
        levels = rounded(flat, grid.step, grid.bits, total)
        return {"weight": on_levels(levels, grid.step).reshape(grid.weight.shape), GIVEN_SCALES: grid.step}

    def _put(self, stop: int, params: Mapping[str, Array]) -> None:
        node, source = self.nodes[stop], _source(self.nodes[stop])
        self.nodes[stop] = replace(node, source=replace(source, params={**source.params, **params}))

    def _lower_gram(self, stop: int, most: int, b: Builder) -> None:
        lower_gram(_source(self.nodes[stop]), b, self.graph.types, most)

    def _lower_means(self, stop: int, name: str, b: Builder) -> None:
        lower_means(self.nodes[stop], self.layers[name], b, self.graph.types)

    def _advance(self, begin: int, stop: int, asked: str, lower: Callable[[Builder], None], take: Callable[[Array], None]) -> None:
        """Run the layers from `begin` to before `stop`, and what `lower` appends, on every sample; `take` gets what is `asked`."""
        keep = alive(self.nodes, stop) & ({t for n in self.nodes[begin:stop] for t in n.outputs} | set(self.values[0]))
        b = Builder()
        b.constants |= self.graph.constants
        for node in self.nodes[begin:stop]:
            lower_int_node(node, b, self.graph.types)
        lower(b)
        made = sorted(keep - set(self.values[0]))
        program = _program(b, self.graph, self.values[0], [asked, *made])

        def run(runner: Runner, index: int) -> Array:
            values = self.values[index]
            found = runner.run(values)
            self.values[index] = {t: values[t] if t in values else found[t].copy() for t in keep}
            return found[asked].copy()

        for found in _runs(program, run, len(self.values), self.executor):
            take(found)


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


def lower_gram(node: Node, b: Builder, types: Mapping[str, TensorType], most: int) -> None:
    """Append Σ x xᵀ over what the weights of a layer multiply at `most` positions, in parts as `rounded` wants it."""
    b.begin(node.name)
    x = REGISTRY[node.op].lower_windows(node, b, types, most)
    k = int(np.prod(node.params["weight"].shape[1:]))
    parts, size = parts_of(k)
    if parts * size > k:
        x = b.op("Pad", x, b.const([0, 0, 0, 0, parts * size - k, 0], np.int64))
    if parts > 1:
        x = b.op("Reshape", x, b.const([-1, size, 0], np.int64))
    b.finish(b.op("MatMul", x, b.op("Transpose", x, perm=(0, 2, 1))), GRAM + node.name)


def _source(node: QNode) -> Node:
    if node.source is None:
        raise ValueError(f"layer {node.name} has no float form")
    return node.source


def expected_means(
    graph: QGraph, layers: Mapping[str, int], fed: Sequence[Mapping[str, Array]], executor: Executor | None = None
) -> dict[str, Means]:
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

    def run(runner: Runner, index: int) -> dict[str, Array]:
        return {t: v.copy() for t, v in runner.run(fed[index]).items()}

    for found in _runs(program, run, len(fed), executor):
        for name, total in totals.items():
            total.add(found[MEANS + name])
    return {name: total.result() for name, total in totals.items()}


def _runs(program: Program, run: Callable[[Runner, int], Found], count: int, executor: Executor | None) -> Iterator[Found]:
    """Yield run(runner, index) for each sample, in order; a thread at a time has a runner.

    Runners are not left with the program: it and they would hold each other, and their buffers, until the interpreter looks for such.
    """
    idle: list[Runner] = []

    def work(index: int) -> Found:
        try:
            runner = idle.pop()
        except IndexError:
            runner = Runner(program)
        found = run(runner, index)
        idle.append(runner)
        return found

    yield from in_order(work, range(count), executor)


def _program(b: Builder, graph: QGraph, fed: Mapping[str, Array], wanted: Sequence[str]) -> Program:
    """Compile steps that read values as a sweep holds them: inputs as NHWC, everything else in the model's layout."""
    feeds = {t: graph.types[t] if t in graph.types else TensorType(v.shape, v.dtype.name) for t, v in fed.items()}
    return Program(b, feeds, wanted, types=graph.types, opsets=graph.opsets, nhwc=frozenset(graph.inputs), threads=1)


def live_bytes(graph: QGraph, layers: Mapping[str, int]) -> int:
    """Return the most bytes that one sample's values take between two corrected layers."""
    sizes = {t: kind.size * np.dtype(kind.dtype).itemsize for t, kind in graph.types.items() if kind.dtype not in ("object", "str")}
    return max((sum(sizes.get(t, 0) for t in alive(graph.nodes, stop)) for stop, _ in stops(graph.nodes, layers)), default=0)
