"""The screen as text, whole, at the sizes that matter. `UPDATE_SNAPSHOTS=1 pytest ...` writes the files anew: look at the difference.

Only the frame's own panes are there, and those that a case is about, so that a new pane changes nothing here.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from magik_tui import opening
from magik_tui.core import State
from magik_tui.core.detail import Details
from magik_tui.core.places import Places
from magik_tui.core.requests import Requests, heavy_at_work
from magik_tui.details import columns
from magik_tui.opening import Wishes

FOLDER = Path(__file__).with_name("snapshots")
FRAME = ("heatmap", "layer", "log")
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
CASES: dict[str, tuple[list[str], Wishes]] = {
    "start": ([], Wishes()),
    "bad-layer": (["n", "l"], Wishes()),
    "log": (["9"], Wishes()),
    "zoomed-layer": (["3", "z"], Wishes()),
    "palette": (["colon", *"layout"], Wishes()),
    "single": (["j"], Wishes(layout="single")),
    "low-bandwidth": (["j"], Wishes(low_bandwidth=True)),
    "heat-filter": (["slash", *"cos", "less_than_sign", *"0.98", "enter", "s", "m", "g"], Wishes()),
    "heat-difference": (["d", "enter", "n"], Wishes()),
    "bits": (["5", "b", "plus", "k"], Wishes()),
    "form": (["1", "f", "j"], Wishes()),
    "diagnose": (["8", "d", "j"], Wishes()),
    "diagnose-fix": (["8", "d", "n", "enter"], Wishes()),
}
MORE = {"bits": "bits", "form": "config", "diagnose": "diagnose", "diagnose-fix": "diagnose"}
"""Case -> the pane that it is about."""
ASKED = ("runs", "units", "read")


def closely(app: Any, state: State) -> bool:
    """Tell whether what is in sight of the layer under the cursor is known, for the room that there is."""
    if "layer" not in state.of(Places).visible:
        return True
    details = state.of(Details)
    key = state.table.rows[state.cursor].name, columns(app.screen.query_one("#layer").size.width)
    return details.wanted == key and key in details.known


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", CASES)
def test_the_screen_looks_as_it_did(watched: Any, case: str, size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "PANES", tuple(entry for entry in opening.PANES if entry.id in (*FRAME, MORE.get(case))))
    keys, wishes = CASES[case]
    app = watched("good", "--layers", "40", wishes=wishes, clock=lambda: 1.0)
    app.bench = replace(app.bench, engine_log="/home/me/.local/state/magik-tui/worker.log")

    async def main() -> list[str]:
        try:
            async with app.run_test(size=SIZES[size]) as pilot:
                await app.until(lambda s: s.phase == "done")
                await pilot.pause()
                for key in keys:
                    await pilot.press(key)
                    await pilot.pause()
                    if case in MORE or case == "heat-difference":
                        await app.until(lambda s: heavy_at_work(s) is None and not any(r.do in ASKED for r in s.of(Requests).open))
                        await pilot.pause()
                await app.until(lambda s: closely(app, s))
                await pilot.pause()
                await pilot.pause()
                text: list[str] = app.text()
                return text
        finally:
            await app.bridge.close()

    seen = "".join(line + "\n" for line in asyncio.run(main()))
    file = FOLDER / f"{case}-{size}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        file.write_text(seen, encoding="utf-8")
    assert seen == file.read_text(encoding="utf-8")
