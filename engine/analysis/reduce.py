"""From the metrics of each sample to the row of a node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

SQNR_EXACT = 999.0
"""The SQNR, in dB, of a signal without any noise: JSON knows no infinity, and float32 noise ends near 150 dB."""

if TYPE_CHECKING:
    from .metrics import Local, Measured


@dataclass(frozen=True, slots=True)
class Row:
    """One node's metrics over all samples: means, and for the cosine its ends.

    Each metric is taken over the samples that have it and is None when none has. `count` counts all of them, `unmeasured` those
    without a cosine (a zero vector, or a value that is not finite), `nonfinite` those with NaN or infinity.
    """

    count: int = 0
    unmeasured: int = 0
    nonfinite: int = 0
    cosine_avg: float | None = None
    cosine_min: float | None = None
    cosine_max: float | None = None
    euc_distance: float | None = None
    standard_deviation: float | None = None
    max_absolute: float | None = None
    max_absolute_normalized: float | None = None
    sqnr_db: float | None = None
    saturation: float | None = None
    mean_error: float | None = None
    local_cosine: float | None = None
    local_sqnr_db: float | None = None


def reduce(samples: Sequence[Measured], local: Sequence[Local] = ()) -> Row:
    """Reduce the samples of one node, the vendor's way: the mean of each metric; minimum and maximum of the cosine too."""
    cosines = [m.cosine for m in samples if m.cosine is not None]
    return Row(
        count=len(samples),
        unmeasured=len(samples) - len(cosines),
        nonfinite=sum(m.nonfinite > 0 for m in samples),
        cosine_avg=mean(cosines),
        cosine_min=min(cosines, default=None),
        cosine_max=max(cosines, default=None),
        euc_distance=mean(m.euc_distance for m in samples),
        standard_deviation=mean(m.standard_deviation for m in samples),
        max_absolute=mean(m.max_absolute for m in samples),
        max_absolute_normalized=mean(m.max_absolute_normalized for m in samples),
        sqnr_db=mean_sqnr(m.sqnr_db for m in samples),
        saturation=mean(m.saturation for m in samples),
        mean_error=mean(m.mean_error for m in samples),
        local_cosine=mean(s.cosine for s in local),
        local_sqnr_db=mean_sqnr(s.sqnr_db for s in local),
    )


def mean_sqnr(values: Iterable[float | None]) -> float | None:
    """Return the mean of SQNR values in dB; samples without any noise say nothing about it where others have some."""
    known = [v for v in values if v is not None]
    noisy = [v for v in known if v < SQNR_EXACT]
    return mean(noisy or known)


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that exist, None when none does."""
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None
