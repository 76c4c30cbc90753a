#!/usr/bin/env python3
"""Make this sample: train a slim YOLOv5s on shapes it draws, write the ONNX file and the picture folders.

usage: make_sample.py              train and write everything (five minutes on one core)
       make_sample.py --evaluate   print the precision of the model that lies here on the test pictures, in float and quantized

Needs the project's extra "train": pip install -e '.[train]' (PyTorch, for the training only).

A fixed seed decides every picture.  The weights repeat bit for bit on one machine with one version of PyTorch; elsewhere
its sums may round differently, and the weights, the precision and the cosines with them.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from recipe import predict
from recipe.pictures import draw, normalise

HERE = Path(__file__).resolve().parent
MODEL = HERE / "yolov5s-shapes.onnx"
# Each set has a seed of its own, and so has the training: no picture is in two of them.
CALIBRATION, DEBUG, TEST = (415, 32), (416, 10), (417, 200)


def write_pictures(folder: Path, seed: int, count: int) -> None:
    """Write a folder of JPEG files, numbered."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(count):
        Image.fromarray(draw(seed, number).pixels).save(folder / f"shapes_{seed}_{number:03d}.jpg", quality=90)


def make() -> None:
    """Train, check that the ONNX file computes what was trained, and write it and the pictures."""
    # Here, so that --evaluate does without PyTorch.
    import onnx
    from recipe import graph, network

    parameters, trained = network.train()
    onnx.save(graph.build(parameters), MODEL)
    pixels = draw(DEBUG[0], 0).pixels
    wanted = network.maps(trained, normalise(pixels[None]))
    off = max(float(np.abs(a - b).max()) for a, b in zip(predict.float_maps(MODEL)(pixels), wanted, strict=True))
    if off > 1e-3:
        raise SystemExit(f"the ONNX file differs from the trained network: a value is off by {off:.3g}")
    write_pictures(HERE / "Val_shapes_part", *CALIBRATION)
    write_pictures(HERE / "debug_shapes", *DEBUG)


def evaluate() -> None:
    """Print the mean average precision on the test pictures."""
    seed, count = TEST
    scenes = [draw(seed, number) for number in range(count)]
    print(f"mAP@0.5 on {count} test pictures")
    print(f"{'float':<18}{100 * predict.precision(predict.float_maps(MODEL), scenes):5.1f} %", flush=True)
    for bits in (8, 12):
        print(f"{f'{bits}-bit features':<18}{100 * predict.precision(predict.quantized_maps(HERE, bits), scenes):5.1f} %", flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make or evaluate the YOLOv5s sample.")
    parser.add_argument("--evaluate", action="store_true", help="only print the precision on the test pictures")
    if not parser.parse_args().evaluate:
        make()
    evaluate()


if __name__ == "__main__":
    main()
