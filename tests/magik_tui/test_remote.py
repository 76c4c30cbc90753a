"""An engine elsewhere: how its command is made, and that a slow line delays no key."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.errors import UsageError
from magik_tui.app import Workbench
from magik_tui.remote import remote_command

DELAY = Path(__file__).with_name("delay.py")


def test_the_command_of_a_host_quotes_what_a_shell_would_read() -> None:
    command = remote_command("me@box", "", "/my projects/$x", "t41")
    assert command is not None
    assert command[0] == "ssh"
    assert command[-3:] == ("me@box", "--", "magik-tui worker '/my projects/$x' --variant t41")


def test_any_command_may_stand_in_for_ssh() -> None:
    assert remote_command("", "docker exec -i 'a b' worker", "/p", None) == ("docker", "exec", "-i", "a b", "worker", "/p")
    assert remote_command("", "", "/p", None) is None


@pytest.mark.parametrize(("host", "command"), [("me@box", "ssh box"), ("-oProxyCommand=x", ""), ("", "'unfinished"), ("", " ")])
def test_what_makes_no_sense(host: str, command: str) -> None:
    with pytest.raises(UsageError):
        remote_command(host, command, "/p", None)


def test_keys_answer_at_once_over_a_slow_line(worker_script: Path) -> None:
    command = (sys.executable, str(DELAY), "0.2", sys.executable, str(worker_script), "good", "--layers", "6", "--samples", "2")

    async def main() -> None:
        app: Any = Workbench("/home/me/resnet18", command=command)
        try:
            async with app.run_test(size=(100, 30)) as pilot:
                async with asyncio.timeout(60):
                    while app.bench.phase != "done":
                        await pilot.pause(0.05)
                asked = time.monotonic()
                await pilot.press("r", "j")
                assert app.bench.cursor == 1
                assert app.bench.phase in ("running", "done")
                assert time.monotonic() - asked < 5
        finally:
            await app.bridge.close()

    asyncio.run(main())
