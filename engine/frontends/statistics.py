"""What a model remembers of its training: the statistics of its first batch normalization, or what folding it leaves.

Folding hides mean and deviation in weights and biases, but for one place: a convolution with nothing but convolutions behind it, the
linear bottleneck of MobileNets and EfficientNets. The offset of its normalization has no effect there, since the normalizations behind the
next convolutions take any constant away again; weight decay leaves it near zero, and with it the mean of the tensor over the training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config import Config
from ..ir import RawNode
from ..numerics import Array
from .raw import RawGraph, reads


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """A tensor near the input, with one number per channel of what is known of it.

    For a batch normalization `mean` and `deviation` are those of `tensor`, what it reads, over the training. Where that has been folded
    away, `mean` is zero for a linear bottleneck, of which no deviation is known; else `bias` is that of the convolution that makes
    `tensor`, and there is no more.
    """

    tensor: str
    mean: Array | None = None
    deviation: Array | None = None
    bias: Array | None = None


def remembered(path: Path, config: Config, name: str) -> Remembered | None:
    """Return what the model at `path`, cut as `config` says, remembers about input `name`; None when there is nothing of the kind.

    A batch normalization counts when everything before it was made from that input and constants, and no other one lies between; so does
    a linear bottleneck where there is none.
    ModelError for a file that is no such model, or for names that are not in it.
    """
    from .cut import cut
    from .onnx_file import read_model
    from .protos import raw_graph
    from .shapes import infer_open
    from .simplify import without_copies

    file = read_model(path)
    raw = without_copies(cut(raw_graph(file.model, file.weights), config.input, config.output, infer_open))
    return search(raw, name)


def search(raw: RawGraph, name: str) -> Remembered | None:
    """Do what `remembered` does in a source model."""
    follows, foreign = {name}, {t for t in raw.inputs if t != name}
    bias: Remembered | None = None
    centred: Remembered | None = None
    readers = _readers(raw)
    for node in raw.nodes:
        tensors = reads(node)
        if any(t in foreign for t in tensors):
            foreign.update(node.outputs)
            continue
        if not any(t in follows for t in tensors):
            continue
        if node.op == "BatchNormalization" and node.inputs[0] in follows and node.inputs[0] != name:
            found = _statistics(node, raw.constants)
            if found is not None:
                return found
        if node.op == "Conv" and bias is None:
            bias = _bias(node, raw.constants)
        if node.op == "Conv" and centred is None and _linear(node, raw, readers):
            centred = Remembered(node.outputs[0], mean=np.zeros(raw.constants[node.inputs[2]].size))
        follows.update(t for t in node.outputs if t)
    return centred or bias


def _readers(raw: RawGraph) -> dict[str, list[RawNode]]:
    readers: dict[str, list[RawNode]] = {}
    for node in raw.nodes:
        for tensor in reads(node):
            readers.setdefault(tensor, []).append(node)
    return readers


def _linear(conv: RawNode, raw: RawGraph, readers: Mapping[str, Sequence[RawNode]]) -> bool:
    """Tell whether a convolution with a bias is read by such convolutions alone, directly or through sums."""
    if not _biased(conv, raw):
        return False
    waiting, seen = [conv.outputs[0]], set[str]()
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        if tensor in raw.outputs or tensor not in readers:
            return False
        for node in readers[tensor]:
            if node.op == "Add" and not any(t in raw.constants for t in node.inputs):
                waiting.append(node.outputs[0])
            elif not (node.op == "Conv" and node.inputs[0] == tensor and _biased(node, raw)):
                return False
    return True


def _biased(conv: RawNode, raw: RawGraph) -> bool:
    return len(conv.inputs) > 2 and conv.inputs[2] in raw.constants


def _statistics(node: RawNode, constants: Mapping[str, Array]) -> Remembered | None:
    if len(node.inputs) < 5 or node.attrs.get("training_mode", 0):
        return None
    mean, variance = (constants.get(t) for t in node.inputs[3:5])
    if mean is None or variance is None or not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        return None
    deviation = np.sqrt(np.maximum(variance.astype(np.float64), 0) + float(node.attrs.get("epsilon", 1e-5)))
    return Remembered(node.inputs[0], mean.astype(np.float64), deviation)


def _bias(node: RawNode, constants: Mapping[str, Array]) -> Remembered | None:
    value = constants.get(node.inputs[2]) if len(node.inputs) > 2 else None
    return None if value is None or not np.any(value) else Remembered(node.outputs[0], bias=value.astype(np.float64))
