"""What the workbench's tests share: the made-up worker, an app that can be waited for, and names that mean harm."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from magik_tui import wire
from magik_tui.app import Workbench
from magik_tui.core import State

WORKER = Path(__file__).with_name("fake_worker.py")


def _load_worker() -> Any:
    spec = importlib.util.spec_from_file_location("fake_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fake_worker = _load_worker()


class Watched(Workbench):
    """A workbench whose tests wait for states and frames instead of sleeping."""

    def __init__(self, *mode: str, **fields: Any) -> None:
        super().__init__("/home/me/resnet18", command=(sys.executable, str(WORKER), *mode), **fields)
        self.news = asyncio.Event()
        self.painted: State | None = None
        self.notes: list[str] = []  # all that was in the row of messages, even between two frames

    def _apply(self, event: Any) -> None:
        super()._apply(event)
        if self.bench.note is not None and self.bench.note.text not in self.notes[-1:]:
            self.notes.append(self.bench.note.text)
        self.news.set()

    def _paint(self) -> None:
        super()._paint()
        self.painted = self.bench
        self.news.set()

    async def until(self, holds: Callable[[State], bool], seconds: float = 15) -> State:
        """Wait until a painted state has the property, and return it."""
        async with asyncio.timeout(seconds):
            while self.painted is None or self.painted is not self.bench or not holds(self.painted):
                self.news.clear()
                await self.news.wait()
        return self.painted

    def text(self) -> list[str]:
        """Return the lines of the terminal as they are drawn, from top to bottom."""
        return [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep logs in the test's folder, and the user's wishes about colour out of it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def watched() -> type[Watched]:
    """The workbench's class, made to be waited for; its arguments are the made-up worker's."""
    return Watched


@pytest.fixture(scope="session")
def worker_script() -> Path:
    """The made-up worker."""
    return WORKER


@pytest.fixture(scope="session")
def hostile() -> Sequence[str]:
    """Names with markup, escape sequences, line breaks, wide, joined, invisible and broken characters."""
    return tuple(fake_worker.HOSTILE)


@pytest.fixture
def layers() -> Callable[..., wire.Layers]:
    """Make a `layers` message with plain rows."""

    def make(count: int = 5, samples: int = 2, run: int = 1, names: Sequence[str] = ()) -> wire.Layers:
        chosen = tuple(names) or fake_worker.names("good", count)
        rows = tuple(wire.Row(name, op="Conv2D", feature_bits=8, weight_bits=8) for name in chosen)
        return wire.Layers(rows, tuple(f"s{i}.png" for i in range(samples)), id=run)

    return make


@pytest.fixture
def document() -> Callable[..., wire.Document]:
    """Make the document of a finished run as the made-up worker does."""

    def make(mode: str = "good", count: int = 25, samples: int = 12) -> wire.Document:
        import argparse

        import msgspec

        options = argparse.Namespace(mode=mode, pause=0, layers=count, samples=samples)
        rows = [fake_worker.row(name, i, count) for i, name in enumerate(fake_worker.names(mode, count))]
        said = fake_worker.Worker(options).document(rows, [f"cat_{i:03d}.jpg" for i in range(samples)])
        return msgspec.convert(said, wire.Document)

    return make
