"""What keys are called on the screen."""

from __future__ import annotations

from textual.binding import Binding

NAMES = {
    "question_mark": "?", "escape": "Esc", "pagedown": "PgDn", "pageup": "PgUp", "right_square_bracket": "]", "left_square_bracket": "[",
    "right_curly_bracket": "}", "left_curly_bracket": "{", "equals_sign": "=", "slash": "/", "colon": ":", "full_stop": ".", "comma": ",",
    "plus": "+", "minus": "-", "less_than_sign": "<", "greater_than_sign": ">", "space": "Space", "enter": "Enter", "tab": "Tab",
}  # fmt: skip


def key_name(binding: Binding) -> str:
    """Return how the key of a binding is called."""
    return binding.key_display or NAMES.get(binding.key, binding.key)
