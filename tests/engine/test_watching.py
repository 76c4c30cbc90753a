"""Watching: what counts as a change, and that it is told once things are quiet."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine import watching
from engine.bitfile import NAME
from engine.errors import Cancelled
from engine.events import Found
from engine.service.context import Context
from engine.service.lanes import service
from tests.engine import tiny

Changes = queue.Queue[Mapping[str, list[str]]]


@pytest.fixture
def changes(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Changes]:
    monkeypatch.setattr(watching, "QUIET", 0.05)
    told: Changes = queue.Queue()
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=watching.watch, args=(project, None, told.put, stop.is_set), kwargs={"ready": ready.set, "tick": 0.02}, daemon=True
    )
    thread.start()
    assert ready.wait(10)
    yield told
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def told(changes: Changes) -> dict[str, list[str]]:
    return {kind: [Path(p).name for p in files] for kind, files in changes.get(timeout=20).items()}


def test_each_kind_of_file(project: Path, changes: Changes) -> None:
    tiny.configure(project, QUANT_FEATURE_BIT=10)
    assert told(changes) == {"config": ["magik.cfg"]}
    (project / NAME).write_text("{}")
    assert told(changes) == {"bits": [NAME]}
    tiny.picture(project / "debug" / "new.png", seed=9)
    assert told(changes) == {"pictures": ["new.png"]}
    (project / "net.onnx").write_bytes(tiny.tiny_model() + b"\x00")
    assert told(changes) == {"model": ["net.onnx"]}


def test_a_model_that_goes_and_comes_back(project: Path, changes: Changes) -> None:
    """Without its model the project cannot be found; what is told is the model, and not the configuration."""
    (project / "net.onnx").rename(project / "net.away")
    assert told(changes) == {"model": ["net.onnx"]}
    tiny.picture(project / "debug" / "new.png", seed=9)
    (project / "net.away").rename(project / "net.onnx")
    assert told(changes)["model"] == ["net.onnx"]


def test_an_editor_that_replaces_the_file(project: Path, changes: Changes) -> None:
    text = (project / "magik.cfg").read_text()
    (project / "magik.cfg~").write_text(text + "\n")
    (project / "magik.cfg~").replace(project / "magik.cfg")
    assert told(changes) == {"config": ["magik.cfg"]}


def test_a_folder_of_pictures_that_comes_later(project: Path, changes: Changes) -> None:
    tiny.configure(project, DEBUG_PATH="./later")
    assert "config" in told(changes)
    (project / "later").mkdir()
    tiny.picture(project / "later" / "a.png")
    tiny.configure(project, DEBUG_PATH="./later", SOC="T41")
    assert told(changes)["pictures"] == ["a.png"]


def test_what_is_no_change() -> None:
    state = {"config": {"a": (1, 2)}, "pictures": {"p": (3, 4)}}
    assert watching.difference(state, state) == {}
    assert watching.difference(state, {"config": {"a": (1, 2)}, "pictures": {}}) == {"pictures": ["p"]}
    assert watching.difference({"config": {}}, state) == {"config": ["a"], "pictures": ["p"]}


def test_a_broken_configuration_is_the_only_change(project: Path, changes: Changes) -> None:
    text = (project / "magik.cfg").read_text()
    (project / "magik.cfg").write_text("{")
    assert told(changes) == {"config": ["magik.cfg"]}
    tiny.picture(project / "debug" / "new.png", seed=9)
    assert told(changes) == {"pictures": ["new.png"]}
    (project / "magik.cfg").write_text(text)
    assert told(changes) == {"config": ["magik.cfg"]}
    (project / "magik.cfg").rename(project / "magik.cfg.away")
    assert told(changes) == {"config": ["magik.cfg"]}


def test_the_folder_that_a_setting_names(project: Path) -> None:
    (project / "other").mkdir()
    before = watching.look(project, None, ("DEBUG_PATH=./other",))
    tiny.picture(project / "other" / "a.png")
    tiny.picture(project / "debug" / "b.png")
    after = watching.look(project, None, ("DEBUG_PATH=./other",), before)
    assert {kind: [Path(p).name for p in files] for kind, files in watching.difference(before.state, after.state).items()} == {
        "pictures": ["a.png"]
    }


def test_a_project_that_is_not_there_yet(tmp_path: Path) -> None:
    assert watching.look(tmp_path, None).folders == {tmp_path: False}


def test_another_variant_is_watched_once_it_is_served(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "QUIET", 0.05)
    (project / "run_t41.sh").write_text((project / "run_t40.sh").read_text().replace("-cfg magik.cfg", "-cfg t41.cfg"))
    (project / "t41.cfg").write_text((project / "magik.cfg").read_text())
    context, found = Context(project, "t40"), service("watch")
    told, looks, stop = queue.Queue[Any](), queue.Queue[str | None](), threading.Event()
    look = watching.look

    def looked(path: Path, variant: str | None, *more: Any) -> watching.Watched:
        state = look(path, variant, *more)
        looks.put(variant)
        return state

    def report(event: Any) -> None:
        if stop.is_set():
            raise Cancelled
        if isinstance(event, Found):
            told.put(event.data["config"])

    def watch() -> None:
        with pytest.raises(Cancelled):
            found.answer(context, found.read({"id": 0, "do": "watch"}), report)

    monkeypatch.setattr(watching, "look", looked)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        assert looks.get(timeout=20) == "t40"
        context.variant = "t41"
        while looks.get(timeout=20) != "t41":
            pass
        (project / "t41.cfg").write_text("{}")
        assert told.get(timeout=20) == [str(project / "t41.cfg")]
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
