"""An app in the user's theme and with the user's keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textual.app import App
from textual.color import Color, ColorParseError
from textual.theme import BUILTIN_THEMES, Theme

from engine.errors import ConfigError
from magik_tui import looks as lk
from magik_tui import terminal


def _check(ink: str) -> None:
    """Raise ColorParseError where `ink` is no colour with an optional share ("#004578 18%")."""
    colour, _, share = ink.partition(" ")
    Color.parse(colour)
    if share and not re.fullmatch(r"\d{1,3}%", share):
        raise ColorParseError(f"{ink!r} is no colour with a share in percent")


class Dressed(App[None]):
    """What themes and keymaps do to an app; `config` is the folder of the user's own."""

    def __init__(self, config: Path) -> None:
        super().__init__()
        self.config = config
        self.levels: lk.Levels | None = None

    def complain(self, *texts: str) -> None:
        """Say what is wrong with the user's files."""
        raise NotImplementedError

    def use_theme(self, name: str) -> None:
        """Draw with a theme; errors as from `looks.load`."""
        found = lk.load("theme", name, lk.ThemeFile, self.config)
        colours: dict[str, Any] = dict(found.colours)
        try:
            for ink in found.inks.values():
                _check(ink)
            theme = Theme(name=f"magik-{name}", dark=found.dark, ansi=found.ansi, variables=found.inks, **colours)
            theme.to_color_system().generate()
        except (TypeError, ColorParseError) as problem:
            raise ConfigError(str(problem), where=name) from problem
        self.levels = found.levels
        self.register_theme(theme)
        self.theme = theme.name
        terminal.show_colour(self, found.colour)

    def get_css_variables(self) -> dict[str, str]:
        """Return the variables of the style sheet; inks that a theme does not give follow from its colours."""
        native = BUILTIN_THEMES["ansi-dark"].variables if self.current_theme.ansi else {}
        known = {**native, **super().get_css_variables()}
        primary, foreground = known["primary"], known["foreground"]
        return {
            "title-paper": f"{primary} 35%", "title-ink": foreground, "cursor-paper": f"{primary} 55%", "cursor-ink": foreground,
            "column-paper": foreground, "column-ink": known["background"], **known,
        }  # fmt: skip

    def use_keymap(self, name: str) -> None:
        """Take the keys from a keymap; errors as from `looks.keys`."""
        keys = lk.keys(name, self.config)
        self.set_keymap(keys)

    def check_keymap(self) -> None:
        """Say what is wrong with the keymap; that needs all panes, so it is done when the first screen is there."""
        if self._keymap:
            from magik_tui.keys import bindings

            self.complain(*lk.complaints(self._keymap, bindings()))
