"""The model file gives the graph back, is the same for the same graph, and survives whatever is done to its bytes."""

from __future__ import annotations

import importlib.util
import struct
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ModelError
from engine.export import mgk_layout as layout
from engine.export.mgk import dump, load, read
from engine.ir import QGraph, keys
from engine.numerics import NUMERICS, QParams
from engine.ops.base import REGISTRY


def _neighbour(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


graphs = _neighbour("graphs")
FILE = dump(graphs.with_everything(), model="m", soc="T40")


def sealed(data: bytes) -> bytes:
    """Return the bytes with their length and checksum made right: what only a program that means harm would do."""
    body = data[layout.CHECKED_FROM :]
    return data[:16] + struct.pack("<QI", len(data), zlib.crc32(body)) + data[28:32] + body


@pytest.mark.parametrize("bits", [8, 12])
@pytest.mark.parametrize("op", sorted(REGISTRY))
def test_every_operator_reads_back(op: str, bits: int) -> None:
    for seed in range(3):
        graph = graphs.of_operator(op, seed, bits)
        back = load(dump(graph))
        assert graphs.content(back) == graphs.content(graph)
        leaves = {t: f"leaf {t}" for t in graph.inputs}
        assert keys(back, leaves, "int") == keys(graph, leaves, "int")


def test_everything_reads_back() -> None:
    graph = graphs.with_everything()
    back = read(FILE)
    assert graphs.content(back.graph) == graphs.content(graph)
    assert {k: v for k, v in back.meta.items() if k != "engine"} == {"model": "m", "soc": "T40"}
    assert back.meta["engine"]


def test_same_graph_same_bytes_whatever_the_order_of_its_tables() -> None:
    graph = graphs.with_everything()
    node = graph.nodes[0]
    turned = replace(node, attrs=dict(reversed(node.attrs.items())), arrays=dict(reversed(node.arrays.items())))
    other = replace(graph, nodes=(turned, *graph.nodes[1:]), types=dict(reversed(graph.types.items())))
    assert dump(other, model="m", soc="T40") == FILE
    assert dump(load(FILE), model="m", soc="T40") == FILE


def test_layout_is_what_the_documentation_says() -> None:
    magic, version, head, total, _, zero = struct.unpack_from("<8sIIQII", FILE)
    assert (magic, version, head, total, zero) == (b"MAGIKMDL", 1, 320, len(FILE), 0)
    assert FILE[32:64].rstrip(b"\0").decode() == NUMERICS
    slots = struct.unpack_from("<32Q", FILE, 64)
    assert all(offset % 64 == 0 for offset in slots[::2])
    graph = load(FILE)
    base = np.frombuffer(FILE, np.uint8).__array_interface__["data"][0]
    arrays = [a for n in graph.nodes for a in n.arrays.values() if a.size]
    assert all((a.__array_interface__["data"][0] - base) % 64 == 0 for a in arrays)
    assert not any(a.flags.writeable for a in arrays)


@pytest.mark.parametrize("length", [0, 1, 8, 31, 64, 319, 320, len(FILE) // 2, len(FILE) - 1])
def test_a_truncated_file_is_named(length: int) -> None:
    with pytest.raises(ModelError) as caught:
        load(FILE[:length], where="model_quant.mgk")
    assert caught.value.where == "model_quant.mgk"


def test_bytes_behind_the_end_are_refused() -> None:
    with pytest.raises(ModelError, match="header says"):
        load(FILE + b"\0")


def test_other_versions_are_told_apart() -> None:
    with pytest.raises(ModelError, match="version 2"):
        load(FILE[:8] + struct.pack("<I", 2) + FILE[12:])
    foreign = sealed(FILE[:32] + b"other-1".ljust(32, b"\0") + FILE[64:])
    with pytest.raises(ModelError, match="other-1"):
        load(foreign)
    with pytest.raises(ModelError, match="no model file"):
        load(b"\x7fELF" + FILE[4:])


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
def test_no_flipped_byte_goes_unnoticed(at: int, change: int) -> None:
    data = bytearray(FILE)
    data[at] ^= change
    with pytest.raises(ModelError):
        load(bytes(data))


@given(st.lists(st.tuples(st.integers(32, len(FILE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_forged_file_is_a_graph_or_an_error(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FILE)
    for at, value in changes:
        data[at] = value
    _survives(sealed(bytes(data)))


WORDS = sorted({0, 1, 2, 7, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(FILE)})


@given(st.integers(8, len(FILE) // 4 - 1), st.sampled_from(WORDS))
def test_a_forged_word_is_a_graph_or_an_error(at: int, value: int) -> None:
    data = bytearray(FILE)
    struct.pack_into("<I", data, at * 4, value)
    _survives(sealed(bytes(data)))


@given(st.integers(320, len(FILE)))
def test_a_forged_end_is_an_error(length: int) -> None:
    if length < len(FILE):
        with pytest.raises(ModelError):
            load(sealed(FILE[:length]))


def _survives(data: bytes) -> None:
    try:
        graph = load(data)
    except ModelError:
        return
    assert isinstance(graph, QGraph)
    load(dump(graph))


def test_a_small_file_never_asks_for_much_memory() -> None:
    words = [*range(layout.HEADER_BYTES, len(FILE), 4)]
    tracemalloc.start()
    try:
        for at in words[::7]:
            data = bytearray(FILE)
            struct.pack_into("<I", data, at, 0x7FFFFFF0)
            _survives(sealed(bytes(data)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(FILE)


@pytest.mark.parametrize("attrs", [{"a": object()}, {"a": 2**63}, {"a": {"b": 1}}, {"a": np.array([None])}])
def test_what_does_not_fit_is_refused(attrs: dict[str, object]) -> None:
    graph = graphs.with_everything()
    odd = replace(graph, nodes=(replace(graph.nodes[0], attrs=attrs),))
    with pytest.raises(ModelError, match="does not fit"):
        dump(odd)


def test_impossible_quantizations_are_refused() -> None:
    for q in (QParams(0.0, 0, 8), QParams(1.0, 256, 8), QParams(1.0, 0, 17), QParams(float("inf"), 0, 8)):
        graph = replace(graphs.with_everything(), nodes=(), qparams={"x": q})
        with pytest.raises(ModelError, match="quantization is impossible"):
            load(dump(graph))


def test_numbers_of_ten_megabytes_take_no_time_to_speak_of() -> None:
    graph = graphs.with_everything()
    node = replace(graph.nodes[0], arrays={"weight": np.zeros((1000, 10_000), np.int8)})
    data = dump(replace(graph, nodes=(node,)))
    assert len(data) > 10_000_000
    tracemalloc.start()
    try:
        load(data)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()
