"""The line after `/`: rows are narrowed while one types. Any pane with rows may have one; what is kept lives in the pane's slice."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual import events as ui
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from magik_tui.text import clean, cut
from magik_tui.widgets.ink import Line, Lines

MARK = 2  # cells before what is typed


class Typing(Input):
    """What is typed. Enter leaves at once, so that the key behind it is for whoever has the focus then."""

    def __init__(self, leave: Callable[[], None], *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id, select_on_focus=False, compact=True)
        self._leave = leave

    async def _on_key(self, event: ui.Key) -> None:
        if event.key == "enter":
            event.stop()
            event.prevent_default()
            self._leave()
        else:
            await super()._on_key(event)


class FilterLine(Widget):
    """Takes no room until `open` is called or a filter is kept. The pane answers `Typed` by calling `show`; its `keys` returns `keys()`
    of this line while `is_open`.

        def on_filter_line_typed(self, message): ...    # narrow the rows to message.text
        def on_filter_line_left(self, message): ...     # message.text is what is kept; message.keep is False after Esc: clear the filter
        def on_filter_line_walked(self, message): ...   # move the cursor by message.by rows
    """

    DEFAULT_CSS = """
    FilterLine { height: 0; width: 1fr; layout: horizontal; background: $panel; }
    FilterLine > Lines { height: 1; background: $panel; }
    FilterLine > #filter-mark { width: 2; }
    FilterLine > #filter-said { width: 0; }
    FilterLine > Input { height: 1; width: 1fr; border: none; padding: 0; background: $panel; }
    FilterLine > Input:focus { border: none; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave(False)", "clear", id="filter.clear", key_display="Esc", tooltip="Clear the filter and leave the line"),
        Binding("enter", "leave(True)", "keep", id="filter.keep", show=False, tooltip="Keep the filter and leave the line"),
        Binding("down", "walk(1)", id="filter.next", show=False, tooltip="Next row, while typing"),
        Binding("up", "walk(-1)", id="filter.previous", show=False, tooltip="Previous row, while typing"),
    ]

    class Typed(Message):
        """The text has changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The line was left; without `keep` the filter is to be cleared, and `text` is empty."""

        def __init__(self, keep: bool, text: str) -> None:
            super().__init__()
            self.keep, self.text = keep, text

    class Walked(Message):
        """The cursor shall move over the rows."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self.is_open = False
        self._text = self._told = ""
        self._back: Widget | None = None

    def compose(self) -> ComposeResult:
        """Return the sign, the line and what comes of it."""
        yield Lines(id="filter-mark")
        yield Typing(lambda: self.action_leave(True), id="filter-text")
        yield Lines(id="filter-said")

    def on_mount(self) -> None:
        """Show that one types here; the line cannot have the focus until it is opened."""
        self.query_one("#filter-mark", Lines).show(((("/ ", "key"),),))
        line = self.query_one(Input)
        line.cursor_blink = False
        line.can_focus = False

    def keys(self) -> Widget:
        """Return the widget that takes what is typed."""
        return self.query_one(Input)

    def open(self) -> None:
        """Take the keys; what was kept can be changed."""
        line = self.query_one(Input)
        self.is_open = line.can_focus = True
        line.cursor_position = len(line.value)
        self._fit()
        self._back = self.screen.focused if self.screen.focused is not line else self._back
        self.screen.set_focus(line)

    def show(self, text: str, said: str, trouble: str = "") -> None:
        """Show the filter that holds, and what comes of it ("12 of 49 layers") or what is wrong with it."""
        line = self.query_one(Input)
        if text != self._text:
            self._text = text
            if not self.is_open:
                self._told = text
                with line.prevent(Input.Changed):
                    line.value = clean(text)
        self._fit()
        told = cut(trouble or said, max(0, self.size.width - MARK) * 2 // 3)
        shown: Line = ((told, "warn" if trouble else "dim"),)
        lines = self.query_one("#filter-said", Lines)
        if lines.styles.width is None or lines.styles.width.value != cell_len(told):
            lines.styles.width = cell_len(told)
        lines.show((shown,))

    def _fit(self) -> None:
        height = int(self.is_open or bool(self._text))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the rows."""
        event.stop()
        if self.is_open:
            self._tell(event.value)

    def _tell(self, value: str) -> None:
        if value != self._told:
            self._told = value
            self.post_message(self.Typed(value))

    def action_leave(self, keep: bool) -> None:
        """Leave the line, and give the focus back."""
        self._close(keep)
        self.screen.set_focus(self._back)

    def on_descendant_blur(self) -> None:
        """Keep the filter where the focus went elsewhere, to another pane or to a question."""
        if self.is_open and self.screen.focused is not self.query_one(Input):
            self._close(True)

    def _close(self, keep: bool) -> None:
        line = self.query_one(Input)
        self.is_open = line.can_focus = False
        if keep:
            self._tell(line.value)
        else:
            self._told = ""
            with line.prevent(Input.Changed):
                line.value = ""
        self.post_message(self.Left(keep, line.value))

    def drop(self) -> bool:
        """Clear a filter that was kept, as Esc in the line does; tell whether there was one."""
        if self.is_open or not self._text:
            return False
        self._back = self.screen.focused
        self.action_leave(False)
        return True

    def action_walk(self, by: int) -> None:
        """Move over the rows."""
        self.post_message(self.Walked(by))
