"""Bias correction over samples: WEIGHT_CORRECT_PATH and FEATURE_CORRECT_PATH.

Two halves of one difference, each with its own samples:

    WEIGHT_CORRECT_PATH   E[float network] - E[weights quantized]
    FEATURE_CORRECT_PATH  E[weights quantized] - E[weights and features quantized]

The vendor's guide explains the first and only names the second; the second is our reading of it. `sweep` does the work. What it holds is
bounded: MOST samples, and ROOM bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..dataset import Sample, read_sample
from ..errors import DataError
from ..events import Log, Report
from ..fake import fake_graph, with_fake_weights
from ..ir import Graph, QGraph, digest, keys
from ..numerics import Array
from ..ops.base import REGISTRY
from ..plan import Resolved
from ..quantize import Quantized
from ..simulate import PIXELS, Inputs
from ..sources import Sources
from ..store import Store
from ..version import backend
from .sweep import Sweep, expected_means, live_bytes

MOST = 32
"""Samples at most: the mean of a channel, over all positions of as many pictures, hardly moves any more."""

ROOM = 256 << 20
"""Bytes that the live values of all samples may take together; a large network is corrected on fewer samples."""


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
        sweep = Sweep(found, layers, fed, expected_means(expected, layers, fed), report)
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


def _names(graph: QGraph, inputs: Inputs) -> list[str]:
    table = keys(graph, inputs.leaves(), "fake")
    return [table[t] for node in graph.nodes for t in node.outputs]


def _known(store: Store, place: str, layers: Mapping[str, int]) -> dict[str, Array] | None:
    data = store.get(place)
    if data is None:
        return None
    return {name: np.asarray(bias, np.float32) for name, bias in zip(layers, json.loads(data), strict=True)}
