"""The screen that people live in: header, panes, messages, status."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, ClassVar

from textual import events as ui
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from magik_tui import events as ev
from magik_tui.bars import header_line, hints, note_lines, status_line
from magik_tui.core import State
from magik_tui.core import places as pl
from magik_tui.core.asking import Prompt
from magik_tui.core.commands import Command
from magik_tui.core.export import CopyAsked, ExportAsked
from magik_tui.core.live import AutoToggled
from magik_tui.core.requests import heavy_at_work
from magik_tui.core.run import Told
from magik_tui.keys import key_name
from magik_tui.panes.base import Desk
from magik_tui.panes.registry import PANES
from magik_tui.widgets.body import Body
from magik_tui.widgets.ink import Lines
from magik_tui.widgets.prompt import PromptBar

if TYPE_CHECKING:
    from magik_tui.screens.palette import Elsewhere

LEAST_WIDTH, LEAST_HEIGHT = 60, 15
STEP = 2  # cells by which a pane grows or shrinks


class WorkbenchScreen(Screen[None]):
    """Draws a `State`, and turns the keys that work in every pane into events for `dispatch`."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", id="help.open", key_display="?", tooltip="This help"),
        Binding("colon,ctrl+p", "palette", id="palette.open", show=False, tooltip="Find what to do by its name"),
        Binding("q", "quit", "quit", id="app.quit", tooltip="Stop the engine and quit"),
        Binding("r", "ask_run", "run", id="run.start", tooltip="Make the table anew"),
        Binding("escape", "cancel", "stop", id="run.stop", key_display="Esc", tooltip="Stop the run; clear the message; drop the filter"),
        Binding("A", "auto", id="live.auto", show=False, tooltip="Auto-run on or off: changes run at once, or wait"),
        Binding("w", "log", "log", id="log.open", tooltip="Warnings and log of the last run, and back"),
        *(Binding(e.digit, f"pane('{e.id}')", e.title, id=f"pane.{e.id}", show=False, tooltip=f"The pane {e.title}") for e in PANES),
        Binding("tab", "cycle(1)", id="pane.next", show=False, tooltip="Next pane in sight"),
        Binding("shift+tab", "cycle(-1)", id="pane.previous", show=False, tooltip="Previous pane in sight"),
        Binding("z", "zoom", "zoom", id="pane.zoom", show=False, tooltip="The pane takes the whole screen, and gives it back"),
        Binding("right_square_bracket", f"size({STEP})", id="pane.grow", show=False, key_display="]", tooltip="Make the pane larger"),
        Binding("left_square_bracket", f"size(-{STEP})", id="pane.shrink", show=False, key_display="[", tooltip="Make the pane smaller"),
        Binding("right_curly_bracket", f"size({STEP}, True)", id="pane.grow_outer", show=False, key_display="}",
                tooltip="Make what holds the pane larger"),
        Binding("left_curly_bracket", f"size(-{STEP}, True)", id="pane.shrink_outer", show=False, key_display="{",
                tooltip="Make what holds the pane smaller"),
        Binding("equals_sign", "sizes_reset", id="pane.reset", show=False, key_display="=", tooltip="Give all panes their first sizes"),
        Binding("y", "copy", id="copy.open", show=False, tooltip="Copy a name, a cell, the row, the table or the command line"),
        Binding("E", "export", id="export.open", show=False, tooltip="Write the pane's table to a file: CSV, JSON, Markdown, SVG"),
        Binding("dollar_sign", "show_line", id="command.show", show=False, key_display="$",
                tooltip="Show the command line that does the same"),
        Binding("L", "layout", id="layout.next", show=False, tooltip="Next layout; the last follows the terminal's size"),
    ]  # fmt: skip

    def __init__(self, dispatch: Callable[[ev.Event], None], state: State, clock: Callable[[], float]) -> None:
        super().__init__()
        self._dispatch, self._state, self._clock = dispatch, state, clock
        self._prompt: PromptBar | None = None
        self._laying_out = False

    def compose(self) -> ComposeResult:
        """Return the parts of the screen from top to bottom."""
        yield Lines(id="header")
        yield Body(Desk(self._dispatch, self._clock), self._state, id="body")
        yield Lines(id="note")
        yield Lines(id="status")
        yield Static(id="small", markup=False)

    def on_resize(self, event: ui.Resize) -> None:
        """Choose the layout for the new size."""
        width, height = event.size
        small = width < LEAST_WIDTH or height < LEAST_HEIGHT
        self.set_class(small, "-small")
        if small:
            text = f"This terminal is {width}x{height}.\nThe workbench needs at least {LEAST_WIDTH}x{LEAST_HEIGHT}."
            self.query_one("#small", Static).update(text)
        self._dispatch(pl.Resized(width, height))

    def _refresh_layout(self, size: Size | None = None, scroll: bool = False) -> None:
        """Let panes that came into sight or changed their size draw what is so now; textual's first frame is of what was."""
        self._laying_out = True
        try:
            super()._refresh_layout(size, scroll)
        finally:
            self._laying_out = False
        body = self.query_one_optional(Body)
        if body is not None:
            body.draw_resized()
        if self.is_current and not self.app._batch_count:
            self._compositor_refresh()

    def _compositor_refresh(self) -> None:
        if not self._laying_out:
            super()._compositor_refresh()

    def show(self, state: State) -> None:
        """Draw `state`; each part redraws what differs."""
        self._state = state
        size = self.app.size
        note, body = self.query_one_optional("#note", Lines), self.query_one_optional(Body)
        if note is None or body is None:
            return  # the screen is being taken down
        lines = note_lines(state, size.width)
        if len(lines) != len(note.lines):
            note.styles.height = len(lines)
        note.show(lines)
        self.query_one("#header", Lines).show((header_line(state, size.width),))
        body.show(state)
        self._show_status()

    def on_descendant_focus(self) -> None:
        """Hint at the keys of the pane that has them now: one that is made later gets them later."""
        if self.query_one_optional(Body) is not None:
            self._show_status()

    def _show_status(self) -> None:
        state, size = self._state, self.app.size
        pane = self.query_one(Body).focused
        found = self._keys_by_id()
        wanted = hints(state, [id_ for id_ in pane.hints(state) if not pane.why_not(id_, state)] if pane is not None else ())
        keys = [found[id_] for id_ in wanted if id_ in found]
        self.query_one("#status", Lines).show((status_line(state, size.width, keys),))

    def ask(self, prompt: Prompt) -> None:
        """Ask the user something in the line at the bottom."""
        bar = self._prompt
        if bar is None:
            bar = self._prompt = PromptBar(self._answered, self.query_one(Body).give_keys, id="prompt")
            self.mount(bar)
        if bar.asked:
            bar.ask(prompt)
        else:  # it is being made
            bar.call_after_refresh(bar.ask, prompt)

    @property
    def keys_move(self) -> bool:
        """Whether a pane or the line at the bottom is being made that gets the keys then."""
        coming = self._prompt is not None and not self._prompt.asked
        body = self.query_one_optional(Body)  # none while the screen is taken down
        return coming or (body is not None and body.keys_move)

    def _answered(self, event: ev.Event | None) -> None:
        if event is not None:
            self._dispatch(event)

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key that works in every pane can do nothing now."""
        if id_ == "run.start":
            return "a run is at work" if state.phase in ("waiting", "running") else ""
        working = state.busy or heavy_at_work(state) is not None or state.note is not None
        return "nothing is at work" if id_ == "run.stop" and not working else ""

    def _keys_by_id(self) -> dict[str, tuple[str, str]]:
        """Return the key and the short name of every binding that works now and has an id."""
        found: dict[str, tuple[str, str]] = {}
        for active in self.active_bindings.values():
            binding = active.binding
            if binding.id is not None and active.enabled:
                found.setdefault(binding.id, (key_name(binding), binding.description))
        return found

    def on_body_pane_clicked(self, message: Body.PaneClicked) -> None:
        """Show the pane whose tab was clicked."""
        self._dispatch(pl.PaneChosen(message.pane))

    def action_pane(self, pane: str) -> None:
        """Show a pane and give it the keys."""
        self._dispatch(pl.PaneChosen(pane))

    def action_cycle(self, step: int) -> None:
        """Give the keys to the next (1) or previous (-1) pane in sight."""
        self._dispatch(pl.PaneCycled(step))

    def action_zoom(self) -> None:
        """Give the pane the whole room, or the others theirs back."""
        self._dispatch(pl.ZoomAsked())

    def action_size(self, by: int, outer: bool = False) -> None:
        """Make the pane larger or smaller."""
        self._dispatch(pl.SizeAsked(by, outer))

    def action_sizes_reset(self) -> None:
        """Give the panes the sizes of their layout."""
        self._dispatch(pl.SizesReset())

    def action_layout(self) -> None:
        """Go to the next layout."""
        self._dispatch(pl.LayoutCycled())

    def action_ask_run(self) -> None:
        """Make the table anew."""
        self._dispatch(ev.RunAsked(self._clock()))

    def action_cancel(self) -> None:
        """Stop the run; where nothing is to be stopped, show again what a filter hides."""
        pane = self.query_one(Body).focused
        if self.why_not("run.stop", self._state) and pane is not None:
            pane.unfilter()
        else:
            self._dispatch(ev.CancelAsked())

    def action_auto(self) -> None:
        """Let changes run at once, or wait."""
        self._dispatch(AutoToggled())

    def action_log(self) -> None:
        """Show the log of the last run, or go back from it."""
        self._dispatch(ev.LogAsked())

    def action_palette(self) -> None:
        """Open the palette: everything that can be done now, found by typing."""
        from magik_tui.screens.palette import palette_choices

        choices = palette_choices(self._state, self.active_bindings.values(), self.app._keymap)
        self.ask(Prompt("what to do", self._do, choices=choices))

    def _do(self, chosen: Command | ActiveBinding | Elsewhere) -> ev.Event | None:
        if isinstance(chosen, Command):
            return chosen.event
        if not isinstance(chosen, ActiveBinding):
            self.call_later(self._there, chosen.action)
            return pl.PaneChosen(chosen.pane)
        self.call_later(self.app.run_action, chosen.binding.action, chosen.node)
        return None

    def _there(self, action: str) -> None:
        """Do something in the pane that has the keys, as soon as it is made."""
        body = self.query_one(Body)
        if body.keys_move:
            self.call_after_refresh(self._there, action)
        elif body.focused is not None:
            self.call_later(self.app.run_action, action, body.focused)

    def action_copy(self) -> None:
        """Ask what of the pane is to be copied."""
        from magik_tui.screens.palette import copy_choices

        pane = self.query_one(Body).focused
        if pane is not None:
            choices = copy_choices(pane, pane.sheet(self._state), pane.line(self._state))
            self.ask(Prompt("copy", lambda chosen: CopyAsked(*chosen), choices=choices, letters=True))

    def action_export(self) -> None:
        """Ask for the file that the pane's table is to be written to."""
        pane = self.query_one(Body).focused
        sheet = pane.sheet(self._state) if pane is not None else None
        if pane is None or sheet is None or not sheet.rows:
            self._dispatch(Told("there is no table in this pane to export"))
        else:
            self._dispatch(ExportAsked(sheet, f"{PurePath(self._state.project).name or 'table'}-{pane.name_of_pane}.csv"))

    def action_show_line(self) -> None:
        """Show the command line that does the same as the pane."""
        pane = self.query_one(Body).focused
        line = pane.line(self._state) if pane is not None else ""
        self._dispatch(Told(line or "no command line does this"))

    def action_help(self) -> None:
        """Open the help, made from the bindings that work now."""
        from magik_tui.screens.overlay import help_overlay

        self.app.push_screen(help_overlay(self.active_bindings.values(), self.app.size.width))

    def action_quit(self) -> None:
        """Leave the workbench."""
        self.app.exit(return_code=0)
