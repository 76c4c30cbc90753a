"""What opens over the workbench to be read and closed again: the help and the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from magik_tui.levels import FLOORS, GLYPHS
from magik_tui.panes.bars import log_lines
from magik_tui.state import State
from magik_tui.text import plain


class Overlay(ModalScreen[None]):
    """A page of text over the workbench; Esc, q or the key that opened it closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,w,enter", "dismiss_page", "close", show=False),
        Binding("j,down", "scroll_page(1)", show=False),
        Binding("k,up", "scroll_page(-1)", show=False),
    ]

    def __init__(self, title: str, page: Content, classes: str = "") -> None:
        super().__init__(classes=classes)
        self._title, self._page = title, page

    def compose(self) -> ComposeResult:
        """Return the page in its frame."""
        with VerticalScroll() as frame:
            frame.border_title = plain(self._title)
            frame.border_subtitle = plain("Esc closes")
            yield Static(self._page, markup=False)

    def action_dismiss_page(self) -> None:
        """Close the page."""
        self.dismiss()

    def action_scroll_page(self, by: int) -> None:
        """Scroll by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)


def key_name(binding: Binding) -> str:
    """Return how a key is called on the screen."""
    names = {"question_mark": "?", "escape": "Esc", "pagedown": "PgDn", "pageup": "PgUp"}
    return binding.key_display or names.get(binding.key, binding.key)


def help_overlay(bindings: Iterable[ActiveBinding]) -> Overlay:
    """Return the help, made from the bindings that are live; keys that do the same share a line."""
    keys: dict[str, list[str]] = {}
    for active in bindings:
        if active.binding.tooltip and active.enabled:  # textual's own have none
            keys.setdefault(active.binding.tooltip, []).append(key_name(active.binding))
    width = max((len(", ".join(names)) for names in keys.values()), default=0)
    lines = [f"{', '.join(names):<{width}}  {what}" for what, names in keys.items()]
    return Overlay("Keys", plain_lines([*lines, "", *legend()]))


def legend() -> list[str]:
    """Return what the cells of the table mean."""
    floors = (*(f"{floor:g}" for floor in FLOORS), "")
    steps: dict[str, list[str]] = {}
    for glyph, floor in zip(GLYPHS, floors, strict=True):
        steps.setdefault(glyph, []).append(floor)
    parts = [f"{glyph} from {floor[-1]}" if floor[-1] else f"{glyph} below {FLOORS[-1]:g}" for glyph, floor in steps.items()]
    return [
        "A cell is the cosine of one layer on one sample; bright is lost:",
        "  " + "   ".join(parts),
        "Where there is room it holds the decimals: 987 is 0.987.",
        "x marks a layer whose worst cosine is below 0.98; - has no cosine.",
        "worst and mean go over all samples; local is the cosine of the layer",
        "by itself, with exact inputs.",
    ]


def log_overlay(state: State) -> Overlay:
    """Return the log of the last run."""
    return Overlay("Log of the last run", plain_lines(log_lines(state)), classes="-log")


def plain_lines(lines: Iterable[str]) -> Content:
    """Return lines of hostile text as content."""
    return Content("\n").join([plain(line) for line in lines])
