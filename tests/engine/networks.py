"""Small networks for the tests of the core: imported from ONNX, quantized with ranges seen on random data, run both ways."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from engine.config import Config
from engine.frontends.importer import load
from engine.ir import Graph, QGraph
from engine.numerics import Array, QParams
from engine.plan import Choice, Plan
from engine.quantize import Quantized, quantize, shown_type
from engine.simulate import lower_float_node
from tests.engine.frontends.models import make_model

DEFAULT = Choice(8, 8, "MAX_ABS", "MAX_ABS")


def op(kind: str, reads: str, makes: str, **attrs: Any) -> onnx.NodeProto:
    """One operator; tensors are written in one string, "-" stands for one that is omitted."""
    names = ([t if t != "-" else "" for t in side.split()] for side in (reads, makes))
    return helper.make_node(kind, *names, **attrs)


def imported(
    nodes: Sequence[onnx.NodeProto], inputs: Mapping[str, Any], outputs: str, constants: Mapping[str, Any] | None = None, **options: Any
) -> Graph:
    """The float graph of a small model; inputs, constants and options are those of `make_model`."""
    model = make_model(nodes, inputs, outputs.split(), constants, **options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return load(path, Config()).graph


def weights(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


def quantized(
    graph: Graph,
    plan: Plan | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    inputs: Mapping[str, QParams] | None = None,
    asked: list[str] | None = None,
) -> Quantized:
    """Quantize with the given ranges, [-2, 3] for every other tensor; the tensors whose range was needed go to `asked`."""

    def finder(tensor: str) -> Any:
        def find(choice: Choice) -> tuple[float, float]:
            if asked is not None:
                asked.append(tensor)
            return (ranges or {}).get(tensor, (-2.0, 3.0))

        return find

    from engine.quantize import tensors_to_observe

    resolved = (plan or Plan(DEFAULT)).resolve((n.name, shown_type(n)) for n in graph)
    return quantize(graph, {t: finder(t) for t in tensors_to_observe(graph)}, resolved, inputs=inputs)


def ops(graph: QGraph | Graph) -> list[tuple[str, str]]:
    return [(n.op, n.name) for n in graph.nodes]


__all__ = ["DEFAULT", "imported", "lower_float_node", "op", "ops", "quantized", "weights"]
