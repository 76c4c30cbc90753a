"""A program as a judge: what its exit code says, what it is given, and every way in which it may fail."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import pytest

from engine.analysis.bisect import Answer
from engine.bisection.command import Program
from engine.errors import Cancelled, UsageError, WorkError


def judged(folder: Path, code: str, *, timeout: float = 60.0, report: bytes = b"{}") -> Answer:
    """The answer of a Python program."""
    return Program((sys.executable, "-c", code), timeout).judge(folder, report, {"MAGIK_STEP": "7"}, lambda: None)


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("", Answer("good")),
        ("raise SystemExit(1)", Answer("bad")),
        ("raise SystemExit(3)", Answer("bad", None, "exit code 3")),
        ("raise SystemExit(127)", Answer("bad", None, "exit code 127")),
        ("raise SystemExit(125)", Answer("skip")),
        ("print('mAP'); print(0.75)", Answer("good", 0.75)),
        ("print('nan')", Answer("good", None, "nan")),
        ("print('0.5\\nmAP is low'); raise SystemExit(1)", Answer("bad", None, "mAP is low")),
        ("import sys; sys.stderr.write('no ground truth\\n\\n'); raise SystemExit(125)", Answer("skip", None, "no ground truth")),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\x1b[2J\\x00')", Answer("good", None, "\ufffd\\u001b[2J\\u0000")),
        ("print('x' * 300000)", Answer("good", None, "x" * 197 + "...")),
    ],
)
def test_the_exit_code_judges(code: str, answer: Answer, tmp_path: Path) -> None:
    """Zero is good, 125 cannot tell; a number on the last line is the value, other words are a note and never a verdict."""
    assert judged(tmp_path, code) == answer


def test_it_reads_the_report_and_its_environment(tmp_path: Path) -> None:
    code = "import os, sys; print(len(sys.stdin.buffer.read()) + int(os.environ['MAGIK_STEP']) / 10)"
    assert judged(tmp_path, code, report=b"x" * 1_000_000).value == 1_000_000.7


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("import sys; print('out of memory', file=sys.stderr); sys.exit(137)", 'exit code 137 (SIGKILL?), saying "out of memory"'),
        ("raise SystemExit(255)", "ended with exit code 255"),
    ],
)
def test_a_crash_is_no_verdict(code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(WorkError) as caught:
        judged(tmp_path, code)
    assert message in str(caught.value)
    assert "what was answered is kept" in str(caught.value)


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], 10)[0])
    finally:
        os.close(handle)


SLOW = "import os, subprocess, sys; p = subprocess.Popen(['sleep', '60']); open({!r}, 'w').write(str(p.pid)); p.wait()"


def test_a_hang_ends_with_everything_it_started(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match=r"took more than 2 s .*--timeout gives it longer"):
        judged(tmp_path, SLOW.format(str(tmp_path / "pid")), timeout=2.0)
    assert gone(int((tmp_path / "pid").read_text()))


def test_who_stops_waiting_stops_the_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def impatient() -> None:
        if pid.exists() and pid.read_text():
            raise Cancelled

    with pytest.raises(Cancelled):
        Program((sys.executable, "-c", SLOW.format(str(pid))), 60.0).judge(tmp_path, b"", {}, impatient)
    assert gone(int(pid.read_text()))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("cosine_max", '--metric: there is no metric and no program "cosine_max" (did you mean cosine_min?)'),
        ("./judge", 'no program "./judge" (the metrics are cosine_avg, cosine_min, sqnr; anything else is a program to run)'),
        ("/etc", 'no program "/etc"'),
        ("{broken}", 'cannot run "{broken}": No such file or directory'),
        ("'unclosed", "--metric: cannot be read as a command: no closing quotation"),
        ("  ", "--metric: expected a metric or a command"),
    ],
)
def test_a_program_that_is_not_there(command: str, message: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    command, message = (text.replace("{broken}", str(broken)) for text in (command, message))
    with pytest.raises(UsageError) as caught:
        Program.parse(command, 1.0).judge(tmp_path, b"", {}, lambda: None)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_command_line_is_cut_as_a_shell_would() -> None:
    assert Program.parse("python3 'my judge.py' --min 0.5", 1.0).arguments == ("python3", "my judge.py", "--min", "0.5")
