"""`magik-tui run` and what surrounds it: streams, settings, mistakes, interrupts, and how light it is."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import engine.project
from engine.cli.main import cli, main
from engine.errors import UsageError
from engine.events import Report
from engine.project import Job
from engine.version import VERSION

from .. import fake_project

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
import sys
import engine.project
from tests.engine import fake_project
engine.project.run = fake_project.run
from engine.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder that is a project of two variants, whose model nobody reads."""
    for soc in ("t40", "t41"):
        (tmp_path / f"run_{soc}.sh").write_text(f"magik-transform-tools -i net.onnx -o out/net.mk.h -cfg {soc}.cfg\n")
        (tmp_path / f"{soc}.cfg").write_text("{}")
    (tmp_path / "net.onnx").write_bytes(b"model")
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Job, int]]:
    """Replace the conversion; returns what it was asked for."""
    found: list[tuple[Job, int]] = []

    def run(job: Job, *, report: Report, jobs: int = 0, **rest: Any) -> dict[str, Any]:
        found.append((job, jobs))
        document = fake_project.run(job, report=report)
        document.pop("settings")
        return document

    monkeypatch.setattr(engine.project, "run", run)
    return found


def test_the_table_on_stdout(project: Path, asked: list[tuple[Job, int]], capsys: pytest.CaptureFixture[str]) -> None:
    """stdout holds the table and nothing else; narration, without progress where there is no terminal, is on stderr."""
    assert main(["run", str(project)]) == 0
    out, errors = capsys.readouterr()
    head, row = out.splitlines()
    assert head.split() == ["feature", "name", "cosine_avg", "cosine_min", *head.split()[4:]]
    assert row.startswith("conv ")
    assert errors.splitlines() == [
        "variant t40 of t40, t41; --variant chooses another",
        r"warning: picture [b]3[/b] is \x1b[31mcorrupt",
    ]


def test_one_json_document_on_stdout(project: Path, asked: list[tuple[Job, int]], capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads stdout; a number that does not exist is null."""
    assert main(["run", str(project), "--json", "--variant", "t41", "--jobs", "3", "--set", "SOC=T41", "--set", "COLOR=BGR"]) == 0
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert document["schema"] == 1
    assert document["nodes"][0]["cosine_min"] is None
    ((job, jobs),) = asked
    assert (job.variant, job.config_path, job.overrides, jobs) == ("t41", project / "t41.cfg", ("SOC=T41", "COLOR=BGR"), 3)
    assert (job.root, job.output) == (project, project / "out" / "net.mk.h")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["rum", "x"], "no such command: rum (did you mean run?)"),
        (["run"], "Missing argument 'PROJECT' (magik-tui run --help)"),
        (["run", ".", "--jsno"], "No such option '--jsno'"),
        (["run", ".", "--jobs", "-1"], "Invalid value for '--jobs'"),
        (["run", "nowhere"], "nowhere: no such project"),
        (["run", "{project}", "--variant", "a1"], 'no variant "a1", there is t40, t41'),
    ],
)
def test_mistakes(line: list[str], said: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr and exit code 2."""
    assert main([word.format(project=project) for word in line]) == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert said in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("line", [["--help"], ["-h"], ["run", "--help"], ["--version"]])
def test_help_and_version(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They print to stdout and succeed."""
    assert main(line) == 0
    out, errors = capsys.readouterr()
    assert ("Usage: magik-tui" in out) or out == f"magik-tui {VERSION}\n"
    assert errors == ""


def test_the_version_is_the_packages() -> None:
    """One number, said in two places: the package's metadata would take longer to read than everything else."""
    assert f'\nversion = "{VERSION}"\n' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_exit_code_of_an_added_command_is_handed_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The workbench's package adds commands: their result is the exit code, their errors are told in the same way."""

    def good() -> int:
        return 7

    def bad() -> int:
        raise UsageError("it does not fit", where="there")

    import click

    monkeypatch.setitem(cli.commands, "good", click.Command("good", callback=good))
    monkeypatch.setitem(cli.commands, "bad", click.Command("bad", callback=bad))
    assert main(["good"]) == 7
    assert main(["bad"]) == 2
    assert capsys.readouterr().err == "magik-tui: there: it does not fit\n"


def spawn(*line: str | Path, **streams: Any) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", CHILD, *line], cwd=ROOT, **{"stdout": pipe, "stderr": pipe, **streams})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_in_order(number: int, project: Path) -> None:
    """ctrl-C: exit code 130 within two seconds, one line, no traceback, nothing on stdout."""
    with spawn("run", project, "--set", "STEPS=100000", "--set", "WAIT=0.01") as child:
        assert child.stderr
        while b"corrupt" not in child.stderr.readline():
            pass
        begun = time.monotonic()
        child.send_signal(number)
        out, errors = child.communicate(timeout=10)
    assert time.monotonic() - begun < 2
    assert (child.returncode, out, errors) == (130, b"", b"magik-tui: interrupted\n")


def test_a_second_interrupt_does_not_wait(project: Path) -> None:
    """Work that does not report for long can be left at once."""
    with spawn("run", project, "--set", "STEPS=1", "--set", "WAIT=60") as child:
        assert child.stderr
        while b"corrupt" not in child.stderr.readline():
            pass
        for _ in range(2):
            time.sleep(0.2)
            child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=10)
    assert (child.returncode, errors) == (130, b"magik-tui: interrupted\n")


def test_a_full_disk_under_stdout(project: Path) -> None:
    """`> file` on a full disk is an error of one line, not a short document."""
    with open("/dev/full", "wb") as full, spawn("run", project, "--json", stdout=full) as child:
        _, errors = child.communicate(timeout=10)
    assert child.returncode == 1
    assert errors.splitlines()[-1] == b"magik-tui: standard output: cannot be written: No space left on device"


def test_a_reader_that_has_enough(project: Path) -> None:
    """`| head -0` gets no complaint."""
    with spawn("run", project, "--json", "--set", "STEPS=1", "--set", "WAIT=0.5") as child:
        assert child.stdout
        child.stdout.close()
        assert child.stderr
        errors = child.stderr.read()
    assert b"rror" not in errors
    assert child.returncode == 1


def test_without_any_streams(project: Path) -> None:
    """A process started with its descriptors closed still works."""
    line = f'exec "{sys.executable}" -c "$0" run "$1" >&- 2>&-'
    assert subprocess.run(["sh", "-c", line, CHILD, project], cwd=ROOT, check=False, timeout=20).returncode == 0


def test_the_command_line_is_light() -> None:
    """Loading the commands brings in no library that takes long to load, and neither does looking for a project."""
    code = "import engine.cli.main, engine.cli.run, engine.cli.transform, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "onnx", "onnxruntime", "PIL", "textual", "rich", "msgspec", "engine.project", "importlib.metadata"}
