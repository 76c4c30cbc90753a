"""The figures of one measured network that a diagnosis speaks of, and the guide's verdict on them."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..reduce import mean

HEALTHY = 0.99
"""The guide's threshold for every layer, and for the first one."""

MIDDLE = 0.98
"""What a few layers in the middle may have, and what the mean over layers must have."""

LAST = 0.95
"""An output below this has lost it to quantization."""

FEW = 0.1
"""The share of the layers that "a few" are at most; one always may."""

Verdict = Literal["healthy", "doubtful", "unhealthy"]


@dataclass(frozen=True, slots=True)
class Figures:
    """How a network does over the debug samples, against the float one.

    `cosine_avg`, `cosine_min` and `sqnr_db` are those of the worst output, `mean` is that of the integer layers' `cosine_avg`; `below_99`
    and `below_98` count layers, `worst` and `first` name layers, `drop` the first one below MIDDLE. `samples` holds the cosine of the
    worst output on every sample. None where there is no such figure.
    """

    cosine_avg: float | None
    cosine_min: float | None
    sqnr_db: float | None
    mean: float | None
    layers: int
    below_99: int
    below_98: int
    worst: str
    worst_cosine: float | None
    first: str
    first_cosine: float | None
    first_saturation: float | None
    drop: str
    drop_cosine: float | None
    drop_local: float | None
    samples: tuple[tuple[str, float | None], ...]

    @property
    def noise(self) -> float:
        """Noise power over signal power at the worst output: cosine^2 = 1 / (1 + noise) for an error at right angles."""
        return noise_of(self.cosine_avg)


def noise_of(cosine: float | None) -> float:
    """Return noise power over signal power at a cosine; infinite where nothing of the signal is left."""
    return math.inf if cosine is None or cosine <= 1e-6 else max(1 / (cosine * cosine) - 1, 0.0)


def cosine_of(noise: float) -> float:
    """Return the cosine that stands for a noise: the inverse of `noise_of`."""
    return 1 / math.sqrt(1 + noise)


def figures_of(document: Mapping[str, Any], places: Collection[str], only: Collection[str] | None = None) -> Figures:
    """Return the figures of a document of `magik-tui run --json` whose outputs are the layers `places`.

    With `only` they are those of the samples of these names; `sqnr_db`, which documents have no part of, is None then.
    """
    rows = [(row, _cosines(row, only)) for row in document["nodes"]]
    rows = [(row, cosines) for row, cosines in rows if mean(cosines.values()) is not None]
    ends = [(row, cosines) for row, cosines in rows if row["name"] in places]
    table = [(row, _average(row, cosines, only)) for row, cosines in rows if row["quantized"]]
    low = min(table, key=lambda pair: pair[1], default=({"name": ""}, None))
    drop = next(((row, value) for row, value in table if value < MIDDLE), None)
    first = table[0] if table else None
    return Figures(
        _least(_average(row, cosines, only) for row, cosines in ends),
        _least(v for _, cosines in ends for v in cosines.values()),
        _least(row["sqnr_db"] for row, _ in ends) if only is None else None,
        mean(value for _, value in table),
        len(table),
        sum(value < HEALTHY for _, value in table),
        sum(value < MIDDLE for _, value in table),
        str(low[0]["name"]),
        low[1],
        str(first[0]["name"]) if first else "",
        first[1] if first else None,
        first[0]["saturation"] if first else None,
        str(drop[0]["name"]) if drop else "",
        drop[1] if drop else None,
        drop[0]["local_cosine"] if drop else None,
        tuple(_worst_of([cosines for _, cosines in ends])),
    )


def verdict(figures: Figures) -> Verdict:
    """Return the guide's verdict.

    Healthy: every layer has HEALTHY, a few in the middle MIDDLE. Unhealthy: the mean over layers or an output is below MIDDLE, or the
    first layer below HEALTHY. Between the two it is doubtful.
    """
    output, first = figures.cosine_avg or 0.0, figures.first_cosine
    wrong_first = first is not None and first < HEALTHY
    if output < MIDDLE or wrong_first or (figures.mean or 0.0) < MIDDLE:
        return "unhealthy"
    few = max(1, int(FEW * figures.layers))
    return "healthy" if output >= HEALTHY and not figures.below_98 and figures.below_99 <= few else "doubtful"


def _cosines(row: Mapping[str, Any], only: Collection[str] | None) -> dict[str, float | None]:
    return {s["sample"]: s["cosine"] for s in row["samples"] if only is None or s["sample"] in only}


def _average(row: Mapping[str, Any], cosines: Mapping[str, float | None], only: Collection[str] | None) -> float:
    """Return the mean cosine; over all samples it is the document's own, to the last digit."""
    value = row["cosine_avg"] if only is None else mean(cosines.values())
    return 0.0 if value is None else float(value)


def _worst_of(ends: Sequence[Mapping[str, float | None]]) -> Iterable[tuple[str, float | None]]:
    for sample in ends[0] if ends else ():
        yield sample, _least(cosines.get(sample) for cosines in ends)


def _least(values: Iterable[float | None]) -> float | None:
    return min((v for v in values if v is not None), default=None)
