"""The model as a function from pictures to detections: in float, and converted, in integers."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime

from engine.discover import find_project, job_for
from engine.events import silent
from engine.export.mgk import load
from engine.project import run
from engine.simulate import quantized_program
from engine.store import Store
from recipe.boxes import Array, detections, mean_average_precision
from recipe.pictures import Pixels, Scene, normalise
from recipe.topology import FIELDS, INPUT, OUTPUTS

Maps = Callable[[Pixels], Sequence[Array]]
"""From a picture (h, w, 3) to the three feature maps (3 * FIELDS, h, w)."""


def float_maps(model: Path) -> Maps:
    """Return the whole ONNX model, run by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def maps(pixels: Pixels) -> list[Array]:
        found = session.run(list(OUTPUTS), {INPUT: normalise(pixels[None])})
        return [each[0].transpose(0, 3, 1, 2).reshape(3 * FIELDS, *each.shape[2:4]) for each in found]

    return maps


def quantized_maps(project: Path, bits: int) -> Maps:
    """Convert the project with features of `bits` bits and return the model file that this writes, run in integers."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        overrides = [f"QUANT_FEATURE_BIT={bits}", "DEBUG_PATH="]
        job = replace(job_for(find_project(project, "t40"), overrides), output=folder / "yolov5s.mk.h")
        run(job, report=silent, store=Store(folder / "store"))
        graph = load((folder / "yolov5s.bin").read_bytes())
    program = quantized_program(graph, graph.outputs)

    def maps(pixels: Pixels) -> list[Array]:
        return [np.ascontiguousarray(each[0].transpose(2, 0, 1)) for each in program.run({INPUT: pixels[None]}).values()]

    return maps


def precision(maps: Maps, scenes: Sequence[Scene]) -> float:
    """Return the mean average precision, 0..1, of boxes that overlap a true one by half."""
    return mean_average_precision([detections(maps(scene.pixels)) for scene in scenes], [scene.objects for scene in scenes])
