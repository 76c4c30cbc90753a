"""`magik-tui watch`: runs again whenever a file of the project changes, and prints what that changed in the table."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.guard import cancellable, say
from engine.cli.narrate import Narrator, plain
from engine.cli.session import chosen
from engine.discover import find_project, job_for
from engine.errors import Cancelled, MagikError
from engine.events import Event, Log, Progress, Report
from engine.jsontext import printable
from engine.messages import to_line
from engine.watching import watch

if TYPE_CHECKING:
    from engine.lab import Lab

SCHEMA = 1


class Superseded(MagikError):
    """Something changed again: what this run computes nobody wants any more."""


@dataclass(slots=True)
class Pending:
    """The one next job: what changed since the last one was taken. A change while it waits is added to it."""

    _changed: dict[str, list[str]] = field(default_factory=dict)
    _bell: threading.Condition = field(default_factory=threading.Condition)

    def add(self, changed: Mapping[str, Sequence[str]]) -> None:
        """Note what changed."""
        with self._bell:
            for kind, files in changed.items():
                self._changed[kind] = list(dict.fromkeys((*self._changed.get(kind, ()), *files)))
            self._bell.notify()

    @property
    def waits(self) -> bool:
        """Whether there is a next job."""
        return bool(self._changed)

    def take(self, report: Report) -> dict[str, list[str]]:
        """Wait for the next job and take it; `report` is asked meanwhile whether to stop."""
        with self._bell:
            while not self._changed:
                report(Progress("Watch", 0, 0))
                self._bell.wait(0.1)
            taken, self._changed = self._changed, {}
        return taken


def watch_project(path: Path, *, as_json: bool, settings: Sequence[str], variant: str | None, jobs: int) -> None:
    """Watch until interrupted: the first document whole, then one line (or a few) per change. It ends with Cancelled."""
    narrator = Narrator(sys.stderr, plain, progress=False)
    chosen(path, variant, narrator)
    pending, over, ready = Pending(), threading.Event(), threading.Event()
    thread = threading.Thread(
        target=watch,
        args=(path, variant, pending.add, over.is_set),
        kwargs={"settings": settings, "ready": ready.set},
        name="watch",
        daemon=True,
    )
    try:
        with cancellable(narrator) as report:
            thread.start()
            ready.wait(5)
            _follow(path, variant, settings, jobs, pending, report, as_json)
    finally:
        over.set()
        thread.join(2)
        narrator.close()


def _follow(path: Path, variant: str | None, settings: Sequence[str], jobs: int, pending: Pending, report: Report, as_json: bool) -> int:
    def superseding(event: Event) -> None:
        report(event)
        if pending.waits:
            raise Superseded("changed again")

    lab: Lab | None = None
    shown: dict[str, Any] | None = None
    changed: dict[str, list[str]] = {}
    try:
        while True:
            try:
                lab = _opened(lab, path, variant, settings, jobs, superseding)
                document = lab.evaluate(lab.base)
            except Superseded:
                changed = _joined(changed, pending.take(report))
                continue
            except Cancelled:
                raise
            except MagikError as error:
                say(to_line({"schema": SCHEMA, "changed": changed, "error": str(error)}) if as_json else f"error: {_text(str(error))}\n")
            else:
                say(_line(shown, document, changed) if as_json else "".join(f"{line}\n" for line in _lines(shown, document, changed)))
                shown = document
            report(Log("waiting for a change; ctrl-C ends"))
            changed = pending.take(report)
    finally:
        if lab is not None:
            lab.close()


def _opened(lab: Lab | None, path: Path, variant: str | None, settings: Sequence[str], jobs: int, report: Report) -> Lab:
    from engine.lab import open_lab

    job = job_for(find_project(path, variant), settings)
    return open_lab(job, report=report, jobs=jobs) if lab is None else lab.reopened(job, report)


def _joined(a: Mapping[str, list[str]], b: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {kind: list(dict.fromkeys((*a.get(kind, ()), *b.get(kind, ())))) for kind in dict.fromkeys((*a, *b))}


def _line(before: dict[str, Any] | None, now: dict[str, Any], changed: Mapping[str, list[str]]) -> str:
    """Return one JSON document on one line: what changed on disk, and the rows that differ (the first time all of them)."""
    from engine.analysis.changes import changes

    rows = now["nodes"] if before is None else [c.now for c in changes(before["nodes"], now["nodes"]) if c.now is not None]
    gone = [] if before is None else [c.name for c in changes(before["nodes"], now["nodes"]) if c.state == "gone"]
    told = {k: now[k] for k in ("outputs", "warnings", "recomputed")}
    return to_line(
        {"schema": SCHEMA, "changed": changed, "error": None, "seconds": now["timing"]["live"], **told, "nodes": rows, "gone": gone}
    )


def _lines(before: dict[str, Any] | None, now: dict[str, Any], changed: Mapping[str, list[str]]) -> list[str]:
    from engine.analysis.changes import changes
    from engine.cli.summary import summary_lines
    from engine.cli.transform import table_lines

    if before is None:
        return [*table_lines(now), *summary_lines(now)]
    files = [Path(f).name for some in changed.values() for f in some]
    lines = [f"changed: {_text(', '.join(files[:5]))}" + (f" and {len(files) - 5} more" if len(files) > 5 else "")]
    for change in changes(before["nodes"], now["nodes"]):
        told = ", ".join(f"{name} {_value(a)} -> {_value(b)}" for name, (a, b) in change.fields.items() if name in _SHOWN)
        if told or change.state != "changed":
            lines.append(f"  {_text(change.name)}: {told or change.state}")
    for a, b in zip(before["outputs"], now["outputs"], strict=False):
        lines.append(f"output {_text(b['name'])}: cosine {_value(a['cosine_avg'])} -> {_value(b['cosine_avg'])}")
    return [*lines, f"{len(now['recomputed'])} of {len(now['nodes'])} layers computed in {now['timing']['live']:.2f} s"]


_SHOWN = ("quantized", "feature_bits", "weight_bits", "method", "cosine_avg")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "integer" if value else "float"
    return "none" if value is None else f"{value:.5f}" if isinstance(value, float) else _text(str(value))


def _text(text: str) -> str:
    return printable(text, len(text))
