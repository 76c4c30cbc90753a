"""A project opened for a command that tries plans on it: narration on stderr, ctrl-C asks to stop."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.guard import cancellable
from engine.cli.narrate import Narrator, plain
from engine.cli.process import works_once
from engine.discover import ProjectFiles, find_project, job_for
from engine.events import Log

if TYPE_CHECKING:
    from engine.lab import Lab


def chosen(path: Path, variant: str | None, narrator: Narrator) -> ProjectFiles:
    """Return the files of a project; say which variant was taken where nobody chose one."""
    files = find_project(path, variant)
    if variant is None and len(files.variants) > 1:
        narrator(Log(f"variant {files.variant} of {', '.join(files.variants)}; --variant chooses another"))
    return files


@contextlib.contextmanager
def opened(path: Path, *, settings: Sequence[str], variant: str | None, jobs: int, scheduler: str = "") -> Iterator[Lab]:
    """Give the live engine of a project. Its `report` narrates, and raises Cancelled from the first signal that asks to stop.

    Two `jobs` or more are as many processes that try plans side by side, `scheduler` is the address of a dask cluster that does: they
    compute what `Lab.scores` is asked for, while this process has all its threads for the rest. One job is one thread.
    """
    works_once()
    narrator = Narrator(sys.stderr, plain, progress=False)
    files = chosen(path, variant, narrator)
    try:
        with cancellable(narrator) as report:
            from engine.lab import open_lab
            from engine.lab.fanout import fan_of

            with fan_of(jobs, scheduler) as fan, open_lab(job_for(files, settings), report=report, jobs=jobs if jobs == 1 else 0) as lab:
                yield replace(lab, fan=fan)
    finally:
        narrator.close()
