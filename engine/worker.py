"""`python -m engine.worker PROJECT [--variant NAME]`: one project served over JSON lines (docs/protocol.md).

The main thread reads requests, a second one runs. Real stdout is kept for the protocol alone: what native libraries print goes to stderr.
"""

from __future__ import annotations

import argparse
import os
import queue
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from engine.cli.process import one_heap
from engine.config import load_config
from engine.discover import find_project
from engine.errors import EXIT_DONE, EXIT_FAILED, Cancelled, MagikError
from engine.events import Event, Log, Progress, Report
from engine.messages import error_message, event_message, to_line
from engine.requests import Ask, Cancel, Lines, ProtocolError, Run, parse_request
from engine.service.context import Context
from engine.service.lanes import Lane, service
from engine.version import VERSION

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
    """Serves one project: one heavy request at a time, light ones beside it. Store and open project stay warm from one to the next."""

    def __init__(self, path: Path, variant: str | None, answers: Answers, gone: Callable[[], object]) -> None:
        self._path, self._variant, self._answers, self._gone = path, variant, answers, gone
        self._context = Context(path, variant)
        self._lock = threading.Lock()
        self._stops: dict[int, threading.Event] = {}
        self._heavy: int | None = None
        self._threads: list[threading.Thread] = []
        self._light: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

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
            self._begin(request.id, "heavy", lambda report: self._converted(request, report))
        elif isinstance(request, Ask):
            self._ask(request)
        else:
            if isinstance(request, Cancel):
                with self._lock:
                    stop = self._stops.get(request.target)
                if stop is not None:
                    stop.set()
            self._answers.send({"id": request.id, "event": "result", "value": {}})

    def _ask(self, request: Ask) -> None:
        try:
            found = service(request.do)
            fields = found.read(request.fields)
        except MagikError as error:
            self._answers.send({"id": request.id, **error_message(error)})
            return

        def work(report: Report) -> Any:
            value = found.answer(self._context, fields, report)
            if request.do == "live":
                self._remember("live", request.fields, value, report)
            return value

        self._begin(request.id, found.lane, work)

    def _begin(self, number: int, lane: Lane, work: Callable[[Report], Any]) -> None:
        """Give a piece of work a thread: its own, or for light ones the one that all of them share."""
        with self._lock:
            busy = self._heavy if lane == "heavy" else number if number in self._stops else None
            if busy is None:
                self._stops[number] = threading.Event()
                self._heavy = number if lane == "heavy" else self._heavy
        if busy is not None:
            text = f"run {busy} is still at work"
            self._answers.send({"id": number, "event": "error", "kind": "Busy", "message": text, "exit_code": EXIT_FAILED})
            return

        def run() -> None:
            self._run(number, work, self._stops[number])

        if lane == "light":
            self._light.put(run)
            if not any(t.name == "light" for t in self._threads):
                self._start("light", self._light_work)
        else:
            self._start(lane, run)

    def _start(self, name: str, target: Callable[[], None]) -> None:
        self._threads = [t for t in self._threads if t.is_alive()]
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _light_work(self) -> None:
        while True:
            self._light.get()()

    def end(self) -> None:
        """Stop what works, and give it a moment to leave nothing half-written."""
        with self._lock:
            for stop in self._stops.values():
                stop.set()
        until = time.monotonic() + GRACE
        for thread in self._threads:
            if thread.name != "light":
                thread.join(max(0.0, until - time.monotonic()))

    def _run(self, number: int, work: Callable[[Report], Any], stop: threading.Event) -> None:
        """Work on one request and answer it; runs in a thread of its own."""

        def send(event: Event) -> None:
            self._answers.send({"id": number, **event_message(event)})

        def report(event: Event) -> None:
            if stop.is_set():
                raise Cancelled
            if not (isinstance(event, Progress) and not event.total):
                throttle(event)

        throttle = Throttle(send)
        try:
            try:
                value = work(report)
                throttle.flush()
                answer: dict[str, Any] = {"id": number, "event": "result", "value": value}
            except Gone:
                raise
            except Exception as error:  # noqa: BLE001 the client is told, and the worker lives on
                if not isinstance(error, MagikError):
                    log("".join(traceback.format_exception(error)))
                answer = {"id": number, **error_message(error)}
            with self._lock:
                self._stops.pop(number, None)
                self._heavy = None if self._heavy == number else self._heavy
            self._answers.send(answer)
        except Gone:
            self._gone()

    def _converted(self, request: Run, report: Report) -> dict[str, Any]:
        from engine import project

        job = self._context.job(request.settings)
        document = project.run(job, report=report, store=self._context.store(job.root))
        self._remember("run", {"set": list(request.settings)}, document, report)
        return document

    def _remember(self, kind: str, asked: Mapping[str, Any], document: Mapping[str, Any], report: Report) -> None:
        """Put a finished run into the project's history; that it cannot be written is told, and no more."""
        from engine import history

        try:
            files = self._context.files()
            history.record(files.root, kind, history.made_of(files, asked.get("set", ()), asked.get("plan")), document)
        except MagikError as error:
            report(Log(f"not in the history: {error}", "warning", "history"))


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
    one_heap()
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
