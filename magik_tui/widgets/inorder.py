"""Editing in the order of the keys: textual inserts a character at once, and runs what Backspace is bound to when the key has come up
to the app. Of keys that come in a burst the characters overtook the others."""

from __future__ import annotations

from collections.abc import Set

from textual import events as ui
from textual.widget import Widget


async def bound(widget: Widget, event: ui.Key, takes: Set[str] = frozenset()) -> bool:
    """Do what a key is bound to where one types, now, and tell whether it is bound to anything.

    A key that is text is not, and neither is one in `takes`, which the widget takes itself.
    """
    text = event.key in takes or widget.check_consume_key(event.key, event.character)
    if text or widget.app.focused is not widget or not await widget.app._check_bindings(event.key):
        return False
    event.stop()
    event.prevent_default()
    return True
