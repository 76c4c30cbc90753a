"""What answers share: the project's place, its store, and the lab that stays open between them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..discover import ProjectFiles, find_project, job_for
from ..events import Report

if TYPE_CHECKING:
    from ..lab import Lab
    from ..project import Job
    from ..store import Store


class Context:
    """One project as the worker serves it. Files are looked up anew for every request: they may have been mended."""

    def __init__(self, path: Path, variant: str | None) -> None:
        self.path, self.variant = path, variant
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._lab: Lab | None = None

    def files(self) -> ProjectFiles:
        """Return where everything is now. Raises UsageError."""
        return find_project(self.path, self.variant)

    def files_of(self, variant: str) -> ProjectFiles:
        """Return where everything of another variant is; of the one that is served where "" names none."""
        return find_project(self.path, variant or self.variant)

    def job(self, settings: Sequence[str] = ()) -> Job:
        """Return the job under these KEY=VALUE settings."""
        return job_for(self.files(), settings)

    def store(self, root: Path) -> Store:
        """Return the project's store; it stays warm."""
        if self._store is None:
            from ..project import default_store

            self._store = default_store(root)
        return self._store

    def lab(self, settings: Sequence[str], report: Report) -> Lab:
        """Return the open project as the files and settings say now; only what changed since the last time is read anew."""
        from ..lab import open_lab

        job = self.job(settings)
        with self._lock:
            if self._lab is None:
                self._lab = open_lab(job, report=report, store=self.store(job.root))
            else:
                self._lab = self._lab.reopened(job, report)
            return self._lab
