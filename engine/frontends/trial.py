"""A trial run: what inference cannot tell about a tensor, onnxruntime shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..errors import ModelError
from ..ir import TensorType
from ..numerics import Array
from .protos import constant_type
from .raw import Declared, RawGraph, reads
from .running import Piece, Refused
from .shapes import inputs_hint

DATA_SHAPED = frozenset(("NonZero", "NonMaxSuppression", "Unique", "Compress", "If", "Loop", "StringSplit", "SequenceAt"))
"""Operators whose results have the sizes that the data happens to give: a trial says nothing about them."""


def learn(graph: RawGraph) -> tuple[RawGraph, tuple[str, ...]]:
    """Return the graph with the types that two trial runs agree on, and warnings; tensors sized by their data stay unknown.

    ModelError when onnxruntime cannot load the model.
    """
    unknown = [t for n in graph.nodes for t in n.outputs if t and t not in graph.types]
    if not unknown:
        return graph, ()
    feeds = {t: Declared(graph.types[t].shape, graph.types[t].dtype) for t in graph.inputs}
    wanted = [t for t in unknown if t not in _sized_by_data(graph)]
    try:
        piece = Piece(graph, graph.nodes, feeds, wanted or graph.outputs)
    except Refused as error:
        raise ModelError(f"onnxruntime cannot run the model: {error}", hint=inputs_hint(graph)) from error
    if not wanted:
        return graph, ()
    seen: list[dict[str, TensorType]] = []
    said = ""
    for fill in (_zeros, _random):
        try:
            values = piece.run({t: fill(graph.types[t]) for t in graph.inputs})
        except Refused as error:
            said = str(error)
            continue
        seen.append({t: constant_type(v) for t, v in values.items() if isinstance(v, np.ndarray)})
    if not seen:
        return graph, (f"the shapes of {len(wanted)} tensors are not known: a trial run failed ({said})",)
    agreed = {t: kind for t, kind in seen[0].items() if all(other.get(t) == kind for other in seen)}
    return replace(graph, types={**graph.types, **agreed}), ()


def _sized_by_data(graph: RawGraph) -> set[str]:
    """Return the unknown tensors whose sizes may come from the data."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.op in DATA_SHAPED or found.intersection(reads(node)):
            found.update(t for t in node.outputs if t and t not in graph.types)
    return found


def _zeros(kind: TensorType) -> Array:
    return _of(kind, lambda: np.zeros(kind.shape))


def _random(kind: TensorType) -> Array:
    return _of(kind, lambda: np.random.default_rng(0).random(kind.shape) + 0.5)


def _of(kind: TensorType, draw: Callable[[], Array]) -> Array:
    if kind.dtype == "str":
        return np.full(kind.shape, "", np.str_)
    return np.asarray(draw()).astype(kind.dtype)
