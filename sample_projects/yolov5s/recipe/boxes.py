"""From feature maps to boxes, and how good they are: the decoding of YOLOv5, non-maximum suppression, average precision."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from recipe.topology import ANCHORS, CLASSES, FIELDS, STRIDES

Array = npt.NDArray[np.float32]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def decode(maps: Sequence[Array]) -> Array:
    """Return every box of one picture as rows (left, top, right, bottom, score of each class) from maps (3 * FIELDS, h, w)."""
    found = []
    for raw, stride, anchors in zip(maps, STRIDES, ANCHORS, strict=True):
        height, width = raw.shape[1:]
        p = _sigmoid(raw.reshape(3, FIELDS, height, width).transpose(0, 2, 3, 1))
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
        middle = (2 * p[..., :2] - 0.5 + grid) * stride
        size = (2 * p[..., 2:4]) ** 2 * np.reshape(anchors, (3, 1, 1, 2))
        found.append(np.concatenate([middle - size / 2, middle + size / 2, p[..., 4:5] * p[..., 5:]], -1).reshape(-1, 4 + len(CLASSES)))
    return np.concatenate(found).astype(np.float32)


def overlap(box: Array, others: Array) -> Array:
    """Return the intersection over union of a box with others, (n,), all (left, top, right, bottom)."""
    inner = (np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2])).clip(0).prod(1)
    areas = (others[:, 2:4] - others[:, :2]).prod(1)
    return inner / (areas + (box[2:4] - box[:2]).prod() - inner)


def detections(maps: Sequence[Array], least: float = 0.01, same: float = 0.6) -> dict[int, Array]:
    """Return, per class, the boxes of one picture as rows (left, top, right, bottom, score), best first.

    Scores are above `least`; of boxes that overlap by more than `same` the best is kept.
    """
    boxes = decode(maps)
    result = {}
    for label in range(len(CLASSES)):
        score = boxes[:, 4 + label]
        rest = np.concatenate([boxes[:, :4], score[:, None]], 1)[score > least]
        rest = rest[np.argsort(-rest[:, 4], kind="stable")]
        kept = []
        while len(rest):
            kept.append(rest[0])
            rest = rest[1:][overlap(rest[0], rest[1:]) <= same]
        result[label] = np.array(kept, np.float32).reshape(-1, 5)
    return result


def mean_average_precision(found: Sequence[dict[int, Array]], truth: Sequence[Array], least: float = 0.5) -> float:
    """Return the mean over the classes of the average precision, 0..1, of boxes that overlap a true one by `least`.

    The area under the precision-recall curve, precision taken as the best at that recall or beyond (as PASCAL VOC does since 2010).
    """
    return float(np.mean([_average_precision(found, truth, label, least) for label in range(len(CLASSES))]))


def _average_precision(found: Sequence[dict[int, Array]], truth: Sequence[Array], label: int, least: float) -> float:
    marks, total = [], 0
    for boxes, objects in zip(found, truth, strict=True):
        x, y, w, h = objects[objects[:, 0] == label, 1:].T
        wanted = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1)
        total += len(wanted)
        free = np.ones(len(wanted), bool)
        for box in boxes[label]:
            shared = overlap(box, wanted) * free if len(wanted) else np.zeros(1)
            best = int(shared.argmax())
            hit = bool(shared[best] >= least)
            if hit:
                free[best] = False
            marks.append((box[4], hit))
    hits = np.array([hit for _, hit in sorted(marks, key=lambda mark: -mark[0])])
    right = np.cumsum(hits)
    precision = np.maximum.accumulate((right / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((precision * hits).sum() / total)
