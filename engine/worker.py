"""`python -m engine.worker PROJECT [--variant NAME]`: one project served over JSON lines (docs/protocol.md).

The main thread reads requests, a second one runs. Real stdout is kept for the protocol alone: what native libraries print goes to stderr.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from engine.config import load_config
from engine.discover import find_project, job_for
from engine.errors import EXIT_DONE, EXIT_FAILED, Cancelled, MagikError
from engine.events import Event, Progress, Report
from engine.messages import error_message, event_message, to_line
from engine.requests import Cancel, Lines, ProtocolError, Run, parse_request
from engine.version import VERSION

if TYPE_CHECKING:
    from engine.store import Store

PROTOCOL = 1
PROGRESS_EVERY = 0.05  # seconds between two progress events of one stage
GRACE = 1.5  # seconds a run has to clean up after the client has gone; clients kill after two


class Gone(Cancelled):
    """Nobody reads any more: stop, and say nothing."""


class Ended(BaseException):
    """A signal asked this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Answers:
    """The way out: whole lines, one at a time, from any thread; Gone when nobody reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._lock = descriptor, threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Write one message as one line."""
        data = memoryview(to_line(message).encode("ascii"))
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._descriptor, data) :]
            except OSError as error:
                raise Gone from error


class Throttle:
    """Hands progress on at most 20 times a second per stage; the last of each stage always arrives."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._sent: dict[str, float] = {}
        self._held: dict[str, Progress] = {}

    def __call__(self, event: Event) -> None:
        """Hand an event on, or hold it back until there is a newer one of its stage."""
        if isinstance(event, Progress):
            now = time.monotonic()
            if event.done < event.total and now - self._sent.get(event.stage, -1.0) < PROGRESS_EVERY:
                self._held[event.stage] = event
                return
            self._sent[event.stage] = now
            self._held.pop(event.stage, None)
        self._report(event)

    def flush(self) -> None:
        """Hand on what is still held back."""
        held, self._held = self._held, {}
        for event in held.values():
            self._report(event)


class Worker:
    """Serves one project; at most one run at a time. The store stays warm from run to run."""

    def __init__(self, path: Path, variant: str | None, answers: Answers, gone: Callable[[], object]) -> None:
        self._path, self._variant, self._answers, self._gone = path, variant, answers, gone
        self._lock = threading.Lock()
        self._running: int | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._store: Store | None = None

    def greet(self) -> None:
        """Say hello. A project that cannot be found is no reason not to: every run looks for it again, and says what is wrong."""
        variant, variants, model, soc = self._variant, [], "", ""
        try:
            files = find_project(self._path, self._variant)
            variant, variants, model = files.variant, list(files.variants), str(files.model)
            soc = load_config(files.config)[0].soc
        except MagikError as error:
            log(str(error))
        project = str(self._path.resolve())
        hello = {"event": "hello", "protocol": PROTOCOL, "engine": VERSION, "pid": os.getpid(), "project": project}
        self._answers.send({**hello, "variant": variant, "variants": variants, "model": model, "soc": soc})

    def take(self, line: bytes) -> None:
        """Act on one line of the client."""
        try:
            request = parse_request(line)
        except ProtocolError as error:
            self._answers.send({"id": error.request, **error_message(error)})
            return
        if isinstance(request, Run):
            self._begin(request)
            return
        if isinstance(request, Cancel):
            with self._lock:
                if self._running == request.target:
                    self._stop.set()
        self._answers.send({"id": request.id, "event": "result", "value": {}})

    def _begin(self, request: Run) -> None:
        with self._lock:
            busy = self._running
            if busy is None:
                self._running, self._stop = request.id, threading.Event()
        if busy is not None:
            text = f"run {busy} is still at work"
            self._answers.send({"id": request.id, "event": "error", "kind": "Busy", "message": text, "exit_code": EXIT_FAILED})
            return
        self._thread = threading.Thread(target=self._run, args=(request, self._stop), name="run", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop the run, if there is one, and give it a moment to leave nothing half-written."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(GRACE)

    def _run(self, request: Run, stop: threading.Event) -> None:
        """Work on one request and answer it; runs in a thread of its own."""

        def send(event: Event) -> None:
            self._answers.send({"id": request.id, **event_message(event)})

        def report(event: Event) -> None:
            if stop.is_set():
                raise Cancelled
            throttle(event)

        throttle = Throttle(send)
        try:
            try:
                document = self._converted(request, report)
                throttle.flush()
                answer: dict[str, Any] = {"id": request.id, "event": "result", "value": document}
            except Gone:
                raise
            except Exception as error:  # noqa: BLE001 the client is told, and the worker lives on
                if not isinstance(error, MagikError):
                    log("".join(traceback.format_exception(error)))
                answer = {"id": request.id, **error_message(error)}
            with self._lock:
                self._running = None
            self._answers.send(answer)
        except Gone:
            self._gone()

    def _converted(self, request: Run, report: Report) -> dict[str, Any]:
        files = find_project(self._path, self._variant)
        from engine import project

        job = job_for(files, request.settings)
        if self._store is None:
            self._store = project.default_store(job.root)
        return project.run(job, report=report, store=self._store)


def log(text: str) -> None:
    """Say something to whoever reads the log."""
    try:
        sys.stderr.write(text.rstrip("\n") + "\n")
        sys.stderr.flush()
    except OSError:
        return  # nobody does


def serve(path: Path, variant: str | None, requests: int, answers: int) -> None:
    """Greet, then answer what comes through the descriptor `requests` until it ends, or until nobody reads `answers`."""
    woken, wake = os.pipe()
    worker = Worker(path, variant, Answers(answers), gone=lambda: os.write(wake, b"."))
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    poll.register(woken, select.POLLIN)
    try:
        worker.greet()
        lines = Lines()
        while woken not in dict(poll.poll()):
            chunk = os.read(requests, 1 << 16)
            if not chunk:
                break
            for line in lines.feed(chunk):
                worker.take(line)
    except Gone:
        return
    finally:
        worker.end()


def private_descriptors() -> tuple[int, int]:
    """Return stdin and stdout under new numbers; 0 becomes empty and 1 becomes stderr for whatever else uses them."""
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # started without a stderr
        os.dup2(nowhere, 1)
    os.close(nowhere)
    return requests, answers


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the project the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.worker", description="Serve one project over JSON lines on stdin and stdout.")
    parser.add_argument("project", type=Path)
    parser.add_argument("--variant", metavar="NAME")
    options = parser.parse_args(argv)
    requests, answers = private_descriptors()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)
        serve(options.project, options.variant, requests, answers)
    except Ended as ended:
        return 128 + ended.number
    return EXIT_DONE


def _end(number: int, frame: FrameType | None) -> None:
    raise Ended(number)


if __name__ == "__main__":
    code = main()
    os._exit(code)  # a run that is deep in native code must not hold the process back
