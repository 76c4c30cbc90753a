"""The vendor's guide, chapters 2 to 5, replayed on the sample projects: the files and lines of every step, and the way cosines move."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.bitfile import NAME
from engine.cli import transform

from .running import converted, rows, told

SAMPLES = Path(__file__).resolve().parents[2] / "sample_projects"
MADE = shutil.ignore_patterns(".magik", "magik_dump_path", "venus_sample_*", NAME)
ILL = [
    "resnetv15_relu0_fwd",
    "resnetv15_pool0_fwd",
    *(f"resnetv15_stage1_{n}" for n in ("relu0_fwd", "batchnorm1_fwd", "activation0", "relu1_fwd", "batchnorm3_fwd", "activation1")),
]
"""The layers in whose tensors one channel is far louder than the others: eight of them, in graph order."""

Document = dict[str, Any]
Run = Callable[..., Document]


@pytest.fixture(scope="module")
def resnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample project, a quarter of its pictures set aside for corrections; the steps share its store, as a user's do."""
    root = tmp_path_factory.mktemp("guide") / "resnet18"
    shutil.copytree(SAMPLES / "resnet18", root, ignore=MADE)
    (root / "correct_img").mkdir()
    for path in sorted((root / "Val_digits_part").iterdir())[::4]:
        shutil.move(path, root / "correct_img")
    return root


def output(document: Document) -> float:
    value: float = document["outputs"][0]["cosine_avg"]
    return value


def lowest(document: Document) -> float:
    return min(row["cosine_avg"] for row in document["nodes"])


def names(values: list[str]) -> str:
    return json.dumps(values)


def test_2_2_1_one_input(resnet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command of run_t40.sh leaves the guide's files and ends in the star box."""
    monkeypatch.chdir(resnet)
    line = "-inputpath resnet18-digits.onnx -outputpath ./venus_sample_resnet18/resnet18_t40_magik.mk.h -cfg ./cfg/magik_t40.cfg"
    assert transform.main([*line.split(), "--save_quantize_model", "true"]) == 0
    said = capsys.readouterr().out.splitlines()
    for stage in ("CollectFeatureDistribution", "ComputeScale", "Compute distance"):
        assert f"{stage}: 100.00 %" in said
    assert said[-2] == "* ^_^ Convert successfully, Enjoy it ^_^ *"
    folder = resnet / "venus_sample_resnet18"
    assert sorted(path.name for path in folder.iterdir()) == [
        "magik_model_resnet18_t40_magik.mk.h",
        "resnet18_t40_magik.bin",
        "save-magik",
    ]
    assert (folder / "save-magik" / "model_quant.mgk").is_file()


@pytest.mark.parametrize("variant", ["magik_t40.cfg", "magik_t41.cfg"])
def test_2_2_2_several_inputs(variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One listed input or both: the conversion is the same, and the first sample lies beside the model."""
    root = tmp_path / "gru"
    shutil.copytree(SAMPLES / "gru", root, ignore=MADE)
    monkeypatch.chdir(root)
    line = f"--outputpath ./venus_sample_gru/gru_magik.mk.h --inputpath ./model.onnx --config ./cfg/{variant}"
    assert transform.main(line.split()) == 0
    assert sorted(path.name for path in (root / "venus_sample_gru" / "0").iterdir()) == ["740.bin", "last_state_tgru.bin"]


def test_3_2_debug_path_leaves_dumps_and_the_operators(resnet: Path) -> None:
    document = converted(resnet)
    folder = resnet / "magik_dump_path"
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "float_model",
        "input.bin",
        "input_uint8.bin",
        "model_node_info.json",
        "ptq_model",
        "ptq_model_dequantize",
    ]
    info = json.loads((folder / "model_node_info.json").read_text())
    assert info["all_type"] == ["BatchNormScale", "Conv2D", "EltwiseAdd", "Flatten", "GlobalAvgPool", "MatMul", "MaxPool"]
    assert info["Conv2D"][0] == "resnetv15_relu0_fwd"
    for part in ("float_model", "ptq_model", "ptq_model_dequantize"):
        assert (folder / part / "data_BatchNormScale.bin").is_file()
    assert len(document["nodes"][0]["samples"]) == 12
    one = converted(resnet, "DEBUG_PATH=./debug_digits/digit_3_0965.png")
    assert [s["sample"] for s in one["nodes"][0]["samples"]] == ["digit_3_0965.png"]


def test_3_3_cause_one_the_bits_of_the_features(resnet: Path) -> None:
    """FEATURE_FAKE_QUANT shows the fall, WEIGHT_FAKE_QUANT does not; 10 bits mend much of it, 12 all."""
    eight = converted(resnet)
    feature, weight = converted(resnet, "FEATURE_FAKE_QUANT=true"), converted(resnet, "WEIGHT_FAKE_QUANT=true")
    assert lowest(eight) < 0.96
    assert lowest(feature) < 0.96
    assert lowest(weight) > 0.99
    assert [row["name"] for row in feature["nodes"]] == [row["name"] for row in eight["nodes"]]
    ten, twelve = converted(resnet, "QUANT_FEATURE_BIT=10"), converted(resnet, "QUANT_FEATURE_BIT=12")
    assert lowest(eight) < lowest(ten) < lowest(twelve)
    assert output(eight) < output(ten) < output(twelve)
    assert output(twelve) > 0.999


def test_3_3_cause_two_the_bits_of_the_weights(resnet: Path) -> None:
    """With 4-bit weights it is they that lose; a correction on samples of their own wins part of it back."""
    four = ("QUANT_WEIGHT_BIT=4", "WEIGHT_FAKE_QUANT=true")
    before = converted(resnet, *four)
    after, said = told(resnet, *four, "WEIGHT_CORRECT_PATH=correct_img")
    total = sum(row["weight_bits"] is not None for row in after["nodes"])
    assert f"bias_correct Op-----> {total}, total Op is {total}" in said
    assert not any("WEIGHT_CORRECT_PATH" in text for text in after["warnings"])
    assert output(before) < 0.99 < output(after)
    whole = [converted(resnet, "QUANT_WEIGHT_BIT=4", *more) for more in ((), ("WEIGHT_CORRECT_PATH=correct_img",))]
    assert output(whole[0]) < output(whole[1])
    shared = converted(resnet, *four, "WEIGHT_CORRECT_PATH=Val_digits_part")
    assert any(text.startswith("WEIGHT_CORRECT_PATH: 30 of 30 samples are in QUANT_DATASET_PATH too") for text in shared["warnings"])


def test_3_3_cause_three_the_operators(resnet: Path) -> None:
    """First the types, then the nodes: what is ill heals when it is skipped, and something else does not."""
    eight = converted(resnet)
    types = {kind: output(converted(resnet, f"QUANT_OP_SKIP={names([kind])}")) for kind in ("Conv2D", "MatMul")}
    assert types["Conv2D"] > max(types["MatMul"], output(eight))
    healed = converted(resnet, f"QUANT_NODE_SKIP={names(ILL)}")
    found = rows(healed)
    assert {found[name]["reason"] for name in ILL} == {"skipped by QUANT_NODE_SKIP"}
    assert lowest(healed) > 0.99 > 0.96 > lowest(eight)
    others = [name for name, row in found.items() if "stage4" in name and row["op"] == "Conv2D"]
    assert lowest(converted(resnet, f"QUANT_NODE_SKIP={names(others)}")) < 0.96


def test_3_3_cause_four_the_pictures(resnet: Path) -> None:
    few = converted(resnet, "QUANT_DATASET_SIZE=4")
    assert "QUANT_DATASET_PATH: 4 samples, 10 to 200 are advised" in few["warnings"]
    assert converted(resnet)["warnings"] == []


def test_4_mixed_widths(resnet: Path) -> None:
    """Save, raise the ill layers to 12 bits in the file, load: eight layers do nearly what all of them do."""
    _, said = told(resnet, "SAVE_OP_QUANT_BIT=true")
    assert f"model quant info save in ./{NAME}" in said
    file = resnet / NAME
    assert file.read_text().startswith('{\n\t"data/BatchNormScale": {\n\t\t"QUANT_FEATURE_BIT": 8\n\t},\n\t"resnetv15_relu0_fwd": {\n')
    table = json.loads(file.read_text())
    file.write_text(json.dumps({name: {"QUANT_FEATURE_BIT": 12 if name in ILL else 8} for name in table}, indent="\t"))
    mixed, eight, twelve = (converted(resnet, *s) for s in (("LOAD_OP_QUANT_BIT=true",), (), ("QUANT_FEATURE_BIT=12",)))
    widths = {name: row["feature_bits"] for name, row in rows(mixed).items()}
    assert {name for name, bits in widths.items() if bits == 12} == set(ILL)
    assert lowest(eight) < 0.96 < 0.99 < lowest(mixed)
    assert 1 - output(mixed) < 0.5 * (1 - output(eight))
    assert output(mixed) < output(twelve)


def test_5_given_ranges(resnet: Path) -> None:
    """A range of one's own acts on its node alone, and is told."""
    node = "resnetv15_stage4_relu0_fwd"
    plain = rows(converted(resnet))
    (resnet / NAME).write_text(json.dumps({node: {"QUANT_FEATURE_BIT": 8, "MAX": 0.4, "MIN": 0}}))
    document, said = told(resnet, "LOAD_OP_QUANT_MIN_MAX=true")
    found = rows(document)
    assert f"Updata Node: {node}, MIN: 0, MAX: 0.4" in said
    assert found[node]["scale"] == pytest.approx(0.4 / 255)
    assert found[node]["saturation"] > plain[node]["saturation"]
    assert found[node]["local_cosine"] < plain[node]["local_cosine"]
    assert all(found[name]["scale"] == row["scale"] for name, row in plain.items() if name != node)
    assert output(document) < output(converted(resnet))
