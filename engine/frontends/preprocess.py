"""MEAN and NORMAL as layers of the graph: (x - mean) / normal stands right behind the input it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..config import Config, color_for, mean_for, normal_for
from ..dataset import InputSpec
from ..ir import Graph, TensorType
from ..ops.batch_norm_scale import front
from .raw import RawGraph
from .writing import renamed

PICTURE_CHANNELS = (1, 3)


def is_picture(kind: TensorType) -> bool:
    """Tell whether pictures can be fed: float32 of shape (N, 1 or 3, H, W)."""
    return len(kind.shape) == 4 and kind.shape[1] in PICTURE_CHANNELS and kind.dtype == "float32"


def specs(graph: RawGraph, config: Config) -> tuple[tuple[InputSpec, ...], tuple[str, ...]]:
    """Return what is fed to each input, and a warning for every MEAN or NORMAL that is written for an input that is no picture."""
    found, warnings = [], []
    for index, name in enumerate(graph.inputs):
        kind = graph.types[name]
        if is_picture(kind):
            channels = kind.shape[1]
            color = color_for(config, index) if config.color or channels != 1 else "GRAY"
            found.append(InputSpec(name, kind.shape, mean_for(config, index, channels), normal_for(config, index, channels), color))
            continue
        found.append(InputSpec(name, kind.shape))
        if len(config.mean) > index or len(config.normal) > index:
            shape = ",".join(str(d) for d in kind.shape)
            warnings.append(f"MEAN and NORMAL have no effect on input {name!r}: [{shape}] {kind.dtype} is no picture")
    return tuple(found), tuple(warnings)


def is_identity(spec: InputSpec) -> bool:
    """Tell whether pixels go in as they are."""
    return not any(spec.mean) and all(v == 1 for v in spec.normal)


def make_room(graph: RawGraph, inputs: Sequence[InputSpec]) -> tuple[RawGraph, Mapping[str, InputSpec]]:
    """Return the graph reading normalized tensors, and which input each of those is made of."""
    used = {*graph.inputs, *graph.constants, *graph.producers()}
    names: dict[str, str] = {}
    for spec in inputs:
        if is_identity(spec):
            continue
        name = f"{spec.name}/BatchNormScale"
        while name in used:
            name += "_"
        names[spec.name] = name
    nodes = tuple(renamed(n, names) for n in graph.nodes)
    types = {**graph.types, **{new: graph.types[old] for old, new in names.items()}}
    table = {names[spec.name]: spec for spec in inputs if spec.name in names}
    return replace(graph, nodes=nodes, types=types, inputs=tuple(names.get(t, t) for t in graph.inputs)), table


def normalize(graph: Graph, made_of: Mapping[str, InputSpec], types: Mapping[str, TensorType]) -> Graph:
    """Return the graph with its BatchNormScale layers in front, reading the inputs themselves."""
    layers = tuple(front(name, spec.name, spec.mean, spec.normal, spec.shape[1]) for name, spec in made_of.items())
    inputs = tuple(made_of[t].name if t in made_of else t for t in graph.inputs)
    return replace(graph, inputs=inputs, nodes=(*layers, *graph.nodes), types={**graph.types, **{t: types[t] for t in inputs}})
