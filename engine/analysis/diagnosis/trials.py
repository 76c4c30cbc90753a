"""Changes that were tried, what they gained, and the order in which to recommend them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .costs import Cost
from .figures import Figures, verdict

QUIET = 0.9
"""A change helps when it leaves at most this part of the noise at the outputs: what is less may be chance."""

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
        """Whether the network is healthy with it, and was not before."""
        return verdict(self.after) == "healthy" != verdict(self.before)


def ranked(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that help, the most advisable first.

    Another preprocessing comes before all, as far as there is evidence or a hint that the present one is wrong. Then what heals, the
    cheapest first; then the rest by what it gains; last what is to be taken with caution. What another one of the same kind does better,
    at no higher cost, is left out.
    """
    found = [t for t in trials if t.helps or t.change.kind == "preprocessing"]
    return sorted((t for t in found if not any(_outdone(t, other) for other in found)), key=_order)


def _outdone(trial: Trial, other: Trial) -> bool:
    """Tell whether another trial does better; one of several changes has to be clearly better than a part of it alone."""
    if trial.change.kind == "preprocessing" or (other.change.caution and not trial.change.caution):
        return False
    no_dearer = other.cost.order <= trial.cost.order and other.heals >= trial.heals
    if trial.change.kind == "together":
        return no_dearer and other.change.kind in PARTS and QUIET * other.noise_left <= trial.noise_left
    return no_dearer and other.change.kind == trial.change.kind and other.noise_left < trial.noise_left


def _order(trial: Trial) -> tuple[Any, ...]:
    heals = trial.heals
    cost = trial.cost.order if heals else ()
    fed = trial.change.kind == "preprocessing"
    return not fed, bool(trial.change.caution), not heals, cost, trial.noise_left


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
