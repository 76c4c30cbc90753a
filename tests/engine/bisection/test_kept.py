"""The log of a bisection: nothing answered is lost, and a person may edit and replay it."""

from __future__ import annotations

import os
import shlex
import signal
import time
from pathlib import Path

import pytest

from engine.bisection import kept
from engine.bisection.judging import ABANDONED
from engine.cli.main import main
from engine.errors import OutputError
from tests.engine import tiny

from .conftest import GOOD_WITHOUT, Bisect, logs, started

TARGET = ("--target", "0.99999")
KILL = """
if os.environ["MAGIK_STEP"] == "4" and not os.path.exists("killed"):
    open("killed", "w").close()
    os.kill(os.getppid(), 9)
"""
INTERRUPT = """
if os.environ["MAGIK_STEP"] == "3":
    os.kill(os.getppid(), 2)
    time.sleep(60)
"""


def before_its_verdict(code: str) -> str:
    """A program that judges as the other one does, but first does something."""
    return GOOD_WITHOUT.replace("sys.exit", f"{code}\nsys.exit")


def test_killed_and_taken_up_again(project: Path, judge: str) -> None:
    """kill -9 in the fourth step: the next run asks for that step, and for none that was answered."""
    (project / "judge.py").write_text(before_its_verdict(KILL))
    first = started(project, judge)
    assert first.code == -signal.SIGKILL
    second = started(project, judge)
    assert "going on after 3 steps of" in second.errors
    document = second.document
    assert [c["name"] for c in document["culprits"]] == ["c2", "scores"]
    steps = [int(line.split()[0]) for line in (project / "asked").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, *range(4, document["evaluations"] + 1)]


def test_what_a_killed_run_left_is_removed_in_time(project: Path, bisect: Bisect, judge: str) -> None:
    folders = [project / ".magik" / "bisect" / name for name in ("step-old", "step-new")]
    for folder, age in zip(folders, (2 * ABANDONED, 0.0), strict=True):
        (folder / "quantized").mkdir(parents=True)
        os.utime(folder, (time.time() - age,) * 2)
    assert bisect("--metric", judge).code == 0
    assert [folder.exists() for folder in folders] == [False, True]


def test_the_same_question_again_is_answered_from_the_log(project: Path, bisect: Bisect, judge: str) -> None:
    """Figures are the same every time, so they are kept; a program may have learned, so it is asked again; --fresh asks in any case."""
    first = bisect("--json", *TARGET)
    again = bisect("--json", *TARGET)
    assert again.document == first.document
    assert "going on after" in again.errors
    assert "Bisecting" not in again.errors
    fresh = bisect("--json", "--fresh", *TARGET)
    assert fresh.document == first.document
    assert "Bisecting" in fresh.errors
    bisect("--metric", judge)
    count = len((project / "asked").read_text().splitlines())
    bisect("--metric", judge)
    assert len((project / "asked").read_text().splitlines()) == 2 * count


def test_another_model_is_another_bisection(project: Path, bisect: Bisect) -> None:
    bisect(*TARGET)
    tiny.picture(project / "debug" / "1.png", seed=99)
    assert "going on" not in bisect(*TARGET).errors
    assert len(logs(project)) == 2


def test_an_edited_log_replays(project: Path, bisect: Bisect, judge: str) -> None:
    """A person knows better: with the mark of one step changed, the search goes another way and asks only what it needs."""
    bisect("--metric", judge)
    (log,) = logs(project)
    mine = project / "mine.log"
    text = log.read_text()
    assert text.startswith("# What has to stay in float for ")
    assert f"--replay {log}" in text
    mine.write_text(text + '{"mark": "good", "nodes": ["c2"]}\n')
    (project / "asked").unlink()
    said = bisect("--json", "--replay", str(mine))
    assert [c["name"] for c in said.document["culprits"]] == ["c2"]
    assert "replaying" in said.errors
    assert said.document["metric"] == judge


def test_a_log_of_another_project_is_said_to_be(project: Path, bisect: Bisect) -> None:
    bisect(*TARGET)
    (log,) = logs(project)
    tiny.configure(project, QUANT_FEATURE_BIT=10)
    said = bisect("--json", "--replay", str(log))
    assert "made with another model, configuration or set of samples" in said.errors
    assert said.document["target"] == 0.99999
    other = bisect("--replay", str(log), "--target", "0.9")
    assert other.code == 2
    assert "--target: 0.9 is not what the log was made for, which is 0.99999" in other.errors


def test_a_log_edited_to_nonsense(project: Path, bisect: Bisect) -> None:
    bisect(*TARGET)
    (log,) = logs(project)
    lines = log.read_text().splitlines()
    log.write_text("\n".join([*lines[:4], '{"mark": "god", "nodes": ["c2"]}']))
    for arguments in (TARGET, ("--replay", str(log))):
        said = bisect(*arguments)
        assert said.code == 2
        assert f'{log}:5:10: expected "mark": one of good, bad, skip, got "god" (did you mean good?' in said.errors
    assert "--fresh begins again" in bisect(*TARGET).errors
    assert bisect("--fresh", *TARGET).code == 0


def test_marks_that_contradict_each_other_are_told(project: Path, bisect: Bisect) -> None:
    log = project / "odd.log"
    log.write_text(
        '{"bisect": 1, "metric": "cosine_avg", "target": 0.99999}\n'
        '{"mark": "good", "nodes": ["c2"]}\n'
        '{"mark": "bad", "nodes": ["c2", "r1"]}\n'
    )
    said = bisect("--json", "--replay", str(log))
    assert "step 1 is good; step 2 has all of its operators in float and 1 more, and is bad: quantization errors" in said.errors


def test_a_disk_that_refuses_the_log_does_not_stop_the_search(bisect: Bisect, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, chunks: object) -> None:
        raise OutputError("cannot write it: no space left on device", where=str(path))

    monkeypatch.setattr(kept, "atomic_write", refuse)
    said = bisect("--json", *TARGET)
    assert said.code == 0
    assert said.errors.count("the log is not kept") == 1
    told = bisect("--fresh", *TARGET)
    assert "must stay in float" in told.out
    assert "\nlog " not in told.out
    assert said.document["culprits"]


def test_ctrl_c_keeps_what_was_answered(project: Path, judge: str) -> None:
    """An interrupt ends with 130, says where the answers are, and leaves no folder of the step behind."""
    (project / "judge.py").write_text(before_its_verdict(INTERRUPT))
    done = started(project, judge)
    assert done.code == 130
    assert done.out == ""
    assert "has what was answered; the same command goes on from there" in done.errors
    assert done.errors.splitlines()[-1] == "magik-tui: interrupted"
    (log,) = logs(project)
    assert log.read_text().count('"mark"') == 2


def test_the_line_in_the_log_replays_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands there, whatever the folder is called and whatever was set."""
    home = project.rename(project.parent / "it's mine")
    assert main(["bisect", str(home), "--target", "0.9999999", "--set", "QUANT_FEATURE_BIT=10", "--steps", "1"]) == 0
    (log,) = logs(home)
    about, line = log.read_text().splitlines()[:2]
    assert "cosine_avg of at least 0.9999999 at the outputs" in about
    program, *words = shlex.split(line.partition("then: ")[2])
    assert (program, words[0]) == ("magik-tui", "bisect")
    capsys.readouterr()
    assert main([*words, "--steps", "0"]) == 0
    out, errors = capsys.readouterr()
    assert "paused after 1 evaluation" in out
    assert "warning" not in errors
