"""Which preprocessing a network was trained with, told by what it remembers of a tensor near its input.

Float and quantized network are both fed with what MEAN, NORMAL and COLOR make, so no cosine between them can show that these are wrong.
A batch normalization can: it holds mean and variance, per channel, of what it read in training. Pictures like those of the training give
about the same; a wrong preprocessing shifts and scales them. The distance is the symmetric Kullback-Leibler divergence of the two normal
distributions,

    J = ((s^2 + d^2) / t^2 + (t^2 + d^2) / s^2) / 2 - 1,    d the difference of the means, s and t the deviations,

and its median over the channels. Where batch normalizations are folded away, the mean of a linear bottleneck is still known: zero, about.
No deviation is, so that of the pictures takes its place, and the distance is twice the logarithm of the likelihood ratio of the two means,

    L = ln(1 + d^2 / s^2),

averaged over the channels: each keeps a little offset of its own, a wrong preprocessing gives many channels a large one. How sure the order
of two candidates is, resampling the pictures tells (Efron's bootstrap), and for L the channels as well.
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

FIT_MEAN = 0.1
"""The same for the mean alone: right preprocessings showed up to 0.07, usual wrong ones 0.05 to 27."""

UNIT = 2.0
"""A NORMAL up to this looks as if it were meant for pixels from 0 to 1."""

FAR = 10.0
"""A candidate that fits this many times worse than the best one, on a few pictures, need not be compared on all."""

RESAMPLED, SURE = 200, 0.95
"""How often the pictures are drawn anew, and the share of draws that must agree."""

ALIKE = 0.05
"""Two MEAN and NORMAL that differ by less than this share of NORMAL are the same to any network."""

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

    def numbers_like(self, other: Preprocessing) -> bool:
        """Tell whether MEAN and NORMAL are those of `other`, or so near that no network would feel it."""
        pairs = (*zip(self.mean, other.mean, other.normal, strict=True), *zip(self.normal, other.normal, other.normal, strict=True))
        return all(abs(a - b) <= ALIKE * abs(unit) for a, b, unit in pairs)


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What is known of a tensor over the training: its mean per channel, and its deviation, None where that is not known."""

    mean: Array
    deviation: Array | None = None

    @property
    def fit(self) -> float:
        """A larger divergence is no fit."""
        return FIT_MEAN if self.deviation is None else FIT


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """Mean and mean square of every channel on every picture: two arrays of shape (pictures, channels)."""

    mean: Array
    square: Array

    def divergence(self, known: Memory, chosen: Array | None = None, columns: Array | None = None) -> float:
        """Return the divergence from what is known of the training; `chosen` are the pictures to take, `columns` the channels."""
        means, squares = (self.mean, self.square) if chosen is None else (self.mean[chosen], self.square[chosen])
        center = means.mean(0)
        s2, d2 = np.maximum(squares.mean(0) - center * center, 1e-12), np.square(center - known.mean)
        if known.deviation is None:
            ratios = np.log1p(d2 / s2)
            return float(ratios.mean() if columns is None else ratios[columns].mean())
        t2 = np.maximum(np.square(known.deviation), 1e-12)
        return float(np.median(((s2 + d2) / t2 + (t2 + d2) / s2) / 2 - 1))


@dataclass(frozen=True, slots=True)
class Judged:
    """What the statistics say of a configured preprocessing.

    "fits": nothing fits better; "wrong": `best` does, and resampling agrees; "unsure": it does, but not always; "strange": nothing that is
    usual fits. `divergence` is that of the configured one, `best_divergence` that of `best`, `agreed` the share of draws. `swapped` tells
    whether the order of colours matters to the statistics: the divergence with them swapped, beside `best`. `rival` has other numbers than
    `best`, the same colours, and fits as well.
    """

    answer: Answer
    divergence: float
    best: Preprocessing
    best_divergence: float
    agreed: float
    swapped: float | None
    rival: Preprocessing | None = None


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


def judge(seen: Mapping[Preprocessing, Channels], configured: Preprocessing, known: Memory, *, seed: int = 0) -> Judged:
    """Compare the candidates `seen` on the pictures with what is known of the training.

    Of candidates that fit about as well as the best one, that with the fewest changes counts, the configured one before all.
    """
    table = {c: channels.divergence(known) for c, channels in seen.items()}
    least = min(table.values())
    fitting = [c for c, value in table.items() if value <= max(TWICE * least, least + SLACK)]
    best = min(fitting, key=lambda c: len(c.settings(configured)))
    own = table[configured]
    swapped = Preprocessing(best.mean, best.normal, best.color[::-1])
    other = table.get(swapped) if best.color != swapped.color else None
    rivals = [c for c in fitting if c.color == best.color and not c.numbers_like(best)]
    rival = min(rivals, key=lambda c: table[c], default=None)
    fits = table[best] <= known.fit
    if best == configured:
        return Judged("fits" if fits else "strange", own, best, own, 1.0, other, rival)
    agreed = _agreement(seen[configured], seen[best], known, seed)
    answer: Answer = "strange" if not fits else "wrong" if agreed >= SURE else "unsure"
    return Judged(answer, own, best, table[best], agreed, other, rival)


def promising(seen: Mapping[Preprocessing, Channels], configured: Preprocessing, known: Memory) -> list[Preprocessing]:
    """Return the candidates that a few pictures do not rule out, the configured one among them, each with its swapped colours."""
    table = {c: channels.divergence(known) for c, channels in seen.items()}
    limit = FAR * min(table.values()) + known.fit
    near = {replace(c, color="") for c, value in table.items() if value <= limit or c == configured}
    return [c for c in seen if replace(c, color="") in near]


def _agreement(one: Channels, other: Channels, known: Memory, seed: int) -> float:
    """Return the share of draws of the pictures, and of channels where these differ by chance, in which `other` fits better."""
    (count, channels), random = one.mean.shape, np.random.default_rng(seed)
    draws = random.integers(0, count, (RESAMPLED, count))
    columns = random.integers(0, channels, (RESAMPLED, channels))
    better = (one.divergence(known, d, c) > other.divergence(known, d, c) for d, c in zip(draws, columns, strict=True))
    return sum(better) / RESAMPLED


def _scaled(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(255 * v, 6) for v in values)


def _each(value: float, channels: int) -> tuple[float, ...]:
    return (float(value),) * channels


def _plain(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)
