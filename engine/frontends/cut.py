"""Cutting a model at the names in INPUT and OUTPUT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ..errors import ModelError, nearest
from .raw import Declared, RawGraph, reads, without_dead_code
from .writing import renamed

Types = Callable[[RawGraph], Mapping[str, Declared]]


def cut(graph: RawGraph, inputs: Sequence[str], outputs: Sequence[str], types: Types) -> RawGraph:
    """Return the part of a model between `inputs` and `outputs`, the model's own where a list is empty.

    An input is the name of a tensor, an output that of a tensor or of an operator (all it makes). Inputs of the model that are not
    listed stay, behind the listed ones, as long as an output needs them. `types` is asked for the types of tensors inside that become
    inputs. ModelError names what is not there, and what comes nearest.
    """
    made = graph.producers()
    begins = [_begin(name, graph, made) for name in inputs]
    ends = tuple(dict.fromkeys(t for name in outputs for t in _end(name, graph, made))) or graph.outputs
    both = next((t for t in ends if t in begins), None)
    if both:
        raise ModelError(f"{both!r} is both an input and an output: nothing lies between", where="INPUT")
    inside = [t for t in begins if t not in graph.inputs]
    declared = dict(graph.declared)
    if inside:
        declared |= _types_of(inside, types(graph))
        graph = _opened(graph, inside)
    graph = without_dead_code(replace(graph, outputs=ends))
    needed = set(ends).union(*(reads(n) for n in graph.nodes)) if graph.nodes else set(ends)
    for name in begins:
        if name not in needed:
            raise ModelError(f"no output depends on {name!r}", where="INPUT", hint="remove it, or check OUTPUT")
    rest = [t for t in graph.inputs if t in needed and t not in begins]
    names = (*begins, *rest)
    return replace(graph, inputs=names, declared={t: declared[t] for t in names})


def _begin(name: str, graph: RawGraph, made: Mapping[str, object]) -> str:
    if name in graph.inputs or name in made:
        return name
    if name in graph.constants:
        raise ModelError(f"{name!r} is a constant of the model", where="INPUT")
    if name in graph.labels:
        raise ModelError(f"{name!r} is an operator, expected a tensor", where="INPUT", hint=f"it makes {', '.join(graph.labels[name])}")
    raise _unknown(name, "INPUT", (*graph.inputs, *made), graph)


def _end(name: str, graph: RawGraph, made: Mapping[str, object]) -> tuple[str, ...]:
    if name in made:
        return (name,)
    if name in graph.inputs or name in graph.constants:
        kind = "an input" if name in graph.inputs else "a constant"
        raise ModelError(f"{name!r} is {kind} of the model, no result", where="OUTPUT")
    found = tuple(t for t in graph.labels.get(name, ()) if t in made)
    if not found:
        raise _unknown(name, "OUTPUT", (*made, *graph.labels), graph)
    return found


def _unknown(name: str, key: str, known: Iterable[str], graph: RawGraph) -> ModelError:
    near = nearest(name, known)
    own = ", ".join((graph.inputs if key == "INPUT" else graph.outputs)[:4])
    hint = f"did you mean {near!r}?" if near else f"the model's own: {own}"
    return ModelError(f"the model has no tensor {name!r}", where=key, hint=hint)


def _types_of(names: Sequence[str], known: Mapping[str, Declared]) -> dict[str, Declared]:
    """Return the types of tensors inside; what nobody could tell is left open for INPUT_SHAPE, and taken for float32."""
    return {t: known.get(t) or Declared(None, "float32") for t in names}


def _opened(graph: RawGraph, inside: Sequence[str]) -> RawGraph:
    """Make tensors inside a model its inputs: an operator that made one makes one of another name, in case its others are needed."""
    nodes = []
    for node in graph.nodes:
        fed = [t for t in node.outputs if t in inside]
        if not fed:
            nodes.append(node)
        elif any(t and t not in fed for t in node.outputs):
            nodes.append(renamed(node, {t: f"{t}\x1funcut" for t in fed}))
    return replace(graph, nodes=tuple(nodes), inputs=(*graph.inputs, *inside))
