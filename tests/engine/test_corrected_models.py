"""Real models, corrected: each step of the features' width is worth it, and at 12 bits next to nothing is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.events import silent
from engine.project import Job, run

COLOURS = {"COLOR": ["RGB"]}
CASES: dict[str, dict[str, Any]] = {
    "efficientnet_lite0.onnx": {"MEAN": [127.0], "NORMAL": [128.0], **COLOURS},
    "ppocr_cls.onnx": {"INPUT_SHAPE": [1, 3, 48, 192], "MEAN": [127.5], "NORMAL": [127.5], "COLOR": ["BGR"]},
    "resnet18": {"MEAN": [123.675, 116.28, 103.53], "NORMAL": [58.395, 57.12, 57.375], **COLOURS},
}


def pictures(shared: Path, root: Path) -> None:
    """Lay out three sets without a picture in common."""
    calib = sorted((shared / "images" / "calib").iterdir())
    debug = sorted((shared / "images" / "debug").iterdir())
    sets = {"calibration": calib[::5] + calib[3::5], "correction": calib[1::5] + calib[2::10], "debug": debug[::3]}
    for folder, files in sets.items():
        (root / folder).mkdir()
        for path in files:
            shutil.copy(path, root / folder)
    named = [path.name for files in sets.values() for path in files]
    assert len(named) == len(set(named))


@pytest.mark.parametrize("name", CASES)
def test_wider_features_are_worth_it_once_weights_are_corrected(name: str, shared: Path, tmp_path: Path, request: Any) -> None:
    """Without correction the noise of 8-bit weights hides what 10 and 12 bits win."""
    model = request.getfixturevalue("resnet18_onnx") if name == "resnet18" else shared / "models" / name
    pictures(shared, tmp_path)
    base = {"SOC": "T40", "QUANT_DATASET_PATH": "calibration", "DEBUG_PATH": "debug", "WEIGHT_CORRECT_PATH": "correction", **CASES[name]}
    decibels, cosines = [], []
    for bits in (8, 10, 12):
        (tmp_path / "magik.cfg").write_text(json.dumps({**base, "QUANT_FEATURE_BIT": bits}))
        document = run(Job(model, tmp_path / "magik.cfg", tmp_path, None), report=silent)
        assert not [text for text in document["warnings"] if "CORRECT_PATH" in text]
        decibels.append([o["sqnr_db"] for o in document["outputs"]])
        cosines.append([o["cosine_avg"] for o in document["outputs"]])
    for low, middle, high in zip(*decibels, strict=True):
        assert low < middle < high
    assert min(cosines[-1]) >= 0.999
