"""Pictures and .bin samples -> what is fed to the inputs of a network.

`samples.list_samples` finds them; here they are loaded, one at a time: memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.events import Log, Report, silent
from engine.pictures import CHANNELS, decode_picture, load_picture
from engine.reading import is_picture, read_bytes
from engine.samples import Sample, content_key, list_samples, match_inputs, sample_key, unclaimed

__all__ = [
    "Feed",
    "InputSpec",
    "Loaded",
    "Sample",
    "check_specs",
    "iter_samples",
    "list_samples",
    "load_bin",
    "load_picture",
    "load_sample",
    "match_inputs",
    "read_sample",
    "sample_key",
]

Feed = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the network: its logical shape (N, C, H, W for a picture) and how pictures become pixels.

    `color` decides the order of the channels here; `mean` and `normal` travel along for the graph's BatchNormScale.
    """

    name: str
    shape: tuple[int, ...]
    mean: tuple[float, ...] = (0.0,)
    normal: tuple[float, ...] = (1.0,)
    color: str = "RGB"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A sample that has been read (its key is known), the array for each input, and which of these are pixels."""

    sample: Sample
    feeds: Mapping[str, Feed]
    pixels: frozenset[str] = frozenset()


def load_bin(path: Path, shape: Sequence[int]) -> Feed:
    """Return the array of `shape` in the .bin file at `path`.

    Little-endian float32, or uint8 where the file has one byte an element. DataError for any other size, NaN, infinity.
    """
    return _decode_bin(read_bytes(path), path, shape)


def load_sample(sample: Sample, specs: Sequence[InputSpec]) -> dict[str, Feed]:
    """Return the array for each input: a picture as uint8 (1, H, W, C), a .bin in its logical shape, float32 or uint8.

    MEAN and NORMAL are not applied, the graph does that. DataError as from `load_picture`, `load_bin`, `match_inputs`.
    """
    return dict(read_sample(sample, specs).feeds)


def read_sample(sample: Sample, specs: Sequence[InputSpec]) -> Loaded:
    """Return `sample` with its key, and its feeds as `load_sample` has them; every file is read once."""
    check_specs(sample, specs)
    data = {path: read_bytes(path) for path in sample.paths}
    table = {spec.name: spec for spec in specs}
    files = {specs[0].name: sample.paths[0]} if sample.is_picture else match_inputs(sample, list(table))
    feeds: dict[str, Feed] = {}
    for name, path in files.items():
        spec = table[name]
        if not is_picture(path):
            feeds[name] = _decode_bin(data[path], path, spec.shape)
            continue
        _check_picture(spec, str(path))
        channels, height, width = spec.shape[1:]
        pixels = decode_picture(data[path], str(path), height=height, width=width, channels=channels, color=spec.color)
        feeds[name] = pixels[np.newaxis]
    pictures = frozenset(name for name, path in files.items() if is_picture(path))
    return Loaded(replace(sample, key=content_key(sample, list(data.values()))), feeds, pictures)


def check_specs(sample: Sample, specs: Sequence[InputSpec]) -> None:
    """Raise DataError when samples of this kind cannot feed these inputs, whatever the files hold."""
    if not sample.is_picture:
        return
    if len(specs) != 1:
        names = ", ".join(spec.name for spec in specs)
        hint = "give it sample folders with one .bin or picture per input"
        raise DataError(f"one picture cannot feed {len(specs)} inputs ({names})", where=sample.name, hint=hint)
    _check_picture(specs[0], sample.name)


def _check_picture(spec: InputSpec, where: str) -> None:
    if len(spec.shape) != 4 or spec.shape[0] != 1 or spec.shape[1] != CHANNELS.get(spec.color):
        expected = f"[1,{CHANNELS.get(spec.color, 3)},height,width]"
        raise DataError(
            f"{spec.color} pictures cannot feed input {spec.name} of shape {list(spec.shape)}, expected {expected}",
            where=where,
            hint="see COLOR and INPUT_SHAPE, or give it .bin samples",
        )


def iter_samples(
    samples: Iterable[Sample],
    specs: Sequence[InputSpec],
    report: Report = silent,
    *,
    executor: Executor | None = None,
    ahead: int = 2,
) -> Iterator[tuple[Sample, Mapping[str, Feed]]]:
    """Yield each readable sample, its key filled in, with its feeds, in order, each file read and decoded once.

    A sample that cannot be read is reported as a warning and passed over; DataError at the end when none could be. With
    an `executor` up to `ahead` samples are decoded while the caller works on another; no more are ever held.
    """
    specs = tuple(specs)
    tried, failures = 0, []
    for sample, outcome in _outcomes(samples, specs, executor, max(1, ahead)):
        if not tried:
            check_specs(sample, specs)
            _tell_of_unclaimed(sample, specs, report)
        tried += 1
        if isinstance(outcome, DataError):
            failures.append(outcome)
            report(Log(f"skipped: {outcome}", level="warning", source="dataset"))
        else:
            yield outcome.sample, outcome.feeds
    if not tried:
        raise DataError("no samples, expected at least one")
    if len(failures) == tried:
        said = "the sample is unreadable" if tried == 1 else f"each of the {tried} samples is unreadable; the first one"
        raise DataError(f"{said}: {failures[0]}")


def none_readable(count: int, what: str, first: object) -> str:
    """Return the message that of `count` samples of a kind none can be read; `first` says why the first of them cannot."""
    if count == 1:
        return f"the only {what} sample is not readable: {first}"
    return f"none of the {count} {what} samples is readable; the first one: {first}"


def _tell_of_unclaimed(sample: Sample, specs: Sequence[InputSpec], report: Report) -> None:
    left = () if sample.is_picture else unclaimed(sample, [spec.name for spec in specs])
    if left:
        names = ", ".join(ascii(path.name) for path in left)
        report(Log(f"sample {sample.name}: no input takes {names}", level="warning", source="dataset"))


def _outcomes(
    samples: Iterable[Sample], specs: tuple[InputSpec, ...], executor: Executor | None, ahead: int
) -> Iterator[tuple[Sample, Loaded | DataError]]:
    if executor is None:
        for sample in samples:
            yield sample, _attempt(sample, specs)
        return
    waiting: deque[tuple[Sample, Future[Loaded | DataError]]] = deque()
    try:
        for sample in samples:
            waiting.append((sample, executor.submit(_attempt, sample, specs)))
            if len(waiting) >= ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def _attempt(sample: Sample, specs: tuple[InputSpec, ...]) -> Loaded | DataError:
    """Return the failure as a value: whoever waits for a future decides what it means."""
    try:
        return read_sample(sample, specs)
    except DataError as error:
        return error


def _decode_bin(data: bytes, path: Path, shape: Sequence[int]) -> Feed:
    count = math.prod(shape)
    if len(data) == count:
        return np.frombuffer(data, np.uint8).reshape(shape)
    if len(data) != 4 * count:
        expected = f"{4 * count} (float32) or {count} (uint8) for shape {list(shape)}"
        raise DataError(f"{len(data)} bytes, expected {expected}", where=str(path))
    values = np.frombuffer(data, "<f4").astype(np.float32, copy=False).reshape(shape)
    if not np.isfinite(values).all():
        raise DataError("holds NaN or infinity, expected finite float32 numbers", where=str(path))
    return values
