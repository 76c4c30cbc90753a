"""What opens over the workbench to be read and closed again: the help."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Static

from magik_tui.keys import key_name
from magik_tui.levels import BAD, FLOORS, GLYPHS, HEALTHY
from magik_tui.panes.base import Pane
from magik_tui.panes.registry import BY_ID
from magik_tui.table import RULES
from magik_tui.text import plain

WIDTH, FRAME = 76, 5  # cells of a page, and what border, padding and scrollbar take of them
HARD = "\N{NO-BREAK SPACE}"


class Overlay(ModalScreen[None]):
    """A page of text over the workbench; Esc, q or the key that opened it closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss_page", "close", id="help.close", show=False, tooltip="Close the page"),
        Binding("j,down", "scroll_page(1)", id="row.next", show=False, tooltip="A line down"),
        Binding("k,up", "scroll_page(-1)", id="row.previous", show=False, tooltip="A line up"),
        Binding("pagedown,space", "pages(1)", id="page.next", show=False, tooltip="A page down"),
        Binding("pageup", "pages(-1)", id="page.previous", show=False, tooltip="A page up"),
        Binding("g,home", "scroll_page(-1000000)", id="row.first", show=False, tooltip="To the beginning"),
        Binding("G,end", "scroll_page(1000000)", id="row.last", show=False, tooltip="To the end"),
    ]

    def __init__(self, title: str, page: Content, classes: str = "") -> None:
        super().__init__(classes=classes)
        self._title, self._page = title, page

    def compose(self) -> ComposeResult:
        """Return the page in its frame."""
        with VerticalScroll() as frame:
            frame.border_title = plain(self._title)
            frame.border_subtitle = plain("Esc or q closes")
            yield Static(self._page, markup=False)

    def action_dismiss_page(self) -> None:
        """Close the page."""
        self.dismiss()

    def action_scroll_page(self, by: int) -> None:
        """Scroll by lines, at once: of keys that come between two frames none is lost."""
        frame = self.query_one(VerticalScroll)
        frame.scroll_to(y=max(0, min(frame.scroll_y + by, frame.max_scroll_y)), animate=False, force=True, immediate=True)

    def action_pages(self, by: int) -> None:
        """Scroll by pages; a line of the last one stays in sight."""
        self.action_scroll_page(by * max(1, self.query_one(VerticalScroll).scrollable_content_region.height - 1))


def help_overlay(bindings: Iterable[ActiveBinding], width: int = WIDTH) -> Overlay:
    """Return the help for a screen of `width` cells, made from the bindings that are live: those of the pane, then those of every pane.

    Keys that do the same share a line.
    """
    owners: dict[str, dict[str, list[str]]] = {}
    for active in bindings:
        if active.binding.tooltip and active.enabled:  # textual's own have none
            keys = owners.setdefault(_owner(active.node), {})
            keys.setdefault(active.binding.tooltip, []).append(key_name(active.binding))
    room = min(WIDTH, width) - FRAME
    lines: list[str] = []
    for owner, keys in owners.items():
        lines += [*([""] if lines else []), f"{owner}:", *listed([(", ".join(names), what) for what, names in keys.items()], room)]
    marks = listed([("+", f"at least {HEALTHY:g}"), ("~", f"at least {BAD:g}"), ("x", f"below {BAD:g}"), ("-", "no cosine")], room)
    verdicts = listed(RULES, room)
    here = textwrap.wrap("Here: j, k, PgUp, PgDn, g and G scroll; Esc, q or ? closes this help.", room)
    head = textwrap.wrap("The verdict at the top, after the mean output cosine (of several outputs the worst):", room)
    return Overlay("Keys", plain_lines([*lines, "", *here, "", "Marks:", *marks, "", *head, *verdicts, "", *legend(room)]))


def _owner(node: DOMNode) -> str:
    """Return where a key works, in words."""
    pane = next((each for each in node.ancestors_with_self if isinstance(each, Pane)), None)
    return f"In the pane {BY_ID[pane.name_of_pane].title}" if pane is not None else "In every pane"


def listed(pairs: Sequence[tuple[str, str]], room: int) -> list[str]:
    """Return words and what they mean in two columns; a meaning that is too long goes on under itself."""
    gap = max((len(word) for word, _ in pairs), default=0) + 2
    return [line for word, what in pairs for line in textwrap.wrap(f"{word:<{gap}}{what}", room, subsequent_indent=" " * gap)]


def legend(room: int) -> list[str]:
    """Return what the cells of the table mean, in lines of `room` cells."""
    floors = (*(f"{floor:g}" for floor in FLOORS), "")
    steps: dict[str, list[str]] = {}
    for glyph, floor in zip(GLYPHS, floors, strict=True):
        steps.setdefault(glyph, []).append(floor)
    parts = [f"{glyph} from {floor[-1]}" if floor[-1] else f"{glyph} below {FLOORS[-1]:g}" for glyph, floor in steps.items()]
    steps_said = textwrap.wrap("   ".join(part.replace(" ", HARD) for part in parts), room - 2)
    texts = (
        "Where there is room it holds the decimals: 987 is 0.987.",
        "x marks a layer that is worth a look (one whose worst cosine is below 0.98), > the cursor.",
        "worst and mean go over all samples; local is the cosine of the layer by itself, with exact inputs.",
        "Other metrics have the same levels of loss: an SQNR that of the cosine its noise leaves, saturation from 1 % on x.",
        "A difference has a sign: + and - are small changes, ▲ and ▼ large ones; blue is better, red is worse.",
        "At the right edge of a long table is a map of the net: the worst level of each part, a bar where you are.",
    )
    return [
        *textwrap.wrap("A cell is the cosine of one layer on one sample; bright is lost:", room),
        *(f"  {line}".replace(HARD, " ") for line in steps_said),
        *(line for text in texts for line in textwrap.wrap(text, room)),
    ]


def plain_lines(lines: Iterable[str]) -> Content:
    """Return lines of hostile text as content."""
    return Content("\n").join([plain(line) for line in lines])
