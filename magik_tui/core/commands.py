"""What the palette offers besides the keys: each room may offer commands, with the reason where one cannot be had now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from magik_tui import events as ev
from magik_tui.core.state import State


class Command(msgspec.Struct, frozen=True):
    """One command: `id` is what people type ("layout wide"), `title` says what it does; one with a `reason` cannot be had now."""

    id: str
    title: str
    event: ev.Event
    reason: str = ""


Offer = Callable[[State], Iterable[Command]]
_offers: list[Offer] = []


def offers(offer: Offer) -> Offer:
    """Register a function that says which commands there are in a state."""
    _offers.append(offer)
    return offer


def commands(state: State) -> Iterator[Command]:
    """Yield all commands of all rooms."""
    for offer in _offers:
        yield from offer(state)
