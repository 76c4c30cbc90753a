"""A stream: frame after frame through the network, each with the state that the one before has left."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from engine.discover import find_project, job_for
from engine.events import silent
from engine.export.mgk import load
from engine.project import run
from engine.simulate import quantized_program
from engine.store import Store
from recipe import sounds
from recipe.topology import BANDS, FEATURES, GAIN, LAST_STATE, NEW_STATE, SPECTRUM, STATE

Array = npt.NDArray[np.float32]
Step = Callable[[sounds.Spectrum, Array], tuple[Array, Array]]
"""One frame: (spectrum (BINS,), last state) to (gains (BINS,), new state)."""


def float_step(model: Path) -> Step:
    """Return the whole ONNX model, run by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def step(spectrum: sounds.Spectrum, state: Array) -> tuple[Array, Array]:
        gains, new = session.run([GAIN, NEW_STATE], {SPECTRUM: sounds.planes(spectrum[None]), LAST_STATE: state})
        return gains.reshape(-1), new

    return step


def quantized_step(project: Path, bits: int) -> Step:
    """Convert the project with features of `bits` bits and return the model file that this writes, run in integers.

    The configurations ask for the gains only; a stream needs the new state as well.
    """
    overrides = [f'OUTPUT=["{GAIN}","{NEW_STATE}"]', f"QUANT_FEATURE_BIT={bits}", "DEBUG_PATH="]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = replace(job_for(find_project(project, "t40"), overrides), output=folder / "gru.mk.h")
        run(job, report=silent, store=Store(folder / "store"))
        graph = load((folder / "gru.bin").read_bytes())
    program = quantized_program(graph, graph.outputs)

    def step(spectrum: sounds.Spectrum, state: Array) -> tuple[Array, Array]:
        nhwc = np.ascontiguousarray(sounds.features(spectrum[None]).transpose(0, 2, 3, 1))
        gains, new = (value.copy() for value in program.run({FEATURES: nhwc, LAST_STATE: state}).values())
        return gains.reshape(-1), new

    return step


def states(step: Step, spectra: sounds.Spectrum) -> Iterator[tuple[Array, Array]]:
    """Yield, frame by frame, the gains and the state that was there before the frame."""
    state = np.zeros((1, BANDS, STATE), np.float32)
    for spectrum in spectra:
        gains, new = step(spectrum, state)
        yield gains, state
        state = new


def enhanced(step: Step, noisy: sounds.Signal) -> sounds.Signal:
    """Return the signal with every bin turned down as the network says."""
    spectra = sounds.spectrum(noisy)
    return sounds.signal(spectra * np.stack([gains for gains, _ in states(step, spectra)]))
