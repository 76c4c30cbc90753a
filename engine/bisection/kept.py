"""The log of a bisection on disk, below the project's `.magik/bisect/`: written after every step, read when the same is asked again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from ..analysis.bisect import Goal, Heading, Problem, Session, read_heading, read_log, read_priors, write_log
from ..config import read_source
from ..errors import ConfigError, OutputError
from ..events import Log, Report
from ..export.files import atomic_write
from ..ir import digest
from ..jsontext import Source
from ..project import FOLDER
from ..sources import Job
from .wanted import Wanted

HINT = "magik-tui bisect writes one"
EDITED = "the edited log"


@dataclass(slots=True)
class Keeper:
    """Keeps one bisection's log at `path`. A disk that refuses is told of once, and the search goes on."""

    path: Path
    heading: Heading
    job: Job
    report: Report
    trouble: bool = field(default=False)

    def text(self, session: Session) -> str:
        """Return the log of a session."""
        goal = self.heading.goal
        wanted = f"{goal.metric} of at least {goal.target:.12g} at {goal.at or 'the outputs'}" if goal.target is not None else goal.metric
        comments = (
            f"What has to stay in float for {wanted}; each line is a network and how it did.",
            f"Edit a mark to good, bad or skip, or delete a line; then: {self._again()}",
        )
        return write_log(self.heading, session.steps, comments, session.priors)

    def _again(self) -> str:
        """Return the line for a shell that replays this log on the same project."""
        job = self.job
        variant = ["--variant", job.variant] if job.variant else []
        settings = [word for item in job.overrides for word in ("--set", item)]
        return shlex.join(["magik-tui", "bisect", str(job.root), *variant, *settings, "--replay", str(self.path)])

    def keep(self, session: Session) -> None:
        """Write the log of a session."""
        if self.trouble:
            return
        try:
            atomic_write(self.path, [self.text(session).encode()])
        except OutputError as error:
            self.trouble = True
            self.report(Log(f"the log is not kept: {error}", "warning", "bisect"))


def place_of(root: Path, variant: str, heading: Heading) -> Path:
    """Return where the log of a bisection lies."""
    goal = heading.goal
    key = digest(heading.of, goal.metric, goal.target, goal.at, _files_of(goal))
    return root / FOLDER / "bisect" / f"{variant or 'project'}-{key[:12]}.log"


def _files_of(goal: Goal) -> list[str]:
    """Return the content of the files that a program's command line names: with another script the answers are others."""
    if goal.measured:
        return []
    found = []
    try:
        words = shlex.split(goal.metric)
    except ValueError:
        return []
    for word in words:
        try:
            path = Path(word)
            found.append(digest(path.read_bytes()) if path.is_file() else "")
        except (OSError, ValueError):
            found.append("")
    return found


def kept_session(path: Path, problem: Problem) -> Session:
    """Return what the log at `path` says, nothing where there is no such file; ConfigError where it makes no sense."""
    if not path.exists():
        return Session(problem)
    try:
        source = read_source(path, hint=HINT)
        return Session(problem, read_log(source, problem), read_priors(source, problem))
    except ConfigError as error:
        hint = "; ".join(filter(None, (error.hint, "--fresh begins again")))
        raise ConfigError(error.message, where=error.where, line=error.line, column=error.column, hint=hint) from error


def logged(wanted: Wanted) -> tuple[Source | None, Heading | None]:
    """Return the text of the log to replay and what it is about, nothing where none is; ConfigError where it makes no sense."""
    if wanted.text is not None:
        source = Source(wanted.text, EDITED)
    elif wanted.replay is not None:
        source = read_source(wanted.replay, hint=HINT)
    else:
        return None, None
    return source, read_heading(source)
