"""What commands that try plans have in common: who computes, as --jobs and --scheduler say."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from engine.cli.main import main
from engine.cli.options import search_options
from engine.cli.session import opened
from engine.errors import Cancelled, UsageError
from engine.lab.fanout import Fan
from engine.lab.processes import Processes


@click.command()
@search_options
def search(**options: Any) -> None:
    click.echo(repr({k: str(v) if isinstance(v, Path) else v for k, v in options.items()}))


def said(*line: str) -> dict[str, Any]:
    done = CliRunner().invoke(search, line)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = ast.literal_eval(done.output)
    return found


def test_a_search_takes_jobs_and_a_scheduler() -> None:
    plain = {"project": "here", "as_json": False, "settings": (), "variant": None, "jobs": 0, "scheduler": ""}
    assert said("here") == plain
    assert said("here", "--jobs", "8", "--json") == {**plain, "jobs": 8, "as_json": True}
    assert said("here", "--scheduler", "tcp://box:8786")["scheduler"] == "tcp://box:8786"


@pytest.mark.parametrize(("jobs", "threads", "processes"), [(1, False, 0), (3, True, 3)])
def test_jobs_are_processes_and_one_is_a_thread(project: Path, jobs: int, threads: bool, processes: int) -> None:
    with opened(project, settings=(), variant=None, jobs=jobs) as lab:
        crew = lab.fan.crew if isinstance(lab.fan, Fan) else None
        assert isinstance(crew, Processes) == bool(processes)
        assert (crew.size if crew else 0) == processes
        assert threads or lab.core.executor is None
        assert len(list(lab.scores([lab.base]))) == 1


def test_who_does_not_answer_is_told_before_the_work(project: Path) -> None:
    line: dict[str, Any] = {"settings": ("NO_SUCH_KEY=1",), "variant": None}
    with pytest.raises(UsageError, match="one of them"), opened(project, **line, jobs=2, scheduler="tcp://127.0.0.1:9"):
        pass


def test_a_search_says_the_same_by_processes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = []
    for line in ([], ["--jobs", "2"]):
        shutil.rmtree(project / ".magik", ignore_errors=True)
        assert main(["sensitivity", str(project), "--json", *line]) == 0
        documents.append({k: v for k, v in json.loads(capsys.readouterr().out).items() if k != "timing"})
    assert documents[0] == documents[1]
    assert documents[0]["runs"] > len(documents[0]["units"])


def test_a_diagnosis_that_is_stopped_says_how_it_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: object) -> None:
        raise Cancelled("stopped")

    monkeypatch.setattr("engine.diagnosis.examine.diagnose", stopped)
    assert main(["diagnose", str(project)]) == 130
    out, errors = capsys.readouterr()
    last = ["magik-tui: what was measured is kept; the same command goes on from there", "magik-tui: interrupted"]
    assert (out, errors.splitlines()[-2:]) == ("", last)
