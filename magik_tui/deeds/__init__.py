"""What effects do: a module here for each kind, loaded when the first effect that is not the worker's is to be performed.

    @performs(Copy)
    async def _copy(app: Workbench, effect: Copy) -> ev.Event | None: ...

Effects are defined beside the room that asks for them; the event that is returned happens.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, TypeVar

from magik_tui import events as ev

if TYPE_CHECKING:
    from magik_tui.app import Workbench

E = TypeVar("E", bound=ev.Effect)
Deed = Callable[["Workbench", Any], Awaitable[ev.Event | None]]
_deeds: dict[type[ev.Effect], Deed] = {}


def performs(kind: type[E]) -> Callable[[Deed], Deed]:
    """Register the coroutine function that performs effects of `kind`."""

    def register(deed: Deed) -> Deed:
        _deeds[kind] = deed
        return deed

    return register


async def perform(app: Workbench, effect: ev.Effect, dispatch: Callable[[ev.Event], None]) -> None:
    """Do what `effect` asks for."""
    if type(effect) not in _deeds:
        for module in iter_modules(__path__):
            import_module(f"{__name__}.{module.name}")
    event = await _deeds[type(effect)](app, effect)
    if event is not None:
        dispatch(event)
