"""The calibration set looked at: too few or too many samples, pictures that teach nothing, copies, and those that are measured on as well.

Ranges are those of what the pictures show. A border, a black or a grey background fills a histogram with one value and leaves too little of
it to what the network looks at; the vendor's guide names this as the fourth cause of a bad cosine. Limits are rules of thumb, on a
thumbnail: all of it is warned of, nothing is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .events import Log, Report
from .ir import digest
from .pictures import is_grey, thumbnail
from .reading import is_picture, read_bytes
from .samples import Sample
from .store import Store

FEWEST, MOST = 10, 200
SIDE = 32
"""Longer side of the thumbnails."""

PADDED = 0.5
"""Share of a picture, lying in rows and columns of one tone along its edges, from which on it is mostly padding."""

FILLED = 0.75
"""Share of a picture within NEAR of one tone from which on that tone is its background."""

NEAR, DARK, COLOURLESS = 6, 24, 12
"""In levels of 255: how far a tone reaches, what is black, how far the channels of a grey are apart."""

FAULTS = ("mostly padding", "mostly black", "mostly grey")

Pixels = NDArray[np.uint8]


def fault(pixels: Pixels) -> str:
    """Return what is wrong with a picture of shape (height, width, 3): one of FAULTS, or ""."""
    red, green, blue = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    if np.count_nonzero(high < DARK) >= FILLED * high.size:
        return "mostly black"
    if padding(high, low) >= PADDED:
        return "mostly padding"
    common = int(np.bincount(high.reshape(-1), minlength=256).argmax())
    near = (high >= max(common - NEAR, 0)) & (high <= min(common + NEAR, 255)) & (high - low <= COLOURLESS)
    return "mostly grey" if np.count_nonzero(near) >= FILLED * high.size else ""


def padding(high: Pixels, low: Pixels) -> float:
    """Return the share of a picture in the rows and columns of one tone along its edges, 1 for a picture of one tone.

    `high` and `low` are the brightest and the darkest channel of each pixel, of shape (height, width).
    """
    planes = np.stack([high, low]).astype(np.int16)
    left = 1.0
    for lines in (planes, planes.transpose(0, 2, 1)):
        count = lines.shape[1]
        left *= max(count - _edge(lines) - _edge(lines[:, ::-1]), 0) / count
    return 1.0 - left


def _edge(lines: NDArray[np.int16]) -> int:
    """Return how many lines from the first on have the tone of its first pixel; `lines` has the shape (2, lines, pixels)."""
    same = (np.abs(lines - lines[:, :1, :1]) <= NEAR).all(axis=(0, 2))
    return int(same.argmin()) if not same.all() else len(same)


Looked = Callable[[], list[tuple[Sample, str]]]


def check(calibration: Sequence[Sample], debug: Sequence[Sample], looked: Looked, *, report: Report) -> None:
    """Report, as warnings, what is odd about the calibration set; `looked` is what `look` returned."""
    said = [*count_warnings(len(calibration)), *copies(calibration), *shared(calibration, debug)]
    found = looked()
    for kind in FAULTS:
        names = [sample.name for sample, what in found if what == kind]
        if names:
            said.append(f"{_number(len(names), 'picture is', 'pictures are')} {kind}: {_listed(names)}; choose others")
    for text in said:
        report(Log(f"QUANT_DATASET_PATH: {text}", "warning", "dataset"))


def look(samples: Sequence[Sample], *, store: Store, executor: Executor | None = None) -> Looked:
    """Begin to look at the samples with pictures; what is returned waits, and gives each with its fault or "".

    Looking at pictures that were looked at before costs nothing.
    """
    pictures = [s for s in samples if any(map(is_picture, s.paths))]
    place = digest("datacheck", 1, [s.key for s in pictures])
    known = store.get(place)
    begun = executor.map(_look, pictures) if executor and known is None else None

    def looked() -> list[tuple[Sample, str]]:
        if known is not None:
            return list(zip(pictures, json.loads(known), strict=True))
        found = list(begun if begun is not None else map(_look, pictures))
        store.put(place, json.dumps(found).encode())
        return list(zip(pictures, found, strict=True))

    return looked


def count_warnings(count: int) -> list[str]:
    """Return the warning for a set of `count` samples that is too small or larger than it need be."""
    return [] if FEWEST <= count <= MOST else [f"{_number(count, 'sample', 'samples')}, {FEWEST} to {MOST} are advised"]


def copies(samples: Sequence[Sample]) -> list[str]:
    """Return the warning for samples of the same content."""
    first: dict[str, str] = {}
    twice = [(s.name, first[s.key]) for s in samples if first.setdefault(s.key, s.name) != s.name]
    return [f"{len(twice)} of {len(samples)} samples are copies: {_listed(f'{a} of {b}' for a, b in twice)}"] if twice else []


def shared(calibration: Sequence[Sample], debug: Sequence[Sample]) -> list[str]:
    """Return the warning for samples that are measured on as well."""
    seen = {s.key for s in calibration}
    names = [s.name for s in debug if s.key in seen]
    if not names:
        return []
    return [f"{len(names)} of {len(debug)} samples of DEBUG_PATH are in it too, so their cosines are too good: {_listed(names)}"]


def faults(pictures: Sequence[Sample], store: Store, executor: Executor | None = None) -> list[tuple[Sample, str]]:
    """Return each sample with pictures with its fault, "" where there is none; one that was looked at before is not opened."""
    return look(pictures, store=store, executor=executor)()


def _look(sample: Sample) -> str:
    """Return the first fault among a sample's pictures; none for one that cannot be read, which calibration reports.

    In a sample folder a picture of one channel is not judged: a mask may well be black.
    """
    for path in filter(is_picture, sample.paths):
        try:
            data = read_bytes(path)
            judged = sample.is_picture or not is_grey(data, str(path))
            found = fault(thumbnail(data, str(path), SIDE)) if judged else ""
        except DataError:
            continue
        if found:
            return found
    return ""


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _listed(names: Iterable[str], most: int = 5) -> str:
    table = list(names)
    return ", ".join(table[:most]) + (f" and {len(table) - most} more" if len(table) > most else "")
