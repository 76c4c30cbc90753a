"""The workbench as a process of its own, with keys that only tests need: x changes three rows, X crashes it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from textual.binding import Binding

from magik_tui import app as app_module
from magik_tui.opening import Wishes


class Probed(app_module.Workbench):
    BINDINGS = [Binding("x", "three_rows"), Binding("X", "crash")]  # noqa: RUF012 - textual reads it once

    def action_three_rows(self) -> None:
        table = self.bench.table
        changed = [tuple(0.1 if row in (4, 5, 6) else cosine for row, cosine in enumerate(c or ())) for c in table.columns]
        worst = tuple(0.1 if row in (4, 5, 6) else cosine for row, cosine in enumerate(table.worst))
        self.bench = replace(self.bench, table=replace(table, columns=tuple(changed), worst=worst))
        self._paint()

    def action_crash(self) -> None:
        secret = "hunter2"
        raise RuntimeError(f"the test wanted this {len(secret)}")


app_module.Workbench = Probed  # type: ignore[misc]

if __name__ == "__main__":
    worker = str(Path(__file__).with_name("fake_worker.py"))
    options = {"--low-bandwidth", "--no-mouse"} & set(sys.argv)
    command = [sys.executable, worker, *(each for each in sys.argv[1:] if each not in options)]
    if "--delay" in command:  # an engine that is far away
        at = command.index("--delay")
        late = command[at + 1]
        command = [sys.executable, str(Path(__file__).with_name("delay.py")), late, *command[:at], *command[at + 2 :]]
    wishes = Wishes(low_bandwidth="--low-bandwidth" in options)
    sys.exit(app_module.run("/home/me/resnet18", command=command, mouse="--no-mouse" not in options, wishes=wishes))
