"""`magik-tui diagnose`: the diagnosis on stdout, narration on stderr; with --apply one of its fixes is written into the project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.guard import complain, say
from engine.cli.session import opened
from engine.errors import EXIT_DONE, Cancelled, MagikError, UsageError
from engine.jsontext import printable
from engine.messages import to_line

if TYPE_CHECKING:
    from engine.diagnosis.writing import Fix
    from engine.lab import Lab

PROGRAM = "magik-tui"


def diagnose_project(path: Path, *, as_json: bool, as_markdown: bool, apply: int | None = None, **where: Any) -> int:
    """Diagnose a project, write the fix of the rank `apply` where one is wanted, and print what came out.

    `where` are the options of `opened`. What was found is printed before an error says why a fix was not written: UsageError where there
    is no such fix or no file can say it, ConfigError or OutputError where a file cannot be written.
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown exclude each other", where="--markdown")
    from engine.analysis.diagnosis.document import document_of
    from engine.analysis.diagnosis.report import markdown, text_lines
    from engine.diagnosis.examine import diagnose

    fix: Fix | None = None
    written: list[str] = []
    failure: MagikError | None = None
    with _told_of_stops(), opened(path, **where) as lab:
        if apply is not None:
            _require_writable(lab)
        document = document_of(diagnose(lab))
        name = lab.job.name
        if apply is not None:
            from engine.diagnosis.writing import fix_of, write_fix

            try:
                fix = fix_of(document["fixes"], apply)
                written = [str(file) for file in write_fix(lab, fix)]
            except MagikError as error:  # what was found is printed all the same
                fix, failure = None, error
    told = _told(fix, written, where["settings"])
    if as_json:
        say(to_line({**document, "applied": written}))
    elif as_markdown:
        say(markdown(document, name))
    else:
        hint = ["", "nothing is written; --apply N writes fix N"] if apply is None and document["fixes"] else []
        say("".join(line + "\n" for line in [*text_lines(document), *hint, *([""] if told else []), *told[:1]]))
    for line in told if as_markdown else told[1:]:
        complain(PROGRAM, line)
    if failure is not None:
        raise failure
    return EXIT_DONE


@contextmanager
def _told_of_stops() -> Iterator[None]:
    """Say of a diagnosis that is stopped that it goes on from there."""
    try:
        yield
    except Cancelled:
        complain(PROGRAM, "what was measured is kept; the same command goes on from there")
        raise


def _require_writable(lab: Lab) -> None:
    """Raise what would keep a fix from being written while nothing was measured yet."""
    from engine.stages.applying import standing_entries

    standing_entries(lab.job.root, lab.job.config_path, lab.config.soc)


def _told(fix: Fix | None, written: Sequence[str], settings: Sequence[str]) -> list[str]:
    """Return what was written of a fix, then what is to be known of it; nothing where none was."""
    if fix is None:
        return []
    from engine.diagnosis.writing import left_to_do

    files = ", ".join(printable(file, len(file)) for file in written)
    did = f"wrote {files}" if written else "the files say so already"
    lines = [f"fix {fix['rank']}, {printable(fix['title'], len(fix['title']))}: {did}"]
    if settings:
        lines.append(f"the fix holds for --set {' --set '.join(settings)}, which is not written")
    if left_to_do(fix):
        lines.append(f"still yours to do: {left_to_do(fix)}")
    if fix["caution"]:
        lines.append(f"caution: {fix['caution']}")
    return lines
