"""Which preprocessing a network was trained with, told by the statistics of its first batch normalization.

Float and quantized network are both fed with what MEAN, NORMAL and COLOR make, so no cosine between them can show that these are wrong.
A batch normalization can: it holds mean and variance, per channel, of what it read in training. Pictures like those of the training give
about the same; a wrong preprocessing shifts and scales them. The distance is the symmetric Kullback-Leibler divergence of the two normal
distributions,

    J = ((s^2 + d^2) / t^2 + (t^2 + d^2) / s^2) / 2 - 1,    d the difference of the means, s and t the deviations,

and its median over the channels. How sure the order of two candidates is, resampling the pictures tells (Efron's bootstrap).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ...numerics import Array

TWICE = 2.0
"""A candidate fits better when the divergence of the other one is more than this many times its own."""

SLACK = 0.01
"""Divergences this close are the same: pictures of any kind differ as much from those of the training."""

FIT = 0.5
"""A larger divergence is no fit: right preprocessings show up to 0.25, on pictures of another kind than the training's."""

UNIT = 2.0
"""A NORMAL up to this looks as if it were meant for pixels from 0 to 1."""

FAR = 10.0
"""A candidate that fits this many times worse than the best one, on a few pictures, need not be compared on all."""

RESAMPLED, SURE = 200, 0.95
"""How often the pictures are drawn anew, and the share of draws that must agree."""

Answer = Literal["fits", "wrong", "unsure", "strange"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """MEAN and NORMAL per channel, and COLOR."""

    mean: tuple[float, ...]
    normal: tuple[float, ...]
    color: str

    def settings(self, other: Preprocessing) -> dict[str, Any]:
        """Return the keys of magik.cfg that differ from those of `other`, with the values here."""
        found: dict[str, Any] = {}
        if self.mean != other.mean:
            found["MEAN"] = [_plain(v) for v in self.mean]
        if self.normal != other.normal:
            found["NORMAL"] = [_plain(v) for v in self.normal]
        if self.color != other.color:
            found["COLOR"] = [self.color]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Mean and mean square of every channel on every picture: two arrays of shape (pictures, channels)."""

    mean: Array
    square: Array

    def divergence(self, mean: Array, deviation: Array, chosen: Array | None = None) -> float:
        """Return the median divergence from the statistics of a batch normalization; `chosen` are the pictures to take."""
        means, squares = (self.mean, self.square) if chosen is None else (self.mean[chosen], self.square[chosen])
        center = means.mean(0)
        s2 = np.maximum(squares.mean(0) - center * center, 1e-12)
        t2, d2 = np.maximum(np.square(deviation), 1e-12), np.square(center - mean)
        return float(np.median(((s2 + d2) / t2 + (t2 + d2) / s2) / 2 - 1))


@dataclass(frozen=True, slots=True)
class Judged:
    """What the statistics say of a configured preprocessing.

    "fits": nothing fits better; "wrong": `best` does, and resampling agrees; "unsure": it does, but not always; "strange": nothing that is
    usual fits. `divergence` is that of the configured one, `best_divergence` that of `best`, `agreed` the share of draws. `color` tells
    whether the order of colours matters to the statistics: the divergence with them swapped, beside `best`.
    """

    answer: Answer
    divergence: float
    best: Preprocessing
    best_divergence: float
    agreed: float
    swapped: float | None


def usual(configured: Preprocessing) -> list[Preprocessing]:
    """Return the preprocessings to compare: the configured one, what a slip would have made of it, and those that are in use.

    Slips are colours swapped, MEAN and NORMAL in units of 1 in place of 255, and their numbers in the other order.
    """
    channels = len(configured.mean)
    colors = ("RGB", "BGR") if channels == 3 else (configured.color,)
    pairs = [(configured.mean, configured.normal), (configured.mean[::-1], configured.normal[::-1])]
    if max(map(abs, configured.normal)) <= UNIT:
        pairs.append((_scaled(configured.mean), _scaled(configured.normal)))
    pairs += [(_each(mean, channels), _each(normal, channels)) for mean, normal in _PLAIN]
    found = [Preprocessing(mean, normal, color) for color in colors for mean, normal in pairs]
    if channels == 3:
        found += [Preprocessing(m, n, "RGB") for m, n in _RGB] + [Preprocessing(m[::-1], n[::-1], "BGR") for m, n in _RGB]
    return list(dict.fromkeys(found))


def likely(configured: Preprocessing) -> list[Preprocessing]:
    """Return what NORMAL was likely meant to be where it is far too small: in units of 255, or the usual half of the range."""
    mean = _scaled(configured.mean) if max(map(abs, configured.mean)) <= 1 else configured.mean
    normal = _scaled(configured.normal) if max(map(abs, configured.normal)) <= UNIT else _each(255, len(configured.normal))
    half = _each(127.5, len(configured.mean))
    found = [Preprocessing(mean, normal, configured.color), Preprocessing(half, half, configured.color)]
    return [p for p in found if p != configured]


_PLAIN: Sequence[tuple[float, float]] = ((0, 1), (0, 255), (127.5, 127.5))
_IMAGENET = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_RGB: Sequence[tuple[tuple[float, ...], tuple[float, ...]]] = (
    _IMAGENET,
    ((123.68, 116.78, 103.94), (1.0, 1.0, 1.0)),
    ((123.68, 116.78, 103.94), (58.8, 58.8, 58.8)),
)


def judge(seen: Mapping[Preprocessing, Channels], configured: Preprocessing, mean: Array, deviation: Array, *, seed: int = 0) -> Judged:
    """Compare the candidates `seen` on the pictures with the statistics of a batch normalization.

    Of candidates that fit about as well as the best one, that with the fewest changes counts, the configured one before all.
    """
    table = {c: channels.divergence(mean, deviation) for c, channels in seen.items()}
    least = min(table.values())
    fitting = [c for c, value in table.items() if value <= max(TWICE * least, least + SLACK)]
    best = min(fitting, key=lambda c: len(c.settings(configured)))
    own = table[configured]
    swapped = Preprocessing(best.mean, best.normal, best.color[::-1])
    other = table.get(swapped) if best.color != swapped.color else None
    if best == configured:
        return Judged("fits" if own <= FIT else "strange", own, best, own, 1.0, other)
    agreed = _agreement(seen[configured], seen[best], mean, deviation, seed)
    sure = agreed >= SURE and table[best] <= FIT
    return Judged("wrong" if sure else "unsure" if table[best] <= FIT else "strange", own, best, table[best], agreed, other)


def promising(seen: Mapping[Preprocessing, Channels], configured: Preprocessing, mean: Array, deviation: Array) -> list[Preprocessing]:
    """Return the candidates that a few pictures do not rule out, the configured one among them, each with its swapped colours."""
    table = {c: channels.divergence(mean, deviation) for c, channels in seen.items()}
    limit = FAR * min(table.values()) + FIT
    near = {replace(c, color="") for c, value in table.items() if value <= limit or c == configured}
    return [c for c in seen if replace(c, color="") in near]


def _agreement(one: Channels, other: Channels, mean: Array, deviation: Array, seed: int) -> float:
    """Return the share of draws of the pictures, with replacement, in which `other` fits better."""
    count = len(one.mean)
    draws = np.random.default_rng(seed).integers(0, count, (RESAMPLED, count))
    better = (one.divergence(mean, deviation, d) > other.divergence(mean, deviation, d) for d in draws)
    return sum(better) / RESAMPLED


def _scaled(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(255 * v, 6) for v in values)


def _each(value: float, channels: int) -> tuple[float, ...]:
    return (float(value),) * channels


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)
