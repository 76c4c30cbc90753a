"""The pane of magik.cfg: its text with what is wrong at its line, or a form of all keys."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import TextArea

from magik_tui import events as ev
from magik_tui.core import State
from magik_tui.core.config import (
    ConfigFile,
    ConfigSeen,
    Drafted,
    EditorAsked,
    FormAsked,
    KeyAsked,
    KeyMoved,
    KeySet,
    Mistake,
    RereadAsked,
    SaveAsked,
    place_of,
)
from magik_tui.core.run import Told
from magik_tui.core.twin import twin
from magik_tui.core.variants import VariantAsked, Variants
from magik_tui.panes.base import Pane
from magik_tui.sheets import Sheet
from magik_tui.text import clean, fit
from magik_tui.widgets.form import Form, changed_settings, config_sheet, help_lines
from magik_tui.widgets.ink import Line, Lines, Role
from magik_tui.widgets.jsonarea import JsonArea
from magik_tui.widgets.rows import Rows

FOOT = 3  # lines for a mistake, or for the help of a key


class ConfigPane(Pane):
    """The editor and the form; Esc leaves the text, so that single keys are commands again."""

    DEFAULT_CSS = """
    ConfigPane #config-head { height: 1; }
    ConfigPane #config-text, ConfigPane #config-form { height: 1fr; border: none; padding: 0; }
    ConfigPane #config-foot { height: 3; background: $surface; }
    ConfigPane #config-form { display: none; }
    ConfigPane.-form #config-form { display: block; }
    ConfigPane.-form #config-text { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,i", "edit", "edit", id="config.edit", tooltip="Edit the text, or the value of the key"),
        Binding("s", "save", "save", id="config.save", tooltip="Save magik.cfg"),
        Binding("ctrl+o", "save", id="config.save_while_editing", show=False, tooltip="Save magik.cfg, in the text too", priority=True),
        Binding("f", "form", "form", id="config.form", tooltip="The form instead of the text, or back"),
        Binding("u", "undo", "undo", id="config.undo", tooltip="Undo the last edit"),
        Binding("U", "redo", id="config.redo", show=False, tooltip="Redo it"),
        Binding("v", "variant", "variant", id="config.variant", tooltip="Another variant (T40, T41, ...)"),
        Binding("e", "editor", "$EDITOR", id="config.editor", tooltip="Edit it in $EDITOR, from the line or key that one is at"),
        Binding("n", "mistake", "mistake", id="config.mistake", show=False, tooltip="Go to the next mistake"),
        Binding("R", "reread", id="config.reread", show=False, tooltip="Read the file again and drop what was edited"),
        Binding("x", "unset", id="config.unset", show=False, tooltip="Take the key out of the file"),
        Binding("escape", "leave", id="config.leave", show=False, tooltip="Leave the text", priority=True),
        Binding("j,down", "move(1)", id="config.next", show=False, tooltip="Next key, or a line down"),
        Binding("k,up", "move(-1)", id="config.previous", show=False, tooltip="Previous key, or a line up"),
        Binding("g,home", "go(0)", id="config.first", show=False, tooltip="To the beginning"),
        Binding("G,end", "go(-1)", id="config.last", show=False, tooltip="To the end"),
    ]

    def __init__(self, *arguments: Any, **fields: Any) -> None:
        super().__init__(*arguments, **fields)
        self._taken = -1
        self._path = ""

    def compose(self) -> ComposeResult:
        """Return the head, text, form, and what is wrong."""
        yield Lines(id="config-head")
        yield JsonArea(id="config-text")
        yield Form()
        yield Lines(id="config-foot")

    def keys(self) -> Widget:
        """Return the pane itself: its keys are commands until the text is edited."""
        return self

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done now."""
        mine = state.of(ConfigFile)
        mistake = ("config.mistake",) if mine.mistakes else ()
        return (
            ("config.save", *mistake, "config.edit", "config.form")
            if mine.dirty
            else (*mistake, "config.edit", "config.form", "config.variant")
        )

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key can do nothing now."""
        mine = state.of(ConfigFile)
        if mine.saved is None and id_.startswith("config.") and not (mine.unread and id_ == "config.reread"):
            return "magik.cfg cannot be read" if mine.unread else "magik.cfg is not read yet"
        match id_:
            case "config.save" | "config.save_while_editing":
                return "" if mine.dirty or mine.conflict else "magik.cfg is saved already"
            case "config.mistake":
                return "" if mine.mistakes else "there is no mistake"
            case "config.unset":
                return "" if mine.form else "f shows the form, where keys are taken out"
            case "config.variant":
                return "" if len(state.of(Variants).names) > 1 else "the project has one variant only"
        return ""

    def sheet(self, state: State) -> Sheet | None:
        """Return the form as a table."""
        mine = state.of(ConfigFile)
        return config_sheet(state) if mine.saved is not None else None

    def line(self, state: State) -> str:
        """Return the command line that runs what is edited here, saved or not."""
        mine = state.of(ConfigFile)
        edited = changed_settings(mine.saved.text, mine.draft) if mine.saved is not None and mine.dirty else ()
        return twin(replace(state, settings=(*state.settings, *edited)), "run")

    def show(self, state: State) -> None:
        """Draw the file; the first time it is in sight it is read."""
        mine = state.of(ConfigFile)
        if mine.saved is None and not mine.asked:
            self.call_later(self.desk.dispatch, ConfigSeen())
        area = self.query_one(JsonArea)
        if mine.pushed != self._taken:
            self._taken = mine.pushed
            if mine.saved is not None and mine.saved.path != self._path:  # another file: undo must not bring back the one before, or none
                self._path = mine.saved.path
                area.load_text(mine.saved.text)
            if area.text != mine.draft:
                place = area.cursor_location
                area.replace(mine.draft, (0, 0), area.document.end)  # an edit like any other: undo takes it back
                area.move_cursor(place)
        worst = next((m for m in mine.mistakes if m.level == "error"), None)
        area.mark((worst.line - 1, worst.column - 1) if worst and worst.line else None)
        self.set_class(mine.form, "-form")
        self.query_one("#config-head", Lines).show((head_line(state, self.size.width),))
        form = self.query_one(Form)
        if mine.form:
            form.show(mine)
        self.query_one("#config-foot", Lines).show(self._foot(mine, form))

    def _foot(self, mine: ConfigFile, form: Form) -> tuple[Line, ...]:
        if mine.unread and mine.saved is None:
            return mistake_lines((Mistake("error", 0, 0, mine.unread),), self.size.width)
        if mine.mistakes or not mine.form or not form.count:
            return mistake_lines(mine.mistakes, self.size.width)
        return help_lines(form.key(mine.cursor)[0], self.size.width, self.state.soc)

    def on_text_area_changed(self, message: TextArea.Changed) -> None:
        """Take what was typed."""
        if self.state.of(ConfigFile).saved is not None:
            self.desk.dispatch(Drafted(message.text_area.text))

    def on_rows_row_chosen(self, message: Rows.RowChosen) -> None:
        """Choose the key that was clicked."""
        self.desk.dispatch(KeyMoved(to=message.row))

    def action_edit(self) -> None:
        """Edit the text, or the value under the cursor of the form."""
        mine = self.state.of(ConfigFile)
        if not mine.form:
            self.query_one(JsonArea).focus()
            return
        key, value, _ = self.query_one(Form).key(mine.cursor)
        self.desk.dispatch(KeyAsked(key, value))

    def action_leave(self) -> None:
        """Leave the text; where nothing is edited, Esc does what it does everywhere."""
        if self.query_one(JsonArea).has_focus:
            self.focus()
        else:
            self.desk.dispatch(ev.CancelAsked())

    def action_save(self) -> None:
        """Save the file."""
        self.desk.dispatch(SaveAsked())

    def action_form(self) -> None:
        """Change between form and text."""
        self.desk.dispatch(FormAsked())

    def action_undo(self) -> None:
        """Undo the last edit."""
        area = self.query_one(JsonArea)
        if area.history.undo_stack:
            area.undo()
        else:
            self.desk.dispatch(Told("nothing to undo"))

    def action_redo(self) -> None:
        """Redo it."""
        area = self.query_one(JsonArea)
        if area.history.redo_stack:
            area.redo()
        else:
            self.desk.dispatch(Told("nothing to redo"))

    def action_variant(self) -> None:
        """Work on the next variant."""
        self.desk.dispatch(VariantAsked(self.desk.clock()))

    def action_editor(self) -> None:
        """Edit it in the user's editor, from where one is."""
        mine = self.state.of(ConfigFile)
        area = self.query_one(JsonArea)
        shown = area.cursor_location[0] if area.has_focus else area.scroll_offset.y
        line = place_of(mine.draft, self.query_one(Form).key(mine.cursor)[0])[0] if mine.form else shown + 1
        self.desk.dispatch(EditorAsked(max(1, line)))

    def action_mistake(self) -> None:
        """Go to the next mistake, in the text."""
        mine, area = self.state.of(ConfigFile), self.query_one(JsonArea)
        places = [(m.line - 1, max(0, m.column - 1)) for m in mine.mistakes if m.line]
        if not places:
            self.desk.dispatch(Told("there is no mistake"))
            return
        place = next((each for each in places if each > area.cursor_location), places[0])
        if mine.form:
            self.desk.dispatch(FormAsked())
        area.move_cursor(place)
        area.focus()

    def action_reread(self) -> None:
        """Read the file again."""
        self.desk.dispatch(RereadAsked())

    def action_unset(self) -> None:
        """Take the key under the cursor out of the file."""
        mine = self.state.of(ConfigFile)
        if mine.form:
            self.desk.dispatch(KeySet(self.query_one(Form).key(mine.cursor)[0], ""))

    def action_move(self, by: int) -> None:
        """Move in the form, or scroll the text."""
        if self.state.of(ConfigFile).form:
            self.desk.dispatch(KeyMoved(by))
        else:
            self.query_one(JsonArea).scroll_relative(y=by, animate=False)

    def action_go(self, place: int) -> None:
        """Go to an end of the form or the text."""
        if self.state.of(ConfigFile).form:
            self.desk.dispatch(KeyMoved(to=place))
        else:
            area = self.query_one(JsonArea)
            area.scroll_to(y=0 if place == 0 else area.max_scroll_y, animate=False)


def head_line(state: State, width: int) -> Line:
    """Return the path, the marks of what is not saved, and the variants."""
    mine = state.of(ConfigFile)
    if mine.saved is None and mine.unread:
        return ((fit("magik.cfg cannot be read; R tries again", width), "warn"),)
    if mine.saved is None:
        return ((fit("Reading magik.cfg." if mine.asked else "", width), "dim"),)
    mark = "! changed on disk " if mine.conflict else "* not saved " if mine.dirty else ""
    stale = "  the table is older" if state.stale else ""
    known = state.of(Variants).names
    names = " ".join(f"[{n}]" if n == state.variant else n for n in map(clean, known)) if len(known) > 1 else ""
    return ((mark, "warn"), (fit(f"{clean(mine.saved.path)}{stale}  {names}", max(0, width - len(mark))), "strong"))


def mistake_lines(mistakes: tuple[Mistake, ...], width: int) -> tuple[Line, ...]:
    """Return the first mistakes, as many as there is room for."""
    if not mistakes:
        return (((fit("No mistakes.", width), "dim"),),)
    lines: list[Line] = []
    for each in mistakes:
        role: Role = "bad" if each.level == "error" else "warn"
        where = f"line {each.line}, column {each.column}: " if each.line else ""
        lines += [((part, role),) for part in textwrap.wrap(clean(where + each.text), max(20, width))]
    if len(lines) > FOOT:
        lines = [*lines[: FOOT - 1], ((f"and {len(lines) - FOOT + 1} lines more", "dim"),)]
    return tuple(lines)


PANE = ConfigPane
