"""Answering the questions of a search: by the live engine's metrics, or by a program of the user's."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..analysis.bisect import Answer, Goal, Question
from ..analysis.bisect.problem import Floats
from ..analysis.scoring import METRICS, Score
from ..errors import OutputError
from ..events import Progress
from ..export.names import file_names
from ..lab import Lab
from ..lab.outputs import outputs
from ..messages import to_line
from ..numerics import Array
from ..plan import Plan
from .command import Program
from .suspects import with_floats

Judge = Callable[[Question], Answer]

STEP = "step-"
"""What the folders of steps are called in the beginning."""
ABANDONED = 86400.0
"""Seconds after which such a folder belongs to nobody: whoever judges a step looks for it while it does."""
AHEAD = 8
"""Sets that are computed side by side at most: where one of them turns out good, the others were for nothing."""
NO_FIGURE = "there is no such figure: the values are all zero, or no numbers"


@contextlib.contextmanager
def judge_of(lab: Lab, goal: Goal, folder: Path, timeout: float, done: int = 0) -> Iterator[Judge]:
    """Give what answers questions about a project, `done` of them being answered; a program's files lie below `folder` while it works."""
    if goal.measured:
        yield _Measuring(lab, goal)
        return
    program = Program.parse(goal.metric, timeout)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _forget_abandoned(folder)
        place = Path(tempfile.mkdtemp(prefix=STEP, dir=folder))
    except OSError as error:
        raise OutputError(f"cannot make a folder in it: {error.strerror}", where=str(folder)) from error
    try:
        yield _Judging(lab, program, place.absolute(), done)
    finally:
        shutil.rmtree(place, ignore_errors=True)


class _Measuring:
    """A metric as a judge. Where many processes compute, what will most likely be asked is computed beside what is asked."""

    def __init__(self, lab: Lab, goal: Goal) -> None:
        self.lab, self.goal = lab, goal
        self.values: dict[Floats, float | None] = {}

    def __call__(self, question: Question) -> Answer:
        if question.floats not in self.values:
            sets = (question.floats, *(question.coming[: AHEAD - 1] if self.lab.fan else ()))
            scores = self.lab.scores((with_floats(self.lab.base, floats) for floats in sets), self.goal.at)
            self.values |= {floats: value_of(score, self.goal) for floats, score in zip(sets, scores, strict=True)}
        value = self.values[question.floats]
        return Answer(self.goal.judge(value), value, "" if value is not None else NO_FIGURE)


def _forget_abandoned(folder: Path) -> None:
    """Remove what runs that were killed left of their steps."""
    for path in folder.glob(f"{STEP}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def value_of(score: Score, goal: Goal) -> float | None:
    """Return the figure of a score that a goal is about."""
    return next((score.of(metric) for metric in METRICS if metric == goal.metric), None)


class _Judging:
    """A program as a judge; it counts its steps."""

    def __init__(self, lab: Lab, program: Program, place: Path, done: int) -> None:
        self.lab, self.program, self.place, self.count = lab, program, place, done
        self.sides: tuple[str, ...] = ("quantized", "float")

    def __call__(self, question: Question) -> Answer:
        self.count += 1
        plan = with_floats(self.lab.base, question.floats)
        document = self.lab.evaluate(plan)
        try:
            self._write(plan)
        except OSError as error:
            raise OutputError(f"the outputs cannot be written: {error.strerror}", where=str(self.place)) from error
        environment = {
            "MAGIK_OUTPUTS": str(self.place),
            "MAGIK_PROJECT": str(self.lab.job.root.absolute()),
            "MAGIK_STEP": str(self.count),
        }
        return self.program.judge(self.place, to_line(document).encode(), environment, self._waiting)

    def _waiting(self) -> None:
        os.utime(self.place)
        self.lab.report(Progress("Judge", 0, 1))

    def _write(self, plan: Plan) -> None:
        """Write every sample's outputs, and the list of them; the float ones once."""
        folders = file_names(self.lab.samples)
        index = []
        for made in outputs(self.lab, plan):
            entry: dict[str, object] = {"sample": made.sample}
            for side, values in (("quantized", made.quantized), ("float", made.floats)):
                names = file_names(values)
                files = {name: f"{side}/{folders[made.sample]}/{names[name]}.npy" for name in values}
                entry[side] = files
                for name, file in files.items():
                    if side in self.sides:
                        _save(self.place / file, values[name])
            index.append(entry)
        self.sides = ("quantized",)
        (self.place / "index.json").write_text(json.dumps(index, ensure_ascii=False, indent=1), "utf-8")


def _save(path: Path, value: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, value, allow_pickle=False)
