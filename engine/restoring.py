"""Making the user's files again what they were for an earlier run, without losing what they are now.

What stands in them now and no run of the history knows is put into the history first, so that restoring can be taken back by restoring.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from . import history
from .discover import ProjectFiles
from .userfiles import UserFile, Which, check_version, place, read_file, remove_file, write_file

FILES: tuple[Which, Which] = ("config", "bits")
EDIT = "edit"
"""The kind of a record that holds files and no figures."""


def _standing(files: ProjectFiles) -> dict[Which, UserFile]:
    return {which: read_file(place(which, files.root, files.config)) for which in FILES}


def _wanted(run: history.Record) -> dict[Which, str]:
    """Return the texts of that run; a configuration, without which there is no project, is never taken away."""
    return {"config": run.config, "bits": run.bits} if run.config else {"bits": run.bits}


def _known(files: ProjectFiles, standing: Mapping[Which, UserFile]) -> history.Record | None:
    """Return the newest run that was made from the files as they stand, None where there is none."""
    config, bits = (standing[which].text for which in FILES)
    runs = history.records(files.root)
    return next((r for r in runs if (r.variant, r.config, r.bits) == (files.variant, config, bits)), None)


def outlook(files: ProjectFiles, run: history.Record) -> dict[str, Any]:
    """Return what restoring `run` would do to the files of its variant.

    `versions` by file, to be handed to `restore`; `files`: for each that would change its `file`, `path`, how many lines are `lost` and
    `gained`, and whether it would be `removed`; `known` tells whether some run of the history has the files as they stand.
    """
    standing = _standing(files)
    changes = []
    for which, wanted in _wanted(run).items():
        now = standing[which]
        if now.text == wanted:
            continue
        marks = [line[:1] for line in difflib.unified_diff(now.text.splitlines(), wanted.splitlines(), n=0, lineterm="")][2:]
        counts = {"lost": marks.count("-"), "gained": marks.count("+")}
        changes.append({"file": which, "path": str(now.path), **counts, "removed": not wanted})
    versions = {which: file.version for which, file in standing.items()}
    return {"versions": versions, "files": changes, "known": _known(files, standing) is not None}


def restore(files: ProjectFiles, run: history.Record, versions: Mapping[str, str]) -> dict[str, Any]:
    """Make both files what they were for `run`; a bit file that was not there is taken away.

    Conflict, and nothing is done, when one of them is no longer of its version. `written` are the paths that changed, `before` is the id
    of a run that has the files as they stood: restoring that one, with the new `versions`, takes this back.
    """
    standing = _standing(files)
    for which, file in standing.items():
        check_version(file.path, versions.get(which, ""))
    before = _known(files, standing)
    if before is None:
        made = history.Made(files.variant, standing["config"].text, standing["bits"].text)
        before = history.record(files.root, EDIT, made, {})
    written = []
    for which, wanted in _wanted(run).items():
        path, now = standing[which].path, standing[which].text
        if wanted != now:
            standing[which] = write_file(path, wanted) if wanted else remove_file(path)
            written.append(str(path))
    return {"written": written, "before": before.id, "versions": {which: file.version for which, file in standing.items()}}
