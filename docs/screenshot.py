"""Record docs/workbench.svg: the workbench on a sample project, after a real run. Usage: python docs/screenshot.py [PROJECT] [KEYS ...]"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from magik_tui.app import Workbench

HERE = Path(__file__).resolve().parent
SIZE = (116, 36)


async def record(project: str, keys: list[str]) -> str:
    """Run the workbench without a terminal until its first result is shown, press the keys, and return the screen as SVG."""
    app = Workbench(project)
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(600):
            await pilot.pause(0.1)
            if app.bench.phase == "done":
                break
        for key in keys:
            await pilot.press(key)
        await pilot.pause(0.5)
        return app.export_screenshot(title="magik-tui")


if __name__ == "__main__":
    arguments = sys.argv[1:] or [str(HERE.parent / "sample_projects" / "resnet18")]
    screen = asyncio.run(record(arguments[0], arguments[1:] or ["n"] * 4))
    (HERE / "workbench.svg").write_text(screen, encoding="utf-8")
