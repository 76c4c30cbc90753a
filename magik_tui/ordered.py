"""Keys one after the other: what comes faster than the focus moves reaches whom it was meant for, in the order it was typed.

Over a slow line keys come in bursts: ":" and what is typed into the palette arrive at once, and textual sends them all to the widget that
has the focus at that moment. Here a key waits until the one before it has done what it does: a callback follows that one to its widget,
and from there up to the app as a key does that nobody takes. Only then the next one is sent, to where the focus is now.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from textual import events as ui
from textual.app import App
from textual.message_pump import MessagePump

PATIENCE = 1.0  # seconds that a key waits for the one before it, and for a widget that is being made
PAUSE = 0.01


class Ordered(App[None]):
    """An app that sends one key at a time."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        self._typed: deque[ui.Key] = deque()
        self._turn = 0  # counts keys, so that a callback that comes too late is known
        self._at_work = False  # a key was sent and has not done all it does
        self._until = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    def focus_moves(self) -> bool:
        """Tell whether the focus is about to go to a widget that is being made."""
        return False

    async def on_event(self, event: ui.Event) -> None:
        """Send a key, or let it wait behind another; those that work everywhere never wait."""
        if not isinstance(event, ui.Key) or event.is_forwarded or not self.screen_stack:
            await super().on_event(event)
        elif not self._at_work:
            await self._send_key(event)
        elif not await self._check_bindings(event.key, priority=True):
            self._typed.append(event)

    async def on_key(self, event: ui.Key) -> None:
        """Take no key once the workbench is closed."""
        if not self.screen_stack:
            event.prevent_default()

    async def _send_key(self, event: ui.Key) -> None:
        receiver = self.focused or self.screen
        self._turn, self._at_work, self._until = self._turn + 1, True, time.monotonic() + PATIENCE
        await super().on_event(event)
        self._alarm = asyncio.get_running_loop().call_later(PATIENCE, self.call_later, self._next, self._turn)
        self._follow(receiver, self._turn)

    def _follow(self, node: MessagePump | None, turn: int) -> None:
        """Come behind a key at `node`, then at what holds that, and at last at the app; what is closed takes part no longer."""
        while node is not None and node is not self:
            if node.call_later(self._follow, node._parent, turn):
                return
            node = node._parent
        self.call_later(self._next, turn)

    async def _next(self, turn: int) -> None:
        """Send the key behind the one that has done what it does."""
        if turn != self._turn or not self._at_work:
            return
        if self.focus_moves() and time.monotonic() < self._until:
            self.set_timer(PAUSE, lambda: self._next(turn))
            return
        self._at_work = False
        if self._alarm is not None:
            self._alarm.cancel()
        if self._typed and self.screen_stack:
            await self._send_key(self._typed.popleft())
