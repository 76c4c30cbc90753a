"""Bias correction over samples: WEIGHT_CORRECT_PATH and FEATURE_CORRECT_PATH.

Two halves of one difference, each with its own samples:

    WEIGHT_CORRECT_PATH   E[float network] - E[weights quantized]
    FEATURE_CORRECT_PATH  E[weights quantized] - E[weights and features quantized]

The vendor's guide explains the first and only names the second; the second is our reading of it. Layers are corrected in graph order, those
before one being corrected already. All samples go through the network side by side, from one corrected layer to the next, so each layer
runs once per sample; what is alive between two of them is all that is held. That is bounded: MOST samples, and ROOM bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..calibrate.bias_correct import ChannelMeans, Means, corrected
from ..dataset import Sample, read_sample
from ..errors import DataError
from ..events import Log, Progress, Report
from ..fake import fake_graph, with_fake_weights
from ..ir import Graph, Node, QGraph, QNode, TensorType, digest, keys
from ..numerics import Array
from ..ops.base import REGISTRY
from ..ops.lowering import Builder
from ..ort.session import Program
from ..plan import Resolved
from ..quantize import Quantized
from ..simulate import PIXELS, Inputs, lower_int_node
from ..sources import Sources
from ..store import Store
from ..version import backend

MOST = 32
"""Samples at most: the mean of a channel, over all positions of as many pictures, hardly moves any more."""

ROOM = 256 << 20
"""Bytes that the live values of all samples may take together; a large network is corrected on fewer samples."""

VALUES, MEANS = "\x1evalues:", "\x1emeans:"
"""Before a layer's name: its values, the mean of each of their channels."""


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """The float graph with the biases of the model, with those corrected for the weights, and with those corrected for the features too."""

    plain: Graph
    weights: Graph
    both: Graph


def correct_both(
    graph: Graph, quantized: Quantized, resolved: Resolved, inputs: Inputs, sources: Sources, *, store: Store, report: Report
) -> Forms:
    """Return the graph corrected as far as `sources` have samples for it, the weights first; warn where the samples serve twice."""
    for text in overlaps(sources.sets()):
        report(Log(text, "warning", "correction"))
    forms = [graph]
    for features, samples in ((False, sources.correction), (True, sources.feature_correction)):
        before = forms[-1]
        after = correct(before, quantized, resolved, inputs, samples, features=features, store=store, report=report) if samples else before
        forms.append(after)
    return Forms(*forms)


def correct(
    graph: Graph,
    quantized: Quantized,
    resolved: Resolved,
    inputs: Inputs,
    samples: Sequence[Sample],
    *,
    features: bool,
    store: Store,
    report: Report,
) -> Graph:
    """Return the float graph with corrected biases; `features` corrects for the features, else for the weights.

    Unreadable samples are reported and left out; DataError when none is readable. What was found is kept in the store.
    """
    faked = with_fake_weights(graph, quantized, resolved)
    expected = fake_graph(faked if features else graph, quantized, features=False)
    found = fake_graph(faked, quantized, features=features)
    layers = correctable(graph, quantized)
    place = digest("correct", backend(), features, _names(expected, inputs), _names(found, inputs), [s.key for s in samples])
    biases = _known(store, place, layers)
    if biases is None:
        fed = _load(found, inputs, layers, samples, report)
        sweep = _Sweep(found, layers, fed, _expected_means(expected, layers, fed), report)
        biases = sweep.run()
        store.put(place, json.dumps([biases[name].tolist() for name in layers]).encode())
    nodes = (replace(n, params={**n.params, "bias": biases[n.name]}) if n.name in biases else n for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def correctable(graph: Graph, quantized: Quantized) -> dict[str, int]:
    """Return the integer layers with weights and a bias of their own, and the axis of the output that it lies along; in graph order."""
    integer = {info.name for info in quantized.layers if info.quantized}
    table: dict[str, int] = {}
    for node in graph.nodes:
        operator = REGISTRY.get(node.op)
        axis = operator.channel_axis(node) if operator else None
        if axis is not None and node.name in integer and "weight" in node.params:
            table[node.name] = axis % len(graph.types[node.outputs[0]].shape)
    return table


def overlaps(sets: Mapping[str, Sequence[Sample]]) -> list[str]:
    """Return a warning for each correction set that shares samples, by their content, with the calibration or the debug set."""
    warnings = []
    for key in ("WEIGHT_CORRECT_PATH", "FEATURE_CORRECT_PATH"):
        for other in ("QUANT_DATASET_PATH", "DEBUG_PATH"):
            taken = {s.key for s in sets[other]}
            shared = [s.name for s in sets[key] if s.key in taken]
            if shared:
                names = ", ".join(shared[:3]) + (", ..." if len(shared) > 3 else "")
                warnings.append(f"{key}: {len(shared)} of {len(sets[key])} samples are in {other} too: {names}")
    return warnings


class _Sweep:
    """All samples on their way through the quantized network, stopping before each layer to correct it."""

    def __init__(
        self, graph: QGraph, layers: Mapping[str, int], fed: list[dict[str, Array]], expected: Mapping[str, Means], report: Report
    ):
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


def _expected_means(graph: QGraph, layers: Mapping[str, int], fed: Sequence[Mapping[str, Array]]) -> dict[str, Means]:
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
    """Compile steps that read values as `_load` and the sweep hold them: inputs as NHWC, everything else in the model's layout."""
    feeds = {t: graph.types[t] if t in graph.types else TensorType(v.shape, v.dtype.name) for t, v in fed.items()}
    return Program(b, feeds, wanted, types=graph.types, opsets=graph.opsets, nhwc=frozenset(graph.inputs))


def _load(graph: QGraph, inputs: Inputs, layers: Mapping[str, int], samples: Sequence[Sample], report: Report) -> list[dict[str, Array]]:
    """Return what is fed for each sample, as many as there is room for, evenly spread over those given."""
    most = max(1, min(MOST, ROOM // max(1, live_bytes(graph, layers))))
    count = min(most, len(samples))
    chosen = [samples[i * len(samples) // count] for i in range(count)]
    if len(chosen) < len(samples):
        report(Log(f"biases are corrected on {len(chosen)} of {len(samples)} samples"))
    fed, failures = [], []
    for sample in chosen:
        try:
            feeds = inputs.feeds(read_sample(sample, inputs.specs))
        except DataError as error:
            failures.append(str(error))
            report(Log(f"skipped: {error}", "warning", "dataset"))
            continue
        fed.append({t.removeprefix(PIXELS): v for t, v in feeds.items()})
    if not fed:
        raise DataError(f"none of the {len(chosen)} correction samples is readable; the first one: {failures[0]}")
    return fed


def live_bytes(graph: QGraph, layers: Mapping[str, int]) -> int:
    """Return the most bytes that one sample's values take between two corrected layers."""
    sizes = {t: kind.size * np.dtype(kind.dtype).itemsize for t, kind in graph.types.items() if kind.dtype not in ("object", "str")}
    return max((sum(sizes.get(t, 0) for t in alive(graph.nodes, stop)) for stop, _ in stops(graph.nodes, layers)), default=0)


def _names(graph: QGraph, inputs: Inputs) -> list[str]:
    table = keys(graph, inputs.leaves(), "fake")
    return [table[t] for node in graph.nodes for t in node.outputs]


def _known(store: Store, place: str, layers: Mapping[str, int]) -> dict[str, Array] | None:
    data = store.get(place)
    if data is None:
        return None
    return {name: np.asarray(bias, np.float32) for name, bias in zip(layers, json.loads(data), strict=True)}
