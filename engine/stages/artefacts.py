"""Writing what a conversion leaves behind: the model files, and the dumps of the first debug sample."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..dataset import Sample, read_sample
from ..errors import OutputError
from ..export.artefacts import plan_outputs, write_model
from ..export.dumps import DumpWriter
from ..ir import Node, QGraph
from ..simulate import PIXELS
from .measuring import Measurer

DUMP_FOLDER = "magik_dump_path"


def check_output(output: Path) -> None:
    """Raise UsageError or OutputError now for an output that could not be written at the end."""
    folder = plan_outputs(output).folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot be made: {error.strerror or error}", where=str(folder)) from error
    if not os.access(folder, os.W_OK):
        raise OutputError("no permission to write here", where=str(folder))


def write_artefacts(output: Path, graph: QGraph, *, save: bool, soc: str) -> list[Path]:
    """Write NAME.bin, magik_model_NAME.mk.h and, with `save`, save-magik/model_quant.mgk; return their paths. Raises OutputError."""
    return write_model(graph, plan_outputs(output), save, soc=soc)


def write_dumps(root: Path, measurer: Measurer, sample: Sample, shown_type: Callable[[Node], str]) -> list[Path]:
    """Write the dumps of one sample below the project's folder and return the folder. Raises OutputError."""
    specs = measurer.networks.inputs.specs
    loaded = read_sample(sample, specs)
    values, _ = measurer.values(loaded, local=False)
    nodes = [(n.name, shown_type(n)) for n in measurer.graph if n.name in measurer.tensors]
    folder = root / DUMP_FOLDER
    with DumpWriter(folder, nodes, [s.name for s in specs]) as writer:
        for spec in specs:
            fed = PIXELS + spec.name if spec.name in measurer.networks.inputs.pictures else spec.name
            writer.write_input(spec.name, values.feeds[fed])
        for name, tensor in measurer.tensors.items():
            writer.write(name, values.floats[tensor], values.levels[tensor], measurer.integers.qparams.get(tensor))
    return [folder]
