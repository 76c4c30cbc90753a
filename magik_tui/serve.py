"""The workbench in a browser, through textual-serve: a page has a workbench, and an engine, of its own, and they end with it.

The one file that knows textual_serve and aiohttp. A workbench writes files and runs the user's editor, so other sites that are open in the
same browser must not reach it: they are told by their Origin, and by a Host that is not this machine's.
"""

from __future__ import annotations

import asyncio
import copy
import os
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from ipaddress import ip_address
from typing import cast
from urllib.parse import urlsplit

from engine.errors import UsageError
from magik_tui.bridge import engine_environment

try:
    from aiohttp import web
    from textual_serve.app_service import AppService
    from textual_serve.server import Server
except ModuleNotFoundError as missing:
    raise UsageError(
        f"the browser needs a package that is not installed ({missing.name})", hint="pip install 'magik-tui[serve]'"
    ) from missing

GRACE = 5.0  # seconds that a workbench may take to end; its engine has two of them
FOCUS = """<script>addEventListener("load", () => document.querySelector(".xterm-helper-textarea")?.focus())</script>"""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Page(AppService):
    """One page and the process behind it."""

    async def run(self) -> None:
        """Carry what the workbench says until it ends, however it does, and let the page say so."""
        try:
            await super().run()
        finally:
            await self.remote_close()

    async def stop(self) -> None:
        """End the workbench; one that does not listen is killed, and its engine sees that and ends."""
        try:
            async with asyncio.timeout(GRACE):
                await super().stop()
        except TimeoutError:
            if self._process is not None and self._process.returncode is None:
                self._process.kill()


class Pages(Server):
    """The site. It follows the address it was asked by, so that a port may be forwarded (ssh -L)."""

    def __init__(self, command: str, title: str, *, local: bool) -> None:
        super().__init__(command, title=title)
        self._local = local
        self._open: set[web.WebSocketResponse] = set()

    async def application(self) -> web.Application:
        """Return the site as aiohttp serves it."""
        site = await self._make_app()

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        site.middlewares.append(guard)
        return site

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        if (origin and urlsplit(origin).netloc != request.host) or (self._local and not is_local(request.host)):
            raise web.HTTPForbidden(text="This workbench is for pages of its own.\n")
        response = await handler(request)
        if not response.prepared:
            # Nothing from elsewhere: a page that waits for somebody's fonts does not open where there is no network.
            response.headers["Content-Security-Policy"] = (
                f"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
                f"connect-src 'self' ws://{request.host}; frame-ancestors 'none'"
            )
        return response

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing: the address is told once it is listened at."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Close the pages, and with them what is behind them."""
        await asyncio.gather(*(each.close() for each in set(self._open)))

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page, with the address it was asked by and the keyboard at the terminal."""
        here = copy.copy(self)
        here.public_url = f"{request.scheme}://{request.host}"
        answer = cast(web.Response, await Server.handle_index(here, request))
        page = (answer.text or "").replace("<head>", f"<head><title>{escape(self.title)}</title>", 1)
        answer.text = page.replace("</body>", f"{FOCUS}</body>", 1)  # behind the script that opens the terminal
        return answer

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a workbench for as long as the page is there."""
        line = web.WebSocketResponse(heartbeat=15)
        await line.prepare(request)

        async def close() -> None:
            await line.close()

        page = Page(self.command, write_bytes=line.send_bytes, write_str=line.send_str, close=close, download_manager=self.download_manager)
        self._open.add(line)
        try:
            await page.start(_cells(request, "width", 80), _cells(request, "height", 24))
            await self._process_messages(line, page)
        finally:
            self._open.discard(line)
            await page.stop()
        return line


def is_local(host: str) -> bool:
    """Tell whether the Host of a request names this machine, with any port: localhost or an address of the loopback."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _cells(request: web.Request, name: str, usual: int) -> int:
    given = request.query.get(name, "")
    return max(1, min(int(given), 1000)) if given.isdecimal() and len(given) < 6 else usual


def listen(address: str, port: int) -> socket.socket:
    """Return a socket that listens; UsageError where that cannot be done."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        there = socket.socket(family, kind, protocol)
    except OSError as problem:
        raise UsageError(f"{address}: {problem.strerror}", where="--bind") from problem
    try:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        there.bind(where)
        there.listen()
    except OSError as problem:
        there.close()
        raise UsageError(f"{address}:{port}: {problem.strerror}", where="--port", hint="--port 0 takes any that is free") from problem
    return there


def serve(words: Sequence[str], title: str, address: str, port: int, said: Callable[[str, bool], None]) -> int:
    """Serve workbenches that are opened with the arguments `words` until SIGINT or SIGTERM, and return the exit code.

    `said` gets the address once it is listened at, and with True what has to be known about it. UsageError for an address or a port
    that cannot be had.
    """
    there = listen(address, port)
    bound = there.getsockname()
    local = ip_address(bound[0]).is_loopback
    if not local:
        said(f"Whoever can reach {bound[0]}:{bound[1]} can read and write your files through it.", True)
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    os.environ.update(engine_environment(), TERM="xterm-256color")
    for name in ("TMUX", "SSH_TTY"):  # the screen is the browser's
        os.environ.pop(name, None)
    command = shlex.join([sys.executable, "-P", "-m", "magik_tui", "open", *words])
    pages = Pages(f"exec {command}", title, local=local)
    said(f"http://{shown}:{bound[1]}", False)
    web.run_app(pages.application(), sock=there, print=None, access_log=None, shutdown_timeout=GRACE + 1)
    return 0
