#!/usr/bin/env python3
"""Make this sample: train a slim ResNet-18 on handwritten digits, write the ONNX file and the picture folders.

usage: make_sample.py              train and write everything (one to three minutes on two cores)
       make_sample.py --evaluate   print the accuracy of the model that lies here on the test split

Needs the project's extra "train": pip install -e '.[train]'.  Data: the digits that scikit-learn carries, the test part
of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI machine learning repository, CC BY 4.0).

A fixed seed decides the splits and the pictures.  The weights repeat bit for bit on one machine with one
version of PyTorch; elsewhere its sums may round differently, and the weights, the accuracy and the cosines with them.
"""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from PIL import Image
from recipe.pictures import Pixels, Split, normalise, splits
from recipe.topology import INPUT

HERE = Path(__file__).resolve().parent
QUANTIZED = HERE / "venus_sample_resnet18" / "save-magik" / "model_quant.mgk"
MODEL = HERE / "resnet18-digits.onnx"
CALIBRATION, DEBUG = (HERE / "Val_digits_part", 40), (HERE / "debug_digits", 12)

Predict = Callable[[Pixels], npt.NDArray[np.float32]]


def evaluate(predict: Predict, split: Split) -> float:
    """Return the top-1 accuracy, 0..1, of ``predict``: uint8 RGB (n, 64, 64, 3) to scores (n, 10)."""
    return float(np.mean(predict(split.pictures()).argmax(1) == split.labels))


def float_model(path: Path) -> Predict:
    """Return the ONNX file as a predictor, run by onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda pictures: session.run(None, {INPUT: normalise(pictures)})[0]


def quantized_model(path: Path) -> Predict:
    """Return a converted model (model_quant.mgk) as a predictor that runs its integers, picture by picture."""
    # Here, so that the sample can be made without this project installed.
    from engine.export.mgk import load
    from engine.simulate import quantized_program

    graph = load(path.read_bytes(), where=str(path))
    program = quantized_program(graph, graph.outputs)
    return lambda pictures: np.concatenate([program.run({INPUT: p[np.newaxis]})[graph.outputs[0]].copy() for p in pictures])


def spread(split: Split, count: int) -> Split:
    """Return ``count`` rows of a split with every digit equally often, as far as the count allows."""
    turn = np.array([np.count_nonzero(split.labels[:i] == label) for i, label in enumerate(split.labels)])
    chosen = np.lexsort((split.labels, turn))[:count]
    return Split(split.rows[chosen], split.labels[chosen])


def write_pictures(split: Split, folder: Path) -> None:
    """Write a folder of PNG files named after the digit and its row in ``load_digits``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for row, label, picture in zip(split.rows, split.labels, split.pictures(), strict=True):
        Image.fromarray(picture).save(folder / f"digit_{label}_{row:04d}.png", optimize=True)


def make() -> None:
    """Train, make some channels loud, check that no logit changed, and write the model and the pictures."""
    # Here, so that --evaluate does without PyTorch.
    import onnx
    from recipe import gains, graph, network

    data = splits()
    trained = network.train(data)
    quiet, loud = graph.build(trained), graph.build(gains.apply(trained))
    inputs = {INPUT: normalise(data["validation"].pictures())}
    before, after = (
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, inputs)[0]
        for model in (quiet, loud)
    )
    if not np.array_equal(before, after):
        raise SystemExit(f"the gains changed the function: a logit moved by {np.abs(before - after).max():.3g}")
    onnx.save(loud, MODEL)
    write_pictures(spread(data["train"], CALIBRATION[1]), CALIBRATION[0])
    write_pictures(spread(data["test"], DEBUG[1]), DEBUG[0])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make or evaluate the ResNet-18 sample.")
    parser.add_argument("--evaluate", action="store_true", help="only print the accuracy on the test split")
    if not parser.parse_args().evaluate:
        make()
    test = splits()["test"]
    print(f"float top-1 on {len(test.rows)} test digits: {evaluate(float_model(MODEL), test):.4f}")
    if QUANTIZED.exists():
        print(f"top-1 of {QUANTIZED.name}: {evaluate(quantized_model(QUANTIZED), test):.4f}")
    else:
        print(f"{QUANTIZED.name} is not there: run_t40.sh makes it")


if __name__ == "__main__":
    main()
