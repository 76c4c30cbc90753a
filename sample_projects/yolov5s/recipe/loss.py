"""What the training makes small: YOLOv5's three losses, over the cells and anchors that answer for an object.

An anchor answers for objects less than four times as large or small as itself, in the cell of the object's middle and in the nearer
neighbour of that cell to either side.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from recipe.topology import ANCHORS, FIELDS, STRIDES

BOX, OBJECT, CLASS = 1.0, 1.0, 0.5
BALANCE = (4.0, 1.0, 0.4)
LARGEST_RATIO = 4.0

Objects = Sequence[npt.NDArray[np.float32]]


def _answering(objects: Objects, anchors: npt.NDArray[np.float64], stride: int, height: int, width: int) -> npt.NDArray[np.float64]:
    """Return rows (picture, anchor, row, column, class, middle x, middle y, width, height), the last four in pixels."""
    rows = []
    for picture, found in enumerate(objects):
        for label, x, y, w, h in found.tolist():
            column, row = x / stride, y / stride
            sides = ((0, 0), (-1 if column % 1 < 0.5 else 1, 0), (0, -1 if row % 1 < 0.5 else 1))
            for anchor, (aw, ah) in enumerate(anchors):
                if max(w / aw, aw / w, h / ah, ah / h) >= LARGEST_RATIO:
                    continue
                for dx, dy in sides:
                    i, j = int(column) + dx, int(row) + dy
                    if 0 <= i < width and 0 <= j < height:
                        rows.append((picture, anchor, j, i, label, x, y, w, h))
    return np.array(rows, np.float64).reshape(-1, 9)


def _complete_iou(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (IoU, complete IoU) of boxes (n, 4) given as middle and size: Zheng et al., AAAI 2020."""
    low_a, high_a, low_b, high_b = a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2, b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2
    inner = (torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b)).clamp(0).prod(1)
    iou = inner / (a[:, 2:].prod(1) + b[:, 2:].prod(1) - inner + 1e-7)
    diagonal = (torch.maximum(high_a, high_b) - torch.minimum(low_a, low_b)).square().sum(1) + 1e-7
    distance = (a[:, :2] - b[:, :2]).square().sum(1) / diagonal
    angles = torch.atan(b[:, 2] / b[:, 3]) - torch.atan(a[:, 2] / (a[:, 3] + 1e-7))
    shape = 4 / math.pi**2 * angles.square()
    with torch.no_grad():
        weight = shape / (1 - iou + shape + 1e-7)
    return iou, iou - distance - weight * shape


def detection_loss(maps: Sequence[torch.Tensor], objects: Objects) -> torch.Tensor:
    """Return the loss of a batch: its feature maps, and the objects (class, middle x, middle y, width, height) of each picture."""
    total = torch.zeros(())
    for raw, stride, given, balance in zip(maps, STRIDES, ANCHORS, BALANCE, strict=True):
        pictures, _, height, width = raw.shape
        p = raw.reshape(pictures, 3, FIELDS, height, width).permute(0, 1, 3, 4, 2)
        anchors = np.reshape(given, (3, 2))
        rows = _answering(objects, anchors, stride, height, width)
        wanted = torch.zeros(p.shape[:-1])
        if len(rows):
            places = torch.from_numpy(rows[:, :5].astype(np.int64))
            picture, anchor, row, column, label = places.unbind(1)
            told = p[picture, anchor, row, column]
            cells = torch.stack([column, row], 1)
            middle = (2 * torch.sigmoid(told[:, :2]) - 0.5 + cells) * stride
            size = (2 * torch.sigmoid(told[:, 2:4])) ** 2 * torch.from_numpy(anchors.astype(np.float32))[anchor]
            iou, complete = _complete_iou(torch.cat([middle, size], 1), torch.from_numpy(rows[:, 5:].astype(np.float32)))
            wanted[picture, anchor, row, column] = iou.detach().clamp(0)
            classes = functional.one_hot(label, FIELDS - 5).float()
            total = total + BOX * (1 - complete).mean() + CLASS * functional.binary_cross_entropy_with_logits(told[:, 5:], classes)
        total = total + OBJECT * balance * functional.binary_cross_entropy_with_logits(p[..., 4], wanted)
    return total
