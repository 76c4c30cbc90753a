"""The command `magik-tui`: opens the workbench, or hands a headless command to the engine.

A headless command must start fast and work where no screen is, so textual is imported only when the workbench opens.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from engine.errors import UsageError, nearest
from magik_tui.remote import remote_command


@click.command("open")
@click.argument("project", default=".", type=click.Path(path_type=Path))
@click.option("--variant", metavar="NAME", help="Which SOC's configuration to open, where the project has several.")
@click.option("--theme", metavar="NAME|FILE", default="", help="Colours: default, light, ansi (the terminal's 16), mono, or your own.")
@click.option("--keymap", metavar="NAME|FILE", default="", help="Keys: default, vim, tmux-safe, or your own.")
@click.option("--layout", metavar="NAME|FILE", default="", help="Where the panes stand: small, wide, broad, single, or your own.")
@click.option("--no-mouse", is_flag=True, help="Leave the mouse to the terminal, so that it can select text.")
@click.option("--low-bandwidth", is_flag=True, help="At most one frame a second, no more than 256 colours, digits for cells.")
@click.option("--host", metavar="USER@BOX", default="", help="Run the engine there, over ssh; PROJECT is a path on that machine.")
@click.option("--engine-command", metavar="CMD", default="", help="What starts the engine instead; PROJECT is put behind it.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of magik.cfg; repeatable.")
@click.pass_context
def open_workbench(
    context: click.Context,
    /,
    project: Path,
    variant: str | None,
    settings: tuple[str, ...],
    no_mouse: bool,
    host: str,
    engine_command: str,
    **wishes: str | bool,
) -> int:
    """Open the workbench on PROJECT (the current folder by default); the word "open" may be left out."""
    command = remote_command(host, engine_command, str(project), variant)
    if command is None and not project.exists():
        group = context.parent.command if context.parent else None
        near = nearest(str(project), group.commands) if isinstance(group, click.Group) else None
        hint = f"did you mean the command {near}?" if near else ""
        raise UsageError("no such project", where=str(project), hint=hint)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the workbench needs a terminal", hint=f"magik-tui run {project} prints the same table")
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        said = f"TERM is {term}" if term else "TERM is not set"
        message = f"the workbench needs a terminal that can move its cursor, and {said}"
        raise UsageError(message, hint=f"magik-tui run {project} prints the same table")
    gc.disable()  # what is loaded now stays; the workbench counts garbage from its first screen on
    from magik_tui.app import run
    from magik_tui.opening import Wishes

    return run(project, variant=variant, settings=settings, command=command, mouse=not no_mouse, wishes=msgspec.convert(wishes, Wishes))


def with_default_command(group: click.Group, arguments: Sequence[str]) -> list[str]:
    """Return the arguments with "open" before them, unless they begin with a command, mistyped or not, or with an option of the group."""
    own = {name for option in group.get_params(click.Context(group, **group.context_settings)) for name in option.opts}
    if arguments and (arguments[0] in group.commands or arguments[0] in own):
        return list(arguments)
    if len(arguments) > 1 and not Path(arguments[0]).exists() and nearest(arguments[0], group.commands) and "/" not in arguments[0]:
        return list(arguments)  # the group says which command was meant
    return ["open", *arguments]


def main() -> int:
    """Run the command line of this process and return its exit code."""
    from engine.cli.main import cli
    from engine.cli.main import main as run_command

    cli.add_command(open_workbench)
    return run_command(with_default_command(cli, sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
