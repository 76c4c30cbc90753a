"""Float values in the layout onnxruntime computes them in.

Its convolutions work on channels in blocks of 8 or 16 (by CPU). Asking for every value in model layout makes it reorder each of them, which
takes as long as the network itself; so the reorderings in front of the outputs are cut off, and the blocked values are handed out as they
are. What counts or sums over a tensor can use them at once; `unblock` gives NHWC. Where onnxruntime does not block, nothing is cut.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from ..numerics import Array

DOMAIN = "com.microsoft.nchwc"

SKIMMED = 1 << 18
"""Elements that `skim` reads before it copies of them: 1 MiB, which the second-level cache holds."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Where a blocked output is found: the name of the tensor in the session and its true number of channels."""

    tensor: str
    channels: int


def cut_reorders(model: bytes, options: ort.SessionOptions, unsafe: list[str], allowed: frozenset[str], folder: Path) -> dict[str, Blocked]:
    """Let onnxruntime optimize a model into `folder`/cut.onnx, without the reorderings before the `allowed` outputs; return those."""
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    options.add_session_config_entry("session.disable_prepacking", "1")  # this session never runs
    options.enable_cpu_mem_arena = False
    ort.InferenceSession(model, options, providers=["CPUExecutionProvider"], disabled_optimizers=unsafe)
    proto = onnx.load(folder / "optimized.onnx", load_external_data=False)
    found = _cut(proto.graph, allowed)
    onnx.save(proto, folder / "cut.onnx")
    return found


def _cut(graph: Any, allowed: frozenset[str]) -> dict[str, Blocked]:
    outputs = allowed & {o.name for o in graph.output}
    users = Counter(t for n in graph.node for t in n.input)
    found: dict[str, Blocked] = {}
    dead, taken = [], set()
    for index, node in enumerate(graph.node):
        attrs = {a.name: a.i for a in node.attribute}
        if node.op_type == "ReorderOutput" and node.domain == DOMAIN and node.output[0] in outputs and not attrs.get("channels_last"):
            if node.input[0] in taken:
                continue
            taken.add(node.input[0])
            found[node.output[0]] = Blocked(node.input[0], attrs["channels"])
            if not users[node.output[0]]:
                dead.append(index)
    kept = [o for o in graph.output if o.name not in found]
    shown = {b.tensor for b in found.values()}
    del graph.output[:]
    graph.output.extend(kept)
    graph.output.extend(onnx.ValueInfoProto(name=t) for t in sorted(shown))
    for index in reversed(dead):
        del graph.node[index]
    return found


def unblock(value: Array, channels: int, out: Array) -> Array:
    """Copy a blocked value of shape (N, padded channels, H, W) into `out`, a contiguous NHWC array, and return it."""
    size = block_size()
    batch, padded = value.shape[:2]
    blocks = value.reshape(batch, padded // size, -1, size)
    rows = out.reshape(batch, -1, channels)
    full, rest = divmod(channels, size)
    if full:
        whole = np.dtype((np.void, size * value.itemsize))  # a block moves as one element: half the time of moving its numbers
        placed = np.ndarray((batch, rows.shape[1], full), whole, buffer=out, strides=(*rows.strides[:2], whole.itemsize))
        np.copyto(placed, blocks[:, :full].view(whole)[..., 0].transpose(0, 2, 1))
    if rest:
        np.copyto(rows[:, :, full * size :], blocks[:, full, :, :rest])
    return out


def pieces(value: Array, channels: int, stride: int = 1) -> list[Array]:
    """Return a blocked value as arrays that hold each true element (of every `stride`-th position) once.

    Full blocks of a batch of 1 are not copied.
    """
    size = block_size()
    batch, padded = value.shape[:2]
    flat = value.reshape(batch, padded // size, -1, size).swapaxes(0, 1).reshape(padded // size, -1, size)
    full, rest = divmod(channels, size)
    last = [np.ascontiguousarray(flat[full, ::stride, :rest])] if rest else []
    return [flat[:full, ::stride], *last]


def skim(value: Array, channels: int, stride: int) -> tuple[float, float, Array]:
    """Return the extremes of a blocked value, and a flat copy of its true elements at every `stride`-th position.

    A few blocks of channels at a time: what is copied was just read. Where there is a NaN, the extremes are.
    """
    size = block_size()
    batch, padded = value.shape[:2]
    flat = value.reshape(batch, padded // size, -1, size).swapaxes(0, 1).reshape(padded // size, -1, size)
    full, rest = divmod(channels, size)
    count = len(range(0, flat.shape[1], stride))
    part = np.empty(count * channels, value.dtype)
    head, tail = part[: full * count * size].reshape(full, count, size), part[full * count * size :].reshape(count, rest)
    group = max(1, SKIMMED // max(flat.shape[1] * size, 1))
    lows, highs = [], []
    for start in range(0, full, group):
        blocks = flat[start : min(start + group, full)]
        lows.append(float(blocks.min()))
        highs.append(float(blocks.max()))
        np.copyto(head[start : start + group], blocks[:, ::stride])
    if rest:
        last = np.ascontiguousarray(flat[full, :, :rest])
        lows.append(float(last.min()))
        highs.append(float(last.max()))
        np.copyto(tail, last[::stride])
    if any(math.isnan(v) for v in lows):
        return math.nan, math.nan, part
    return min(lows), max(highs), part


@functools.cache
def block_size() -> int:
    """Return the number of channels in a block on this machine, found by looking at a known value; 0 when nothing is blocked."""
    channels = 64
    x = np.arange(channels * 2, dtype=np.float32).reshape(1, channels, 1, 2)
    weight = np.eye(channels, dtype=np.float32).reshape(channels, channels, 1, 1)
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)]
    graph = helper.make_graph([node], "probe", inputs, [onnx.ValueInfoProto(name="y")], [onnx.numpy_helper.from_array(weight, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    with tempfile.TemporaryDirectory(prefix="magik-") as folder:
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        options.optimized_model_filepath = f"{folder}/probe.onnx"
        ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        proto = onnx.load(options.optimized_model_filepath)
    if not _cut(proto.graph, frozenset({"y"})):
        return 0
    proto.graph.output[0].type.CopyFrom(helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, None))
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        found = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    except Exception:  # noqa: BLE001 - whatever onnxruntime says: without the probe there is no blocked layout
        return 0
    for size in (16, 8, 4, 32):
        expected = x.reshape(channels // size, size, 2).transpose(0, 2, 1).reshape(-1)
        if np.array_equal(np.asarray(found).reshape(-1), expected):
            return size
    return 0
