"""`magik-tui diagnose`: the diagnosis on stdout, narration on stderr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.cli.guard import complain, say
from engine.cli.session import opened
from engine.errors import EXIT_DONE, Cancelled, UsageError
from engine.messages import to_line


def diagnose_project(path: Path, *, as_json: bool, as_markdown: bool, **where: Any) -> int:
    """Diagnose a project and print what came out; `where` are the options of `opened`."""
    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other", where="--markdown")
    from engine.analysis.diagnosis.document import document_of
    from engine.analysis.diagnosis.report import markdown, text_lines
    from engine.diagnosis.examine import diagnose

    try:
        with opened(path, **where) as lab:
            document = document_of(diagnose(lab))
            name = lab.job.name
    except Cancelled:
        complain("magik-tui", "what was measured is kept; the same command goes on from there")
        raise
    if as_json:
        say(to_line(document))
    elif as_markdown:
        say(markdown(document, name))
    else:
        say("".join(line + "\n" for line in text_lines(document)))
    return EXIT_DONE
