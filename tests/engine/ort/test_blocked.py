"""Values in onnxruntime's blocked layout are the values it gives in the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from engine.ir import TensorType
from engine.numerics import Array
from engine.ops.lowering import Builder
from engine.ort.blocked import block_size, pieces, unblock
from engine.ort.session import Program
from tests.engine.networks import weights

CHANNELS = [1, 3, 8, 16, 17, 31, 32, 40]


def programs(channels: int, batch: int = 1, wanted: tuple[str, ...] = ("a", "b", "c", "d")) -> tuple[Program, Program]:
    """The same network with plain and with blocked values: convolutions, a sum of two, a pool; all of them wanted."""
    b = Builder()
    w1, w2 = b.const(weights(channels, 3, 3, 3)), b.const(weights(channels, channels, 1, 1, seed=1))
    b.finish(b.op("Conv", "x", w1, pads=(1, 1, 1, 1)), "a")
    b.finish(b.op("Conv", "a", w2), "b")
    b.finish(b.op("Relu", b.op("Add", "a", "b")), "c")
    b.finish(b.op("MaxPool", "c", kernel_shape=(2, 2), strides=(2, 2)), "d")
    sizes = {"x": (3, 8, 6), "a": (channels, 8, 6), "b": (channels, 8, 6), "c": (channels, 8, 6), "d": (channels, 4, 3)}
    types = {t: TensorType((batch, *size)) for t, size in sizes.items()}
    feeds = {"x": types["x"]}
    plain, blocked = (Program(b, feeds, wanted, types=types, blocked=flag) for flag in (False, True))
    return plain, blocked


def fed(batch: int = 1) -> dict[str, Array]:
    return {"x": np.random.default_rng(2).normal(size=(batch, 3, 8, 6)).astype(np.float32)}


def test_the_size_of_a_block_is_found() -> None:
    assert block_size() in (0, 4, 8, 16, 32)


@pytest.mark.skipif(not block_size(), reason="onnxruntime does not block on this machine")
def test_something_is_blocked() -> None:
    _, blocked = programs(40)
    assert blocked.blocked
    assert all(b.channels == 40 for b in blocked.blocked.values())


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("channels", CHANNELS)
def test_blocked_and_plain_values_are_equal(channels: int, batch: int) -> None:
    plain, blocked = programs(channels, batch)
    expected, found = plain.run(fed(batch)), blocked.run(fed(batch))
    for tensor, value in expected.items():
        nhwc = value.transpose(0, 2, 3, 1)
        assert np.array_equal(plain.nhwc_value(tensor, value), nhwc)
        restored = blocked.nhwc_value(tensor, found[tensor])
        assert restored.flags.c_contiguous
        np.testing.assert_allclose(restored, nhwc, rtol=0, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("channels", CHANNELS)
def test_pieces_hold_every_element_once(channels: int, batch: int) -> None:
    _, blocked = programs(channels, batch)
    for tensor, value in blocked.run(fed(batch)).items():
        parts = blocked.pieces(tensor, value)
        whole = blocked.nhwc_value(tensor, value)
        assert sum(p.size for p in parts) == whole.size
        assert np.array_equal(np.sort(np.concatenate([p.reshape(-1) for p in parts])), np.sort(whole.reshape(-1)))


@pytest.mark.parametrize("stride", [1, 3, 7, 1001])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("channels", [3, 17, 32])
def test_thinned_values_are_the_same_elements_in_every_layout(channels: int, batch: int, stride: int) -> None:
    plain, blocked = programs(channels, batch)
    found = blocked.run(fed(batch))
    for tensor, value in found.items():
        nhwc = blocked.nhwc_value(tensor, value)
        expected = np.sort(nhwc.reshape(-1, channels)[::stride].reshape(-1))
        assert np.array_equal(np.sort(blocked.thinned(tensor, value, stride).reshape(-1)), expected)
        assert np.array_equal(np.sort(plain.thinned(tensor, nhwc.transpose(0, 3, 1, 2), stride).reshape(-1)), expected)


@pytest.mark.parametrize("stride", [1, 7])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("channels", [3, 17, 64])
def test_a_skim_is_the_extremes_of_all_and_the_thinned_values(
    channels: int, batch: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, blocked = programs(channels, batch)
    for room in (1, 500, 1 << 18):
        monkeypatch.setattr("engine.ort.blocked.SKIMMED", room)
        for tensor, value in blocked.run(fed(batch)).items():
            nhwc = blocked.nhwc_value(tensor, value)
            for program, given in ((blocked, value), (plain, nhwc.transpose(0, 3, 1, 2))):
                low, high, part = program.skim(tensor, given, stride)
                assert (low, high) == (nhwc.min(), nhwc.max())
                assert np.array_equal(np.sort(part), np.sort(program.thinned(tensor, given, stride).reshape(-1)))
                assert not np.shares_memory(part, given)


def test_a_skim_shows_what_is_no_number() -> None:
    for program in programs(17):
        for tensor, value in program.run(fed()).items():
            for odd in (np.nan, np.inf, -np.inf):
                spoilt = value.copy()
                spoilt[0, 3, 1, 1] = odd
                low, high, _ = program.skim(tensor, spoilt, 2)
                assert not np.isfinite([low, high]).all()
                spoilt[0, 3, 1, 1] = value[0, 3, 1, 1]
                assert np.isfinite(program.skim(tensor, spoilt, 2)[:2]).all()


def test_thinned_values_of_nhwc_tensors() -> None:
    b = Builder()
    b.finish(b.op("Relu", "x"), "y")
    types = {t: TensorType((1, 3, 8, 6)) for t in "xy"}
    program = Program(b, {"x": types["x"]}, ["y"], types=types, nhwc=True)
    value = program.run({"x": np.arange(144, dtype=np.float32).reshape(1, 8, 6, 3)})["y"]
    assert program.thinned("y", value, 5).tolist() == value.reshape(48, 3)[::5].tolist()
    assert program.nhwc_value("y", value) is value
    assert program.pieces("y", value)[0] is value


@pytest.mark.skipif(not block_size(), reason="onnxruntime does not block on this machine")
def test_unblocking_by_hand() -> None:
    size = block_size()
    value = np.arange(2 * 2 * size * 6, dtype=np.float32).reshape(2, 2 * size, 2, 3)
    channels = size + 3
    found = np.empty((2, 2, 3, channels), np.float32)
    assert unblock(value, channels, found) is found
    flat = value.reshape(2, 2, 6, size)
    for n in range(2):
        for c in range(channels):
            assert np.array_equal(found[n, :, :, c].reshape(-1), flat[n, c // size, :, c % size])
    assert sum(p.size for p in pieces(value, channels)) == found.size


def test_a_network_wanted_in_part() -> None:
    """What is not wanted may stay inside the session, in whatever layout."""
    for wanted in (("d",), ("a", "d"), ("b",)):
        plain, blocked = programs(17, wanted=wanted)
        expected, found = plain.run(fed()), blocked.run(fed())
        for tensor in wanted:
            np.testing.assert_allclose(blocked.nhwc_value(tensor, found[tensor]), expected[tensor].transpose(0, 2, 3, 1), rtol=0, atol=1e-6)


@pytest.mark.skipif(not block_size(), reason="onnxruntime does not block on this machine")
def test_runners_put_values_in_order_in_the_room_of_those_given_back() -> None:
    _, program = programs(40)
    first, second = program.borrow(), program.borrow()
    made, more = first.run(fed()), second.run({"x": fed()["x"] * 2})
    ordered, beside = first.nhwc("a", made["a"]), second.nhwc("a", more["a"])
    assert not np.shares_memory(ordered, beside)
    kept = beside.copy()
    program.give_back(first)
    third = program.borrow()
    again = third.nhwc("a", third.run(fed())["a"])
    assert np.shares_memory(again, ordered)
    assert np.array_equal(beside, kept)


def test_where_there_is_no_room_for_temporary_files_nothing_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    block_size()

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    plain, blocked = programs(17)
    assert blocked.blocked == {}
    found = blocked.run(fed())
    for tensor, value in plain.run(fed()).items():
        assert np.array_equal(found[tensor], value)
