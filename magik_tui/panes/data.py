"""The pane of the samples: every set, what is odd about a sample, its worst layer, and a small picture."""

from __future__ import annotations

import os
import textwrap
from pathlib import PurePath
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from magik_tui import events as ev
from magik_tui import graphics
from magik_tui.core import State
from magik_tui.core.data import SHARP, SIDE, Data, DataSeen, Entry, OddAsked, PictureWanted, SampleMoved
from magik_tui.core.looking import Looks
from magik_tui.core.places import PaneChosen
from magik_tui.core.run import Told
from magik_tui.numerals import fixed
from magik_tui.panes.base import ListPane, walk_keys
from magik_tui.sheets import Cell, Sheet
from magik_tui.text import clean, cut, fit
from magik_tui.widgets.ink import Line, Lines, Role
from magik_tui.widgets.rows import Rows
from magik_tui.widgets.thumb import Thumb

MEASURED = "DEBUG_PATH"
REST = 0.15  # seconds that the cursor rests before a picture is asked for
SAID = 3  # lines of warnings
NOT_MEASURED = "layers are measured on the samples of DEBUG_PATH, and this row is none of them"
NAMES = 26  # cells for the names of samples, at most


class SampleList(Rows):
    """The sets and their samples."""

    def __init__(self) -> None:
        super().__init__(id="data")
        self._state: State | None = None
        self._entries: tuple[Entry, ...] = ()
        self._names = NAMES

    def show(self, state: State) -> None:
        """Draw the list."""
        data = state.of(Data)
        if data.entries is not self._entries:
            self._entries, self._names = data.entries, name_width(data.entries)
        self._state, self.count, self.cursor = state, len(data.entries), data.cursor
        self.redraw()

    def head(self) -> Line:
        """Return the names of the columns."""
        names = fit("sample", self._names)
        return ((fit(cut(f"   cosine  {names}  worst layer, or what is odd", self.room), self.room), "head"),)

    def row(self, index: int) -> Line:
        """Return a set's head, or a sample."""
        if self._state is None:
            return ()
        entry = self._state.of(Data).entries[index]
        role: Role = "cursor" if index == self.cursor else "strong" if entry.sample is None else "warn" if entry.sample.fault else "text"
        return ((fit(cut(entry_text(self._state, entry, self._names), self.room), self.room), role),)


def entry_text(state: State, entry: Entry, names: int) -> str:
    """Return one row as text, the sample's name in `names` cells; of a measured sample its worst layer and that cosine."""
    data = state.of(Data)
    if entry.sample is None:
        found = data.sets.sets[entry.key] if data.sets else None
        count = len(found.samples) if found else 0
        odd = sum(bool(s.fault) for s in found.samples) if found else 0
        said = f", {odd} look odd" if odd else ""
        return f"{clean(entry.key)}  {count} samples{said}"
    worst = worst_layer(state, entry) if entry.key == MEASURED else None
    cosine = fixed(worst[1]) if worst else ""
    layer = clean(state.table.rows[worst[0]].name) if worst else ""
    name = fit(entry.sample.name, names)
    return f" {cosine:>8}  {name}  {' in '.join(filter(None, (clean(entry.sample.fault), layer)))}"


def name_width(entries: tuple[Entry, ...]) -> int:
    """Return how many cells the names of samples and the head over them need, at most NAMES."""
    return min(NAMES, max([len("sample"), *(cell_len(clean(e.sample.name)) for e in entries if e.sample is not None)]))


def worst_layer(state: State, entry: Entry) -> tuple[int, float] | None:
    """Return the row and cosine of the layer that does worst on a measured sample, None while (or where) it is not measured."""
    table = state.table
    name = entry.sample.name if entry.sample else ""
    if name not in table.samples:
        return None
    column = table.columns[table.samples.index(name)]
    known = [(row, value) for row, value in enumerate(column or ()) if value is not None]
    return min(known, key=lambda each: each[1]) if known else None


def samples_sheet(state: State) -> Sheet:
    """Return the samples of all sets as a table, with the worst layer of those that are measured."""
    data = state.of(Data)
    places = [at for at, entry in enumerate(data.entries) if entry.sample is not None]
    rows: list[tuple[Cell, ...]] = []
    for entry in (data.entries[at] for at in places):
        worst = worst_layer(state, entry) if entry.key == MEASURED else None
        found = (state.table.rows[worst[0]].name, worst[1]) if worst else (None, None)
        rows.append((entry.sample.name, entry.key, *found, entry.sample.fault, " ".join(entry.sample.files)) if entry.sample else ())
    heads = ("sample", "set", "worst layer", "cosine", "what is odd", "files")
    here = sum(at < data.cursor for at in places)
    return Sheet(heads, tuple(rows), min(here, max(0, len(rows) - 1)), 0, frozenset({3}), f"samples of {PurePath(state.project).name}")


class DataPane(ListPane):
    """The samples; Enter goes to the worst layer of the one under the cursor."""

    DEFAULT_CSS = """
    DataPane #data-said { height: 0; background: $surface; }
    DataPane #data-body { height: 1fr; layout: horizontal; }
    DataPane #data { width: 1fr; height: 1fr; }
    DataPane #data-picture { width: 0; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "worst", "worst layer", id="data.worst", key_display="Enter", tooltip="Go to the worst layer of this sample"),
        Binding("n", "odd", "odd", id="data.odd", tooltip="Next sample that looks odd"),
        Binding("p", "picture", "picture", id="data.picture", tooltip="Show or hide the picture"),
        *walk_keys("sample"),
    ]

    pictured = True

    def compose(self) -> ComposeResult:
        """Return the warnings, the list and the picture."""
        yield Lines(id="data-said")
        with Container(id="data-body"):
            yield SampleList()
            yield Thumb(id="data-picture")

    def hints(self, state: State) -> tuple[str, ...]:
        """Return what can be done with a sample."""
        return ("data.worst", "data.odd", "data.picture") if state.of(Data).entries else ()

    def why_not(self, id_: str, state: State) -> str:
        """Return why a key can do nothing now."""
        data = state.of(Data)
        if not data.entries:
            return "there are no samples"
        if id_ == "data.odd" and not any(entry.sample is not None and entry.sample.fault for entry in data.entries):
            return "no sample looks odd"
        chosen = data.chosen
        measured = chosen is not None and chosen.key == MEASURED and worst_layer(state, chosen) is not None
        return NOT_MEASURED if id_ == "data.worst" and not measured else ""

    def sheet(self, state: State) -> Sheet | None:
        """Return the samples of all sets."""
        return samples_sheet(state)

    def show(self, state: State) -> None:
        """Draw the samples; the first time they are in sight they are asked for."""
        data = state.of(Data)
        if data.sets is None and not data.asked:
            self.call_later(self.desk.dispatch, DataSeen())
        self.query_one("#data-said", Lines).show_whole(said_lines(data, self.size.width))
        self.query_one(SampleList).show(state)
        self._show_picture(data)

    def _show_picture(self, data: Data) -> None:
        thumb = self.query_one(Thumb)
        width = min(48, self.size.width // 3) if self.pictured and self.size.width >= 60 else 0
        if thumb.styles.width is None or thumb.styles.width.value != width:
            thumb.styles.width = width
        sample = data.pictured
        file = sample.files[0] if sample and sample.picture and sample.files else ""
        if width and file and file not in data.pictures:
            self.set_timer(REST, lambda: self._rested(file))
        thumb.show(data.pictures.get(file), sharp=sharp(self.state))

    def _rested(self, file: str) -> None:
        """Ask for the picture if the cursor is still on it."""
        sample = self.state.of(Data).pictured
        if sample is not None and file in sample.files:
            self.desk.dispatch(PictureWanted(SHARP if sharp(self.state) else SIDE))

    def moved(self, by: int = 0, to: int | None = None) -> ev.Event:
        """Return the event that moves the cursor over the samples."""
        return SampleMoved(by, to)

    def action_odd(self) -> None:
        """Go to the next sample that looks odd."""
        self.desk.dispatch(OddAsked())

    def action_picture(self) -> None:
        """Show or hide the picture."""
        self.pictured = not self.pictured
        self.show(self.state)

    def action_worst(self) -> None:
        """Go to the worst layer of the sample in the heatmap."""
        chosen = self.state.of(Data).chosen
        worst = worst_layer(self.state, chosen) if chosen else None
        if chosen is None or chosen.sample is None or worst is None or chosen.key != MEASURED:
            self.desk.dispatch(Told(self.why_not("data.worst", self.state) or NOT_MEASURED))
            return
        column = self.state.table.samples.index(chosen.sample.name)
        for event in (ev.MovedTo(worst[0]), ev.ColumnMoved(column - self.state.column), PaneChosen("heatmap")):
            self.desk.dispatch(event)


def sharp(state: State) -> bool:
    """Tell whether the terminal is to draw pictures itself."""
    return graphics.spoken(os.environ) and not state.of(Looks).low


def said_lines(data: Data, width: int) -> tuple[Line, ...]:
    """Return the warnings of the picture check, as many as there is room for."""
    if data.sets is None:
        return ((("Looking at the samples.", "dim"),),)
    if not data.entries:
        return ((("No samples: magik.cfg names no QUANT_DATASET_PATH and no DEBUG_PATH that can be read.", "warn"),),)
    texts = [f"{key}: {text}" for key, found in data.sets.sets.items() for text in found.warnings]
    lines = [part for text in (*texts, *data.sets.warnings) for part in textwrap.wrap(clean(text), max(20, width))]
    shown = lines if len(lines) <= SAID else [*lines[: SAID - 1], f"and {len(lines) - SAID + 1} lines more; the log has them"]
    return tuple(((line, "warn"),) for line in shown)


PANE = DataPane
