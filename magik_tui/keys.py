"""What keys are called on the screen."""

from __future__ import annotations

import sys

from textual.binding import Binding
from textual.dom import DOMNode

NAMES = {
    "question_mark": "?", "escape": "Esc", "pagedown": "PgDn", "pageup": "PgUp", "right_square_bracket": "]", "left_square_bracket": "[",
    "right_curly_bracket": "}", "left_curly_bracket": "{", "equals_sign": "=", "slash": "/", "colon": ":", "full_stop": ".", "comma": ",",
    "plus": "+", "minus": "-", "less_than_sign": "<", "greater_than_sign": ">", "space": "Space", "enter": "Enter", "tab": "Tab",
}  # fmt: skip


def key_name(binding: Binding) -> str:
    """Return how the key of a binding is called."""
    return binding.key_display or NAMES.get(binding.key, binding.key)


def bindings() -> dict[str, dict[str, str]]:
    """Return all bindings there are, by who has them: id -> its keys, parted by commas. A keymap may name these ids, and no others."""
    from magik_tui.panes.registry import PANES
    from magik_tui.screens import overlay
    from magik_tui.widgets import prompt

    modules = {overlay.__name__, prompt.__name__, *(entry.load().__module__ for entry in PANES)}
    modules |= {name for name in sys.modules if name.startswith("magik_tui.")}
    owners = {each for name in modules for each in vars(sys.modules[name]).values() if isinstance(each, type) and issubclass(each, DOMNode)}
    return {owner.__qualname__: _of(owner) for owner in owners if owner.__module__.startswith("magik_tui.")}


def _of(owner: type[DOMNode]) -> dict[str, str]:
    keys: dict[str, list[str]] = {}
    for binding in Binding.make_bindings(owner.__dict__.get("BINDINGS", ())):
        if binding.id is not None:
            keys.setdefault(binding.id, []).append(binding.key)
    return {id_: ",".join(each) for id_, each in keys.items()}
