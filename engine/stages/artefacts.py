"""Writing what a conversion leaves behind: the model files, and the dumps of the first debug sample."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from ..dataset import InputSpec, Loaded, Sample
from ..errors import DataError, OutputError
from ..export.artefacts import plan_outputs, stage_model
from ..export.dumps import DumpWriter
from ..export.files import atomic_write
from ..export.names import file_names
from ..ir import Node, QGraph
from ..simulate import PIXELS
from .calibration import read
from .measuring import Measurer, Values

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


@contextmanager
def model_files(output: Path | None, graph: QGraph, *, save: bool, soc: str, executor: Executor | None) -> Iterator[list[Path]]:
    """Write NAME.bin, magik_model_NAME.mk.h and, with `save`, save-magik/model_quant.mgk while the block runs.

    They take their names when the block ends well, and the list that is yielded then holds them. Raises OutputError.
    """
    written: list[Path] = []
    if output is None:
        yield written
        return
    outputs = plan_outputs(output)
    task = executor.submit(stage_model, graph, outputs, save, soc=soc) if executor else None
    try:
        yield written
    except BaseException:
        if task and not task.cancel() and task.exception() is None:
            for staged in task.result():
                staged.discard()
        raise
    found = task.result() if task else stage_model(graph, outputs, save, soc=soc)
    written += [staged.commit() for staged in found]


def write_sample(output: Path, samples: Sequence[Sample], specs: Sequence[InputSpec]) -> list[Path]:
    """Write what the first readable sample feeds a network of several inputs to DIR/0/<input>.bin; return the paths. Raises OutputError.

    Little-endian float32 in the model's layout, pixels before MEAN and NORMAL: DIR/0 is a sample folder itself.
    """
    loaded = _first_readable(specs, samples) if len(specs) > 1 else None
    if loaded is None:
        return []
    names, written = file_names(spec.name for spec in specs), []
    for spec in specs:
        value = loaded.feeds[spec.name]
        real = value.transpose(0, 3, 1, 2) if spec.name in loaded.pixels else value
        data = np.ascontiguousarray(real, "<f4").tobytes()
        written.append(atomic_write(plan_outputs(output).folder / "0" / f"{names[spec.name]}.bin", [data]))
    return written


class Dumps:
    """The dumps of the first readable debug sample: of the first one taken while it is measured, else run for."""

    def __init__(self, folder: Path, measurer: Measurer, writer: DumpWriter | None) -> None:
        self.folder, self.measurer, self.writer = folder, measurer, writer
        self.taken = False

    @property
    def paths(self) -> list[Path]:
        """Return the folder, if there is one."""
        return [self.folder] if self.writer else []

    def take(self, values: Values) -> None:
        """Write the values of the first readable sample."""
        if self.writer is None:
            return
        self.taken = True
        inputs = self.measurer.networks.inputs
        for spec in inputs.specs:
            fed = PIXELS + spec.name if spec.name in inputs.pictures else spec.name
            self.writer.write_input(spec.name, values.feeds[fed])
        for name, tensor in self.measurer.tensors.items():
            self.writer.write(name, values.floats[tensor], values.levels[tensor], self.measurer.integers.qparams.get(tensor))


@contextmanager
def dumping(root: Path, measurer: Measurer, samples: Sequence[Sample], shown_type: Callable[[Node], str]) -> Iterator[Dumps]:
    """Gather dumps while the block runs; the folder appears when the block ends well. Raises OutputError."""
    folder = root / DUMP_FOLDER
    if not samples:
        yield Dumps(folder, measurer, None)
        return
    nodes = [(n.name, shown_type(n)) for n in measurer.graph if n.name in measurer.tensors]
    others = set(measurer.tensors).difference(name for name, _ in nodes)
    with DumpWriter(folder, nodes, [s.name for s in measurer.networks.inputs.specs], sorted(others)) as writer:
        dumps = Dumps(folder, measurer, writer)
        yield dumps
        for sample in () if dumps.taken else samples:
            with suppress(DataError):  # measuring reports it
                values = measurer.values(sample, local=False)
                dumps.take(values)
                values.release()
                break


def _first_readable(specs: Sequence[InputSpec], samples: Sequence[Sample]) -> Loaded | None:
    for sample in samples:
        with suppress(DataError):  # measuring reports it
            return read(sample, specs)
    return None
