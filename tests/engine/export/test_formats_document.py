"""docs/formats.md describes the bytes that are written."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from engine.analysis.report import LayerRow, OutputRow, Report
from engine.bitfile import Entry, text_of
from engine.export import mgk
from engine.export.mgk_layout import SECTIONS
from engine.ir import QGraph, QNode, TensorType
from engine.numerics import QParams

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "formats.md").read_text("utf-8")


def example() -> QGraph:
    q, r = QParams(0.5, 0, 8), QParams(1.0, 0, 8)
    weight = np.array([3, -4], np.int8).reshape(2, 1, 1, 1)
    node = QNode("Conv2D", "relu0", ("x",), ("relu0",), (q,), (r,), {"group": 1, "strides": (2, 2)}, {"weight": weight})
    types = {"x": TensorType((1, 1, 4, 4), "uint8"), "relu0": TensorType((1, 2, 2, 2), "uint8")}
    return QGraph(("x",), ("relu0",), (node,), types, {"x": q, "relu0": r}, {}, {"": 13}, 9)


def test_the_worked_example_is_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mgk, "VERSION", "0.1.0")
    data = mgk.dump(example(), model="tiny", soc="T40")
    lines = re.findall(r"^    ([0-9a-f]{8})  ([0-9a-f ]+)$", TEXT, re.MULTILINE)
    assert len(lines) > 12
    for offset, digits in lines:
        wanted = bytes.fromhex(digits)
        at = int(offset, 16)
        assert data[at : at + len(wanted)] == wanted, offset
    assert f"{len(data)} bytes:" in TEXT


def test_sections_are_listed_in_order() -> None:
    listed = [name for name in re.findall(r"^\| ([a-z]+) \|", TEXT, re.MULTILINE) if name in SECTIONS]
    assert listed == list(SECTIONS)


@pytest.mark.parametrize("kind", [Report, LayerRow, OutputRow])
def test_every_key_of_the_report_is_named(kind: type) -> None:
    assert [f.name for f in fields(kind) if f"`{f.name}`" not in TEXT] == []


def test_the_file_of_bits_is_what_is_written() -> None:
    shown = TEXT.split("## The bits of the nodes")[1].split("\n\n    {")[1].split("\n\n")[0]
    lines = ["{", *(line.removeprefix("    ") for line in shown.splitlines()[1:])]
    assert text_of([("resnetv15_relu0_fwd", 10)], {"resnetv15_relu0_fwd": Entry(None, 0.0, 1.7)}) == "\n".join(lines) + "\n"
