"""Keys in the order they were typed: what comes faster than the focus moves reaches whom it was meant for.

Over a slow line keys come in bursts: ":" and what is typed into the palette arrive at once, and textual sends them all to the widget that
has the focus at that moment. Such a key comes back here, since nobody took it, and is sent on to where the focus is now.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from textual import events as ui
from textual.app import App
from textual.widget import Widget

REMEMBERED = 64  # keys on their way, at most
PATIENCE = 1.0  # seconds that keys wait for a widget that is being made
PAUSE = 0.01


class Ordered(App[None]):
    """An app that knows to whom it sent each key."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        self._sent: deque[tuple[ui.Key, Widget | None]] = deque(maxlen=REMEMBERED)
        self._held: list[ui.Key] = []
        self._until = 0.0

    def focus_moves(self) -> bool:
        """Tell whether the focus is about to go to a widget that is being made."""
        return False

    async def on_event(self, event: ui.Event) -> None:
        """Remember where a key goes; while others wait it waits behind them, but for those that work everywhere."""
        if isinstance(event, ui.Key) and not event.is_forwarded and self.screen_stack:
            if self._held:
                if not await self._check_bindings(event.key, priority=True):
                    self._held.append(event)
                return
            self._sent.append((event, self.focused))
        await super().on_event(event)

    async def on_key(self, event: ui.Key) -> None:
        """Take a key that no widget took: where the focus has moved meanwhile, it is for another."""
        if not self.screen_stack:
            event.prevent_default()  # the workbench is closed, and nobody is there
            return
        receiver = next((to for key, to in self._sent if key is event), self.focused)
        if self.focus_moves():
            self._held.append(event)
            if len(self._held) == 1:
                self._until = time.monotonic() + PATIENCE
                self.call_after_refresh(self._release)
        elif receiver is not self.focused:
            self._send_on(event)
        else:
            return
        event.stop()
        event.prevent_default()

    def _release(self) -> None:
        if self.focus_moves() and time.monotonic() < self._until:
            self.set_timer(PAUSE, self._release)
            return
        held, self._held = self._held, []
        for key in held if self.screen_stack else ():
            self._send_on(key)

    def _send_on(self, event: ui.Key) -> None:
        key = ui.Key(event.key, event.character)
        self._sent.append((key, self.focused))
        (self.focused or self.screen)._forward_event(key)
