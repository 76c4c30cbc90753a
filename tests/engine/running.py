"""Running a whole project in this process, the way the commands do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.discover import find_project, job_for
from engine.events import Event, Log, Progress, silent
from engine.project import run


def converted(root: Path, *settings: str, report: Callable[[Event], None] = silent) -> dict[str, Any]:
    """Return the document of the project at `root`, with KEY=VALUE settings on top of its configuration."""
    return run(job_for(find_project(root), settings), report=report, jobs=1)


def told(root: Path, *settings: str) -> tuple[dict[str, Any], list[str]]:
    """Return the document, and the text of every log line and progress stage in order."""
    said: list[str] = []

    def report(event: Event) -> None:
        if isinstance(event, Log | Progress):
            said.append(event.text if isinstance(event, Log) else event.stage)

    return converted(root, *settings, report=report), said


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the nodes of a document by name."""
    return {node["name"]: node for node in document["nodes"]}


def settled(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without what differs from run to run."""
    return {k: v for k, v in document.items() if k not in ("timing", "peak_rss_mb")}
