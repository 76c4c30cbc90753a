"""Calibration: observe the features of the float network over the calibration samples, then choose ranges.

Observations are stored per chunk of samples, under the key of each tensor, so a run that was killed resumes, a picture added costs one
chunk, and a configuration that changes only methods or bits reads no picture at all. Memory does not grow with the number of samples.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..calibrate.methods import FEATURE_METHODS, default_feature_method
from ..calibrate.observe import Observation, Observer
from ..dataset import InputSpec, Loaded, Sample, none_readable, read_sample
from ..errors import DataError, WorkError
from ..events import Log, Progress, Report
from ..ir import digest
from ..numerics import Array
from ..ort.session import Program
from ..plan import Choice
from ..quantize import Range
from ..simulate import Networks, side_by_side
from ..store import Store
from ..version import backend
from .fan import in_order

CHUNK = 8
"""Samples whose observations are stored together, on average; never more than twice as many."""

READ_AHEAD = 8
"""Samples that are read and decoded before their turn: enough to do while the network is compiled."""

RUN_AHEAD = 3
"""Samples that are run, or wait to be counted, at most."""

TOGETHER = 4
"""Samples whose values are counted at once: a histogram of 16384 counts costs as much to add as 16384 values to count."""

COUNTED = 1 << 14
"""Values of a feature that enter its histogram per sample, about: of a larger one every k-th position counts, k without a common factor
with the width, so that every column is seen. Minimum and maximum are always those of all values."""


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
    chunks = list(chunked(samples))
    what = sorted(tensor_keys[t] for t in tensors)
    places = [digest("observe", backend(), COUNTED, _spec_key(networks), what, [s.key for s in chunk]) for chunk in chunks]
    known = [store.has(place) for place in places]  # read one by one below: together they would grow with the samples
    source = _Source(networks, tensors)
    fresh = [s for stored, chunk in zip(known, chunks, strict=True) if not stored for s in chunk]
    ahead = side_by_side(networks.graph, RUN_AHEAD)
    made = in_order(source.run, in_order(source.load, fresh, executor, READ_AHEAD), executor, ahead)
    total = {t: Observer() for t in tensors}
    done, read = 0, 0
    failures: list[str] = []

    def tell(count: int) -> None:
        report(Progress("CollectFeatureDistribution", done + count, len(samples)))

    for place, stored, part in zip(places, known, chunks, strict=True):
        chunk = _load(store, place, tensor_keys, tensors) if stored else None
        if chunk is None:
            chunk = source.observe(map(source.run, map(source.load, part)) if stored else itertools.islice(made, len(part)), tell)
            _save(store, place, tensor_keys, chunk)
        done += len(part)
        tell(0)
        for tensor, seen in chunk.observations.items():
            total[tensor].absorb(seen)
        for failure in chunk.failures:
            report(Log(f"skipped: {failure}", "warning", "dataset"))
        failures += chunk.failures
        read += chunk.samples
    if not read:
        raise DataError(none_readable(len(samples), "calibration", failures[0] if failures else "none"))
    return {t: o.result() for t, o in total.items()}


def chunked(samples: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Cut samples into chunks of about CHUNK.

    The content of a sample decides whether a chunk ends behind it, so a picture that comes or goes, wherever, changes its own chunk and
    seldom another one.
    """
    start = 0
    for end, sample in enumerate(samples, 1):
        if int(sample.key[:8] or "0", 16) % CHUNK == 0 or end - start == 2 * CHUNK:
            yield samples[start:end]
            start = end
    if start < len(samples):
        yield samples[start:]


def read(sample: Sample, specs: Sequence[InputSpec]) -> Loaded:
    """Return a sample's feeds. WorkError when it is not what its key says: what it gives would be stored for what it was."""
    loaded = read_sample(sample, specs)
    if sample.key and loaded.sample.key != sample.key:
        raise WorkError("the sample was changed while the work went on", where=sample.name, hint="run it again")
    return loaded


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """What calibration takes of one feature on one sample: its exact extremes, and the values that enter the histogram."""

    low: float
    high: float
    nonfinite: int
    part: Array


class _Source:
    """Runs samples on the float program (compiled when the first one needs it) and observes what they give.

    Running and looking are done by the executor's threads, where the values are still in the cache; counting, which numpy cannot do side
    by side, by the caller's thread.
    """

    def __init__(self, networks: Networks, tensors: Sequence[str]) -> None:
        self.networks, self.tensors = networks, tensors
        self.strides = {t: stride_of(k.shape) for t, k in networks.graph.types.items() if t in set(tensors)}

    def load(self, sample: Sample) -> Loaded | str:
        """Return what is fed of one sample; of one that cannot be read, the reason."""
        try:
            return read(sample, self.networks.inputs.specs)
        except DataError as error:
            return str(error)

    def run(self, loaded: Loaded | str) -> dict[str, Glimpse] | str:
        """Return what one sample shows; of one that could not be read, the reason."""
        if isinstance(loaded, str):
            return loaded
        feeds = self.networks.inputs.feeds(loaded)
        program = self.networks.floats()
        runner = program.borrow()
        values = {**runner.run(feeds), **{t: feeds[t] for t in self.tensors if t in feeds}}
        seen = {t: glimpse(program, t, values[t], self.strides[t]) for t in self.tensors}
        program.give_back(runner)
        return seen

    def observe(self, runs: Iterable[dict[str, Glimpse] | str], tell: Callable[[int], None]) -> Chunk:
        """Observe a chunk of samples that have been run, a few of them at a time."""
        observers = {t: Observer() for t in self.tensors}
        failures: list[str] = []
        waiting: list[dict[str, Glimpse]] = []
        count = 0
        for count, found in enumerate(runs, 1):
            if isinstance(found, str):
                failures.append(found)
                continue
            waiting.append(found)
            if len(waiting) == TOGETHER:
                _count(observers, waiting)
            tell(count)
        _count(observers, waiting)
        return Chunk({t: o.result() for t, o in observers.items()}, tuple(failures), count - len(failures))


def _count(observers: Mapping[str, Observer], waiting: list[dict[str, Glimpse]]) -> None:
    """Let each observer count what the samples that wait show of its feature; none waits any more."""
    for tensor, observer in observers.items() if waiting else ():
        for found in waiting:
            observer.extremes(found[tensor].low, found[tensor].high, found[tensor].nonfinite)
        observer.count_part(np.concatenate([found[tensor].part for found in waiting]))
    waiting.clear()


def glimpse(program: Program, tensor: str, value: Array, stride: int) -> Glimpse:
    """Take the extremes of all values, and a copy of every `stride`-th position.

    It has to be a copy even where numpy would hand out a view: the next run writes into the same buffers while this one is counted.
    """
    low, high, part = program.skim(tensor, value, stride)
    if not value.size or (math.isfinite(low) and math.isfinite(high)):
        return Glimpse(low, high, 0, part)
    pieces = program.pieces(tensor, value)
    finite = [p[np.isfinite(p)] for p in pieces]
    lows, highs = [float(p.min()) for p in finite if p.size], [float(p.max()) for p in finite if p.size]
    missing = sum(p.size for p in pieces) - sum(p.size for p in finite)
    return Glimpse(min(lows, default=math.inf), max(highs, default=-math.inf), missing, part)


def stride_of(shape: tuple[int, ...]) -> int:
    """Return the largest k that leaves about COUNTED values of a feature and shares no factor with its width; 1 unless of rank 4."""
    if len(shape) != 4:
        return 1
    k = max(1, math.prod(shape) // COUNTED)
    while math.gcd(k, shape[3]) > 1:
        k -= 1
    return k


def _spec_key(networks: Networks) -> str:
    return digest([(s.shape, s.color, s.name in networks.inputs.pictures) for s in networks.inputs.specs])


def _load(store: Store, place: str, tensor_keys: Mapping[str, str], tensors: Sequence[str]) -> Chunk | None:
    """Return a chunk from the store if it holds every tensor asked for."""
    data = store.get(place)
    if data is None:
        return None
    head, blob = _unpack(data)
    spans = {key: (start, size) for key, start, size in head["observations"]}
    if not all(tensor_keys[t] in spans for t in tensors):
        return None
    found = {}
    for tensor in tensors:
        start, size = spans[tensor_keys[tensor]]
        found[tensor] = Observation.from_bytes(blob[start : start + size])
    return Chunk(found, tuple(head["failures"]), head["samples"])


def _save(store: Store, place: str, tensor_keys: Mapping[str, str], chunk: Chunk) -> None:
    """Store a chunk as one object: a JSON head behind its length, then the observations."""
    spans, blobs, start = [], [], 0
    for tensor, seen in chunk.observations.items():
        blob = seen.to_bytes()
        spans.append((tensor_keys[tensor], start, len(blob)))
        blobs.append(blob)
        start += len(blob)
    head = json.dumps({"observations": spans, "failures": chunk.failures, "samples": chunk.samples}).encode()
    store.put(place, len(head).to_bytes(8, "little") + head + b"".join(blobs))


def _unpack(data: bytes) -> tuple[dict[str, Any], bytes]:
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def range_finders(
    observations: Mapping[str, Observation], *, store: Store, executor: Executor | None = None
) -> dict[str, Callable[[Choice], Range]]:
    """Return, per tensor, the function from a choice (bits, method) to its range.

    Ranges once found are kept in the store: by the executor's threads, if there is one, since a file takes half as long as a search.
    """
    return {t: _finder(o, store, executor) for t, o in observations.items()}


def _finder(observation: Observation, store: Store, executor: Executor | None) -> Callable[[Choice], Range]:
    seen = digest(observation.to_bytes())
    known: dict[tuple[int, str], Range] = {}

    def find(choice: Choice) -> Range:
        key = choice.feature_bits or 8, method_of(choice)
        if key not in known:  # searches ask hundreds of times for the same few
            known[key] = _range(observation, seen, store, executor, *key)
        return known[key]

    return find


def method_of(choice: Choice) -> str:
    """Return the feature method a choice means: the one it names, else the default of its width."""
    return choice.feature_method or default_feature_method(choice.feature_bits or 8)


def _range(observation: Observation, seen: str, store: Store, executor: Executor | None, bits: int, method: str) -> Range:
    key = digest("range", backend(), method, bits, seen)
    known = store.get(key)
    if known is not None:
        low, high = json.loads(known)
        return low, high
    low, high = FEATURE_METHODS[method](observation, bits)
    if not (math.isfinite(low) and math.isfinite(high)):
        low = high = 0.0
    data = json.dumps([low, high]).encode()
    if executor:
        executor.submit(store.put, key, data)
    else:
        store.put(key, data)
    return low, high
