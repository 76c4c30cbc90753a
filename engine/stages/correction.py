"""Correction over samples: WEIGHT_CORRECT_PATH and FEATURE_CORRECT_PATH.

Two halves of one difference, each with its own samples:

    WEIGHT_CORRECT_PATH   float network - weights quantized: weights rounded by what they read, then E[difference] into the biases
    FEATURE_CORRECT_PATH  E[weights quantized] - E[weights and features quantized] into the biases

The vendor's guide explains the first, as far as biases go, and only names the second; the second is our reading of it. `sweep` does the
work. What it holds is bounded: MOST samples, and ROOM bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from ..dataset import Sample, none_readable, read_sample
from ..errors import DataError
from ..events import Log, Report
from ..fake import fake_graph, on_levels, weight_step, with_fake_weights
from ..ir import Graph, QGraph, digest, keys
from ..numerics import Array, quantize_weights
from ..ops.base import GIVEN_SCALES, REGISTRY
from ..plan import Resolved
from ..quantize import Quantized
from ..simulate import PIXELS, Inputs
from ..sources import Sources
from ..store import Store
from ..version import backend
from .sweep import Grid, Sweep, expected_means, live_bytes

MOST = 32
"""Samples at most: the mean of a channel, over all positions of as many pictures, hardly moves any more."""

ROOM = 256 << 20
"""Bytes that the live values of all samples may take together; a large network is corrected on fewer samples."""

METHOD = "rounded weights and biases, 1"
"""Part of the key of what is stored: a changed method gets another name."""


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """The float graph of the model, with what was corrected for the weights, and with the biases corrected for the features too."""

    plain: Graph
    weights: Graph
    both: Graph


def correct_both(
    graph: Graph,
    quantized: Quantized,
    resolved: Resolved,
    inputs: Inputs,
    sources: Sources,
    *,
    store: Store,
    report: Report,
    executor: Executor | None = None,
) -> Forms:
    """Return the graph corrected as far as `sources` have samples for it, the weights first; warn where the samples serve twice."""
    for text in overlaps(sources.sets()):
        report(Log(text, "warning", "correction"))

    def corrected(before: Graph, samples: Sequence[Sample], features: bool) -> Graph:
        if not samples:
            return before
        asked = (before, quantized, resolved, inputs, samples)
        return correct(*asked, features=features, store=store, report=report, executor=executor)

    weights = corrected(graph, sources.correction, False)
    return Forms(graph, weights, corrected(weights, sources.feature_correction, True))


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
    executor: Executor | None = None,
) -> Graph:
    """Return the float graph with corrected biases; `features` corrects for the features, else for the weights, which are rounded anew.

    Unreadable samples are reported and left out; DataError when none is readable. What was found is kept in the store.
    """
    faked = with_fake_weights(graph, quantized, resolved)
    expected = fake_graph(faked if features else graph, quantized, features=False)
    found = fake_graph(faked, quantized, features=features)
    layers = correctable(graph, quantized)
    grids = {} if features else grids_of(graph, quantized, resolved, layers)
    steps = [(grids[name].step, grids[name].bits) for name in layers if name in grids]
    networks = (_names(expected, inputs), _names(found, inputs))
    place = digest("correct", METHOD, backend(), features, *networks, steps, [s.key for s in samples])
    made = _known(store, place, graph, grids, layers)
    if made is None:
        fed = _load(found, inputs, layers, samples, report)
        means = expected_means(expected, layers, fed, executor)
        made = Sweep(found, layers, fed, means, report, grids=grids, executor=executor).run()
        store.put(place, b"".join(_stored(made[name], grids.get(name)) for name in layers))
    nodes = (replace(n, params={**n.params, **made[n.name]}) if n.name in made else n for n in graph.nodes)
    return replace(graph, nodes=tuple(nodes))


def grids_of(graph: Graph, quantized: Quantized, resolved: Resolved, layers: Mapping[str, int]) -> dict[str, Grid]:
    """Return what the weights of each layer that sums products are rounded to: the scales and the width it has without correction."""
    sources = {q.name: q.ins[0] for q in quantized.graph.nodes if q.name in layers and "weight" in q.arrays}
    found = {}
    for node in graph.nodes:
        if node.name in sources and int(np.prod(node.params["weight"].shape[1:])) > 1:
            choice = resolved.choices[node.name]
            bits = choice.weight_bits or 8
            found[node.name] = Grid(node.params["weight"], weight_step(node, sources[node.name], bits, choice.weight_method), bits)
    return found


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


def _load(graph: QGraph, inputs: Inputs, layers: Mapping[str, int], samples: Sequence[Sample], report: Report) -> list[dict[str, Array]]:
    """Return what is fed for each sample, as many as there is room for, evenly spread over those given."""
    most = max(1, min(MOST, ROOM // max(1, live_bytes(graph, layers))))
    count = min(most, len(samples))
    chosen = [samples[i * len(samples) // count] for i in range(count)]
    if len(chosen) < len(samples):
        report(Log(f"corrected on {len(chosen)} of {len(samples)} samples"))
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
        raise DataError(none_readable(len(chosen), "correction", failures[0]))
    return fed


def _names(graph: QGraph, inputs: Inputs) -> list[str]:
    table = keys(graph, inputs.leaves(), "fake")
    return [table[t] for node in graph.nodes for t in node.outputs]


def _stored(params: Mapping[str, Array], grid: Grid | None) -> bytes:
    """Return what was found for one layer as bytes: its bias, and the levels of its weights."""
    bias = params["bias"].astype("<f4").tobytes()
    if grid is None:
        return bias
    levels = quantize_weights(params["weight"], grid.step, grid.bits)
    return bias + levels.tobytes()


def _known(
    store: Store, place: str, graph: Graph, grids: Mapping[str, Grid], layers: Mapping[str, int]
) -> dict[str, dict[str, Array]] | None:
    """Return what was found earlier for every layer, None where nothing was, or something of another size."""
    data = store.get(place)
    if data is None:
        return None
    channels = {n.name: len(n.params["weight"]) for n in graph.nodes if n.name in layers}
    sizes = {name: 4 * count + (grids[name].weight.size if name in grids else 0) for name, count in channels.items()}
    if len(data) != sum(sizes.values()):
        return None
    made, at = {}, 0
    for name in layers:
        split = at + 4 * channels[name]
        made[name] = {"bias": np.frombuffer(data[at:split], "<f4").astype(np.float32)}
        at += sizes[name]
        if name in grids:
            grid = grids[name]
            levels = np.frombuffer(data[split:at], np.int8).reshape(channels[name], -1)
            made[name] |= {"weight": on_levels(levels, grid.step).reshape(grid.weight.shape), GIVEN_SCALES: grid.step}
    return made
