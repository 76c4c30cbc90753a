"""Real models from beside the repository convert, and lose little."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from engine.events import silent
from engine.project import Job, run

CASES: dict[str, tuple[str, dict[str, Any], float]] = {
    "efficientnet": (
        "efficientnet_lite0.onnx",
        {"MEAN": [127.0], "NORMAL": [128.0], "COLOR": ["RGB"]},
        0.98,
    ),
    "ppocr": ("ppocr_cls.onnx", {"INPUT_SHAPE": [1, 3, 48, 192], "MEAN": [127.5], "NORMAL": [127.5], "COLOR": ["BGR"]}, 0.98),
}


def convert(shared: Path, root: Path, model: Path, **config: Any) -> dict[str, Any]:
    """Convert a model with a few of the shared pictures."""
    for folder, source, count in (("calibration", "calib", 6), ("debug", "debug", 3)):
        (root / folder).mkdir()
        for path in sorted((shared / "images" / source).iterdir())[:count]:
            shutil.copy(path, root / folder)
    (root / "magik.cfg").write_text(json.dumps({"SOC": "T40", "QUANT_DATASET_PATH": "calibration", "DEBUG_PATH": "debug", **config}))
    return run(Job(model, root / "magik.cfg", root, root / "out" / "net.mk.h"), report=silent)


@pytest.mark.parametrize("name", CASES)
def test_a_real_model_keeps_its_output(name: str, shared: Path, tmp_path: Path) -> None:
    file, config, enough = CASES[name]
    document = convert(shared, tmp_path, shared / "models" / file, **config)
    cosines = [o["cosine_avg"] for o in document["outputs"]]
    assert min(cosines) > enough
    assert sum(n["quantized"] for n in document["nodes"]) > 0.9 * len(document["nodes"])
    assert all(n["reason"] for n in document["nodes"] if not n["quantized"])
    assert sum(n["macs"] for n in document["nodes"] if n["quantized"]) >= 0.95 * sum(n["macs"] for n in document["nodes"])
    assert all(n["cosine_avg"] is not None for n in document["nodes"] if n["quantized"])
