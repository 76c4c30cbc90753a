"""Sensitivity: what each unit does to the output, alone quantized at every width, and alone left in float.

One plan is one run, and plans that change one unit of a plan that is known run only what follows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import Cancelled, DataError
from ..events import Progress, Report
from ..plan import Plan
from .scoring import Evaluator, Metric, Score, Unit
from .trials import alone, in_float, skipped, width_of

STAGE = "Sensitivity"


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What one unit does: scores at the output with nothing but it quantized (`alone`, by width), and with it in float (`in_float`).

    `bits` is the width the base plan asks for, `skipped` why that plan leaves the unit in float ("" when it does not). `local_error` is
    noise power over signal power of its own output when its inputs are float values. None, or missing, is what was not measured.
    """

    unit: Unit
    bits: int
    skipped: str = ""
    local_error: float | None = None
    alone: Mapping[int, Score] = field(default_factory=dict)
    in_float: Score | None = None


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """All units in graph order, the score of the base plan, how many plans were run; `interrupted` when some are missing."""

    base: Score
    units: tuple[Sensitivity, ...]
    runs: int
    interrupted: bool = False


def sensitivity(
    evaluator: Evaluator, widths: Sequence[int], finest: int, *, report: Report, metric: Metric = "cosine_avg", at: str = ""
) -> Sensitivities:
    """Measure every unit at every width; units that the base plan skips are measured alone as if it did not.

    What a unit alone reads has `finest` bits, the widest of the chip. The widths of the base plan come first, so that a sweep that is
    stopped has said the most. When `report` raises Cancelled, what is known by then is returned; before anything is known, it passes
    through. DataError when the base plan has no figure of `metric`.
    """
    base = evaluator.base
    start = evaluator.score(base, at)
    require(start, metric, at)
    work = _Work(evaluator, base, at, report)
    interrupted = False
    try:
        work.errors = evaluator.local_errors()
        work.run(_plans(base, evaluator.units, widths, finest))
    except Cancelled:
        interrupted = True
    found = tuple(work.of(unit) for unit in evaluator.units)
    return Sensitivities(start, found, work.done + 1, interrupted)


def require(score: Score, metric: Metric, at: str) -> None:
    """Raise DataError for a score without the figure that all depends on."""
    if score.of(metric) is None:
        where = at or "the outputs"
        raise DataError(f"no debug sample gives {where} a {metric}", hint="DEBUG_PATH names the samples; --at chooses another layer")


Asked = tuple[str, int | None]
"""A unit, and its width alone; None for it in float."""


def _plans(base: Plan, units: Sequence[Unit], widths: Sequence[int], finest: int) -> list[tuple[Asked, Plan]]:
    first = [((u.name, width_of(base, u)), alone(base, u, width_of(base, u), finest)) for u in units if width_of(base, u) in widths]
    floats = [((u.name, None), in_float(base, u)) for u in units if not skipped(base, u)]
    rest = [((u.name, b), alone(base, u, b, finest)) for b in widths for u in units if b != width_of(base, u)]
    return [*first, *floats, *rest]


@dataclass(slots=True)
class _Work:
    """What has been measured so far."""

    evaluator: Evaluator
    base: Plan
    at: str
    report: Report
    errors: Mapping[str, float] = field(default_factory=dict)
    known: dict[Asked, Score] = field(default_factory=dict)

    @property
    def done(self) -> int:
        return len(self.known)

    def run(self, asked: Sequence[tuple[Asked, Plan]]) -> None:
        self.report(Progress(STAGE, 0, len(asked)))
        scores = self.evaluator.scores((plan for _, plan in asked), self.at)
        for (what, _), score in zip(asked, scores, strict=True):
            self.known[what] = score
            self.report(Progress(STAGE, self.done, len(asked)))

    def of(self, unit: Unit) -> Sensitivity:
        by_width = {bits: score for (name, bits), score in self.known.items() if name == unit.name and bits is not None}
        return Sensitivity(
            unit,
            width_of(self.base, unit),
            skipped(self.base, unit),
            self.errors.get(unit.name),
            dict(sorted(by_width.items())),
            self.known.get((unit.name, None)),
        )


def alone_scores(
    evaluator: Evaluator, units: Sequence[Unit], widths: Sequence[int], finest: int, *, report: Report, at: str = ""
) -> Iterator[tuple[str, int, Score]]:
    """Yield (unit, width, score) of every unit alone at every width."""
    asked = [(u, b) for b in widths for u in units]
    plans = (alone(evaluator.base, u, b, finest) for u, b in asked)
    report(Progress(STAGE, 0, len(asked)))
    for done, ((unit, bits), score) in enumerate(zip(asked, evaluator.scores(plans, at), strict=True), 1):
        yield unit.name, bits, score
        report(Progress(STAGE, done, len(asked)))
