"""What the commands on a project have in common: PROJECT, --json, --set, --variant, --jobs, --scheduler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


JOBS = click.IntRange(min=0)


def project_options(command: Command) -> Command:
    """Give a command the parameters `project`, `as_json`, `settings`, `variant` and `jobs`."""
    text = "How many samples at a time; 0: what the machine has."
    return _common(click.option("--jobs", type=JOBS, default=0, metavar="N", help=text)(command))


def search_options(command: Command) -> Command:
    """Give a command that tries plans those parameters, `jobs` as the processes that try them, and `scheduler`."""
    text = "How many processes try plans side by side; 0: this one tries one at a time, on all processors."
    away = "Try plans on the workers of the dask scheduler at this address, such as tcp://host:8786."
    command = click.option("--scheduler", default="", metavar="ADDRESS", help=away)(command)
    return _common(click.option("--jobs", type=JOBS, default=0, metavar="N", help=text)(command))


def _common(command: Command) -> Command:
    for decorate in (
        click.option("--variant", metavar="NAME", help="Which SOC's configuration, where the project has several."),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of magik.cfg; repeatable."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table."),
        click.argument("project", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


class Widths(click.ParamType[tuple[int, ...]]):
    """Widths in bits, written 8,10,12."""

    name = "widths"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers; a usage error for anything else."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(item) for item in value.split(","))
        except ValueError:
            self.fail(f"expected widths in bits such as 8,10,12, got {value!r}", param, ctx)


METRICS = ("cosine_avg", "cosine_min", "sqnr")


def width_options(command: Command) -> Command:
    """Give a command the parameters `metric`, `at` and `bits`: what a plan is judged by, where, and the widths to try."""
    for decorate in (
        click.option("--bits", type=Widths(), default=(), metavar="8,10,12", help="Widths to try; by default those of the SOC from 8 up."),
        click.option("--at", default="", metavar="NODE", help="Judge at this node instead of the network's outputs."),
        click.option("--metric", type=click.Choice(METRICS), default=METRICS[0], show_default=True, help="What a plan is judged by."),
    ):
        command = decorate(command)
    return command
