"""An If whose condition is constant: the branch that is taken replaces it, and takes part in everything a model's own operators do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from onnx import GraphProto, NodeProto

from ..ir import RawNode
from ..numerics import Array
from .folding import fold
from .protos import identity, own_names, raw_node, subgraphs, take_constants
from .raw import RawGraph, without_dead_code
from .simplify import without_copies
from .writing import renamed


def fold_branches(graph: RawGraph) -> RawGraph:
    """Return the folded graph without an If whose condition turned out to be constant; a branch may hold others."""
    graph = fold(graph)
    while any(_decided(n, graph.constants) is not None for n in graph.nodes):
        graph = fold(without_copies(_inlined(graph)))
    return graph


def _decided(node: RawNode, constants: Mapping[str, Array]) -> bool | None:
    """Return the condition of an If, None when it is computed at run time or the operator is another."""
    value = constants.get(node.inputs[0]) if node.op == "If" and not node.domain else None
    return bool(value.reshape(-1)[0]) if value is not None and value.size == 1 else None


def _inlined(graph: RawGraph) -> RawGraph:
    """Replace every decided If by its branch."""
    nodes: list[RawNode] = []
    constants, taken = dict(graph.constants), _names(graph)
    for node in graph.nodes:
        condition = _decided(node, graph.constants)
        nodes += [node] if condition is None else _branch(node, condition, constants, taken, graph.opsets)
    return without_dead_code(replace(graph, nodes=tuple(nodes), constants=constants))


def _branch(node: RawNode, condition: bool, constants: dict[str, Array], taken: set[str], opsets: Mapping[str, int]) -> list[RawNode]:
    """Return the operators of the branch that is taken; its constants are added to `constants`, its names to `taken`.

    Tensors inside keep their names as far as those are free: branches may use the same ones. The results get those of the If.
    """
    body = _body(node, condition)
    values = take_constants(body)
    names = {t: _free(t, taken) for t in (*values, *(t for n in body.node for t in n.output if t))}
    constants |= {names[t]: value for t, value in values.items()}
    operators = [renamed(_raw(n, opsets), names) for n in body.node]
    results = [identity(names.get(o.name, o.name), t, opsets[""]) for o, t in zip(body.output, node.outputs, strict=False) if t]
    return [*operators, *results]


def _names(graph: RawGraph) -> set[str]:
    """Return every name that a model uses, those inside of subgraphs that stay too: they may not hide a name outside."""
    found = {*graph.inputs, *graph.constants, *(t for n in graph.nodes for t in (*n.inputs, *n.outputs))}
    for node in graph.nodes:
        if _decided(node, graph.constants) is None:
            found |= _hidden(NodeProto.FromString(node.payload))
    return found


def _hidden(node: NodeProto) -> set[str]:
    """Return the names inside of an operator's subgraphs."""
    found: set[str] = set()
    for graph in subgraphs(node):
        found |= own_names(graph).union(*(_hidden(n) for n in graph.node))
    return found


def _free(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, the given one if it can be, and take it."""
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def _body(node: RawNode, condition: bool) -> GraphProto:
    proto = NodeProto.FromString(node.payload)
    wanted = "then_branch" if condition else "else_branch"
    found: GraphProto = next(a.g for a in proto.attribute if a.name == wanted)
    return found


def _raw(proto: NodeProto, opsets: Mapping[str, int]) -> RawNode:
    domain = "" if proto.domain == "ai.onnx" else proto.domain
    return raw_node(proto, domain, opsets.get(domain, 1))
