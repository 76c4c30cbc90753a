"""Dropping operators that do nothing at inference: Identity and Dropout."""

from __future__ import annotations

from dataclasses import replace

from ..ir import RawNode
from .raw import RawGraph, reads, without_dead_code
from .writing import renamed


def without_copies(graph: RawGraph) -> RawGraph:
    """Drop Identity and inference Dropout; the model's outputs keep their names.

    A copy inside gives its readers its source. A copy that is an output gives its name to the operator that makes its source; it stays
    where that cannot be: behind an input, a constant, or another output.
    """
    graph = without_dead_code(graph)
    outputs, made = set(graph.outputs), graph.producers()
    used = outputs.union(*(reads(n) for n in graph.nodes)) if graph.nodes else outputs
    names: dict[str, str] = {}
    final: dict[str, str] = {}
    kept: list[RawNode] = []
    for node in graph.nodes:
        if not _copies(node, graph, used):
            kept.append(node)
            continue
        source, target = names.get(node.inputs[0], node.inputs[0]), node.outputs[0]
        if target not in outputs:
            names[target] = source
        elif source in made and source not in outputs and source not in final:
            final[source] = target
        else:
            kept.append(node)
    names = {target: final.get(source, source) for target, source in names.items()} | final
    return replace(graph, nodes=tuple(renamed(n, names) for n in kept)) if names else graph


def _copies(node: RawNode, graph: RawGraph, used: set[str]) -> bool:
    """Tell whether an operator hands its first input on unchanged, and nothing else of it is read."""
    if node.domain or not node.outputs or not node.outputs[0]:
        return False
    if node.op == "Identity":
        return True
    if node.op != "Dropout" or node.opset < 7 or used.intersection(node.outputs[1:]) - {""}:
        return False
    training = node.inputs[2] if len(node.inputs) > 2 else ""
    if not training:
        return True
    value = graph.constants.get(training)
    return value is not None and not value.any()
