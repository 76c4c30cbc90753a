"""Which panes there are. A pane exists as soon as its file does: `panes/NAME.py` with `PANE`, a subclass of `base.Pane`.

The file is not imported until the pane is to be seen, so that the first screen comes quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magik_tui.panes.base import Pane


@dataclass(frozen=True, slots=True)
class Entry:
    """A pane: the name of its module, which is also its id, the digit that jumps to it, and its title."""

    id: str
    digit: str
    title: str

    def load(self) -> type[Pane]:
        """Return the pane's class."""
        found: type[Pane] = import_module(f"magik_tui.panes.{self.id}").PANE
        return found


TITLES = {
    "config": "Config", "heatmap": "Heatmap", "layer": "Layer", "bisect": "Bisect", "bits": "Mixed bits", "data": "Data", "runs": "Runs",
    "diagnose": "Diagnose", "log": "Log",
}  # fmt: skip
"""The order of the panes, which gives them their digits; one whose file is not there is left out, and its digit does nothing."""


def _found() -> tuple[Entry, ...]:
    here = Path(__file__).parent
    entries = (Entry(name, str(digit), title) for digit, (name, title) in enumerate(TITLES.items(), 1))
    return tuple(entry for entry in entries if (here / f"{entry.id}.py").exists())


PANES = _found()
BY_ID = {entry.id: entry for entry in PANES}
