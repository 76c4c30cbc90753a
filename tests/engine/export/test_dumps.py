"""The dump folder has the vendor's form, appears whole, and takes nothing away that is not ours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.errors import Cancelled, OutputError
from engine.export import dumps
from engine.export.dumps import DumpWriter, node_info
from engine.numerics import QParams, dequantize, quantize

NODES = [
    ("data/BatchNormScale", "BatchNormScale"),
    ("relu0_fwd", "Conv2D"),
    ("prob", "Softmax"),
    ("activation0", "EltwiseAdd"),
    ("relu1_fwd", "Conv2D"),
]
Q8, Q12 = QParams(0.5, 3, 8), QParams(0.25, 100, 12)


def listing(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() or p.is_symlink()}


def write(folder: Path, value: float = 1.0) -> None:
    real = np.linspace(-value, value, 24, dtype=np.float32).reshape(1, 2, 3, 4)
    pixels = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    with DumpWriter(folder, NODES, ["data"], ["last/state"]) as writer:
        writer.write_input("data", pixels)
        writer.write("data/BatchNormScale", real, quantize(real, Q8), Q8)
        writer.write("relu0_fwd", real, quantize(real, Q12), Q12)
        writer.write("prob", real, real * 2, None)
        writer.write("last/state", real, real, None)


WRITTEN = {
    "input.bin",
    "input_uint8.bin",
    "model_node_info.json",
    ".magik-dump",
    *(f"float_model/{n}.bin" for n in ("data_BatchNormScale", "relu0_fwd", "prob", "last_state")),
    *(f"ptq_model/{n}.bin" for n in ("data_BatchNormScale", "relu0_fwd")),
    *(f"ptq_model_dequantize/{n}.bin" for n in ("data_BatchNormScale", "relu0_fwd", "prob", "last_state")),
}


def test_files_and_their_types(tmp_path: Path) -> None:
    folder = tmp_path / "magik_dump_path"
    write(folder)
    real = np.linspace(-1, 1, 24, dtype=np.float32)
    assert listing(folder) == WRITTEN
    assert np.array_equal(np.fromfile(folder / "input.bin", "<f4"), np.arange(24))
    assert np.array_equal(np.fromfile(folder / "input_uint8.bin", np.uint8), np.arange(24))
    assert np.array_equal(np.fromfile(folder / "float_model/relu0_fwd.bin", "<f4"), real)
    levels = np.fromfile(folder / "ptq_model/data_BatchNormScale.bin", np.uint8)
    assert np.array_equal(levels, quantize(real, Q8))
    wide = np.fromfile(folder / "ptq_model/relu0_fwd.bin", "<u2")
    assert np.array_equal(wide, quantize(real, Q12))
    assert np.array_equal(np.fromfile(folder / "ptq_model_dequantize/relu0_fwd.bin", "<f4"), dequantize(wide, Q12))
    assert np.array_equal(np.fromfile(folder / "ptq_model_dequantize/prob.bin", "<f4"), real * 2)
    assert [p.name for p in tmp_path.iterdir()] == ["magik_dump_path"]


def test_node_info_is_the_vendors(tmp_path: Path) -> None:
    write(tmp_path / "d")
    text = (tmp_path / "d" / "model_node_info.json").read_text("utf-8")
    assert json.loads(text) == node_info(NODES)
    assert list(json.loads(text).items()) == [
        ("all_type", ["BatchNormScale", "Conv2D", "EltwiseAdd", "Softmax"]),
        ("BatchNormScale", ["data/BatchNormScale"]),
        ("Conv2D", ["relu0_fwd", "relu1_fwd"]),
        ("EltwiseAdd", ["activation0"]),
        ("Softmax", ["prob"]),
    ]


def test_values_of_any_memory_order_are_written_in_the_order_of_their_axes(tmp_path: Path) -> None:
    nchw = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    with DumpWriter(tmp_path / "d", NODES) as writer:
        writer.write("prob", nchw.transpose(0, 2, 3, 1), None, None)
    found = np.fromfile(tmp_path / "d/float_model/prob.bin", "<f4")
    assert np.array_equal(found, np.ascontiguousarray(nchw.transpose(0, 2, 3, 1)).ravel())
    assert not (tmp_path / "d/ptq_model_dequantize/prob.bin").exists()


def test_several_inputs_go_by_their_names(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "d", NODES, ["a/0", "b"]) as writer:
        writer.write_input("a/0", np.zeros(4, np.uint8))
        writer.write_input("b", np.zeros(4, np.float32))
    assert listing(tmp_path / "d") == {"a_0.bin", "a_0_uint8.bin", "b.bin", "model_node_info.json", ".magik-dump"}


@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), ValueError()])
def test_a_failure_leaves_the_old_dumps_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    folder = tmp_path / "d"
    write(folder)

    def broken() -> None:
        with DumpWriter(folder, NODES, ["data"]) as writer:
            writer.write("prob", np.zeros(3, np.float32), None, None)
            raise error

    with pytest.raises(type(error)):
        broken()
    assert listing(folder) == WRITTEN
    assert (folder / "float_model/prob.bin").stat().st_size == 24 * 4
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_second_run_takes_away_what_the_first_wrote_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write(folder)
    mine = {"notes.txt": b"a", "float_model/mine.bin": b"b", "deep/er/x.bin": b"c"}
    for name, data in mine.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "link").symlink_to(tmp_path)
    with DumpWriter(folder, NODES[:1]) as writer:
        writer.write("data/BatchNormScale", np.zeros(3, np.float32), None, None)
    wanted = {"model_node_info.json", ".magik-dump", "float_model/data_BatchNormScale.bin", "link", *mine}
    assert {p for p in listing(folder) if not p.startswith("link/")} == wanted
    assert {name: (folder / name).read_bytes() for name in mine} == mine
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_folder_of_another_tool_keeps_its_files_but_those_we_write(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    (folder / "ptq_model").mkdir(parents=True)
    (folder / "ptq_model/relu0_fwd.bin").write_bytes(b"theirs")
    (folder / "ptq_model/other.bin").write_bytes(b"theirs")
    write(folder)
    assert listing(folder) == WRITTEN | {"ptq_model/other.bin"}
    assert (folder / "ptq_model/relu0_fwd.bin").stat().st_size == 48


@pytest.mark.parametrize("way", ["file", "link", "folder inside", "file inside"])
def test_what_is_in_the_way_is_named_and_stays(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "d"
    place = {"file": folder, "link": folder, "folder inside": folder / "input.bin" / "x", "file inside": folder / "ptq_model"}[way]
    place.parent.mkdir(parents=True, exist_ok=True)
    if way == "link":
        place.symlink_to(tmp_path)
    else:
        place.write_bytes(b"mine")
    with pytest.raises(OutputError, match="move it away") as caught:
        write(folder)
    assert str(folder) in caught.value.where
    assert place.is_symlink() or place.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_swap_that_fails_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "d"
    write(folder)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if (self / "float_model" / "prob.bin").exists() and target == folder and not moved:
            moved.append(self)
            raise OSError(28, "No space left on device")
        return rename(self, target)

    moved: list[Path] = []
    monkeypatch.setattr(dumps.Path, "rename", refuse)
    with pytest.raises(OutputError, match="no space left"):
        write(folder, 9.0)
    assert moved
    assert listing(folder) == WRITTEN
    assert np.fromfile(folder / "float_model/prob.bin", "<f4").max() == 1.0
    assert [p.name for p in tmp_path.iterdir()] == ["d"]
