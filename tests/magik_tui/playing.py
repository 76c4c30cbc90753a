"""Playing with a workbench that has no terminal: it is opened, a test talks to it, and it is closed whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from magik_tui.core import State
from magik_tui.widgets.prompt import PromptBar

Talk = Callable[[Any, Pilot[None]], Awaitable[None]]


def live(
    app: Any, talk: Talk, size: tuple[int, int] = (80, 24), key: str = "", ready: Callable[[State], bool] = lambda state: True
) -> None:
    """Let `talk` use the workbench once its first run is done, `key` (the digit of a pane) is pressed, and the state is `ready`."""

    async def main() -> None:
        try:
            async with app.run_test(size=size) as pilot:
                await app.until(lambda s: s.phase == "done")
                if key:
                    await pilot.press(key)
                    await app.until(ready)
                await pilot.pause()
                await talk(app, pilot)
        finally:
            await app.bridge.close()

    asyncio.run(main())


async def opened(app: Any, pilot: Pilot[None], *keys: str) -> PromptBar:
    """Press keys that make the workbench ask something, and return the line in which it asks."""
    await pilot.press(*keys)
    async with asyncio.timeout(10):
        while not (bars := app.screen.query(PromptBar)) or not bars.first().display or not bars.first().has_focus_within:
            await pilot.pause()
    return bars.first()
