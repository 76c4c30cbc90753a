"""The history of a project: nothing is lost, nothing is written twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import history
from engine.bitfile import NAME
from engine.errors import DataError
from engine.userfiles import Conflict
from tests.engine.service.test_services import Asked

DOCUMENT: dict[str, Any] = {
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
    """As the heatmap counts: a layer that is below 0.98 on one sample is bad, whatever its mean."""
    more = [{"name": "d", "cosine_avg": 0.99, "cosine_min": 0.9}, {"name": "e", "cosine_avg": 0.99, "cosine_min": 0.98}]
    found = history.summary(history.record(tmp_path, "run", made(), {**DOCUMENT, "nodes": [*DOCUMENT["nodes"], *more]}, now=1000.0))
    assert (found["layers"], found["bad"], found["worst"]) == (5, 2, {"name": "b", "cosine_avg": 0.7})


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


def test_restoring_writes_both_files_and_can_be_taken_back(project: Path) -> None:
    ask = Asked(project)
    config, bits = project / "magik.cfg", project / NAME
    first = config.read_text()
    run = history.record(project, "run", history.Made("t40", first, "{}\n"), DOCUMENT, now=1000.0)
    config.write_text("{}")
    seen = ask("runs", act="outlook", run=run.id)
    assert not seen["known"]
    assert [(f["file"], f["lost"], f["gained"], f["removed"]) for f in seen["files"]] == [
        ("config", 1, len(first.splitlines()), False),
        ("bits", 0, 1, False),
    ]
    done = ask("runs", act="restore", run=run.id, versions=seen["versions"])
    assert done["written"] == [str(config), str(bits)]
    assert (config.read_text(), bits.read_text()) == (first, "{}\n")
    kept = history.find(project, done["before"])
    assert (kept.kind, kept.config, kept.bits) == ("edit", "{}", "")
    assert ask("runs", act="read", run=run.id)["document"] == DOCUMENT

    back = ask("runs", act="outlook", run=kept.id)
    assert back["known"]
    assert [f["removed"] for f in back["files"]] == [False, True]
    again = ask("runs", act="restore", run=kept.id, versions=back["versions"])
    assert again["before"] == run.id
    assert config.read_text() == "{}"
    assert not bits.exists()


def test_what_somebody_changed_meanwhile_is_not_overwritten(project: Path) -> None:
    ask = Asked(project)
    config = project / "magik.cfg"
    run = history.record(project, "run", history.Made("t40", "{ }", ""), DOCUMENT, now=1000.0)
    versions = ask("runs", act="outlook", run=run.id)["versions"]
    config.write_text("{  }")
    for stale in (versions, {}):
        with pytest.raises(Conflict, match="changed by somebody else"):
            ask("runs", act="restore", run=run.id, versions=stale)
    assert config.read_text() == "{  }"
    assert len(list(history.records(project))) == 1


def test_restoring_another_variant_s_run_leaves_this_one_s_configuration(project: Path) -> None:
    (project / "run_t41.sh").write_text((project / "run_t40.sh").read_text().replace("-cfg magik.cfg", "-cfg t41.cfg"))
    (project / "t41.cfg").write_text("{}")
    ask, mine = Asked(project), (project / "magik.cfg").read_text()
    run = history.record(project, "run", history.Made("t41", '{"SOC": "T41"}', ""), DOCUMENT, now=1000.0)
    ask("runs", act="restore", run=run.id, versions=ask("runs", act="outlook", run=run.id)["versions"])
    assert (project / "t41.cfg").read_text() == '{"SOC": "T41"}'
    assert (project / "magik.cfg").read_text() == mine
