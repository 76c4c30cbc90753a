"""Networks of several inputs, from the folder to the table: .bin files, pictures, and both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from engine.errors import DataError
from engine.samples import Sample, apart, fed_with_pictures, list_samples

from .running import converted, rows

SIZE = 8


def model(path: Path) -> None:
    """Write a network that looks at two pictures, one of them grey, and adds a state: a conv each, then a sum per class."""
    random = np.random.default_rng(1)

    def weight(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(random.normal(0, 0.4, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["left", "w1"], ["l1"], kernel_shape=[3, 3]),
        helper.make_node("Conv", ["left_mask", "w2"], ["m1"], kernel_shape=[3, 3]),
        helper.make_node("Add", ["l1", "m1"], ["s"]),
        helper.make_node("Relu", ["s"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "w3"], ["p"]),
        helper.make_node("Add", ["p", "state"], ["scores"]),
    ]
    inputs = [
        helper.make_tensor_value_info("left", TensorProto.FLOAT, [1, 3, SIZE, SIZE]),
        helper.make_tensor_value_info("left_mask", TensorProto.FLOAT, [1, 1, SIZE, SIZE]),
        helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 5]),
    ]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 5])]
    weights = [weight("w1", 4, 3, 3, 3), weight("w2", 4, 1, 3, 3), weight("w3", 4, 5)]
    graph = helper.make_graph(nodes, "two", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def sample(folder: Path, seed: int, *, pictures: bool) -> None:
    """Write one sample folder; as pictures or as the same numbers in .bin files, the longest name first in the alphabet's way."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    left = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    mask = random.integers(0, 256, (SIZE, SIZE), dtype=np.uint8)
    if pictures:
        Image.fromarray(left).save(folder / "left_view.png")
        Image.fromarray(mask).save(folder / "left_mask.png")
    else:
        left.transpose(2, 0, 1).astype("<f4").tofile(folder / "left_view.bin")
        mask.tofile(folder / "left_mask_u8.bin")
    random.normal(0, 1, 5).astype("<f4").tofile(folder / "state_0.bin")


def build(root: Path, *, pictures: bool, **changes: Any) -> Path:
    root.mkdir()
    model(root / "net.onnx")
    config = {
        "SOC": "T40",
        "MEAN": [[127.5, 127.5, 127.5], [100]],
        "NORMAL": [[64], [50]],
        "COLOR": ["RGB", "GRAY"],
        "QUANT_DATASET_PATH": "./quant_data",
        "DEBUG_PATH": "./debug",
    }
    (root / "magik.cfg").write_text(json.dumps({**config, **changes}))
    (root / "run_t40.sh").write_text("magik-transform-tools -i net.onnx -o out/net.mk.h -cfg magik.cfg\n")
    for index in range(3):
        sample(root / "quant_data" / f"s{index}", index, pictures=pictures)
    for index in range(2):
        sample(root / "debug" / f"d{index}", 10 + index, pictures=pictures)
    return root


def cosines(document: dict[str, Any]) -> dict[str, float]:
    return {name: row["cosine_avg"] for name, row in rows(document).items()}


def test_pictures_and_files_of_the_same_numbers_agree(tmp_path: Path) -> None:
    """Pictures go to the inputs whose names they begin with, in each input's own colours, and give what their pixels give."""
    pictures = converted(build(tmp_path / "pictures", pictures=True))
    files = converted(build(tmp_path / "files", pictures=False))
    assert [s["sample"] for s in pictures["nodes"][0]["samples"]] == ["d0", "d1"]
    assert rows(pictures)["left/BatchNormScale"]["quantized"]
    assert cosines(pictures) == pytest.approx(cosines(files), abs=2e-3)
    assert pictures["outputs"][0]["cosine_avg"] > 0.95


def test_pictures_in_sample_folders_are_looked_at(tmp_path: Path) -> None:
    """By the names of their samples; a mask may be black."""
    root = build(tmp_path / "p", pictures=True)
    Image.new("RGB", (SIZE, SIZE)).save(root / "quant_data" / "s1" / "left_view.png")
    for folder in (root / "quant_data").iterdir():
        Image.new("L", (SIZE, SIZE)).save(folder / "left_mask.png")
    warnings = converted(root)["warnings"]
    assert [text for text in warnings if "mostly" in text] == ["QUANT_DATASET_PATH: 1 picture is mostly black: s1; choose others"]


def test_the_first_sample_lies_beside_the_model_and_is_one(tmp_path: Path) -> None:
    """DIR/0/<input>.bin holds what calibration fed, and can be given as DEBUG_PATH."""
    root = build(tmp_path / "p", pictures=True)
    document = converted(root, "DEBUG_PATH=")
    folder = root / "out" / "0"
    assert sorted(path.name for path in folder.iterdir()) == ["left.bin", "left_mask.bin", "state.bin"]
    assert {str(path) for path in folder.iterdir()} <= set(document["artefacts"])
    pixels = np.asarray(Image.open(root / "quant_data" / "s0" / "left_view.png")).transpose(2, 0, 1)
    assert np.array_equal(np.fromfile(folder / "left.bin", "<f4").reshape(3, SIZE, SIZE), pixels)
    assert (folder / "state.bin").read_bytes() == (root / "quant_data" / "s0" / "state_0.bin").read_bytes()
    again = converted(root, "DEBUG_PATH=./out/0")
    once = converted(root, "DEBUG_PATH=./quant_data/s0")
    assert [s["sample"] for s in again["nodes"][0]["samples"]] == ["0"]
    assert cosines(again) == pytest.approx(cosines(once), abs=2e-3)


def test_one_input_leaves_no_sample_beside_the_model(project: Path) -> None:
    converted(project)
    assert not (project / "out" / "0").exists()


def test_debug_path_is_a_folder_of_folders_or_one_of_them(tmp_path: Path) -> None:
    root = build(tmp_path / "p", pictures=False)
    many = converted(root)
    one = converted(root, "DEBUG_PATH=./debug/d1")
    assert [s["sample"] for s in many["nodes"][0]["samples"]] == ["d0", "d1"]
    assert [s["sample"] for s in one["nodes"][0]["samples"]] == ["d1"]
    assert one["nodes"][-1]["samples"][0] == many["nodes"][-1]["samples"][1]


def test_debug_path_is_one_picture(project: Path) -> None:
    document = converted(project, "DEBUG_PATH=./debug/1.png")
    assert [s["sample"] for s in document["nodes"][0]["samples"]] == ["1.png"]


def test_a_cut_leaves_the_inputs_it_needs(tmp_path: Path) -> None:
    """Cut behind the first convolution, the sample folders feed what is left; the rest of their files is passed over."""
    root = build(tmp_path / "p", pictures=False, INPUT=["l1"], INPUT_SHAPE=[[1, 4, 6, 6]], OUTPUT=["g"], MEAN=[], NORMAL=[], COLOR=[])
    for folder in [*(root / "quant_data").iterdir(), *(root / "debug").iterdir()]:
        np.random.default_rng(5).normal(0, 1, (4, 6, 6)).astype("<f4").tofile(folder / "l1_x.bin")
    document = converted(root)
    assert [output["name"] for output in document["outputs"]] == ["g"]
    assert "l1" not in rows(document)
    assert rows(document)["m1"]["quantized"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    root = build(tmp_path / "p", pictures=True)
    for folder in (root / "quant_data").iterdir():
        (folder / "left_mask.png").unlink()
    with pytest.raises(DataError, match="no file for input left_mask"):
        converted(root)


def test_which_inputs_take_pictures() -> None:
    names = ["left", "left_mask"]
    both = Sample("a", (Path("left_mask.png"), Path("left_x.png")))
    mixed = Sample("b", (Path("left_mask.bin"), Path("left_x.png")))
    assert fed_with_pictures([both], names) == {"left", "left_mask"}
    assert fed_with_pictures([both, mixed], names) == {"left"}
    assert fed_with_pictures([Sample("c", (Path("any.jpg"),))], ["data"]) == {"data"}


def test_folders_of_pictures_are_samples_or_data_sets(tmp_path: Path) -> None:
    """Two to sixteen pictures in every folder: samples. One, or many, in any of them: somebody meant that folder."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for index in range(2):
            (tmp_path / name / f"{index}.png").write_bytes(b"x")
    assert [(s.name, len(s.paths)) for s in list_samples(tmp_path)] == [("a", 2), ("b", 2)]
    for index in range(17):
        (tmp_path / "b" / f"more{index}.png").write_bytes(b"x")
    with pytest.raises(DataError, match="pictures one folder below"):
        list_samples(tmp_path)


def test_without_calibration_the_model_is_converted_and_it_is_said(project: Path) -> None:
    document = converted(project, "QUANT_DATASET_PATH=")
    assert "QUANT_DATASET_PATH is not set: the model is converted without quantization" in document["warnings"]
    assert {row["reason"] for row in document["nodes"]} == {"QUANT_DATASET_PATH is not set"}
    assert (project / "out" / "net.bin").is_file()
    assert document["outputs"][0]["cosine_avg"] == pytest.approx(1.0, abs=1e-9)


def test_one_input_takes_a_folder_of_files(project: Path) -> None:
    """Each .bin is a sample, whatever its name; the size of the set counts them; one alone may be given, too."""
    for folder, count in (("flat", 12), ("flat_debug", 2)):
        (project / folder).mkdir()
        for index in range(count):
            values = np.random.default_rng(index).integers(0, 256, (3, 12, 12)).astype("<f4")
            values.tofile(project / folder / f"{index:02}.bin")
    settings = ("QUANT_DATASET_PATH=./flat", "DEBUG_PATH=./flat_debug")
    document = converted(project, *settings)
    assert [s["sample"] for s in document["nodes"][0]["samples"]] == ["00.bin", "01.bin"]
    assert not any("samples, 10 to 200" in text for text in document["warnings"])
    assert any("2 of 2 samples of DEBUG_PATH" in text for text in document["warnings"])
    few = converted(project, *settings, "QUANT_DATASET_SIZE=11", "DEBUG_PATH=./flat_debug/01.bin")
    assert [s["sample"] for s in few["nodes"][0]["samples"]] == ["01.bin"]
    assert rows(few)["r1"]["quantized"]


def test_a_sample_folder_stays_one(tmp_path: Path) -> None:
    files = [tmp_path / "data_1.bin", tmp_path / "state.bin", tmp_path / "data_2.bin"]
    for file in files:
        file.write_bytes(b"1234")
    one, two = Sample("a", (files[0], files[1]), "k"), Sample("b", tuple(files), "k")
    assert apart([one], "data") == (one,)
    assert [s.name for s in apart([two], "data")] == ["data_1.bin", "data_2.bin"]
    assert [s.name for s in apart([one], "x")] == ["data_1.bin", "state.bin"]
