#!/usr/bin/env python3
"""Make this sample: train a small recurrent denoiser on synthetic voices, write the ONNX file and the sample folders.

usage: make_sample.py              train and write everything (five minutes on one core)
       make_sample.py --evaluate   print how much of the noise the model that lies here removes, in float and quantized

Needs the project's extra "train": pip install -e '.[train]' (PyTorch, for the training only).

A fixed seed decides every sound.  The weights repeat bit for bit on one machine with one version of PyTorch; elsewhere
its sums may round differently, and the weights, the decibels and the cosines with them.
"""

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from recipe import sounds, stream
from recipe.topology import FEATURES, LAST_STATE

HERE = Path(__file__).resolve().parent
MODEL = HERE / "model.onnx"
# Each set has a seed of its own, and so has the training: no voice or noise is in two of them.
CALIBRATION, DEBUG, TEST = (580, 20), (581, 6), (582, 8)


def write_samples(folder: Path, seed: int, count: int) -> None:
    """Write a sample folder for one frame each of `count` clips: what stands before the network there, its state included."""
    shutil.rmtree(folder, ignore_errors=True)
    step = stream.float_step(MODEL)
    for number in range(count):
        spectra = sounds.spectrum(sounds.clip(seed, number)[1])
        frame = int(np.random.default_rng([seed, number, 0]).integers(20, len(spectra)))
        *_, (_, state) = stream.states(step, spectra[: frame + 1])
        place = folder / str(number)
        place.mkdir(parents=True)
        sounds.features(spectra[frame : frame + 1]).tofile(place / f"{FEATURES}_input.bin")
        state.tofile(place / f"{LAST_STATE}.bin")


def make() -> None:
    """Train, check that the ONNX file computes what was trained, and write it and the samples."""
    # Here, so that --evaluate does without PyTorch.
    import onnx
    from recipe import graph, network

    parameters = network.train()
    onnx.save(graph.build(parameters), MODEL)
    spectra = sounds.spectrum(sounds.clip(DEBUG[0], 0)[1])
    trained = network.gains(parameters, sounds.features(spectra))
    written = np.stack([gains for gains, _ in stream.states(stream.float_step(MODEL), spectra)])
    if not np.allclose(trained, written, atol=1e-4):
        raise SystemExit(f"the ONNX file differs from the trained network: a gain is off by {np.abs(trained - written).max():.3g}")
    write_samples(HERE / "quant_data", *CALIBRATION)
    write_samples(HERE / "debug_data", *DEBUG)


def evaluate() -> None:
    """Print how clean the test clips are, on average, before and after."""
    seed, count = TEST
    clips = [sounds.clip(seed, number) for number in range(count)]

    def show(what: str, heard: Iterable[sounds.Signal]) -> None:
        ratios = [sounds.ratio(clean, each) for (clean, _), each in zip(clips, heard, strict=True)]
        print(f"{what:<20}{np.mean(ratios):6.2f} dB", flush=True)

    show("as heard", (noisy for _, noisy in clips))
    show("ideal gains", (sounds.signal(sounds.spectrum(noisy) * sounds.ideal_gains(clean, noisy)) for clean, noisy in clips))
    show("float", (stream.enhanced(stream.float_step(MODEL), noisy) for _, noisy in clips))
    for bits in (8, 12):
        step = stream.quantized_step(HERE, bits)
        show(f"{bits}-bit features", (stream.enhanced(step, noisy) for _, noisy in clips))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make or evaluate the GRU sample.")
    parser.add_argument("--evaluate", action="store_true", help="only print the ratios on the test clips")
    if not parser.parse_args().evaluate:
        make()
    evaluate()


if __name__ == "__main__":
    main()
