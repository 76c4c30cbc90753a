"""The command line of `magik-tui`: what opens the workbench, what goes to the engine, what is said when neither can."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from engine.errors import UsageError
from magik_tui.__main__ import open_workbench, with_default_command


@pytest.fixture
def group() -> click.Group:
    """A group like the engine's, with one command, its own options and the workbench's command."""
    top = click.Group("magik-tui", context_settings={"help_option_names": ["-h", "--help"]})
    top.add_command(click.Command("table"))
    top.add_command(open_workbench)
    return click.version_option("1.0")(top)


@pytest.mark.parametrize(
    "line",
    [["table"], ["table", "x", "--json"], ["open", "x"], ["--help"], ["-h"], ["--version"], ["tabel", "x"]],
)
def test_commands_and_options_of_the_group_stay(group: click.Group, line: list[str]) -> None:
    """A line that begins with something the group knows is left alone."""
    assert with_default_command(group, line) == line


@pytest.mark.parametrize("line", [[], ["./table"], ["resnet18"], ["--variant", "t40", "x"], ["--set", "SOC=T41"]])
def test_everything_else_opens_the_workbench(group: click.Group, line: list[str]) -> None:
    """A project, or an option of the workbench, needs no command; a folder named like a command needs a "./"."""
    assert with_default_command(group, line) == ["open", *line]


def test_a_mistyped_command_is_told_from_a_project(group: click.Group) -> None:
    """A word that is no folder is answered with the command that looks like it."""
    result = CliRunner().invoke(group, with_default_command(group, ["tabel"]))
    assert isinstance(result.exception, UsageError)
    assert "tabel" in str(result.exception)
    assert "the command table" in str(result.exception)


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_cannot_draw_is_refused(term: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM=dumb, or no TERM: the person is told instead of seeing escape sequences."""
    monkeypatch.delenv("TERM", raising=False)
    if term is not None:
        monkeypatch.setenv("TERM", term)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    with pytest.raises(UsageError, match=r"TERM is .*magik-tui run"):
        open_workbench.main([str(tmp_path)], standalone_mode=False)


def test_without_a_terminal_the_headless_command_is_named(group: click.Group, tmp_path: Path) -> None:
    """The workbench does not start into a pipe: the person is told which command prints the same."""
    result = CliRunner().invoke(group, with_default_command(group, [str(tmp_path)]))
    assert isinstance(result.exception, UsageError)
    assert f"magik-tui run {tmp_path}" in str(result.exception)
