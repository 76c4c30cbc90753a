"""Lines as data: runs of text with a role, and the widgets that turn roles into the theme's styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.dom import DOMNode
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from magik_tui.levels import BACKGROUNDS, DIGIT_INKS, GLYPH_INKS
from magik_tui.looks import Levels
from magik_tui.text import elide, fit

Role = Literal[
    "text", "dim", "label", "strong", "title", "head", "column", "cursor", "good", "warn", "bad", "key",
    "glyph0", "glyph1", "glyph2", "glyph3", "glyph4", "glyph5", "glyph6", "glyph7",
    "digit0", "digit1", "digit2", "digit3", "digit4", "digit5", "digit6", "digit7",
    "better1", "better2", "better3", "worse1", "worse2", "worse3",
]  # fmt: skip
Run = tuple[str, Role]
Line = tuple[Run, ...]


def line_text(line: Line) -> str:
    """Return the text of a line without its roles."""
    return "".join(text for text, _ in line)


def line_width(line: Line) -> int:
    """Return how many cells a line takes."""
    return cell_len(line_text(line))


def justified(left: Line, right: Line, width: int) -> Line:
    """Return `left` and `right` at the two ends of a line of `width` cells; the left gives way."""
    room = width - line_width(right)
    return shortened(left, max(0, room)) + right if room >= 0 else shortened(right, width)


def shortened(line: Line, width: int) -> Line:
    """Return `line` in exactly `width` cells; its end is cut or padded."""
    runs: list[Run] = []
    for text, role in line:
        size = cell_len(text)
        if size > width:
            runs.append((elide(text, width), role))
            width -= line_width((runs[-1],))
            break
        runs.append((text, role))
        width -= size
    return (*runs, (" " * width, "text")) if width else tuple(runs)


def labelled(label: str, value: str | Sequence[str], width: int, gap: int = 1, role: Role = "text") -> Line:
    """Return a label and its value in exactly `width` cells; `gap` is where the value begins.

    A value may be a sequence of ever shorter forms: the first that fits is shown, so that no number is cut.
    """
    forms = (value,) if isinstance(value, str) else value
    chosen = next((form for form in forms if cell_len(form) <= width - gap), forms[-1])
    return ((fit(label, gap), "label"), (fit(chosen, width - gap), role))


class Inked(Widget):
    """A widget that draws roles: their styles come from the style sheet, those of the levels from the 256 colours."""

    _inks: dict[str, Style] | None = None

    def ink(self, role: Role) -> Style:
        """Return the style of `role`; styles are made once per theme, so that equal runs share one object."""
        if self._inks is None:
            self._inks = {}
            levels: Levels = getattr(self.app, "levels", None) or Levels(BACKGROUNDS, DIGIT_INKS, GLYPH_INKS)
            for kind, pens in (("glyph", levels.glyphs), ("digit", levels.digits)):
                for step, (paper, pen) in enumerate(zip(levels.paper, pens, strict=True)):
                    self._inks[f"{kind}{step}"] = Style.from_color(Color.from_ansi(pen), Color.from_ansi(paper))
        if role not in self._inks:
            self._inks[role] = self._themed(f"ink--{role}")
        return self._inks[role]

    def _themed(self, component: str) -> Style:
        """Return what the style sheet says of a component. As COMPONENT_CLASSES textual would ask it for all of them, at every change."""
        node = DOMNode(classes=component)
        node._attach(self)
        self.app.stylesheet.apply(node, animate=False)
        self._component_styles[component] = node.styles
        return self.get_component_rich_style(component)

    def strip(self, line: Line, width: int) -> Strip:
        """Return `line` as a strip of `width` cells; neighbours of one role become one segment."""
        merged: list[list[str]] = []
        roles: list[Role] = []
        for text, role in line:
            if roles and roles[-1] == role:
                merged[-1].append(text)
            elif text:
                merged.append([text])
                roles.append(role)
        segments = [Segment("".join(texts), self.ink(role)) for texts, role in zip(merged, roles, strict=True)]
        return Strip(segments).adjust_cell_length(width, self.ink("text"))

    def notify_style_update(self) -> None:
        """Forget the styles of the old theme."""
        if self._inks is not None:
            self._inks = None
            self._component_styles.clear()
            self.refresh()
        super().notify_style_update()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return the filters of the app without the one that turns the 256 colours into longer, rounded true colours."""
        return [each for each in super().get_line_filters() if not isinstance(each, ANSIToTruecolor)]


class Lines(Inked):
    """Some lines of text; showing new ones redraws those that differ."""

    can_focus = False

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self._lines: tuple[Line, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines that are shown."""
        return self._lines

    def show(self, lines: tuple[Line, ...]) -> None:
        """Draw `lines`; what is below them is blank."""
        old, self._lines = self._lines, lines
        size = max(len(old), len(lines))
        changed = [y for y in range(size) if old[y : y + 1] != lines[y : y + 1]]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def show_whole(self, lines: tuple[Line, ...]) -> None:
        """Draw `lines` and be as high as they are; without any, it takes no room."""
        if self.styles.height is None or self.styles.height.value != len(lines):
            self.styles.height = len(lines)
        self.show(lines)

    def render_line(self, y: int) -> Strip:
        """Return line `y` as it is drawn."""
        return self.strip(self._lines[y] if y < len(self._lines) else (), self.size.width)
