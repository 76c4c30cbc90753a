"""Questions to the user: a line to type, a list to choose from. An effect, since the answer comes later, as an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from magik_tui import events as ev


class Choice(msgspec.Struct, frozen=True):
    """One thing to choose. `key` is the letter (or the keys, for people to learn) that do it directly; one with a `reason` cannot be
    chosen now, and says why. `id` is found by typing, too."""

    label: str
    value: Any = None
    key: str = ""
    reason: str = ""
    id: str = ""


class Prompt(ev.Effect, frozen=True):
    """Ask the user. `then` makes an event of the answer: the typed text, or the value of the choice; None lets nothing happen.

    With `choices` what is typed filters them, with `letters` besides one key chooses at once.
    """

    title: str
    then: Callable[[Any], ev.Event | None]
    text: str = ""
    choices: tuple[Choice, ...] = ()
    letters: bool = False
