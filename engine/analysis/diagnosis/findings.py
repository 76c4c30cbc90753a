"""Findings as values: what is claimed, the numbers it rests on, and how bad it is. Words and numbers are apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .figures import HEALTHY, MIDDLE, Figures, noise_of, verdict
from .trials import Kind, Trial

Side = Literal["weights", "features", "both"]
Level = Literal["bad", "hint", "help", "fine", "unknown"]
Value = float | int | str | None

BLAME = 3.0
"""One side is to blame when its noise alone is at least this many times that of the other side."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim: `words` with a place for each of `numbers`, which were measured (or are names of what was).

    `level`: "bad" is at fault, "hint" may be, "help" was tried and helps, "fine" is not at fault, "unknown" cannot be told from here.
    """

    topic: str
    level: Level
    words: str
    numbers: Mapping[str, Value] = field(default_factory=dict)

    @property
    def claim(self) -> str:
        """The sentence."""
        return self.words.format(**self.numbers)


def health(figures: Figures) -> Finding:
    """Return the guide's verdict, with what it goes by."""
    found = verdict(figures)
    numbers: dict[str, Value] = {
        "output": figures.cosine_avg,
        "lowest": figures.cosine_min,
        "mean": figures.mean,
        "layers": figures.layers,
        "below_99": figures.below_99,
        "below_98": figures.below_98,
        "worst": figures.worst,
        "worst_cosine": figures.worst_cosine,
    }
    words = (
        "outputs {output:.5f} (worst sample {lowest:.5f}), mean over {layers} integer layers {mean:.5f}; {below_99} of them below 0.99, "
        "{below_98} below 0.98 (by the mean over the samples); the worst is {worst} with {worst_cosine:.5f}"
    )
    if figures.drop and figures.drop != figures.worst:
        numbers |= {"drop": figures.drop, "drop_cosine": figures.drop_cosine}
        words += "; the first below 0.98 is {drop} with {drop_cosine:.5f}"
    return Finding("health", "fine" if found == "healthy" else "bad", words, numbers)


def sides(whole: Figures, weights: Figures, features: Figures) -> tuple[Finding, Side]:
    """Return what the two fake-quantized runs say: which side is to blame."""
    one, other = weights.noise, features.noise
    side: Side = "both"
    if one >= BLAME * other:
        side = "weights"
    elif other >= BLAME * one:
        side = "features"
    numbers: dict[str, Value] = {"whole": whole.cosine_avg, "weights": weights.cosine_avg, "features": features.cosine_avg}
    runs = "with only the weights quantized the outputs have {weights:.5f}, with only the activations {features:.5f}"
    level: Level = "fine" if verdict(whole) == "healthy" else "bad"
    if not one + other:
        return Finding("sides", "fine", runs + ": neither loses anything", numbers), "both"
    if side == "both":
        return Finding("sides", level, runs + ": both lose accuracy", numbers), side
    numbers["times"] = max(one, other) / min(one, other) if min(one, other) else None
    who = "the activations" if side == "features" else "the weights"
    times = "" if numbers["times"] is None else ", {times:.1f} times the noise of the other side"
    return Finding("sides", level, f"{runs}: {who} make most of the noise{times}", numbers), side


def first_layer(figures: Figures, bits: int | None, widest: int, at_widest: float | None, alike: float | None) -> Finding:
    """Return what is known of the first layer, which the guide wants above HEALTHY.

    `at_widest` is its cosine at the widest width of the chip, `alike` that with ranges from pictures like those measured on; None: not
    tried. It says nothing of MEAN, NORMAL and COLOR by itself: both networks are fed with them.
    """
    numbers: dict[str, Value] = {"first": figures.first, "cosine": figures.first_cosine, "saturation": figures.first_saturation}
    if (figures.first_cosine or 0.0) >= HEALTHY:
        return Finding("first_layer", "fine", "the first layer, {first}, has {cosine:.5f}", numbers)
    words = "the first layer, {first}, has only {cosine:.5f}"
    if figures.first_saturation:
        words += "; {saturation:.1%} of its values lie beyond its range"
    if at_widest is not None:
        numbers |= {"bits": bits, "widest": widest, "at_widest": at_widest}
        words += "; with {widest} bits in place of {bits} it has {at_widest:.5f}"
    if alike is not None:
        numbers["alike"] = alike
        words += "; calibrated on pictures like those measured on, {alike:.5f}"
    causes = [text for value, text in ((at_widest, "too few bits"), (alike, "the calibration set")) if (value or 0.0) >= HEALTHY]
    numbers["cause"] = " or ".join(causes)
    return Finding("first_layer", "bad", words + (": {cause} is the cause" if causes else ""), numbers)


def tried(topic: str, kinds: Sequence[Kind], trials: Iterable[Trial], what: tuple[str, str]) -> Finding | None:
    """Return what the best trial of some kinds gained, None when none was tried; `what` says so where it helps, and where it does not."""
    mine = [t for t in trials if t.change.kind in kinds and t.gain is not None]
    if not mine:
        return None
    best = min(mine, key=lambda t: t.noise_left)
    numbers = {"title": best.change.title, **gained(best), "tried": len(mine)}
    if best.helps:
        return Finding(topic, "help", f"{what[0]}: {{title}}, {words_of(best)}", numbers)
    return Finding(topic, "fine", f"{what[1]}: the best of {{tried}} tried is {{title}}, {words_of(best)}", numbers)


def words_of(trial: Trial) -> str:
    """Return how a trial did, for the numbers of `gained`; noise that came out of nothing has no measure."""
    left = "{left:.0%} of the noise left, " if math.isfinite(trial.noise_left) else ""
    return "{before:.5f} -> {after:.5f} at the outputs, " + left + "better on {better} of {samples} samples"


def gained(trial: Trial) -> dict[str, Value]:
    """Return the numbers of a trial."""
    return {
        "before": trial.before.cosine_avg,
        "after": trial.after.cosine_avg,
        "left": trial.noise_left if math.isfinite(trial.noise_left) else None,
        "better": trial.better,
        "samples": len(trial.after.samples),
    }


POOR = 4.0
"""A sample is poor when its noise is this many times that of the median sample and its cosine is below HEALTHY, or below MIDDLE anyway."""


def poor_samples(figures: Figures) -> list[str]:
    """Return the names of the debug samples that do badly, the worst first."""
    known = sorted((value, name) for name, value in figures.samples if value is not None)
    if not known:
        return []
    median = noise_of(known[len(known) // 2][0])
    return [name for value, name in known if value < MIDDLE or (value < HEALTHY and noise_of(value) > POOR * median)]


def debug_samples(figures: Figures, poor: Sequence[str], faults: Mapping[str, str]) -> Finding:
    """Return which debug samples do badly; `faults` are those of the pictures among all of them."""
    values = sorted(value for _, value in figures.samples if value is not None)
    numbers: dict[str, Value] = {"count": len(figures.samples), "poor": len(poor)}
    if not values:
        return Finding("debug_samples", "unknown", "no debug sample has a cosine", numbers)
    numbers |= {"least": values[0], "median": values[len(values) // 2]}
    if not poor:
        words = "no debug sample stands out: the worst has {least:.5f}, the median {median:.5f}"
        return Finding("debug_samples", "fine", words, numbers)
    numbers["name"] = poor[0] + (f" ({faults[poor[0]]})" if faults.get(poor[0]) else "")
    words = "{poor} of {count} debug samples do badly, the worst is {name} with {least:.5f}; the median has {median:.5f}"
    return Finding("debug_samples", "bad", words, numbers)
