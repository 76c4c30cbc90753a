"""The digits of scikit-learn's ``load_digits``, drawn as coloured pictures."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits

from recipe.topology import SIDE

SEED = 18
MEAN = (123.675, 116.28, 103.53)
NORMAL = (58.395, 57.12, 57.375)
TEST, VALIDATION = 400, 200
SHADE = 0.5

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Split:
    """Rows of ``load_digits`` with their labels, both int64 of shape (n,)."""

    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def pictures(self, variant: int = 0) -> Pixels:
        """Draw every row: uint8 (n, SIDE, SIDE, 3)."""
        return np.stack([draw(int(row), variant) for row in self.rows])


@cache
def _digits() -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Return the 1797 digits as uint8 (n, 8, 8), 0..255, and their labels."""
    images, labels = load_digits().images, load_digits().target
    return np.rint(images * (255 / 16)).astype(np.uint8), labels.astype(np.int64)


def splits() -> dict[str, Split]:
    """Return ``train``, ``validation`` and ``test``: disjoint rows, decided by the seed."""
    labels = _digits()[1]
    order = np.random.default_rng(SEED).permutation(len(labels))
    parts = np.split(order, [TEST, TEST + VALIDATION])
    return {name: Split(rows, labels[rows]) for name, rows in zip(("test", "validation", "train"), parts, strict=True)}


def draw(row: int, variant: int) -> Pixels:
    """Draw one digit, turned, scaled, moved and coloured a little: uint8 (SIDE, SIDE, 3), RGB.

    The same row and variant give the same picture, whatever was drawn before.
    """
    rng = np.random.default_rng([SEED, row, variant])
    angle, scale = rng.uniform(-0.15, 0.15), rng.uniform(0.85, 1.1)
    shift = rng.uniform(-4, 4, 2) + SIDE / 2
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    middle = SIDE / 2
    affine = (
        cos, sin, middle - cos * shift[0] - sin * shift[1],
        -sin, cos, middle + sin * shift[0] - cos * shift[1],
    )  # fmt: skip
    small = Image.fromarray(_digits()[0][row]).resize((SIDE - 16,) * 2, Image.Resampling.BICUBIC)
    canvas = Image.new("L", (SIDE, SIDE))
    canvas.paste(small, (8, 8))
    ink_share = np.asarray(canvas.transform((SIDE, SIDE), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR))
    paper, ink = rng.integers(130, 256, 3), rng.integers(0, 110, 3)
    flat = paper + (ink - paper) * (ink_share[..., None] / 255.0)
    # Light falls unevenly: flat paper would pile most of every calibration histogram into a few bins.
    corners = Image.fromarray(rng.integers(0, 256, (2, 2), dtype=np.uint8))
    light = np.asarray(corners.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 255.0
    return np.rint(flat * (1 - SHADE * light[..., None])).astype(np.uint8)


def normalise(pictures: Pixels) -> npt.NDArray[np.float32]:
    """Turn uint8 (n, h, w, 3) pictures into the network's float32 (n, 3, h, w) input."""
    scaled = (pictures - np.asarray(MEAN, np.float32)) / np.asarray(NORMAL, np.float32)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
