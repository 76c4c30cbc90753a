"""Themes and keymaps, put to use while the workbench runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import MagikError
from magik_tui import events as ev
from magik_tui.core.looking import Complained, LooksChanged, UseKeymap, UseTheme
from magik_tui.deeds import performs

if TYPE_CHECKING:
    from magik_tui.app import Workbench


@performs(UseTheme)
async def _use_theme(app: Workbench, effect: UseTheme) -> ev.Event:
    try:
        app.use_theme(effect.name)
    except MagikError as problem:
        return Complained((str(problem),))
    return LooksChanged(theme=effect.name)


@performs(UseKeymap)
async def _use_keymap(app: Workbench, effect: UseKeymap) -> ev.Event:
    try:
        app.use_keymap(effect.name)
    except MagikError as problem:
        return Complained((str(problem),))
    app.check_keymap()
    return LooksChanged(keymap=effect.name)
