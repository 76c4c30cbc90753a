"""The command line that does the same as the workbench: shown, logged and copied."""

from __future__ import annotations

import shlex

from magik_tui.core.state import Note, State, logged

SOURCE = "$"


def twin(state: State, command: str, *arguments: str) -> str:
    """Return the line `magik-tui COMMAND PROJECT ...` with the variant and the settings that are in use, quoted for a shell."""
    variant = ("--variant", state.variant) if state.variant else ()
    settings = (part for setting in state.settings for part in ("--set", setting))
    return shlex.join(["magik-tui", command, state.project, *variant, *settings, *arguments])


def told(state: State, line: str) -> State:
    """Return `state` with a command line in the log: what was just done can be done again without the workbench."""
    return logged(state, Note("info", line, SOURCE))
