"""Calibration: observe the features of the float network over the calibration samples, then choose ranges.

Observations are stored per tensor and per chunk of samples, so a run that was killed resumes, a picture added costs one chunk, and a
configuration that changes only methods or bits reads no picture at all. Memory does not grow with the number of samples.
"""

from __future__ import annotations

import functools
import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ..calibrate.methods import FEATURE_METHODS, default_feature_method
from ..calibrate.observe import Observation, Observer
from ..dataset import Sample, read_sample
from ..errors import DataError
from ..events import Log, Progress, Report
from ..ir import digest
from ..ort.session import Program
from ..plan import Choice
from ..quantize import Range
from ..simulate import Networks
from ..store import Store
from .fan import in_order

CHUNK = 8
"""Samples whose observations are stored together."""


@functools.cache
def backend() -> str:
    """Name what float values depend on besides the graph: onnxruntime's version and the instruction set."""
    flags = ""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    return digest(version("onnxruntime"), platform.machine(), flags)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a chunk of samples showed: observations per tensor, and a message for each sample that could not be read."""

    observations: Mapping[str, Observation]
    failures: tuple[str, ...]
    samples: int


def observe(
    networks: Networks,
    tensor_keys: Mapping[str, str],
    tensors: Sequence[str],
    samples: Sequence[Sample],
    *,
    store: Store,
    report: Report,
    executor: Executor | None = None,
) -> dict[str, Observation]:
    """Return the observation of each tensor over the samples (their keys filled in).

    `tensor_keys` are the keys of the float graph's tensors. Unreadable samples are reported and left out; DataError when none is readable.
    """
    total: dict[str, Observer] = {t: Observer() for t in tensors}
    read = 0
    failures: list[str] = []
    run = _Runner(networks, tensors)
    for start in range(0, len(samples), CHUNK):
        part = samples[start : start + CHUNK]
        place = digest("observe", backend(), _spec_key(networks), [s.key for s in part])
        chunk = _load(store, place, tensor_keys, tensors) or _compute(run, part, start, len(samples), executor, report)
        _save(store, place, tensor_keys, chunk)
        for tensor, seen in chunk.observations.items():
            total[tensor].absorb(seen)
        for failure in chunk.failures:
            report(Log(f"skipped: {failure}", "warning", "dataset"))
        failures += chunk.failures
        read += chunk.samples
        report(Progress("CollectFeatureDistribution", min(start + CHUNK, len(samples)), len(samples)))
    if not read:
        raise DataError(f"none of the {len(samples)} calibration samples is readable; the first one: {failures[0] if failures else 'none'}")
    return {t: o.result() for t, o in total.items()}


class _Runner:
    """The float program for calibration, compiled when the first chunk needs it."""

    def __init__(self, networks: Networks, tensors: Sequence[str]) -> None:
        self.networks, self.tensors = networks, tensors
        self.program = functools.cache(self._compile)

    def _compile(self) -> Program:
        return self.networks.floats(self.tensors)

    def __call__(self, sample: Sample) -> dict[str, Observation] | str:
        """Observe one sample; a sample that cannot be read gives the reason as a string."""
        try:
            loaded = read_sample(sample, self.networks.inputs.specs)
        except DataError as error:
            return str(error)
        feeds = self.networks.inputs.feeds(loaded.feeds)
        program = self.program()
        values = {**program.run(feeds), **{t: feeds[t] for t in self.tensors if t in feeds}}
        seen = {}
        for tensor in self.tensors:
            observer = Observer()
            for piece in program.pieces(tensor, values[tensor]):
                observer.update(piece)
            seen[tensor] = observer.result()
        return seen


def _compute(run: _Runner, part: Sequence[Sample], start: int, count: int, executor: Executor | None, report: Report) -> Chunk:
    run.program()
    merged: dict[str, Observer] = {t: Observer() for t in run.tensors}
    failures: list[str] = []
    for index, seen in enumerate(in_order(run, part, executor)):
        if isinstance(seen, str):
            failures.append(seen)
        else:
            for tensor, observation in seen.items():
                merged[tensor].absorb(observation)
        report(Progress("CollectFeatureDistribution", start + index + 1, count))
    return Chunk({t: o.result() for t, o in merged.items()}, tuple(failures), len(part) - len(failures))


def _spec_key(networks: Networks) -> str:
    return digest([(s.shape, s.color, s.name in networks.inputs.pictures) for s in networks.inputs.specs])


def _load(store: Store, place: str, tensor_keys: Mapping[str, str], tensors: Sequence[str]) -> Chunk | None:
    notes = store.get(digest(place, "notes"))
    if notes is None:
        return None
    found = {}
    for tensor in tensors:
        data = store.get(digest(place, tensor_keys[tensor]))
        if data is None:
            return None
        found[tensor] = Observation.from_bytes(data)
    failures, samples = json.loads(notes)
    return Chunk(found, tuple(failures), samples)


def _save(store: Store, place: str, tensor_keys: Mapping[str, str], chunk: Chunk) -> None:
    for tensor, seen in chunk.observations.items():
        key = digest(place, tensor_keys[tensor])
        if store.recall(key) is None:
            store.put(key, seen.to_bytes())
    key = digest(place, "notes")
    if store.recall(key) is None:
        store.put(key, json.dumps([chunk.failures, chunk.samples]).encode())


def range_finders(observations: Mapping[str, Observation], *, store: Store) -> dict[str, Callable[[Choice], Range]]:
    """Return, per tensor, the function from a choice (bits, method) to its range; ranges once found are kept in the store."""
    return {t: functools.partial(_range, o, digest(o.to_bytes()), store) for t, o in observations.items()}


def method_of(choice: Choice) -> str:
    """Return the feature method a choice means: the one it names, else the default of its width."""
    return choice.feature_method or default_feature_method(choice.feature_bits or 8)


def _range(observation: Observation, seen: str, store: Store, choice: Choice) -> Range:
    bits, method = choice.feature_bits or 8, method_of(choice)
    key = digest("range", method, bits, seen)
    known = store.get(key)
    if known is not None:
        low, high = json.loads(known)
        return low, high
    low, high = FEATURE_METHODS[method](observation, bits)
    if not (math.isfinite(low) and math.isfinite(high)):
        low = high = 0.0
    store.put(key, json.dumps([low, high]).encode())
    return low, high
