"""A headless Chromium that a test looks at a terminal in: over the DevTools protocol, with xterm's own buffer as what is seen."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0", "--window-size=1200,800",
)  # fmt: skip
# xterm keeps itself to itself; the object that people write to is the one that gets a `_core`.
KEEP_TERMINAL = """
Object.defineProperty(Object.prototype, "_core", {configurable: true, set(value) {
    Object.defineProperty(this, "_core", {value, writable: true, configurable: true, enumerable: true});
    if (this.constructor.name !== "Object" && "buffer" in this) window.seen = this;
}});
"""
LINES = "[...Array(seen.rows).keys()].map(y => seen.buffer.active.getLine(y).translateToString(false, 0, seen.cols))"
SCREEN = rf"(window.seen ? {LINES}.join('\n') : '')"


def program() -> str | None:
    """Return the browser there is."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Tab:
    """A page; the addresses that answered it are kept."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line, self._ids = line, itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._session: dict[str, str] = {}
        self._target = ""
        self.answered: list[str] = []

    async def listen(self) -> None:
        async for message in self._line:
            said = json.loads(message.data)
            if said.get("method") == "Network.responseReceived":
                self.answered.append(said["params"]["response"]["url"])
            if (waiting := self._answers.pop(said.get("id"), None)) is not None and not waiting.done():
                waiting.set_result(said)

    async def ask(self, method: str, **params: Any) -> Any:
        number = next(self._ids)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._line.send_json({"id": number, "method": method, "params": params, **self._session})
        answer = await self._answers[number]
        assert "error" not in answer, (method, answer)
        return answer["result"]

    async def open(self, address: str) -> None:
        self._target = (await self.ask("Target.createTarget", url="about:blank"))["targetId"]
        attached = await self.ask("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Network"):
            await self.ask(f"{domain}.enable")
        await self.ask("Page.addScriptToEvaluateOnNewDocument", source=KEEP_TERMINAL)
        await self.ask("Page.navigate", url=address)

    async def value(self, script: str) -> Any:
        answer = await self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    async def until(self, script: str, seconds: float = 8) -> None:
        """Wait until a script gives something true."""
        async with asyncio.timeout(seconds):
            await self.value(f"new Promise(told => {{ const look = () => ({script}) ? told() : setTimeout(look, 30); look(); }})")

    async def screen(self) -> str:
        """Return what the terminal shows."""
        shown: str = await self.value(SCREEN)
        return shown

    async def shows(self, text: str) -> str:
        """Wait until the terminal shows `text`, and return the screen."""
        try:
            await self.until(f"{SCREEN}.includes({json.dumps(text)})")
        except TimeoutError:
            raise AssertionError(f"{text!r} never came; the screen is\n{await self.screen()}") from None
        return await self.screen()

    async def press(self, key: str) -> None:
        await self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self) -> bytes:
        """Return a PNG of the page."""
        return base64.b64decode((await self.ask("Page.captureScreenshot"))["data"])

    async def close(self) -> None:
        target, self._session = self._target, {}
        await self.ask("Target.closeTarget", targetId=target)


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[Tab]:
    """Give an empty page of a new browser, which keeps its things in `folder`."""
    found = program()
    assert found is not None
    process = await asyncio.create_subprocess_exec(
        found, *OPTIONS, f"--user-data-dir={folder}", "about:blank",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said = b""
    drain: asyncio.Task[Any] | None = None
    try:
        async with asyncio.timeout(60):
            while not (match := re.search(rb"DevTools listening on (\S+)", said)):
                line = await process.stderr.readline()
                assert line, said
                said += line
        drain = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as session, session.ws_connect(match[1].decode(), max_msg_size=0) as line_:
            tab = Tab(line_)
            listening = asyncio.create_task(tab.listen())
            try:
                yield tab
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        if drain is not None:
            await drain
