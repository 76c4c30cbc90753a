"""`magik-tui run`: the document on stdout, narration on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.cli.guard import cancellable, say
from engine.cli.narrate import Narrator, plain
from engine.cli.process import works_once
from engine.cli.session import chosen
from engine.discover import job_for
from engine.errors import EXIT_DONE
from engine.messages import to_line


def run_project(path: Path, *, as_json: bool, settings: Sequence[str], variant: str | None, jobs: int) -> int:
    """Run a project and print what came out; MagikError as from `find_project` and `project.run`."""
    works_once()
    narrator = Narrator(sys.stderr, plain, progress=False)
    files = chosen(path, variant, narrator)
    try:
        with cancellable(narrator) as report:
            from engine import project

            document = project.run(job_for(files, settings), report=report, jobs=jobs)
    finally:
        narrator.close()
    say(to_line(document) if as_json else "".join(line + "\n" for line in _summary(document)))
    return EXIT_DONE


def _summary(document: dict[str, Any]) -> list[str]:
    """Return the table of the nodes, or why there is none."""
    from engine.cli.summary import summary_lines
    from engine.cli.transform import table_lines

    nodes = document["nodes"]
    nothing = [] if any(node["samples"] for node in nodes) else [f"{len(nodes)} layers, none measured: DEBUG_PATH names no samples"]
    return [*nothing, *table_lines(document), *summary_lines(document)]
