"""Constant folding: what can be computed now is computed by onnxruntime itself, so that it means what it would mean at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..ir import RawNode
from ..numerics import Array
from .raw import RawGraph, reads, without_dead_code
from .running import Refused, run_piece
from .shapes import infer

LARGEST = 64 << 20
"""Results of more bytes than this stay operators: an expansion is cheaper to repeat than to keep."""

DOMAINS = ("", "com.microsoft")
NEVER = frozenset(
    ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout")  # chance
    + ("SequenceEmpty", "SequenceConstruct", "SequenceInsert", "SequenceErase", "SplitToSequence", "Optional")  # no tensors
)


def fold(graph: RawGraph) -> RawGraph:
    """Return the graph with its constant parts evaluated and the types of its tensors inferred, as far as they follow.

    Shapes make constants and constants make shapes, so both repeat until nothing changes. What makes an output of the model stays.
    """
    while True:
        graph = replace(graph, types=infer(graph))
        folded = _fold_once(graph)
        if folded is graph:
            return graph
        graph = folded


def _fold_once(graph: RawGraph) -> RawGraph:
    shapes = {n.outputs[0]: value for n in graph.nodes if (value := _known_shape(n, graph)) is not None}
    left = tuple(n for n in graph.nodes if not n.outputs or n.outputs[0] not in shapes)
    graph_with_shapes = replace(graph, nodes=left, constants={**graph.constants, **shapes})
    values, done = _evaluate(graph_with_shapes, _foldable(graph_with_shapes))
    if not shapes and not done:
        return graph
    nodes = tuple(n for n in left if id(n) not in done)
    return without_dead_code(replace(graph, nodes=nodes, constants={**graph_with_shapes.constants, **values}))


def _known_shape(node: RawNode, graph: RawGraph) -> Array | None:
    """Return the result of Shape or Size when the type of what it asks about is known."""
    if node.domain or node.op not in ("Shape", "Size") or node.outputs[0] in graph.outputs:
        return None
    kind = graph.types.get(node.inputs[0])
    if kind is None:
        return None
    if node.op == "Size":
        return np.asarray(kind.size, np.int64)
    return np.asarray(kind.shape[node.attrs.get("start", 0) : node.attrs.get("end")], np.int64)


def _foldable(graph: RawGraph) -> list[RawNode]:
    """Return the operators that depend on constants only, in order."""
    known = set(graph.constants)
    found = []
    for node in graph.nodes:
        payable = not node.captured and node.op not in NEVER and node.domain in DOMAINS and not _holds_graph(node)
        if payable and known.issuperset(reads(node)) and not any(_too_large(t, graph) or t in graph.outputs for t in node.outputs):
            known.update(t for t in node.outputs if t)
            found.append(node)
    return found


def _holds_graph(node: RawNode) -> bool:
    return node.op in ("If", "Loop", "Scan", "SequenceMap")


def _too_large(tensor: str, graph: RawGraph) -> bool:
    kind = graph.types.get(tensor)
    if kind is None:
        return False
    return kind.size * (8 if kind.dtype.endswith("64") else 4) > LARGEST


def _evaluate(graph: RawGraph, nodes: Sequence[RawNode]) -> tuple[Mapping[str, Array], set[int]]:
    """Return what the operators compute as far as others read it, and which of them (by id) are no longer needed."""
    chosen = {id(n) for n in nodes}
    if not chosen:
        return {}, chosen
    wanted = {t for n in graph.nodes if id(n) not in chosen for t in reads(n)}
    frontier = [t for n in nodes for t in n.outputs if t in wanted]
    try:
        return _frozen(run_piece(graph, nodes, {}, frontier)) if frontier else {}, chosen
    except Refused:
        return _evaluate_singly(graph, nodes)


def _evaluate_singly(graph: RawGraph, nodes: Sequence[RawNode]) -> tuple[Mapping[str, Array], set[int]]:
    """Evaluate the operators one by one; those that onnxruntime refuses stay, and what depends on them."""
    values: dict[str, Array] = {}
    done: set[int] = set()
    for node in nodes:
        part = replace(graph, constants={**graph.constants, **values})
        if not set(reads(node)) <= part.constants.keys():
            continue
        try:
            values |= _frozen(run_piece(part, [node], {}, [t for t in node.outputs if t]))
        except Refused:
            continue
        done.add(id(node))
    return values, done


def _frozen(values: Mapping[str, Any]) -> dict[str, Array]:
    """Return arrays nobody can change."""
    table = {}
    for name, value in values.items():
        array = np.asarray(value)
        table[name] = array.astype(np.str_) if array.dtype == object else array
        table[name].flags.writeable = False
    return table
