"""What the worker says of a diagnosis, and its rows: findings, fixes, operators, samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

Kind = Literal["head", "finding", "untried", "fix", "operator", "sample", "line", "step"]


class Finding(msgspec.Struct, frozen=True):
    """One claim with the numbers it rests on; `level` is bad, hint, help, fine or unknown."""

    topic: str = ""
    level: str = ""
    claim: str = ""
    numbers: dict[str, Any] = {}


class Figures(msgspec.Struct, frozen=True):
    """How a network does at its worst output."""

    cosine_avg: float | None = None
    cosine_min: float | None = None


class Cost(msgspec.Struct, frozen=True):
    """Relative to 8 bits everywhere, and the share of the work in float."""

    features: float | None = None
    weights: float | None = None
    floats: float = 0.0


class Fix(msgspec.Struct, frozen=True):
    """A change that helps: what it sets, what it gained on how many samples, what it costs, and what else a person has to do."""

    rank: int = 0
    title: str = ""
    config: dict[str, Any] = {}
    bit_file: dict[str, dict[str, int]] = {}
    without: tuple[str, ...] = ()
    do: str = ""
    caution: str = ""
    gain: float | None = None
    noise_left: float | None = None
    better: int = 0
    samples: int = 0
    heals: bool = False
    restores: bool = False
    before: Figures = Figures()
    after: Figures = Figures()
    cost: Cost = Cost()

    @property
    def written(self) -> bool:
        """Whether the project's files can say it, or a part of it."""
        return bool(self.config or self.bit_file)

    @property
    def todo(self) -> str:
        """What is left to a person once the files say it; how entries get into the file of the bits is no matter of theirs."""
        return "" if self.bit_file and not self.without else self.do


class Operator(msgspec.Struct, frozen=True):
    """An operator to blame; `again` is the outputs' cosine with it alone quantized again."""

    name: str = ""
    op: str = ""
    local_error: float | None = None
    again: float | None = None


class Operators(msgspec.Struct, frozen=True):
    """Those that have to be float for the target, and what the outputs have then."""

    target: float | None = None
    healed: float | None = None
    minimal: bool = False
    culprits: tuple[Operator, ...] = ()


class Sample(msgspec.Struct, frozen=True):
    """A sample, with its cosine where it is a debug sample, and what is wrong with it; `key` names its set, "" for DEBUG_PATH."""

    sample: str = ""
    cosine: float | None = None
    poor: bool = False
    fault: str = ""
    key: str = ""


class Untried(msgspec.Struct, frozen=True):
    """What was not tried, and why."""

    what: str = ""
    why: str = ""


class Diagnosed(msgspec.Struct, frozen=True):
    """The answer to `diagnose`."""

    verdict: str = ""
    cause: str = ""
    hint: bool = False
    headline: Finding = Finding()
    findings: tuple[Finding, ...] = ()
    fixes: tuple[Fix, ...] = ()
    operators: Operators = Operators()
    calibration_pictures: tuple[Sample, ...] = ()
    debug_samples: tuple[Sample, ...] = ()
    untried: tuple[Untried, ...] = ()
    warnings: tuple[str, ...] = ()
    recipes: tuple[tuple[str, ...], ...] = ()
    markdown: str = ""


class Before(msgspec.Struct, frozen=True):
    """A file as it was before a fix; `version` is the one that the fix wrote."""

    file: str
    text: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: `text` of a head, a line of a recipe or a step; `value` is what it is about."""

    kind: Kind
    text: str = ""
    value: Finding | Untried | Fix | Operator | Sample | None = None


def entries_of(found: Diagnosed | None, steps: tuple[str, ...], opened: int) -> tuple[Entry, ...]:
    """Return the rows: the steps while there is nothing better, the lines of the fix of rank `opened`, or the whole diagnosis."""
    if found is None:
        return tuple(Entry("step", step) for step in steps)
    if opened:
        recipe = next((lines for fix, lines in zip(found.fixes, found.recipes, strict=False) if fix.rank == opened), ())
        return tuple(Entry("line", line) for line in recipe)
    return tuple(_entries(found))


def _entries(found: Diagnosed) -> Iterator[Entry]:
    yield Entry("head", "found")
    yield from (Entry("finding", value=finding) for finding in found.findings)
    yield from (Entry("untried", value=each) for each in found.untried)
    yield Entry("head", "fixes")
    yield from (Entry("fix", value=fix) for fix in found.fixes)
    if found.operators.culprits:
        yield Entry("head", "operators")
        yield from (Entry("operator", value=each) for each in found.operators.culprits)
    samples = samples_of(found)
    if samples:
        yield Entry("head", "samples")
        yield from (Entry("sample", value=each) for each in samples)


def samples_of(found: Diagnosed) -> tuple[Sample, ...]:
    """Return the samples that are to be looked at: debug samples that do badly or look odd, and calibration pictures that teach little."""
    debug = sorted((s for s in found.debug_samples if s.poor or s.fault), key=lambda s: (not s.poor, s.cosine or 0.0))
    return (*debug, *(msgspec.structs.replace(s, key="QUANT_DATASET_PATH") for s in found.calibration_pictures))


def named(found: Diagnosed, value: object) -> tuple[tuple[str, ...], tuple[Sample, ...]]:
    """Return the layers and the samples that a row is about."""
    if isinstance(value, Operator):
        return (value.name,), ()
    if isinstance(value, Sample):
        return (), (value,)
    if not isinstance(value, Finding):
        return (), ()
    texts = [each for each in value.numbers.values() if isinstance(each, str)]
    if value.topic == "operators":
        texts = [each.name for each in found.operators.culprits]
    if value.topic in ("debug_samples", "calibration_pictures"):
        wanted = "" if value.topic == "debug_samples" else "QUANT_DATASET_PATH"
        return (), tuple(s for s in samples_of(found) if s.key == wanted)
    return tuple(dict.fromkeys(texts)), ()
