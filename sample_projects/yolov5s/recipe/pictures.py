"""Pictures of circles, squares and triangles that PIL draws, with a box around each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from recipe.topology import CLASSES, HEIGHT, WIDTH

FINER = 3
MOST, SMALLEST, LARGEST = 5, 12, 60

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 (HEIGHT, WIDTH, 3), RGB, and its objects: float32 rows (class, middle x, middle y, width, height), in pixels."""

    pixels: Pixels
    objects: npt.NDArray[np.float32]


def _background(rng: np.random.Generator) -> Image.Image:
    """Return colours that run into each other, with lines and bars that are no objects."""
    size = (WIDTH * FINER, HEIGHT * FINER)
    coarse = rng.integers(20, 236, (int(rng.integers(1, 5)), int(rng.integers(2, 7)), 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 7)):
        ends = (rng.random((2, 2)) * size).ravel().tolist()
        pen.line(ends, tuple(rng.integers(0, 256, 3).tolist()), int(rng.integers(1, 12)))
    return image


def _corners(kind: str, middle: npt.NDArray[np.float64], radius: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return the corners (n, 2) of an object; a circle has many."""
    count = {"circle": 48, "square": 4, "triangle": 3}[kind]
    turn = rng.uniform(0, 2 * np.pi) if kind != "square" else np.pi / 4 + rng.uniform(-0.2, 0.2)
    angles = turn + 2 * np.pi * np.arange(count) / count
    return middle + radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def _apart(box: npt.NDArray[np.float64], others: list[npt.NDArray[np.float64]]) -> bool:
    """Tell whether a box (left, top, right, bottom) leaves others nearly alone."""
    for other in others:
        inner = (np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])).clip(0).prod()
        if inner > 0.15 * min((box[2:] - box[:2]).prod(), (other[2:] - other[:2]).prod()):
            return False
    return True


def draw(seed: int, number: int) -> Scene:
    """Draw picture `number` of the set that `seed` names; the same two give the same picture."""
    rng = np.random.default_rng([seed, number])
    image = _background(rng)
    pen = ImageDraw.Draw(image)
    boxes: list[npt.NDArray[np.float64]] = []
    rows = []
    wanted = int(rng.integers(1, MOST + 1))
    for _ in range(4 * MOST):
        if len(rows) == wanted:
            break
        label = int(rng.integers(len(CLASSES)))
        radius = np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST))) / 2
        corners = _corners(CLASSES[label], rng.random(2) * (WIDTH, HEIGHT), radius, rng)
        box = np.concatenate([corners.min(0), corners.max(0)])
        paint = tuple(rng.integers(0, 256, 3).tolist())
        edge = tuple(rng.integers(0, 256, 3).tolist()) if rng.random() < 0.3 else paint
        if (box[:2] < 1).any() or (box[2:] > (WIDTH - 1, HEIGHT - 1)).any() or not _apart(box, boxes):
            continue
        pen.polygon((corners * FINER).ravel().tolist(), paint, edge, FINER)
        boxes.append(box)
        rows.append([label, *(box[:2] + box[2:]) / 2, *(box[2:] - box[:2])])
    small = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.float64)
    grain = rng.normal(0, rng.uniform(0, 8), small.shape)
    pixels = np.rint(small * rng.uniform(0.7, 1.1) + grain).clip(0, 255).astype(np.uint8)
    return Scene(pixels, np.array(rows, np.float32).reshape(-1, 5))


def normalise(pixels: Pixels) -> npt.NDArray[np.float32]:
    """Turn uint8 (n, h, w, 3) pictures into the network's float32 (n, 3, h, w) input: mean 0, normal 255."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
