"""What the palette and the menus of the workbench offer: commands, live keys, what can be copied. Those that cannot be had say why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from textual.binding import ActiveBinding

from magik_tui.core.asking import Choice
from magik_tui.core.commands import Command, commands
from magik_tui.core.state import State
from magik_tui.keys import key_name
from magik_tui.panes.base import Pane, WorksHere
from magik_tui.panes.registry import PANES
from magik_tui.sheets import Sheet, as_line, as_tabs, text

WALKS = ("row.", "page.", "sample.", "bad.", "log.")  # ids of keys that only make sense where one looks


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a key does in another pane: its `action`, there."""

    pane: str
    action: str


def palette_choices(state: State, bindings: Iterable[ActiveBinding], keymap: Mapping[str, str]) -> tuple[Choice, ...]:
    """Return the choices of the palette: what keys do here, what only has a name, what keys do in other panes.

    `keymap` holds the keys of bindings (by their ids) that are not the usual ones; those that work here know theirs. The value of
    each choice is an `ActiveBinding`, a `Command` or an `Elsewhere`.
    """
    found: dict[str, list[ActiveBinding]] = {}
    for active in bindings:
        if active.binding.id and active.binding.tooltip:
            found.setdefault(active.binding.id, []).append(active)
    keyed = [_keyed(state, same) for same in found.values()]
    return (*keyed, *(_named(command) for command in commands(state)), *_elsewhere(set(found), keymap))


def _elsewhere(here: set[str], keymap: Mapping[str, str]) -> Iterator[Choice]:
    """Yield what the keys of the other panes do; going there comes first."""
    for entry in PANES:
        keys = entry.load()._merged_bindings
        for binding in (each for same in keys.key_to_bindings.values() for each in same) if keys is not None else ():
            if binding.id and binding.tooltip and binding.id not in here and not binding.id.startswith(WALKS):
                here.add(binding.id)
                label = f"{entry.title}: {binding.tooltip}"
                known = binding.with_key(keymap[binding.id].split(",")[0].strip()) if binding.id in keymap else binding
                yield Choice(label, Elsewhere(entry.id, binding.action), f"{entry.digit} {key_name(known)}", "", binding.id)


def _keyed(state: State, same: list[ActiveBinding]) -> Choice:
    node, binding = same[0].node, same[0].binding
    reason = node.why_not(binding.id or "", state) if isinstance(node, WorksHere) else ""
    reason = reason or ("" if same[0].enabled else "not now")
    keys = ", ".join(key_name(each.binding) for each in same)
    return Choice(binding.tooltip, same[0], keys, reason, binding.id or "")


def _named(command: Command) -> Choice:
    return Choice(command.title, command, "", command.reason, command.id)


def copy_choices(pane: Pane, sheet: Sheet | None, line: str) -> tuple[Choice, ...]:
    """Return what of a pane can be copied: the text and its name, as the value of each choice."""
    there = sheet is not None and bool(sheet.rows)
    nothing = "" if there else "the pane has no table" if sheet is None else "the table is empty"
    row = sheet.rows[min(sheet.row, len(sheet.rows) - 1)] if sheet is not None and there else ()
    cell = text(row[min(sheet.column, len(row) - 1)]) if sheet is not None and row else ""
    name = text(row[0]) if row else ""
    return (
        Choice("the name of the row", (name, "the name"), "n", nothing),
        Choice("the cell at the cursor", (cell, "the cell"), "c", nothing),
        Choice("the row", (as_line(row) + "\n", "the row"), "r", nothing),
        Choice("the table", (as_tabs(sheet) if sheet is not None else "", "the table"), "t", nothing),
        Choice("the command line that does the same", (line, "the command line"), "l", "" if line else f"{pane.name_of_pane} has none"),
    )
