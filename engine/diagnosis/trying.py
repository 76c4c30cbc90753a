"""Trying a change on the live engine: only what it changes is computed, and it is measured on the samples of the diagnosis."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..analysis.diagnosis.costs import Cost, cost_of
from ..analysis.diagnosis.figures import Figures, figures_of
from ..analysis.diagnosis.trials import Change, Trial
from ..config import override
from ..dataset import Sample
from ..errors import Cancelled, MagikError
from ..events import Event, Log, Progress
from ..jsontext import printable
from ..lab import Lab
from ..lab.opening import OF_THE_PLAN
from ..plan import Plan
from ..sources import Sources

STAGE = "Diagnose"


@dataclass(slots=True, eq=False)
class Bench:
    """The project as it is, with its figures, and what is tried on it.

    `done` counts the networks measured, `total` those expected. A change that cannot be tried is no Trial: `failures` says why. `seconds`
    says what took how long.
    """

    lab: Lab
    document: Mapping[str, Any]
    figures: Figures
    cost: Cost
    done: int = 0
    total: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time until the block ends to what `name` took."""
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def settings(self, *changes: Change) -> list[Trial]:
        """Try the keys of magik.cfg that each change sets."""

        def opened(change: Change) -> tuple[Lab, Plan]:
            lab = under(self.lab, change.config)
            # where all it changes is the plan, what it shares with the project as it is stays at hand
            return (self.lab if lab.core is self.lab.core else lab), lab.base

        return [t for change in changes for t in self._tried(change, functools.partial(opened, change))]

    def plan(self, change: Change, plan: Plan) -> list[Trial]:
        """Try a plan."""
        return self._tried(change, lambda: (self.lab, plan))

    def calibrated(self, change: Change, samples: Collection[Sample], only: Collection[str] | None = None) -> list[Trial]:
        """Try the project calibrated on other samples; with `only` it is judged on the debug samples of these names."""
        config = replace(self.lab.config, quant_dataset_size=None)
        return self.sourced(change, replace(self.lab.sources, config=config, calibration=tuple(samples)), only)

    def sourced(self, change: Change, sources: Sources, only: Collection[str] | None = None) -> list[Trial]:
        """Try the project on other samples, whatever its folders hold."""

        def opened() -> tuple[Lab, Plan]:
            lab = self.lab.reading(sources, self.lab.job, self.quietly)
            return lab, lab.base

        return self._tried(change, opened, only)

    def seen(self, settings: Mapping[str, Any]) -> Figures:
        """Return the figures under other keys of magik.cfg, for a comparison that is no change to recommend."""
        self._step(", ".join(f"{k} {json.dumps(v)}" for k, v in settings.items()))
        with self.timed("sides"):
            lab = under(self.lab, settings)
            return figures_of(lab.telling(self.quietly).evaluate(lab.base, local=False), lab.places())

    def _tried(self, change: Change, opened: Callable[[], tuple[Lab, Plan]], only: Collection[str] | None = None) -> list[Trial]:
        """Return the one trial of a change, none where it fails."""
        self._step(change.title)
        try:
            with self.timed(change.title):
                lab, plan = opened()
                if lab.core is not self.lab.core:
                    lab = lab.beside(self.lab)
                document = lab.telling(self.quietly).evaluate(plan, local=False)
        except Cancelled:
            raise
        except MagikError as error:
            self.failures.append((change.title, str(error)))
            return []
        before = self.figures if only is None else figures_of(self.document, self.lab.places(), only)
        trial = Trial(change, before, figures_of(document, lab.places(), only), self.cost, cost_of(document, self.lab.units, lab.profile))
        if trial.gain is not None:
            self.lab.report(Log(f"  {trial.before.cosine_avg:.5f} -> {trial.after.cosine_avg:.5f} ({trial.gain:+.5f})", source=STAGE))
        return [trial]

    def _step(self, title: str) -> None:
        self.lab.report(Log(f"trying: {printable(title, 200)}", source=STAGE))
        self.lab.report(Progress(STAGE, self.done, max(self.total, self.done + 1)))
        self.done += 1

    def quietly(self, event: Event) -> None:
        """Pass on what may stop the work: a network tried among many tells nothing else."""
        if isinstance(event, Progress):
            self.lab.report(event)


def under(lab: Lab, settings: Mapping[str, Any]) -> Lab:
    """Return the lab of the project with other keys of magik.cfg; None restores a default. Its fan, if any, stays behind."""
    items = tuple(f"{key}={'' if value is None else json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())
    config, _ = override(lab.config, items)
    job = replace(lab.job, overrides=(*lab.job.overrides, *items))
    changed = {f.name for f in fields(config) if getattr(config, f.name) != getattr(lab.config, f.name)}
    loads = any(getattr(config, name) for name in changed if name.startswith("load_"))
    if changed <= OF_THE_PLAN and not loads:
        return replace(lab, job=job, sources=replace(lab.sources, config=config), fan=None)

    def hushed(event: Event) -> None:
        if isinstance(event, Progress):
            lab.report(event)

    return replace(lab.reopened(job, hushed), fan=None)
