"""`magik-transform-tools` as its users know it: flags, lines on the terminal, the success box, exit codes."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

import engine.project
from engine.cli import transform
from engine.cli.narrate import Narrator, vendor
from engine.errors import Cancelled, DataError
from engine.events import Log, Progress, Report
from engine.project import Job

from .. import fake_project

LINE = ["-i", "net.onnx", "-o", "out/net.mk.h", "-cfg", "magik.cfg"]
BOX = "*" * 42 + "\n* ^_^ Convert successfully, Enjoy it ^_^ *\n" + "*" * 42 + "\n"
LOG = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}: [IWE] \w+\.py:\d+-\w+\] .+")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Replace the conversion by one that needs no model; returns what it was asked for."""
    asked: list[Job] = []

    def run(job: Job, *, report: Report, **rest: Any) -> dict[str, Any]:
        asked.append(job)
        return {**fake_project.run(job, report=report), "settings": {}}

    monkeypatch.setattr(engine.project, "run", run)
    return asked


def test_a_conversion(jobs: list[Job], capsys: pytest.CaptureFixture[str]) -> None:
    """The terminal shows banner, log lines, each stage once, the table and the box; the facade gets what the flags say."""
    assert transform.main([*LINE, "--save_quantize_model", "true"]) == 0
    out, errors = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("INFO(magik): magik-transform-tools version:")
    assert LOG.fullmatch(lines[1])
    assert "\x1b" not in out
    assert lines.count("CollectFeatureDistribution: 100.00 %") == 1
    assert [line.split() for line in lines if line.startswith("conv ")] == [["conv", "0.99813", *"------"]]
    assert out.endswith(BOX)
    assert errors == ""
    (job,) = jobs
    assert (job.model, job.config_path, job.root, job.output) == (Path("net.onnx"), Path("magik.cfg"), Path(), Path("out/net.mk.h"))
    assert job.save_quantize_model
    assert job.name == "net"


def test_without_debug_samples_there_is_no_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The table belongs to the debug mode."""
    document = json.loads(json.dumps({**fake_project.DOCUMENT, "nodes": [fake_project.ROW]}))
    monkeypatch.setattr(engine.project, "run", lambda job, **rest: document)
    assert transform.main(LINE) == 0
    out = capsys.readouterr().out
    assert "feature name" not in out
    assert out.endswith(BOX)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (DataError("none is readable", where="pictures"), 2, "pictures: none is readable"),
        (Cancelled(), 130, "interrupted"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "out/net.bin"), 1, "out/net.bin: No space left on device"),
        (MemoryError(), 1, "out of memory"),
        (DataError("two\nlines \x1b[31m"), 2, r"two\x0alines \x1b[31m"),
    ],
)
def test_how_it_fails(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr, the exit code, no box."""

    def run(job: Job, **rest: Any) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(engine.project, "run", run)
    assert transform.main(LINE) == code
    out, errors = capsys.readouterr()
    assert errors == f"magik-transform-tools: {said}\n"
    assert "Enjoy" not in out


def test_a_mistake_of_ours_goes_to_a_crash_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The terminal gets one line that names the log; the log has the traceback, but not the values of variables."""

    def run(job: Job, **rest: Any) -> dict[str, Any]:
        secret = "the user's " + "data"
        raise RuntimeError(f"a bug near {len(secret)}")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(engine.project, "run", run)
    for _ in range(12):
        assert transform.main(LINE) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 12
    logs = list((tmp_path / "magik-tui" / "crashes").iterdir())
    assert 1 <= len(logs) <= 8
    assert "internal error: RuntimeError: a bug near 15" in errors[-1]
    assert any(str(log) in errors[-1] for log in logs)
    text = logs[0].read_text()
    assert "Traceback" in text
    assert "the user's data" not in text


def test_a_crash_log_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Even then it is one line and exit code 1."""
    (tmp_path / "magik-tui").write_text("a file where a folder is needed")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(engine.project, "run", lambda job, **rest: {}["nothing"])
    assert transform.main(LINE) == 1
    assert "could not be written" in capsys.readouterr().err


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, the reason on stderr, nothing on stdout."""
    assert transform.main(["-i", "net.onnx", "-o", "out/net.bin", "-cfg", "c"]) == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert "did you mean out/net.mk.h?" in errors


@pytest.mark.parametrize(
    ("flag", "said"), [("--version", "magik-transform-tools 0."), ("-h", "usage: magik"), ("--help", "-cfg, --config")]
)
def test_help_and_version(flag: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They print to stdout and succeed."""
    assert transform.main([flag]) == 0
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["-gcfg", "--gen_config"])
def test_the_template(flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """./magik.cfg has the guide's keys in its order; writing it again changes nothing."""
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert transform.main([flag]) == 0
    keys = list(json.loads((tmp_path / "magik.cfg").read_text()))
    assert keys == ["SOC", "INPUT", "INPUT_SHAPE", "MEAN", "NORMAL", "COLOR", "OUTPUT", "QUANT_DATASET_PATH"]
    assert LOG.fullmatch(capsys.readouterr().out.splitlines()[-1])


def test_the_template_never_replaces_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A magik.cfg that says something else is somebody's work; so is a link that leads nowhere, or a folder."""
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "magik.cfg"
    mine.write_text('{"SOC": "T40"}')
    assert transform.main(["-gcfg"]) == 2
    assert mine.read_text() == '{"SOC": "T40"}'
    assert "./magik.cfg: exists already" in capsys.readouterr().err
    mine.unlink()
    mine.symlink_to("nowhere")
    assert transform.main(["-gcfg"]) == 2
    assert not (tmp_path / "nowhere").exists()
    mine.unlink()
    mine.mkdir()
    assert transform.main(["-gcfg"]) == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_is_one_line_rewritten() -> None:
    """Log lines go above it; a finished stage stays; what follows an unfinished one begins on its own line."""
    out = Terminal()
    narrator = Narrator(out, lambda log: log.text)
    narrator(Progress("ComputeScale", 1, 4))
    narrator(Log("hello"))
    narrator(Progress("ComputeScale", 4, 4))
    narrator(Progress("ComputeScale", 4, 4))
    narrator(Progress("Compute distance", 1, 3))
    narrator.close()
    first, wipe = "ComputeScale: 25.00 %", "\r" + " " * 21 + "\r"
    assert out.getvalue() == f"{first}{wipe}hello\n{first}{wipe}ComputeScale: 100.00 %\nCompute distance: 33.33 %\n"


def test_a_log_line_names_who_speaks() -> None:
    """The vendor's form: time, level, file, line and function."""
    assert re.search(r": W \w+\.py:\d+-\w+\] text$", vendor(Log("text", "warning")))
