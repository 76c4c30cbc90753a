"""Layers whose widths are tied: a layer that keeps the levels of its input moves with the layer that made them."""

from __future__ import annotations

from collections.abc import Mapping

from ..analysis.scoring import Unit
from ..ir import Graph, Node
from ..ops.base import REGISTRY, Shared
from ..quantize import Quantized, shown_type


def units_of(graph: Graph, quantized: Quantized) -> tuple[Unit, ...]:
    """Return the units of the layers that are integer in `quantized`, in graph order.

    A layer that keeps the levels of a graph input, or of a layer that is float, is a unit of its own.
    """
    integer = {info.name for info in quantized.layers if info.quantized}
    makers = graph.producers()
    leader: dict[str, str] = {}
    members: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if node.name not in integer:
            continue
        origin = REGISTRY[node.op].origin(node)
        before = makers.get(node.inputs[origin.index]) if isinstance(origin, Shared) else None
        leader[node.name] = leader[before.name] if before is not None and before.name in leader else node.name
        members.setdefault(leader[node.name], []).append(node)
    return tuple(_unit(nodes, graph) for nodes in members.values())


def _unit(nodes: list[Node], graph: Graph) -> Unit:
    macs = sum(REGISTRY[n.op].macs(n, graph.types) for n in nodes)
    values = sum(graph.types[t].size for t in nodes[0].outputs if t in graph.types)
    return Unit(nodes[0].name, shown_type(nodes[0]), tuple(n.name for n in nodes), macs, values)


def unit_of(units: tuple[Unit, ...]) -> Mapping[str, Unit]:
    """Map each layer to its unit."""
    return {name: unit for unit in units for name in unit.nodes}
