"""The command line that does the same as the workbench: shown, logged and copied."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from magik_tui.core.choices import Choice
from magik_tui.core.state import Note, State, logged

SOURCE = "$"


def twin(state: State, command: str, *arguments: str) -> str:
    """Return the line `magik-tui COMMAND PROJECT ...` with the variant and the settings that are in use, quoted for a shell."""
    variant = ("--variant", state.variant) if state.variant else ()
    settings = (part for setting in state.settings for part in ("--set", setting))
    return shlex.join(["magik-tui", command, state.project, *variant, *settings, *arguments])


def plan_arguments(plan: Mapping[str, Choice]) -> tuple[str, ...]:
    """Return the options of `magik-tui apply` that ask for the choices of a plan; methods, which it has no option for, are left out."""
    said: list[str] = []
    for name, choice in plan.items():
        if choice.feature_bits is not None:
            said += ("--bits", name, str(choice.feature_bits))
        if choice.weight_bits is not None:
            said += ("--weight-bits", name, str(choice.weight_bits))
        if choice.min is not None or choice.max is not None:
            said += ("--range", name, ",".join("" if end is None else f"{end:.9g}" for end in (choice.min, choice.max)))
        if choice.skip is not None:
            said += ("--float" if choice.skip else "--quantize", name)
    return tuple(said)


def plan_line(state: State, plan: Mapping[str, Choice]) -> str:
    """Return the command line that writes a plan into the project, or only tries it where no file can say it."""
    only = any(choice.weight_bits is not None for choice in plan.values())
    return twin(state, "apply", *plan_arguments(plan), *(("--dry-run",) if only else ()))


def told(state: State, line: str) -> State:
    """Return `state` with a command line in the log: what was just done can be done again without the workbench."""
    return logged(state, Note("info", line, SOURCE))
