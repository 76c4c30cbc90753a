"""The pure core of the workbench: `state, effects = update(state, event)`, in rooms.

`state` holds what all rooms share, `requests` how the worker is asked for something, `run` the run and its table. Every other
module here is the room of one pane or feature: its slice (a frozen dataclass), its events, and its steps, registered with `on`.
A room is loaded because its file is here; a recorded list of events is a test of the screen, since nothing here knows a
terminal, a clock or a process.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from magik_tui.core.requests import Reply, Request, ask, cancel
from magik_tui.core.state import Note, State, Step, on, update

__all__ = ["Note", "Reply", "Request", "State", "Step", "ask", "cancel", "on", "update"]

for _room in sorted(room.name for room in iter_modules(__path__)):
    import_module(f"{__name__}.{_room}")
