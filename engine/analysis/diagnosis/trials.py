"""Changes that were tried, what they gained, and the order in which to recommend them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .costs import LITTLE, Cost
from .figures import HEALTHY, Figures, verdict

QUIET = 0.9
"""A change helps when it leaves at most this part of the noise at the outputs: what is less may be chance."""

QUARTER = 0.25
"""What is left of the noise where a change makes good outputs."""

HALF = 0.5
"""What is left of the noise at most where a change nearly heals; one that leaves more heals nothing, whatever threshold it passes."""

Kind = Literal["preprocessing", "width", "method", "correction", "samples", "operators", "together"]


PARTS: Sequence[Kind] = ("width", "method", "correction")
"""Kinds that magik.cfg alone can say, and that go together."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a project.

    `config` holds keys of magik.cfg with their plain values, None for a key to take out; `bits` the feature bits of nodes for
    magik_node_quant_bit_info.json; `without` samples to take out of the calibration set. `do` says what else a person has to do, `caution`
    what the measurement does not prove.
    """

    kind: Kind
    title: str
    config: Mapping[str, Any] = field(default_factory=dict)
    bits: Mapping[str, int] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    do: str = ""
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A change with the figures before and after it, on the same samples, and the costs."""

    change: Change
    before: Figures
    after: Figures
    cost_before: Cost
    cost: Cost

    @property
    def gain(self) -> float | None:
        """The gain in cosine at the worst output."""
        if self.before.cosine_avg is None or self.after.cosine_avg is None:
            return None
        return self.after.cosine_avg - self.before.cosine_avg

    @property
    def noise_left(self) -> float:
        """Noise power at the worst output after the change, over that before it."""
        before, after = self.before.noise, self.after.noise
        if not before:
            return 1.0 if not after else math.inf
        return after / before if math.isfinite(before) else 1.0 if math.isinf(after) else 0.0

    @property
    def better(self) -> int:
        """The samples on which the worst output gained."""
        before = dict(self.before.samples)
        return sum(1 for name, value in self.after.samples if value is not None and value > (before.get(name) or -1.0))

    @property
    def helps(self) -> bool:
        """Whether the noise is clearly less, and so on most samples."""
        return self.noise_left <= QUIET and 2 * self.better > len(self.after.samples)

    @property
    def heals(self) -> bool:
        """Whether the network is healthy with it, was not before, and half of the noise is gone."""
        return verdict(self.after) == "healthy" != verdict(self.before) and self.halves

    @property
    def halves(self) -> bool:
        """Whether half of the noise at the outputs is gone, on most samples."""
        return self.helps and self.noise_left <= HALF

    @property
    def restores(self) -> bool:
        """Whether the outputs are good with it, whatever layers in the middle have."""
        return self.helps and self.noise_left <= QUARTER and (self.after.cosine_avg or 0.0) >= HEALTHY

    @property
    def dear(self) -> bool:
        """Whether it puts much of the work in float."""
        return self.cost.floats - self.cost_before.floats > LITTLE


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that help, the most advisable first.

    Another preprocessing comes before all, as far as there is evidence or a hint that the present one is wrong. Then what heals or, where
    nothing does, makes good outputs, or better ones for less than something that heals: the cheapest first. Then what takes half of the
    noise, by what is left of it times the cost; what is good with much of the work in float; the rest; last what is to be taken with
    caution. What another one of the same kind does better, at no higher cost, is left out.
    """
    found = [t for t in trials if t.helps or t.change.kind == "preprocessing"]
    kept = [t for t in found if not any(_outdone(t, other) for other in found)]
    healing = [t for t in kept if t.heals and not t.change.caution and not t.dear]
    return sorted(kept, key=lambda trial: _order(trial, healing))


def _outdone(trial: Trial, other: Trial) -> bool:
    """Tell whether another trial does better; one of several changes has to be clearly better than a part of it alone."""
    if trial.change.kind == "preprocessing" or (other.change.caution and not trial.change.caution):
        return False
    no_dearer = other.cost.order <= trial.cost.order and other.heals >= trial.heals
    if trial.change.kind == "together":
        return no_dearer and other.change.kind in PARTS and QUIET * other.noise_left <= trial.noise_left
    return no_dearer and other.change.kind == trial.change.kind and other.noise_left < trial.noise_left


def _order(trial: Trial, healing: Sequence[Trial]) -> tuple[Any, ...]:
    better = not healing or any(trial.cost.order <= h.cost.order and trial.noise_left <= h.noise_left for h in healing)
    enough = trial.heals or (trial.restores and (better or trial.dear))
    step = (2 if trial.dear else 0) if enough else 1 if trial.halves and not trial.dear else 3
    worth = trial.cost.order if enough else (trial.dear, trial.noise_left * trial.cost.amount)
    return trial.change.kind != "preprocessing", bool(trial.change.caution), step, worth, trial.noise_left


def together(trials: Sequence[Trial]) -> Change | None:
    """Return all settings that help, each key as the trial with the least noise has it; None when that is no more than one of them.

    Only what magik.cfg can say is put together: files and operators stay apart.
    """
    config: dict[str, Any] = {}
    titles = []
    for trial in sorted(trials, key=lambda t: t.noise_left):
        change = trial.change
        if not trial.helps or change.bits or change.without or change.do or change.kind not in PARTS:
            continue
        if not set(config) & set(change.config):
            config |= change.config
            titles.append(change.title)
    return Change("together", " and ".join(titles), config) if len(titles) > 1 else None
