"""The way in: a model file and a configuration -> the float graph and what is fed to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..config import Config, input_shapes
from ..dataset import InputSpec
from ..events import Log, Report, silent
from ..ir import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """A model that has been read: its graph, what each input is fed with, which inputs take pictures, what should be mended."""

    graph: Graph
    specs: tuple[InputSpec, ...]
    pictures: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def load(path: str | Path, config: Config, report: Report = silent) -> Imported:
    """Return the graph of the model at `path`, cut, shaped and normalized as `config` says.

    Whatever onnxruntime can run is imported; what has no integer form becomes a layer of type "Float" with a reason. Warnings are
    also reported. ModelError for a file that is no such model and for names and shapes that do not fit it, ConfigError where MEAN,
    NORMAL and the like do not fit its inputs.
    """
    from . import preprocess
    from .branches import fold_branches
    from .cut import cut
    from .onnx_file import read_model
    from .protos import raw_graph
    from .recognise import recognise
    from .shapes import bind, check_reshapes, infer_open
    from .simplify import without_copies
    from .trial import learn

    file = read_model(Path(path))
    raw, old = raw_graph(file.model, file.weights), file.warnings
    del file  # its constants live on as arrays
    raw = without_copies(cut(raw, config.input, config.output, infer_open))
    raw = bind(raw, input_shapes(config, len(raw.inputs)), len(config.input_shape))
    raw, unsure = learn(fold_branches(raw))
    check_reshapes(raw)
    specs, odd = preprocess.specs(raw, config)
    ready, made_of = preprocess.make_room(raw, specs)
    graph = preprocess.normalize(recognise(ready), made_of, raw.types)
    pictures = tuple(t for t in graph.inputs if preprocess.is_picture(graph.types[t]))
    warnings = (*old, *unsure, *odd)
    for text in warnings:
        report(Log(text, "warning", "frontends"))
    return Imported(graph, specs, pictures, warnings)
