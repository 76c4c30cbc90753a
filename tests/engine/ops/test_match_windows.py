"""What is recognised as a pool, Concat, a layout layer or Resize, and why they decline."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from engine.ir import TensorType
from engine.numerics import Array
from engine.ops.base import REGISTRY
from engine.ops.lowering import Builder
from engine.ops.resize import NEAREST, TRANSFORMS
from engine.ops.view import Decline
from engine.ort.session import run_steps
from tests.engine.ops.models import matched, raw, reason, view

PICTURE = (1, 2, 7, 7)


def lowered(layer: Any, x: Array, shape: tuple[int, ...]) -> Array:
    """Run a recognised float layer."""
    b = Builder()
    b.begin("layer")
    REGISTRY[layer.op].lower_float(layer, b, {"x": TensorType(x.shape), "y": TensorType(shape)})
    return run_steps(b, {"x": x}, ["y"])[0]


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize(
    ("attrs", "pads", "size"),
    [
        ({"kernel_shape": [3, 3], "strides": [2, 2]}, (0, 0, 0, 0), 3),
        ({"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}, (0, 0, 0, 0), 4),
        ({"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}, (0, 0, 1, 1), 4),
        ({"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, (1, 1, 0, 0), 4),
        ({"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "VALID"}, (0, 0, 0, 0), 3),
    ],
)
def test_a_pool_has_explicit_pads(op: str, attrs: dict[str, Any], pads: tuple[int, ...], size: int) -> None:
    nodes = [raw(op, "x", **attrs)]
    match = matched(nodes, view(nodes, {"x": PICTURE, "y": (1, 2, size, size)}))
    assert match.node.op == {"MaxPool": "MaxPool", "AveragePool": "AvgPool"}[op]
    assert match.node.attrs["pads"] == pads


def test_a_pool_whose_ceil_mode_changes_nothing_has_none() -> None:
    """Stride 3 over 7 pixels leaves a window that would start on the padding; onnxruntime drops it, shape inference counts it."""
    nodes = [raw("MaxPool", "x", kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)]
    node = matched(nodes, view(nodes, {"x": (1, 1, 5, 5), "y": (1, 1, 2, 2)})).node
    assert node.attrs["ceil_mode"] == 0
    assert "2x2 by onnxruntime's rule" in reason(nodes, view(nodes, {"x": (1, 1, 5, 5), "y": (1, 1, 3, 3)}))


def test_why_a_pool_declines() -> None:
    nodes = [raw("MaxPool", "x", "y i", kernel_shape=[2, 2])]
    assert "positions of its maxima" in reason(nodes, view(nodes, {"x": PICTURE, "y": (1, 2, 6, 6)}))
    nodes = [raw("MaxPool", "x", kernel_shape=[2])]
    assert "over 1 axes" in reason(nodes, view(nodes, {"x": (1, 2, 7), "y": (1, 2, 6)}))
    nodes = [raw("AveragePool", "x", kernel_shape=[2, 2])]
    assert "not known" in reason(nodes, view(nodes, {}))


def test_a_global_maximum_is_a_pool_as_large_as_the_picture() -> None:
    nodes = [raw("GlobalMaxPool", "x")]
    node = matched(nodes, view(nodes, {"x": (1, 2, 3, 4), "y": (1, 2, 1, 1)})).node
    x = np.random.default_rng(0).normal(0, 1, (1, 2, 3, 4)).astype(np.float32)
    assert np.array_equal(lowered(node, x, (1, 2, 1, 1)), x.max(axis=(2, 3), keepdims=True))


@pytest.mark.parametrize(
    ("nodes", "constants", "keep"),
    [
        ([raw("GlobalAveragePool", "x")], {}, 1),
        ([raw("ReduceMean", "x", axes=[2, 3])], {}, 1),
        ([raw("ReduceMean", "x", axes=[-1, -2], keepdims=0)], {}, 0),
        ([raw("ReduceMean", "x a", opset=18)], {"a": [2, 3]}, 1),
    ],
)
def test_a_mean_over_height_and_width_is_a_global_pool(nodes: list[Any], constants: dict[str, Any], keep: int) -> None:
    node = matched(nodes, view(nodes, {"x": PICTURE, "y": (1, 2)}, constants)).node
    assert (node.op, node.attrs["keepdims"]) == ("GlobalAvgPool", keep)
    x = np.random.default_rng(0).normal(0, 1, PICTURE).astype(np.float32)
    wanted = x.mean(axis=(2, 3), keepdims=bool(keep))
    assert lowered(node, x, wanted.shape) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("attrs", [{"axes": [1]}, {"axes": [1, 2, 3]}, {}])
def test_any_other_mean_is_no_global_pool(attrs: dict[str, Any]) -> None:
    nodes = [raw("ReduceMean", "x", **attrs)]
    assert matched(nodes, view(nodes, {"x": PICTURE, "y": (1, 2)})).node.op == "ReduceMean"


def test_a_concat_takes_duplicates_and_constants_and_a_negative_axis() -> None:
    nodes = [raw("Concat", "a c a", axis=-3)]
    node = matched(nodes, view(nodes, {"a": PICTURE, "y": (1, 5, 7, 7)}, {"c": np.ones((1, 1, 7, 7))})).node
    assert (node.inputs, node.attrs["parts"], node.attrs["axis"]) == (("a", "a"), (0, -1, 1), 1)
    nodes = [raw("Concat", "a b", axis=0)]
    assert "not known to be float32" in reason(nodes, view(nodes, {"a": PICTURE}))


@pytest.mark.parametrize(
    ("nodes", "constants", "shape"),
    [
        ([raw("Flatten", "x")], {}, (1, 98)),
        ([raw("Reshape", "x s")], {"s": [0, -1]}, (1, 98)),
        ([raw("Unsqueeze", "x", axes=[0])], {}, (1, 1, 2, 7, 7)),
        ([raw("Squeeze", "x a")], {"a": [0]}, (2, 7, 7)),
    ],
)
def test_what_renames_dimensions_is_a_reshape_to_its_static_shape(
    nodes: list[Any], constants: dict[str, Any], shape: tuple[int, ...]
) -> None:
    node = matched(nodes, view(nodes, {"x": PICTURE, "y": shape}, constants)).node
    assert (node.op, node.attrs["shape"]) == (nodes[0].op, shape)


def test_why_a_layout_layer_declines() -> None:
    nodes = [raw("Reshape", "x s")]
    assert "target is computed" in reason(nodes, view(nodes, {"x": PICTURE, "y": (1, 98), "s": (2,)}))
    assert "not known" in reason(nodes, view(nodes, {"x": PICTURE}, {"s": [1, -1]}))
    nodes = [raw("Slice", "x s e")]
    assert "ends are computed" in reason(nodes, view(nodes, {"x": PICTURE, "y": PICTURE, "e": (1,)}, {"s": [0]}))


@pytest.mark.parametrize(
    ("node", "constants", "cut"),
    [
        (raw("Slice", "x", opset=9, starts=[1], ends=[-1], axes=[2]), {}, np.s_[:, :, 1:-1]),
        (raw("Slice", "x", opset=9, starts=[0, 1], ends=[9, 2**62]), {}, np.s_[0:9, 1:]),
        (raw("Slice", "x s e a t"), {"s": [-1, 0], "e": [-(2**62), 5], "a": [-1, 1], "t": [-2, 1]}, np.s_[:, 0:5, :, ::-2]),
        (raw("Slice", "x s e - t"), {"s": [0, 1], "e": [1, 2], "t": [1, 1]}, np.s_[0:1, 1:2]),
    ],
)
def test_a_slice_cuts_as_numpy_does(node: Any, constants: dict[str, Any], cut: Any) -> None:
    x = np.random.default_rng(0).normal(0, 1, PICTURE).astype(np.float32)
    layer = matched([node], view([node], {"x": PICTURE, "y": x[cut].shape}, constants)).node
    assert np.array_equal(lowered(layer, x, x[cut].shape), x[cut])


def test_a_transpose_without_a_permutation_reverses() -> None:
    nodes = [raw("Transpose", "x")]
    assert matched(nodes, view(nodes, {"x": (1, 2, 3), "y": (3, 2, 1)})).node.attrs["perm"] == (2, 1, 0)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("nearest", NEAREST)
def test_a_resize_picks_the_pixels_that_onnxruntime_picks(transform: str, nearest: str) -> None:
    b = Builder()
    feeds, pairs = {}, []
    for n, scale in itertools.product((1, 3, 5, 10, 28), (2.0, 3.0, 0.5, 1.5, 2.6, 0.3)):
        out = int(np.floor(n * np.float32(scale)))
        if out == 0:
            continue
        x, y = f"x{n},{scale}", f"y{n},{scale}"
        node = raw("Resize", f"{x} - s", y, opset=19, coordinate_transformation_mode=transform, nearest_mode=nearest)
        constants = {"s": np.array([1, 1, 1, scale], np.float32)}
        answer = REGISTRY["Resize"].match(node, view([node], {x: (1, 1, 1, n), y: (1, 1, 1, out)}, constants))
        if isinstance(answer, Decline):
            assert "float precision decides" in answer.reason
            continue
        feeds[x] = np.arange(n, dtype=np.float32).reshape(1, 1, 1, n)
        b.begin(y)
        REGISTRY["Resize"].lower_float(answer.node, b, {x: TensorType((1, 1, 1, n))})
        pairs += [y, b.op("Resize", x, "", b.const(constants["s"]), mode="nearest", **node.attrs)]
    found = run_steps(b, feeds, pairs)
    for name, ours, theirs in zip(pairs[::2], found[::2], found[1::2], strict=True):
        assert np.array_equal(ours, theirs), name
    assert len(pairs) >= 2 * 12


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (raw("Upsample", "x", opset=7, mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]), {}),
        (raw("Upsample", "x s", opset=9), {"s": [1.0, 1.0, 2.0, 2.0]}),
        (raw("Resize", "x s", opset=10), {"s": [1.0, 1.0, 2.0, 2.0]}),
        (raw("Resize", "x - s"), {"s": [1.0, 1.0, 2.0, 2.0]}),
        (raw("Resize", "x - e z"), {"e": np.zeros(0, np.float32), "z": [1, 2, 14, 14]}),
        (raw("Resize", "x - - z", opset=18, axes=[2, 3]), {"z": [14, 14]}),
    ],
)
def test_every_way_to_say_twice_as_large(node: Any, constants: dict[str, Any]) -> None:
    layer = matched([node], view([node], {"x": PICTURE, "y": (1, 2, 14, 14)}, constants)).node
    assert layer.attrs["factors"] == (2, 2)
    x = np.random.default_rng(0).normal(0, 1, PICTURE).astype(np.float32)
    assert np.array_equal(lowered(layer, x, (1, 2, 14, 14)), x.repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize(
    ("scale", "indices"), [(0.4, [0, 3, 5, 8]), (0.75, [0, 2, 3, 4, 6, 7, 8]), (1.5, [0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9])]
)
def test_the_first_resize_takes_the_pixel_after_when_it_shrinks(scale: float, indices: list[int]) -> None:
    """The indices are what onnxruntime 1.32 gives for a model of operator set 10."""
    nodes = [raw("Resize", "x s", opset=10, mode="nearest")]
    shapes = {"x": (1, 1, 1, 10), "y": (1, 1, 1, len(indices))}
    assert matched(nodes, view(nodes, shapes, {"s": [1.0, 1.0, 1.0, scale]})).node.params["i3"].tolist() == indices


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (raw("Resize", "x - s", mode="linear", antialias=1), "linear interpolation"),
        (raw("Resize", "x - s", mode="cubic"), "cubic interpolation"),
        (raw("Resize", "x - z"), "computed at run time"),
        (raw("Resize", "x - s", coordinate_transformation_mode="tf_crop_and_resize"), "tf_crop_and_resize"),
        (raw("Resize", "x - s", keep_aspect_ratio_policy="not_larger"), "aspect ratio"),
    ],
)
def test_why_a_resize_declines(node: Any, why: str) -> None:
    seen = view([node], {"x": PICTURE, "y": (1, 2, 14, 14), "z": (4,)}, {"s": [1.0, 1.0, 2.0, 2.0]})
    assert why in reason([node], seen)
