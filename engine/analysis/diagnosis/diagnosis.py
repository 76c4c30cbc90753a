"""A whole diagnosis as one value, and what it says first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .costs import Cost
from .figures import Figures, Verdict, verdict
from .findings import Finding, Side, Value, gained
from .trials import Trial, ranked

Cause = Literal["none", "preprocessing", "calibration", "width", "weights", "activations", "operators", "both"]

USUAL = 8
"""Bits below this are few for any network."""

HALF = 0.5
"""What a wider width has to leave less of the noise than, before the width is blamed."""

SHARE = 1 / 3
"""Culprits are "a few operators" up to this share of all."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """One operator that has to be float for the target, from a checked set; `again` is the outputs' cosine with it quantized again."""

    name: str
    op: str
    local_error: float
    again: float | None


@dataclass(frozen=True, slots=True)
class Culprits:
    """The operators found: with them in float the outputs reach `target`, `healed` is what they have then.

    `minimal`: without any one of them the target is missed. `evaluations` counts judged networks. `reason` says why there are none.
    `more` is a higher target that was sought first, and `crowd` the number of operators that it takes; 0 where no part of them was enough.
    """

    target: float
    healed: float | None = None
    operators: int = 0
    members: tuple[Culprit, ...] = ()
    minimal: bool = False
    evaluations: int = 0
    reason: str = ""
    more: float | None = None
    crowd: int = 0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything a diagnosis found; `untried` pairs what was not tried with the reason, `bits` are those asked of features and weights.

    `timing` says how many seconds each part took.
    """

    model: str
    soc: str
    figures: Figures
    cost: Cost
    findings: tuple[Finding, ...]
    trials: tuple[Trial, ...]
    side: Side
    bits: tuple[int, int]
    culprits: Culprits
    untried: tuple[tuple[str, str], ...]
    calibration_faults: Mapping[str, str]
    debug_faults: Mapping[str, str]
    poor: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        return verdict(self.figures)

    @property
    def fixes(self) -> list[Trial]:
        """The changes that help, the most advisable first."""
        return ranked(self.trials)

    def finding(self, topic: str) -> Finding | None:
        """Return the finding of a topic."""
        return next((f for f in self.findings if f.topic == topic), None)

    @property
    def cause(self) -> Cause:
        """The one cause that is named first: what the network is fed, then what it is calibrated on, then what loses the accuracy."""
        fed = self.finding("preprocessing")
        if fed is not None and fed.level == "bad":
            return "preprocessing"
        if self.verdict == "healthy":
            return "none"
        calibration = self.finding("calibration_set")
        if calibration is not None and calibration.level == "bad":
            return "calibration"
        if self.narrow:
            return "width"
        if self.side == "features":
            few = 0 < len(self.culprits.members) <= SHARE * self.culprits.operators
            return "operators" if few else "activations"
        return self.side

    @property
    def narrow(self) -> bool:
        """Whether the side that loses the accuracy has few bits, and wider ones leave less than half of the noise."""
        return bool(self._few())

    def _few(self) -> str:
        """Return the widths that are too few, in words; "" where none is."""
        found = []
        for bits, key, what in zip(self.bits, ("QUANT_FEATURE_BIT", "QUANT_WEIGHT_BIT"), ("features", "weights"), strict=True):
            wider = (t for t in self.trials if t.change.kind == "width" and key in t.change.config)
            if bits < USUAL and self.side in (what, "both") and any(t.noise_left < HALF for t in wider):
                found.append(f"{bits} bits for {what}")
        return " and ".join(found)

    @property
    def hinted(self) -> bool:
        """Whether something speaks for a wrong preprocessing without proving it."""
        fed = self.finding("preprocessing")
        return fed is not None and fed.level == "hint"

    def _suspect(self) -> str:
        """Return what a hint says of the preprocessing."""
        fed = self.finding("preprocessing")
        keys = fed.numbers.get("suspect") if fed is not None else None
        return f"{keys} is likely right, in place of what is configured" if keys else "NORMAL is likely missing or too small"

    def headline(self) -> Finding:
        """Return what is said first: verdict, cause, and the first fix with its measured gain."""
        cause = self.cause
        numbers: dict[str, Value] = {"bits": self._few()} if cause == "width" else {}
        claim = _CAUSES[cause] if cause == "preprocessing" else f"{self.verdict}: {_CAUSES[cause]}"
        if self.hinted:
            claim = f"{{suspect}}, which was not proved; look at that first. Apart from it {claim}"
            numbers["suspect"] = self._suspect()
        support = self.finding(_SUPPORT[cause])
        if support is not None:
            numbers["because"] = support.claim
            claim += " ({because})"
        fixes = [f for f in self.fixes if not (self.hinted and f.change.kind == "preprocessing")]
        if fixes and cause != "none":
            first = fixes[0]
            numbers |= {"title": first.change.title, "rank": self.fixes.index(first) + 1, **gained(first)}
            claim += f". Fix {{rank}}, {{title}}, {_mends(first, cause)}: outputs {{before:.5f}} -> {{after:.5f}}"
        return Finding("headline", "fine" if cause == "none" else "bad", claim, numbers)


_CAUSES: Mapping[Cause, str] = {
    "none": "nothing has to be mended. If the board does badly all the same, compare its layers with magik_dump_path, and the float "
    "network's answers with those of the training framework",
    "preprocessing": "the network is fed with something else than in its training; mend that first, then diagnose again",
    "calibration": "the calibration set does not show what the network is measured on",
    "width": "{bits} are too few",
    "weights": "the weights lose the accuracy",
    "activations": "the activations lose the accuracy, in many operators",
    "operators": "the activations lose the accuracy, in a few operators",
    "both": "weights and activations both lose accuracy",
}

_SUPPORT: Mapping[Cause, str] = {
    "none": "health",
    "preprocessing": "preprocessing",
    "calibration": "calibration_set",
    "width": "sides",
    "weights": "sides",
    "activations": "sides",
    "operators": "operators",
    "both": "sides",
}


def operators(found: Culprits) -> Finding:
    """Return what the bisection says."""
    numbers: dict[str, Value] = {"target": found.target, "evaluations": found.evaluations, "operators": found.operators}
    if not found.members:
        numbers["reason"] = found.reason
        return Finding("operators", "unknown", "no operators were singled out: {reason}", numbers)
    numbers |= {"count": len(found.members), "healed": found.healed, "worst": _worst(found.members)}
    words = "{count} of {operators} operators in float bring the outputs to {healed:.5f}"
    words += ", and none of them can be left out" if found.minimal else ", the smallest such set seen"
    words += " for {target:.5f} ({evaluations} networks judged); first of all {worst}"
    if found.more is not None:
        numbers |= {"more": found.more, "crowd": found.crowd}
        words += "; for {more:.5f} " + ("it takes {crowd}" if found.crowd else "no part of the operators was enough")
    return Finding("operators", "bad", words, numbers)


def _mends(fix: Trial, cause: Cause) -> str:
    """Return what the first fix does, in words."""
    if cause == "preprocessing":
        return "comes first"
    return "heals it" if fix.heals else "makes the outputs good" if fix.restores else "helps most"


def _worst(members: Sequence[Culprit]) -> str:
    return min(members, key=lambda m: (m.again if m.again is not None else 2.0, -m.local_error)).name
