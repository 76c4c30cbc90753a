"""The worker over real pipes: what it says, how it stops, and that nothing else gets into the protocol."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine.project
from engine.events import Event, Log, Progress
from engine.requests import MAX_LINE, Cancel, Lines, Ping, ProtocolError, Run, parse_request
from engine.worker import Throttle, serve

from . import fake_project

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import os, sys
import engine.project
from tests.engine import fake_project
engine.project.run = fake_project.run
import engine.worker
sys.argv[0] = "worker"
os._exit(engine.worker.main())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that is a project of two variants, whose model nobody reads."""
    for soc in ("t40", "t41"):
        text = f"magik-transform-tools -i net.onnx -o out/net.mk.h -cfg {soc}.cfg\n"
        (tmp_path / f"run_{soc}.sh").write_text(text)
        (tmp_path / f"{soc}.cfg").write_text("{}")
    (tmp_path / "net.onnx").write_bytes(b"model")
    return tmp_path


class Client:
    """The other end of the two pipes."""

    def __init__(self, to: int, back: int) -> None:
        self.to, self._back = to, os.fdopen(back, "rb")
        self.seen: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []

    def ask(self, **request: Any) -> None:
        os.write(self.to, json.dumps(request).encode() + b"\n")

    def read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._back.readline())
        self.seen.append(message)
        return message

    def answer(self, number: int | None) -> dict[str, Any]:
        """Return the end of a request; ends of others that come before it (a run may end before its cancel is answered) are kept."""
        for index, message in enumerate(self.waiting):
            if message["id"] == number:
                return self.waiting.pop(index)
        while True:
            message = self.read()
            if message["event"] not in ("result", "error"):
                continue
            if message["id"] == number:
                return message
            self.waiting.append(message)

    def close(self) -> None:
        self._back.close()


@pytest.fixture
def client(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of a worker that serves `project` in this process."""
    monkeypatch.setattr(engine.project, "run", fake_project.run)
    fake_project.started.clear()
    fake_project.stores.clear()
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    thread = threading.Thread(target=serve, args=(project, "t40", theirs_in, theirs_out))
    thread.start()
    client = Client(ours_out, ours_in)
    assert client.read()["event"] == "hello"
    yield client
    os.close(ours_out)
    thread.join(5)
    assert not thread.is_alive()
    client.close()
    os.close(theirs_in)
    os.close(theirs_out)


def spawn(*arguments: str | Path, fake: bool = True) -> subprocess.Popen[bytes]:
    command = ["-c", CHILD] if fake else ["-m", "engine.worker"]
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, *command, *arguments], cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe)


def test_hello_comes_first(project: Path) -> None:
    """The greeting has every field of the protocol, and the worker ends with its stdin."""
    with spawn(project, "--variant", "t41", fake=False) as child:
        out, errors = child.communicate(b"", timeout=20)
    (line,) = out.splitlines()
    hello = json.loads(line)
    assert hello == {
        "event": "hello",
        "protocol": 1,
        "engine": hello["engine"],
        "pid": child.pid,
        "project": str(project),
        "variant": "t41",
        "variants": ["t40", "t41"],
        "model": str(project / "net.onnx"),
        "soc": "",
    }
    assert (child.returncode, errors) == (0, b"")


def test_a_run_from_begin_to_end(client: Client) -> None:
    """Events carry the id; what is not finite is null; the document is the result."""
    client.ask(id=7, do="run", set=["STEPS=2"])
    answer = client.answer(7)
    assert answer["event"] == "result"
    assert answer["value"]["settings"] == {"STEPS": "2"}
    assert answer["value"]["nodes"][0]["cosine_min"] is None
    events = client.seen[1:-1]
    assert {m["id"] for m in events} == {7}
    assert [m["event"] for m in events if m["event"] != "progress"] == ["log", "layers", "sample"]
    assert next(m for m in events if m["event"] == "sample")["metrics"] == {"conv": {"cosine": None, "sqnr_db": 20.5}}
    assert [(m["done"], m["total"]) for m in events if m["event"] == "progress"][-1] == (2, 2)


def test_the_store_stays_warm(client: Client) -> None:
    """Two runs share one store."""
    for number in (1, 2):
        client.ask(id=number, do="run")
        client.answer(number)
    first, second = fake_project.stores
    assert first is second
    assert first is not None


def test_cancel_and_busy(client: Client) -> None:
    """While a run works others are Busy and pings are answered; a cancelled run ends as Cancelled, and the next one may begin."""
    client.ask(id=1, do="run", set=["STEPS=2000", "WAIT=0.01"])
    assert fake_project.started.wait(10)
    client.ask(id=2, do="run")
    assert client.answer(2)["kind"] == "Busy"
    client.ask(id=3, do="ping")
    assert client.answer(3)["value"] == {}
    client.ask(id=4, do="cancel", target=99)
    assert client.answer(4)["value"] == {}
    client.ask(id=5, do="cancel", target=1)
    begun = time.monotonic()
    assert client.answer(5)["value"] == {}
    cancelled = client.answer(1)
    assert (cancelled["kind"], cancelled["exit_code"]) == ("Cancelled", 130)
    assert time.monotonic() - begun < 2
    client.ask(id=6, do="run")
    assert client.answer(6)["event"] == "result"


def test_failures_are_told_and_survived(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    """An error of the tree keeps its kind; anything else is InternalError, with its traceback in the log only."""
    client.ask(id=1, do="run", set=["FAIL=data"])
    failed = client.answer(1)
    assert (failed["kind"], failed["message"], failed["exit_code"]) == ("DataError", "pictures: none is readable", 2)
    client.ask(id=2, do="run", set=["FAIL=bug"])
    failed = client.answer(2)
    assert (failed["kind"], failed["exit_code"]) == ("InternalError", 1)
    said = capfd.readouterr().err
    assert "Traceback" in said
    client.ask(id=3, do="run")
    assert client.answer(3)["event"] == "result"


@pytest.mark.parametrize(
    "line",
    [b"hello", b"[1]", b'{"id": 1}{}', b'{"do": "run"}', b'{"id": true, "do": "ping"}', b"\xff\xfe", b"[" * 100_000, b"1" * 5000],
)
def test_a_line_that_is_no_request(client: Client, line: bytes) -> None:
    """It is answered without an id, and the worker goes on."""
    os.write(client.to, line + b"\n")
    assert client.answer(None)["kind"] == "ProtocolError"
    client.ask(id=1, do="ping")
    assert client.answer(1)["event"] == "result"


def test_a_wrong_request_is_answered_with_its_id(client: Client) -> None:
    """A client can tell which of its requests was wrong."""
    client.ask(id=1, do="rum")
    assert "did you mean run?" in client.answer(1)["message"]
    client.ask(id=2, do="run", set="SOC=T40")
    assert client.answer(2)["kind"] == "ProtocolError"


def test_a_project_that_is_not_there_yet(tmp_path: Path) -> None:
    """The worker greets; each run looks again, and says what is wrong until it is mended."""
    (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
    thread = threading.Thread(target=serve, args=(tmp_path, None, theirs_in, theirs_out))
    thread.start()
    client = Client(ours_out, ours_in)
    assert client.read()["variants"] == []
    client.ask(id=1, do="run")
    assert client.answer(1)["kind"] == "UsageError"
    os.close(ours_out)
    thread.join(5)
    client.close()
    os.close(theirs_in)
    os.close(theirs_out)


def test_what_native_code_prints_goes_to_stderr(project: Path) -> None:
    """File descriptor 1 is not the protocol's."""
    with spawn(project) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b'{"id": 1, "do": "run", "set": ["NOISE=1"]}\n')
        child.stdin.flush()
        lines = []
        while not lines or lines[-1]["event"] != "result":
            lines.append(json.loads(child.stdout.readline()))
        _, errors = child.communicate(timeout=20)
    assert b"a native library speaks" in errors


@pytest.mark.parametrize("how", ["eof", "term", "broken pipe"])
def test_it_ends_promptly_in_the_middle_of_a_run(project: Path, how: str) -> None:
    """Closed stdin, SIGTERM and a reader that has gone all end the process within two seconds, without a traceback."""
    with spawn(project) as child:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        child.stdin.write(b'{"id": 1, "do": "run", "set": ["STEPS=100000", "WAIT=0.002"]}\n')
        child.stdin.flush()
        while json.loads(child.stdout.readline())["event"] != "progress":
            pass
        begun = time.monotonic()
        if how == "eof":
            child.stdin.close()
        elif how == "term":
            child.send_signal(signal.SIGTERM)
        else:
            child.stdout.close()
        code = child.wait(timeout=10)
        assert time.monotonic() - begun < 2
        assert code == (128 + signal.SIGTERM if how == "term" else 0)
        assert child.stderr.read() == b""


def test_progress_is_rate_limited() -> None:
    """At most 20 a second of each stage go out, the last of a stage always does, and nothing else is held back."""
    out: list[Event] = []
    throttle = Throttle(out.append)
    begun = time.monotonic()
    for step in range(1, 20_001):
        throttle(Progress("ComputeScale", step, 20_000))
    allowed = 2 + (time.monotonic() - begun) / 0.05
    assert len(out) <= allowed
    assert out[-1] == Progress("ComputeScale", 20_000, 20_000)
    throttle(Progress("Compute distance", 1, 9))
    throttle(Progress("Compute distance", 2, 9))
    throttle(Log("told at once"))
    assert out[-1] == Log("told at once")
    throttle.flush()
    assert out[-1] == Progress("Compute distance", 2, 9)


def test_lines_come_whole_however_they_are_cut() -> None:
    """A request may arrive byte by byte; one that is too long does not fill the memory."""
    lines = Lines()
    text = b'{"id": 1, "do": "ping"}\n\n{"id": 2, "do": "cancel", "target": 1}\n'
    found = [line for byte in text for line in lines.feed(bytes([byte]))]
    assert [parse_request(line) for line in found] == [Ping(1), Cancel(2, 1)]
    for _ in range(8):
        assert not list(lines.feed(b"x" * MAX_LINE))
    (long,) = lines.feed(b"\n")
    with pytest.raises(ProtocolError):
        parse_request(long)
    assert parse_request(b'{"id": 3, "do": "run"}') == Run(3)


def test_light_requests_are_answered_while_a_run_works(client: Client, project: Path) -> None:
    """Reading the configuration waits for nobody; a second heavy request is refused."""
    client.ask(id=1, do="run", set=["STEPS=200", "WAIT=0.02"])
    assert fake_project.started.wait(10)
    client.ask(id=2, do="read", file="config")
    assert client.answer(2)["value"]["text"] == "{}"
    client.ask(id=3, do="live")
    assert client.answer(3)["kind"] == "Busy"
    client.ask(id=4, do="read", file="neither")
    assert client.answer(4)["kind"] == "UsageError"
    client.ask(id=5, do="cancel", target=1)
    assert client.answer(1)["kind"] == "Cancelled"


def test_changes_are_told_until_it_is_cancelled(client: Client, project: Path) -> None:
    """`watch` answers with nothing but changes, and ends as cancelled."""
    client.ask(id=1, do="watch")
    client.ask(id=2, do="ping")
    client.answer(2)
    for text in ("{ }", "{  }", "{   }"):  # the first may come before it watches
        (project / "t40.cfg").write_text(text)
        time.sleep(0.5)
    while client.read().get("event") != "changed":
        pass
    assert list(client.seen[-1]["config"]) == [str(project / "t40.cfg")]
    client.ask(id=3, do="cancel", target=1)
    assert client.answer(1)["kind"] == "Cancelled"


def test_finished_runs_are_in_the_history(client: Client) -> None:
    """A run that ended well can be listed."""
    client.ask(id=1, do="run")
    client.answer(1)
    client.ask(id=2, do="runs")
    (run,) = client.answer(2)["value"]["runs"]
    assert (run["kind"], run["variant"], run["layers"]) == ("run", "t40", 1)
