"""Where the engine runs: here, or on another machine whose worker speaks through ssh or any other command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from engine.errors import UsageError

SSH = ("ssh", "-T", "-o", "ServerAliveInterval=15")
WORKER = ("magik-tui", "worker")
"""What is run on the other machine: it has to be on the PATH of its non-interactive shell, or be named by --engine-command."""


def remote_command(host: str, engine_command: str, project: str, variant: str | None) -> Sequence[str] | None:
    """Return the command line of a worker elsewhere, None for one here. UsageError for words that do not parse, or both options at once.

    `engine_command` is run here, with the project and the variant behind its own words; `host` is shorthand for ssh.
    """
    if host and engine_command:
        raise UsageError("--host and --engine-command both say where the engine runs", hint="give one of them")
    arguments = [project, *(("--variant", variant) if variant else ())]
    if host:
        if host.startswith("-"):
            raise UsageError(f"{host!r} is no host", where="--host", hint="expected user@box")
        return (*SSH, host, "--", shlex.join((*WORKER, *arguments)))
    if not engine_command:
        return None
    try:
        words = shlex.split(engine_command)
    except ValueError as error:
        raise UsageError(f"cannot be parsed: {error}", where="--engine-command") from error
    if not words:
        raise UsageError("expected a command", where="--engine-command")
    return (*words, *arguments)
