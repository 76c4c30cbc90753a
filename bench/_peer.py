"""The peer's side: onnxruntime's quantize_static and qdq_loss_debug on the same pictures, as its documentation has it.

The model has been through quant_pre_process already, as onnxruntime's documentation asks; that time is not counted.

usage: python -m bench._peer MODEL INPUT MEAN NORMAL SIZE CALIB_DIR DEBUG_DIR WORK_DIR
Prints one JSON document: the mean output cosine over the debug pictures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, qdq_loss_debug, quantize_static
from PIL import Image


class Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Feeds a folder of pictures, one at a time."""

    def __init__(self, folder: str, name: str, mean: list[float], normal: list[float], size: int) -> None:
        self.files = sorted(Path(folder).iterdir())
        self.name, self.size = name, size
        self.mean, self.normal = np.array(mean, np.float32), np.array(normal, np.float32)
        self.feed = self._all()

    def _all(self) -> Iterator[dict[str, Any]]:
        for file in self.files:
            picture = Image.open(file).convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
            x = (np.asarray(picture, np.float32) - self.mean) / self.normal
            yield {self.name: np.ascontiguousarray(x.transpose(2, 0, 1)[None], dtype=np.float32)}

    def get_next(self) -> dict[str, Any] | None:
        return next(self.feed, None)


def main() -> None:
    """Quantize, then collect and compare every activation of both models."""
    model, name, mean, normal, size, calib, debug, work = sys.argv[1:9]
    reader = (name, json.loads(mean), json.loads(normal), int(size))
    quantized = f"{work}/quantized.onnx"
    quantize_static(
        model,
        quantized,
        Pictures(calib, *reader),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        calibrate_method=CalibrationMethod.MinMax,
    )
    found = []
    for source in (model, quantized):
        shown = f"{work}/shown.onnx"
        qdq_loss_debug.modify_model_output_intermediate_tensors(source, shown)
        found.append(qdq_loss_debug.collect_activations(shown, Pictures(debug, *reader)))
    matching = qdq_loss_debug.create_activation_matching(found[1], found[0])
    errors = qdq_loss_debug.compute_activation_error(matching)
    output = ort.InferenceSession(model).get_outputs()[0].name
    cosines = [cosine(a, b) for a, b in zip(found[0][output], found[1][output], strict=True)]
    print(json.dumps({"output_cosine": float(np.mean(cosines)), "compared": len(errors)}))


def cosine(a: Any, b: Any) -> float:
    """Return the cosine of two arrays."""
    x, y = a.reshape(-1).astype(np.float64), b.reshape(-1).astype(np.float64)
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


if __name__ == "__main__":
    main()
