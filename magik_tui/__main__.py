"""The command `magik-tui`: opens the workbench, or hands a headless command to the engine.

A headless command must start fast and work where no screen is, so textual is imported only when the workbench opens.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    command = _engine(context, project, host, engine_command, variant)
    if not os.environ.get("TEXTUAL_DRIVER"):  # set where a browser takes the place of the terminal
        _want_terminal(project)
    gc.disable()  # what is loaded now stays; the workbench counts garbage from its first screen on
    from magik_tui.app import run
    from magik_tui.opening import Wishes

    return run(project, variant=variant, settings=settings, command=command, mouse=not no_mouse, wishes=msgspec.convert(wishes, Wishes))


def _engine(context: click.Context, project: Path, host: str, engine_command: str, variant: str | None) -> Sequence[str] | None:
    """Return what starts the engine, None for the one here; UsageError where there is nothing to open."""
    command = remote_command(host, engine_command, str(project), variant)
    if command is None and not project.exists():
        group = context.parent.command if context.parent else None
        others = [name for name in group.commands if name != context.command.name] if isinstance(group, click.Group) else []
        near = nearest(str(project), others)
        hint = f"did you mean the command {near}?" if near else ""
        raise UsageError("no such project", where=str(project), hint=hint)
    return command


def _want_terminal(project: Path) -> None:
    table = f"magik-tui run {project} prints the same table"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the workbench needs a terminal", hint=table)
    term = os.environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        said = f"TERM is {term}" if term else "TERM is not set"
        raise UsageError(f"the workbench needs a terminal that can move its cursor, and {said}", hint=table)


@click.command("serve", params=list(open_workbench.params))
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Where to listen; 0 takes any that is free.")
@click.option("--bind", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Who can reach it: by default this machine only.")
@click.pass_context
def serve_workbench(context: click.Context, /, port: int, bind: str, **given: Any) -> int:
    """Open the workbench on PROJECT in a browser: prints the address, and serves it until ctrl-C.

    Every page is a workbench of its own and ends when it is closed. Needs the extra: pip install 'magik-tui[serve]'.
    """
    _engine(context, given["project"], given["host"], given["engine_command"], given["variant"])
    from magik_tui.opening import Wishes, check
    from magik_tui.serve import serve
    from magik_tui.terminal import config_folder

    check(msgspec.convert({name: given[name] for name in Wishes.__struct_fields__}, Wishes), config_folder())
    title = f"magik-tui {given['project']}"
    return serve(words(open_workbench.params, given), title, bind, port, lambda text, warning: click.echo(text, err=warning))


def words(params: Sequence[click.Parameter], given: Mapping[str, Any]) -> list[str]:
    """Return the command line that gives `params` the values that are `given`; what is not wished for is left out."""
    options, arguments = [], []
    for param in params:
        value = given[param.name or ""]
        for each in value if param.multiple else (value,):
            if isinstance(param, click.Argument):
                arguments.append(str(each))
            elif each not in (None, "", False):
                options.append(param.opts[0] if each is True else f"{param.opts[0]}={each}")
    return [*options, "--", *arguments]


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
    cli.add_command(serve_workbench)
    return run_command(with_default_command(cli, sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
