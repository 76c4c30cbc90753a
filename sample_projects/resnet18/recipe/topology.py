"""The ResNet-18 v1 graph as data: one list of nodes that training walks and the ONNX writer prints."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SIDE = 64
CLASSES = 10
WIDTHS = (8, 16, 24, 40)
INPUT = "data"
OUTPUT = "resnetv15_dense0_fwd"
PREFIX = "resnetv15_"


@dataclass(frozen=True)
class Node:
    """One ONNX operator; its only output has the node's own name.

    ``channels`` is (in, out) for Conv and Gemm and (out, out) for BatchNormalization, (0, 0) elsewhere.
    """

    op: str
    inputs: tuple[str, ...]
    name: str
    channels: tuple[int, int] = (0, 0)
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def parameter(self, suffix: str) -> str:
        """Name of a parameter of this node: ``resnetv15_conv0_fwd`` has ``resnetv15_conv0_weight``."""
        return f"{self.name.removesuffix('_fwd')}_{suffix}"


def _conv_bn(source: str, scope: str, number: int, channels: tuple[int, int], kernel: int, stride: int) -> list[Node]:
    conv, norm = f"{scope}conv{number}_fwd", f"{scope}batchnorm{number}_fwd"
    attrs = {
        "kernel_shape": [kernel] * 2,
        "strides": [stride] * 2,
        "pads": [kernel // 2] * 4,
        "dilations": [1, 1],
        "group": 1,
    }
    return [
        Node("Conv", (source,), conv, channels, attrs),
        Node("BatchNormalization", (conv,), norm, (channels[1], channels[1])),
    ]


def _block(source: str, stage: int, index: int, channels: tuple[int, int]) -> Iterator[Node]:
    """Yield a basic block: two 3x3 convolutions beside the identity or a strided 1x1 convolution."""
    scope = f"{PREFIX}stage{stage}_"
    projected = channels[0] != channels[1]
    # The 1x1 convolution takes number 2 of its stage, so the second block starts at 3 there, at 2 in stage 1.
    first = 0 if index == 0 else (2 if stage == 1 else 3)
    yield from _conv_bn(source, scope, first, channels, 3, 2 if projected else 1)
    relu = f"{scope}relu{index}_fwd"
    yield Node("Relu", (f"{scope}batchnorm{first}_fwd",), relu)
    yield from _conv_bn(relu, scope, first + 1, (channels[1], channels[1]), 3, 1)
    shortcut = source
    if projected:
        yield from _conv_bn(source, scope, first + 2, channels, 1, 2)
        shortcut = f"{scope}batchnorm{first + 2}_fwd"
    total = f"{scope}_plus{index}"
    yield Node("Add", (shortcut, f"{scope}batchnorm{first + 1}_fwd"), total)
    yield Node("Relu", (total,), f"{scope}activation{index}")


def nodes() -> Iterator[Node]:
    """Yield the nodes in graph order, with the names of ``resnet18-v1-7.onnx`` of the ONNX model zoo."""
    yield from _conv_bn(INPUT, PREFIX, 0, (3, WIDTHS[0]), 7, 2)
    yield Node("Relu", (f"{PREFIX}batchnorm0_fwd",), f"{PREFIX}relu0_fwd")
    pool = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    yield Node("MaxPool", (f"{PREFIX}relu0_fwd",), f"{PREFIX}pool0_fwd", attrs=pool)
    source, width = f"{PREFIX}pool0_fwd", WIDTHS[0]
    for stage, widened in enumerate(WIDTHS, start=1):
        for index in range(2):
            yield from _block(source, stage, index, (width, widened))
            source, width = f"{PREFIX}stage{stage}_activation{index}", widened
    yield Node("GlobalAveragePool", (source,), f"{PREFIX}pool1_fwd")
    yield Node("Flatten", (f"{PREFIX}pool1_fwd",), "flatten_170")
    yield Node("Gemm", ("flatten_170",), OUTPUT, (width, CLASSES))
