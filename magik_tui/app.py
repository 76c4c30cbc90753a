"""The workbench as a program: it carries events to the pure core, and does what the core asks for."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any, ClassVar, cast

from engine.errors import EXIT_INTERRUPTED, MagikError
from magik_tui import terminal

terminal.quiet_textual()

# textual reads its settings when it is imported, so they come first.
from rich.console import RenderableType  # noqa: E402
from rich.text import Text  # noqa: E402
from textual import events as ui  # noqa: E402
from textual._compositor import ChopsUpdate, LayoutUpdate  # noqa: E402
from textual.app import App  # noqa: E402
from textual.binding import Binding, BindingType  # noqa: E402
from textual.screen import Screen  # noqa: E402
from textual.timer import Timer  # noqa: E402

from magik_tui import events as ev  # noqa: E402
from magik_tui import wire  # noqa: E402
from magik_tui.bridge import Bridge, engine_command, engine_environment  # noqa: E402
from magik_tui.core import State, update  # noqa: E402
from magik_tui.core.asking import Prompt  # noqa: E402
from magik_tui.core.looking import Complained, Looks  # noqa: E402
from magik_tui.core.places import Resized  # noqa: E402
from magik_tui.core.requests import heavy_at_work  # noqa: E402
from magik_tui.deeds.session import session_file, write_session  # noqa: E402
from magik_tui.dressing import Dressed  # noqa: E402
from magik_tui.frames import Frames  # noqa: E402
from magik_tui.opening import Wishes, first_state  # noqa: E402
from magik_tui.ordered import Ordered  # noqa: E402
from magik_tui.screens.workbench import WorkbenchScreen  # noqa: E402

FRAME, SLOW_FRAME = 0.25, 1.0  # seconds between two frames that the worker causes; what the user causes is drawn at once


class Workbench(Ordered, Dressed):
    """The workbench on one project.

    `command` starts the worker (the engine's by default); `clock` gives seconds and never goes back.
    """

    CSS = resources.files("layouts").joinpath("workbench.tcss").read_text(encoding="utf-8")
    TITLE = "magik-tui"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c,ctrl+q", "quit", id="app.interrupt", priority=True, show=False, tooltip="Stop the engine and quit"),
        Binding("ctrl+l", "redraw", id="screen.redraw", show=False, tooltip="Draw the whole screen again, should it look broken"),
    ]

    def __init__(
        self,
        project: str,
        variant: str | None = None,
        settings: Sequence[str] = (),
        *,
        command: Sequence[str] | None = None,
        wishes: Wishes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        config, logs = terminal.config_folder(), terminal.state_folder()
        state, self._complaints = first_state(
            State(project, variant, tuple(settings)), wishes or Wishes(), config, logs, colour=not terminal.without_colour()
        )
        looks = state.of(Looks)
        terminal.limit_colours(looks.low)
        super().__init__(config)
        self.animation_level = "none"
        self.clock = clock
        self.frame = SLOW_FRAME if looks.low else FRAME
        self._dress(looks, wishes or Wishes())
        self.session = session_file(logs, project)
        self.bridge = Bridge(command or engine_command(project, variant), self.hear, logs, engine_environment())
        self.bench = replace(state, engine_log=str(self.bridge.log))
        self.signals = terminal.Signals()
        self.crash: BaseException | str | None = None
        self._frame: Timer | None = None
        self._painted = 0.0
        self._ticker: Timer | None = None
        self._ticking = False
        self._bench_screen: WorkbenchScreen | None = None
        self.frames = Frames()

    async def on_mount(self) -> None:
        """Start what goes on beside the screen; the worker starts when that has been painted."""
        self.signals.install(lambda code: self.exit(return_code=code), self.bridge.kill)
        if self.is_web:
            terminal.hang_up_with_stdin()
        for signal in (self.app_suspend_signal, self.app_resume_signal):
            signal.subscribe(self, lambda _: self.frames.forget())
        self._ticker = self.set_interval(1.0, self._tick, pause=True)
        self.call_after_refresh(self._open)

    def get_default_screen(self) -> WorkbenchScreen:
        """Return the workbench: textual would draw an empty screen first, which takes its time."""
        self._apply(Resized(*self.size))
        self._bench_screen = WorkbenchScreen(self.dispatch, self.bench, self.clock)
        return self._bench_screen

    def focus_moves(self) -> bool:
        """Tell whether a pane or the line at the bottom is about to get the keys."""
        return self._bench_screen is not None and self.screen is self._bench_screen and self._bench_screen.keys_move

    def on_app_focus(self, event: ui.AppFocus) -> None:
        """Nothing looks different when the terminal gains the focus, so nothing is styled and drawn again."""
        event.prevent_default()

    def on_app_blur(self, event: ui.AppBlur) -> None:
        """Nothing looks different when the terminal loses the focus."""
        event.prevent_default()

    def _open(self) -> None:
        gc.freeze()  # modules and the screen are no garbage: later collections are short
        gc.enable()
        self.dispatch(ev.Opened(self.clock()))
        self.complain(*self._complaints)
        self.check_keymap()

    def _dress(self, looks: Looks, wishes: Wishes) -> None:
        """Put theme and keymap to use; where a wish of earlier days cannot be met, the usual ones do."""
        for use, name, wish in ((self.use_theme, looks.theme, wishes.theme), (self.use_keymap, looks.keymap, wishes.keymap)):
            try:
                use(name)
            except MagikError as problem:
                if wish:
                    raise
                self._complaints += (str(problem),)
        if self.levels is None:
            self.use_theme("default")

    def complain(self, *texts: str) -> None:
        """Say what is wrong with the user's files."""
        if texts:
            self.dispatch(Complained(texts))

    def save_session(self) -> None:
        """Keep what the next start finds again; what cannot be written is not kept."""
        with contextlib.suppress(OSError):
            write_session(self.session, self.bench)

    def dispatch(self, event: ev.Event) -> None:
        """Take what the user did: do what follows from it and draw it at once."""
        self._apply(event)
        self._paint()

    def hear(self, event: wire.Said | ev.Exited) -> None:
        """Take what the worker said: do what follows from it, and draw it with the next frame."""
        if self.is_running and self._exit is False:
            self._apply(event)
            self._paint_soon()

    def _apply(self, event: ev.Happening) -> None:
        self.bench, effects = update(self.bench, event)
        for effect in effects:
            self._perform(effect)
        working = self.bench.busy or heavy_at_work(self.bench) is not None
        if self._ticker is not None and working != self._ticking:
            self._ticking = working
            (self._ticker.resume if working else self._ticker.pause)()

    def _perform(self, effect: ev.Effect) -> None:
        match effect:
            case ev.Start():
                self.bridge.start()
            case ev.Send(request):
                self.bridge.send(request)
            case ev.Alarm(seconds, event):
                self.set_timer(seconds, lambda: self.dispatch(event))
            case ev.Terminate():
                self.bridge.terminate()
            case Prompt():
                if self._bench_screen is not None:
                    self._bench_screen.ask(effect)
            case _:
                self._do(effect)

    def _do(self, effect: ev.Effect) -> None:
        """Do what a module of `magik_tui.deeds` can; what comes of it is an event like any other."""
        from magik_tui.deeds import perform

        self.run_worker(perform(self, effect, self.dispatch), exit_on_error=True)

    def _tick(self) -> None:
        self._apply(ev.Tick(self.clock()))
        self._paint_soon()

    def _paint_soon(self) -> None:
        if self._frame is not None:
            return
        wait = self._painted + self.frame - self.clock()
        if terminal.backlog(self):
            wait = self.frame
        if wait <= 0:
            self._paint()
        else:
            self._frame = self.set_timer(wait, self._paint_frame)

    def _paint_frame(self) -> None:
        self._frame = None
        self._paint_soon() if terminal.backlog(self) else self._paint()

    def _paint(self) -> None:
        self._painted = self.clock()
        if self._bench_screen is not None and self._bench_screen.is_mounted:
            self._bench_screen.show(self.bench)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Send of a frame what the terminal does not show yet."""
        sent = self._running and not (self._closed or self._batch_count or self.is_headless or self._driver is None)  # as textual has it
        if sent and isinstance(renderable, LayoutUpdate | ChopsUpdate):
            less = self.frames.less(renderable, self.size)
            if less.pieces or self.cursor_position != self._previous_cursor_position:
                super()._display(screen, cast(Any, less))
        else:
            super()._display(screen, renderable)

    def action_redraw(self) -> None:
        """Send the whole screen again."""
        self.frames.forget()
        self.refresh(layout=True)
        self.screen.refresh()

    async def action_quit(self) -> None:
        """Stop the worker and leave."""
        self.exit(return_code=0)

    def notify(self, message: str, **fields: Any) -> None:
        """Show a message as it is: it may hold names, and names may hold markup."""
        super().notify(message, **{**fields, "markup": False})

    def _handle_exception(self, error: Exception) -> None:
        """Keep the first error for the crash log instead of printing local variables to the terminal."""
        self.crash = self.crash or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def panic(self, *renderables: RenderableType) -> None:
        """Leave with a crash log; textual's input thread ends here when it dies."""
        self.crash = self.crash or sys.exception() or "\n".join(_as_text(self, each) for each in renderables)
        self._return_code = 1
        self._close_messages_no_wait()


def _as_text(app: App[None], renderable: RenderableType) -> str:
    with app.console.capture() as captured:
        app.console.print(renderable)
    return Text.from_ansi(captured.get()).plain


async def _live(app: Workbench, mouse: bool) -> None:
    """Run the app, then end the worker: a slow one must not hold the screen."""
    try:
        await app.run_async(mouse=mouse)
    finally:
        await app.bridge.close()


def run(
    project: str | os.PathLike[str],
    variant: str | None = None,
    settings: Sequence[str] = (),
    *,
    command: Sequence[str] | None = None,
    mouse: bool = True,
    wishes: Wishes | None = None,
) -> int:
    """Open the workbench on `project` until the user leaves, and return the exit code of the process.

    0 after an orderly end, 1 after a crash (its log's path is printed), 143 and 129 after SIGTERM and SIGHUP. `settings`
    are KEY=VALUE pairs that override magik.cfg. UsageError for a wish that cannot be met.
    The terminal is as it was before, and no worker is left.
    """
    terminal.guard_decoder()
    app = Workbench(os.fspath(project), variant, settings, command=command, wishes=wishes)
    try:
        asyncio.run(_live(app, mouse and app.bench.of(Looks).mouse))
    except KeyboardInterrupt:  # the terminal is restored, and the user will not wait for the worker's end
        return EXIT_INTERRUPTED
    finally:
        app.save_session()
        app.bridge.kill()
    if app.signals.received is not None:
        return 128 + app.signals.received
    if app.crash is not None:
        path = terminal.write_crash(app.crash, terminal.state_folder())
        sys.stderr.write(f"magik-tui: the workbench failed; what happened is in {path or 'no file: it could not be written'}\n")
        return 1
    return app.return_code or 0
