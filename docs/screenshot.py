"""Record docs/workbench.svg: the workbench on a sample project, after a real run. Usage: python docs/screenshot.py [PROJECT] [KEYS ...]"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from magik_tui.app import Workbench

HERE = Path(__file__).resolve().parent
SIZE = (116, 36)


async def record(project: str, keys: list[str], target: Path) -> None:
    """Run the workbench without a terminal until its first result is shown, press the keys, and save the screen."""
    app = Workbench(project)
    async with app.run_test(size=SIZE) as pilot:
        async with asyncio.timeout(120):
            while app.bench.phase != "done":
                await asyncio.sleep(0.1)
        await pilot.pause(0.5)
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.5)
        target.write_text(app.export_screenshot(title="magik-tui"), encoding="utf-8")


if __name__ == "__main__":
    arguments = sys.argv[1:] or [str(HERE.parent / "sample_projects" / "resnet18")]
    asyncio.run(record(arguments[0], arguments[1:] or ["n"] * 4, HERE / "workbench.svg"))
