"""The history of a project: nothing is lost, nothing is written twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import history
from engine.errors import DataError
from tests.engine.service.test_services import Asked

DOCUMENT = {
    "soc": "T40",
    "nodes": [{"name": "a", "cosine_avg": 0.99}, {"name": "b", "cosine_avg": 0.7}, {"name": "c", "cosine_avg": None}],
    "outputs": [{"name": "b", "cosine_avg": 0.7}],
    "timing": {"measure": 1.0},
}


def made(config: str = "{}") -> history.Made:
    return history.Made("t40", config, "", ("QUANT_FEATURE_BIT=10",), {"nodes": {"b": {"feature_bits": 12}}})


def test_runs_come_back_newest_first(tmp_path: Path) -> None:
    first = history.record(tmp_path, "run", made("{}"), DOCUMENT, now=1000.0)
    second = history.record(tmp_path, "live", made("{ }"), DOCUMENT, now=2000.0)
    assert [r.id for r in history.records(tmp_path)] == [second.id, first.id]
    assert history.find(tmp_path, first.id) == first
    assert first.document == DOCUMENT


def test_the_same_again_is_not_written_again(tmp_path: Path) -> None:
    first = history.record(tmp_path, "run", made(), DOCUMENT, now=1000.0)
    again = history.record(tmp_path, "run", made(), {**DOCUMENT, "timing": {"measure": 9.0}}, now=2000.0)
    assert again == first
    assert len(list(history.records(tmp_path))) == 1


def test_a_summary_counts_what_is_bad(tmp_path: Path) -> None:
    found = history.summary(history.record(tmp_path, "run", made(), DOCUMENT, now=1000.0))
    assert (found["layers"], found["bad"], found["worst"]) == (3, 1, {"name": "b", "cosine_avg": 0.7})


def test_notes_and_forgetting(tmp_path: Path) -> None:
    run = history.record(tmp_path, "run", made(), DOCUMENT, now=1000.0)
    history.annotate(tmp_path, run.id, "before the fix")
    assert history.find(tmp_path, run.id).note == "before the fix"
    history.forget(tmp_path, run.id)
    assert list(history.records(tmp_path)) == []


@pytest.mark.parametrize("id_", ["20200101-000000-abcdef", "../../magik", ""])
def test_a_run_that_is_not_there(tmp_path: Path, id_: str) -> None:
    with pytest.raises(DataError, match="there is no run"):
        history.find(tmp_path, id_)


def test_what_is_no_record_is_passed_over(tmp_path: Path) -> None:
    run = history.record(tmp_path, "run", made(), DOCUMENT, now=1000.0)
    (history.folder_of(tmp_path) / "99999999-000000-aaaaaa.json").write_text("{broken")
    (history.folder_of(tmp_path) / "99999999-000001-aaaaaa.json").write_text('{"id": "other"}')
    assert [r.id for r in history.records(tmp_path)] == [run.id]


def test_restoring_writes_both_files_as_they_were(project: Path) -> None:
    ask = Asked(project)
    before = (project / "magik.cfg").read_text()
    run = history.record(project, "run", history.Made("t40", before, "{}\n"), DOCUMENT, now=1000.0)
    (project / "magik.cfg").write_text("{}")
    assert ask("runs", act="restore", run=run.id)["written"] != []
    assert (project / "magik.cfg").read_text() == before
    assert ask("runs")["runs"][0]["id"] == run.id
    assert ask("runs", act="read", run=run.id)["document"] == DOCUMENT
