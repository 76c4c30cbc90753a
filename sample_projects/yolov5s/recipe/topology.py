"""The YOLOv5s graph (release 5) as data: one list of nodes that training walks and the ONNX writer prints.

Tensors are numbered as the exporter numbers them: the first convolution is 412, its sigmoid 413, their product 414.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEIGHT, WIDTH = 96, 160
CLASSES = ("circle", "square", "triangle")
WIDTHS = (8, 16, 24, 32, 48)
"""Channels at strides 2, 4, 8, 16, 32; YOLOv5s has 32 to 512."""
STRIDES = (8, 16, 32)
ANCHORS = ((2.5, 3.25, 4, 7.5, 8.25, 5.75), (7.5, 15.25, 15.5, 11.25, 14.75, 29.75), (29, 22.5, 39, 49.5, 93.25, 81.5))
"""Three (width, height) for each stride: those of YOLOv5, for pictures a quarter as wide."""
FIELDS = 5 + len(CLASSES)
INPUT, FIRST = "images", 403


@dataclass(frozen=True)
class Node:
    """One ONNX operator; its only output has the node's own name. `channels` is (in, out) for Conv.

    The attribute `norm` of a Conv says that it is trained with a BatchNormalization behind it, which the ONNX writer folds.
    """

    op: str
    inputs: tuple[str, ...]
    name: str
    channels: tuple[int, int] = (0, 0)
    attrs: Mapping[str, Any] = field(default_factory=dict)


class _Graph:
    """Nodes as they are added, and the channels of each tensor."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.channels = {INPUT: 3}

    def add(self, op: str, inputs: Sequence[str], channels: int, **attrs: Any) -> str:
        name = str(FIRST + len(self.nodes))
        self.nodes.append(Node(op, tuple(inputs), name, (self.channels[inputs[0]], channels), attrs))
        self.channels[name] = channels
        return name

    def concat(self, *inputs: str) -> str:
        return self.add("Concat", inputs, sum(self.channels[t] for t in inputs), axis=1)

    def focus(self, x: str) -> str:
        """Append the four half-size pictures of every other row and column, as channels."""
        corners = []
        for column, row in ((0, 0), (0, 1), (1, 0), (1, 1)):
            rows = self.add("Slice", [x], 3, axis=2, start=row)
            corners.append(self.add("Slice", [rows], 3, axis=3, start=column))
        return self.concat(*corners)

    def conv(self, x: str, channels: int, kernel: int = 1, stride: int = 1) -> str:
        """Append a convolution and its SiLU."""
        linear = self.add("Conv", [x], channels, kernel=kernel, stride=stride, norm=True)
        gate = self.add("Sigmoid", [linear], channels)
        return self.add("Mul", [linear, gate], channels)

    def c3(self, x: str, channels: int, count: int = 1, *, shortcut: bool = True) -> str:
        """Append a C3 block: bottlenecks beside a 1x1 convolution."""
        inner = channels // 2
        deep = self.conv(x, inner)
        for _ in range(count):
            made = self.conv(self.conv(deep, inner), inner, 3)
            deep = self.add("Add", [deep, made], inner) if shortcut else made
        return self.conv(self.concat(deep, self.conv(x, inner)), channels)

    def spp(self, x: str, channels: int) -> str:
        """Append spatial pyramid pooling: three max-pools beside what they read."""
        x = self.conv(x, channels // 2)
        return self.conv(self.concat(x, *(self.add("MaxPool", [x], channels // 2, kernel=kernel) for kernel in (5, 9, 13))), channels)

    def up(self, x: str) -> str:
        return self.add("Resize", [x], self.channels[x])


def _build() -> tuple[tuple[Node, ...], tuple[str, ...]]:
    g = _Graph()
    at2, at4, at8, at16, at32 = WIDTHS
    x = g.conv(g.focus(INPUT), at2, 3)
    x = g.c3(g.conv(x, at4, 3, 2), at4)
    fine = g.c3(g.conv(x, at8, 3, 2), at8, 2)
    middle = g.c3(g.conv(fine, at16, 3, 2), at16, 2)
    x = g.c3(g.spp(g.conv(middle, at32, 3, 2), at32), at32, shortcut=False)
    # down the pyramid and up again
    top = g.conv(x, at16)
    x = g.c3(g.concat(g.up(top), middle), at16, shortcut=False)
    side = g.conv(x, at8)
    small = g.c3(g.concat(g.up(side), fine), at8, shortcut=False)
    medium = g.c3(g.concat(g.conv(small, at8, 3, 2), side), at16, shortcut=False)
    large = g.c3(g.concat(g.conv(medium, at16, 3, 2), top), at32, shortcut=False)
    heads = []
    for source, stride in zip((small, medium, large), STRIDES, strict=True):
        heads.append(g.add("Conv", [source], 3 * FIELDS, kernel=1, stride=1, norm=False))
        split = g.add("Reshape", [heads[-1]], 3, shape=(1, 3, FIELDS, HEIGHT // stride, WIDTH // stride))
        g.add("Transpose", [split], 3, perm=(0, 1, 3, 4, 2))
    return tuple(g.nodes), tuple(heads)


NODES, HEADS = _build()
"""The nodes in graph order, and the three feature maps (1, 3 * FIELDS, height, width) before the decoding."""
OUTPUTS = tuple(str(int(head) + 2) for head in HEADS)
"""What the model itself puts out, as the exporter leaves it: the same, as (1, 3, height, width, FIELDS)."""
