"""A line at the bottom in which the user types an answer, or chooses one from a list above it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from textual import events as ui
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.fuzzy import FuzzySearch
from textual.widget import Widget
from textual.widgets import Input

from magik_tui.core.asking import Choice, Prompt
from magik_tui.text import cut, fit
from magik_tui.widgets.filterline import Typing
from magik_tui.widgets.ink import Line, Lines, Role, shortened
from magik_tui.widgets.rows import Rows

MOST = 10  # choices in sight
KEY = 14  # cells for the keys of a choice


class Choices(Rows):
    """The choices that suit what has been typed; those that cannot be had now are dim and say why."""

    HEAD = 0
    can_focus = False

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self.found: Sequence[Choice] = ()

    def show(self, found: Sequence[Choice], cursor: int) -> None:
        """Draw the choices."""
        self.found, self.cursor, self.count = found, cursor, len(found)
        self.redraw()

    def row(self, index: int) -> Line:
        """Return the line of one choice."""
        choice = self.found[index]
        chosen = index == self.cursor
        mark = "> " if chosen else "  "
        label = f"{choice.label} ({choice.reason})" if choice.reason else choice.label
        room = max(1, self.room - KEY - len(mark))
        role: Role = "dim" if choice.reason else "cursor" if chosen else "text"
        return shortened(((mark + fit(cut(label, room), room), role), (fit(choice.key, KEY, right=True), "key")), self.room)


def matching(choices: Sequence[Choice], typed: str) -> list[Choice]:
    """Return the choices that suit what was typed, the best first: those with all of its words, or if there are none, its letters in order.

    What cannot be had comes last.
    """
    words = typed.casefold().split()
    said = [f"{choice.id} {choice.label}".casefold() for choice in choices]
    whole = " ".join(words)
    found = [(choice, text, 0.0) for choice, text in zip(choices, said, strict=True) if all(word in text for word in words)]
    if not found:
        search = FuzzySearch()
        scored = ((choice, text, search.match(whole, text)[0]) for choice, text in zip(choices, said, strict=True))
        found = [each for each in scored if each[2] > 0]
    found.sort(key=lambda each: (bool(each[0].reason), not each[1].startswith(f"{whole} "), not each[1].startswith(whole), -each[2]))
    return [choice for choice, _, _ in found]


def title_line(title: str, note: str, width: int) -> Line:
    """Return what is asked, and beside it what is wrong with what was typed: of the two the first gives way."""
    said = cut(f"  {note} ", width) if note else ""
    line: Line = ((f" {cut(title, max(1, width - cell_len(said) - 1))}", "title"), (said, "warn"))
    return shortened(line, width)


class PromptBar(Widget):
    """Asks what a `Prompt` says. `done` is called when it closes; an answer goes to `answer`."""

    DEFAULT_CSS = """
    PromptBar { layer: over; dock: bottom; display: none; height: auto; max-height: 12; width: 1fr; background: $panel; layout: vertical; }
    PromptBar > Choices { height: 0; background: $panel; }
    PromptBar > #prompt-title { height: 1; width: 1fr; }
    PromptBar > Input { height: 1; border: none; padding: 0 1; background: $panel; }
    PromptBar > Input:focus { border: none; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", id="prompt.close", key_display="Esc", tooltip="Close it without an answer"),
        Binding("down,ctrl+n", "walk(1)", id="prompt.next", show=False, tooltip="Next choice"),
        Binding("up,ctrl+p", "walk(-1)", id="prompt.previous", show=False, tooltip="Previous choice"),
        Binding("enter", "choose", id="prompt.choose", show=False, tooltip="Take the choice"),
    ]

    def __init__(self, answer: Callable[[Any], None], done: Callable[[], None], *, id: str) -> None:  # noqa: A002 - textual's own name
        super().__init__(id=id)
        self.can_focus = True
        self._answer, self._done = answer, done
        self.asked = False
        self._prompt: Prompt | None = None
        self._found: list[Choice] = []
        self._typed = ""
        self._cursor = 0

    @property
    def is_open(self) -> bool:
        """Whether the user is being asked."""
        return self._prompt is not None

    def compose(self) -> ComposeResult:
        """Return list, title and line; they are made when the first question is asked."""
        yield Choices(id="prompt-choices")
        yield Lines(id="prompt-title")
        yield Typing(self.action_choose, id="prompt-line")

    def ask(self, prompt: Prompt) -> None:
        """Ask the user; an open question gives way."""
        self.asked = True
        self._prompt = prompt
        self.display = True
        line = self.query_one(Input)
        line.cursor_blink = False
        line.display = line.can_focus = not prompt.letters
        with line.prevent(Input.Changed):
            line.value = prompt.text
        line.cursor_position = len(prompt.text)
        self._filter(prompt.text if not prompt.choices else "")
        self._typed = prompt.text
        self._title("")
        self.screen.set_focus(self if prompt.letters else line)

    def _title(self, note: str) -> None:
        if self._prompt is not None:
            self.query_one("#prompt-title", Lines).show((title_line(self._prompt.title, note, self.app.size.width),))

    def _filter(self, typed: str) -> None:
        choices = self._prompt.choices if self._prompt is not None else ()
        self._typed, self._found, self._cursor = typed, matching(choices, typed), 0
        self._show_choices()

    def _show_choices(self) -> None:
        table = self.query_one(Choices)
        height = min(MOST, len(self._found))
        if table.styles.height is None or table.styles.height.value != height:
            table.styles.height = height
        table.show(self._found, self._cursor)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter the choices."""
        event.stop()
        self._follow(event.value)

    def _follow(self, typed: str) -> None:
        if self._prompt is not None and self._prompt.choices and typed != self._typed:
            self._filter(typed)
            self._title("" if self._found else "nothing is called so")

    def on_key(self, event: ui.Key) -> None:
        """Choose by a letter, where letters choose."""
        if self._prompt is None or not self._prompt.letters:
            return
        found = next((i for i, choice in enumerate(self._found) if choice.key == event.character), None)
        if found is None and not event.is_printable:
            return
        event.stop()  # a letter that chooses nothing is no key of the pane either
        event.prevent_default()
        if found is None:
            self._title(f"{event.character} chooses nothing; Esc closes")
        else:
            self._cursor = found
            self.action_choose()

    def action_walk(self, by: int) -> None:
        """Go to another choice."""
        if self._found:
            self._cursor = (self._cursor + by) % len(self._found)
            self._show_choices()

    def action_choose(self) -> None:
        """Take the answer."""
        prompt = self._prompt
        if prompt is None:
            return
        if not prompt.letters:
            self._follow(self.query_one(Input).value)  # Enter may come before it is told what was typed
        if not prompt.choices:
            self._close_with(prompt, self.query_one(Input).value)
        elif self._found:
            choice = self._found[self._cursor]
            if choice.reason:
                self._title(choice.reason)
            else:
                self._close_with(prompt, choice.value)

    def _close_with(self, prompt: Prompt, value: Any) -> None:
        self.action_close()
        self._answer(prompt.then(value))

    def action_close(self) -> None:
        """Close without an answer."""
        self._prompt = None
        self.query_one(Input).can_focus = False
        self.display = False
        self._done()
