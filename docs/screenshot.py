"""Record docs/workbench.svg: the workbench on a copy of a sample project, after a real run.

    python docs/screenshot.py [PROJECT] [KEYS ...]

Nobody's own settings and nothing of earlier runs is in it: the same keys give the same screen everywhere.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from magik_tui.app import Workbench
from magik_tui.core.detail import Details
from magik_tui.core.state import State

HERE = Path(__file__).resolve().parent
SIZE = (120, 40)
LIMIT = 120  # seconds


async def until(app: Workbench, pilot: Pilot[None], holds: Callable[[State], bool]) -> None:
    """Wait until the state of the workbench has a property."""
    async with asyncio.timeout(LIMIT):
        while not holds(app.bench):
            await pilot.pause(0.05)


async def record(project: str, keys: list[str]) -> str:
    """Run the workbench without a terminal, press the keys once there is a table, and return the screen as SVG once all of it is there."""
    app = Workbench(project)
    try:
        async with app.run_test(size=SIZE) as pilot:
            await until(app, pilot, lambda state: state.phase == "done")
            for key in keys:
                await pilot.press(key)
            await until(app, pilot, lambda state: state.of(Details).wanted in state.of(Details).known)
            await pilot.pause(0.5)
            return app.export_screenshot(title="magik-tui")
    finally:
        await app.bridge.close()


def main(project: Path, keys: list[str]) -> None:
    """Record the screen of `project` after `keys`."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"XDG_STATE_HOME": folder, "XDG_CONFIG_HOME": folder}
        copy = Path(folder) / project.name
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".magik", "magik_dump_path", "magik_node_quant_bit_info.json"))
        screen = asyncio.run(record(str(copy), keys))
    (HERE / "workbench.svg").write_text(screen, encoding="utf-8")


if __name__ == "__main__":
    where, *pressed = sys.argv[1:] or [str(HERE.parent / "sample_projects" / "resnet18")]
    main(Path(where), pressed or ["n"] * 4)
