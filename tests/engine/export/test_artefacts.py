"""-o DIR/NAME.mk.h gives the files the vendor's users know."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import OutputError, UsageError
from engine.export.artefacts import plan_outputs, write_model
from engine.export.mgk import load, read
from engine.ir import QGraph, TensorType

EMPTY = QGraph(("x",), ("x",), (), {"x": TensorType((1, 3))}, {})


def test_names_of_the_files() -> None:
    o = plan_outputs("OUT/resnet18.v1.mk.h")
    assert o.name == "resnet18.v1"
    assert o.bin == Path("OUT/resnet18.v1.bin")
    assert o.header == Path("OUT/magik_model_resnet18.v1.mk.h")
    assert o.mgk == Path("OUT/save-magik/model_quant.mgk")
    assert o.folder == Path("OUT")
    assert plan_outputs("n.mk.h").bin == Path("n.bin")


@pytest.mark.parametrize("output", ["", "OUT", "OUT/n.bin", "OUT/n.h", "OUT/.mk.h", "OUT/..mk.h", "a\nb.mk.h", "OUT/n.MK.H"])
def test_other_names_are_wrong_usage(output: str) -> None:
    with pytest.raises(UsageError, match=re.escape(".mk.h")) as caught:
        plan_outputs(output)
    assert str(caught.value).isprintable()


def test_writes_what_was_asked_for(tmp_path: Path) -> None:
    outputs = plan_outputs(tmp_path / "OUT" / "n.mk.h")
    assert write_model(EMPTY, outputs, False, soc="T40") == [outputs.bin, outputs.header]
    assert not outputs.mgk.exists()
    assert write_model(EMPTY, outputs, True) == [outputs.bin, outputs.header, outputs.mgk]
    data = outputs.bin.read_bytes()
    assert outputs.mgk.read_bytes() == data
    assert load(data).types == EMPTY.types
    assert read(data).meta["model"] == "n"
    text = outputs.header.read_text("ascii")
    assert bytes(int(v, 16) for v in re.findall("0x[0-9a-f]{2}", text)) == data


def test_a_file_where_the_folder_goes_is_said(tmp_path: Path) -> None:
    (tmp_path / "OUT").write_text("mine")
    with pytest.raises(OutputError, match="move it away"):
        write_model(EMPTY, plan_outputs(tmp_path / "OUT" / "n.mk.h"), True)
    assert (tmp_path / "OUT").read_text() == "mine"
