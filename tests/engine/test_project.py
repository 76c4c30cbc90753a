"""The document of a conversion says what lies on disk, and the files hold what was computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.analysis.reduce import SQNR_EXACT
from engine.export.mgk import load
from engine.export.names import file_names
from engine.numerics import Array
from engine.simulate import run_quantized
from tests.engine.running import converted

SAMPLE = Path(__file__).resolve().parents[2] / "sample_projects" / "resnet18"
ONE = "DEBUG_PATH=./debug_digits/digit_0_0536.png"
TOP = ["schema", "model", "soc", "nodes", "outputs", "timing", "peak_rss_mb", "artefacts", "warnings"]
NODE = [
    "name",
    "op",
    "quantized",
    "reason",
    "feature_bits",
    "weight_bits",
    "method",
    "min",
    "max",
    "scale",
    "zero_point",
    "cosine_avg",
    "cosine_min",
    "cosine_max",
    "euc_distance",
    "standard_deviation",
    "max_absolute",
    "max_absolute_normalized",
    "sqnr_db",
    "saturation",
    "local_cosine",
    "samples",
]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample project."""
    root = tmp_path_factory.mktemp("sample") / "resnet18"
    shutil.copytree(SAMPLE, root, ignore=shutil.ignore_patterns(".magik", "magik_dump_path", "venus_*", "recipe"))
    return root


@pytest.fixture(scope="module")
def one(sample: Path) -> tuple[dict[str, Any], Path]:
    """The document of a conversion with one debug picture, and its dumps."""
    return converted(sample, ONE), sample / "magik_dump_path"


def test_the_document_has_every_key_that_was_promised(one: tuple[dict[str, Any], Path]) -> None:
    document, _ = one
    assert [k for k in document if k in TOP] == TOP
    assert set(document) - set(TOP) == {"numerics"}
    for node in document["nodes"]:
        assert [k for k in node if k in NODE] == NODE
        assert [list(cell) for cell in node["samples"]] == [["sample", "cosine"]]
    assert {"name", "cosine_avg", "cosine_min"} <= set(document["outputs"][0])
    assert document["schema"] == 1
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_artefacts_exist_and_are_named(one: tuple[dict[str, Any], Path]) -> None:
    document, dumps = one
    assert [Path(a).name for a in document["artefacts"]] == [
        "resnet18_t40_magik.bin",
        "magik_model_resnet18_t40_magik.mk.h",
        "model_quant.mgk",
        "magik_dump_path",
    ]
    assert all(Path(a).exists() for a in document["artefacts"])
    assert Path(document["artefacts"][-1]) == dumps


def test_the_graph_is_the_guides(one: tuple[dict[str, Any], Path]) -> None:
    nodes = one[0]["nodes"]
    kinds = [n["op"] for n in nodes]
    expected = {"BatchNormScale": 1, "Conv2D": 20, "EltwiseAdd": 8, "MaxPool": 1, "GlobalAvgPool": 1, "Flatten": 1, "MatMul": 1}
    assert {k: kinds.count(k) for k in kinds} == expected
    assert (nodes[0]["name"], nodes[-1]["name"]) == ("data/BatchNormScale", "resnetv15_dense0_fwd")
    assert all(n["quantized"] and n["feature_bits"] == 8 for n in nodes)
    assert {n["method"] for n in nodes} == {"KL", "SHARED"}


def values(dumps: Path, name: str) -> tuple[Array, Array, Array]:
    """What lies on disk for one node: float values, levels, dequantized values."""
    info = json.loads((dumps / "model_node_info.json").read_text("utf-8"))
    names = [n for kind in info["all_type"] for n in info[kind]]
    file = file_names(names)[name] + ".bin"
    folders = (("float_model", "<f4"), ("ptq_model", "u1"), ("ptq_model_dequantize", "<f4"))
    x, q, y = (np.fromfile(dumps / folder / file, dtype) for folder, dtype in folders)
    return x, q, y


def test_every_column_is_what_the_dumps_say(one: tuple[dict[str, Any], Path]) -> None:
    """The guide's seven columns, its formulas written down once more, over the values on disk."""
    document, dumps = one
    for node in document["nodes"]:
        x, q, y = (v.astype(np.float64) for v in values(dumps, node["name"]))
        assert np.allclose(y, (q - node["zero_point"]) * np.float64(node["scale"]), rtol=1e-6)
        d = x - y
        cosine = (x @ y) / np.sqrt((x @ x) * (y @ y))
        z = (x - x.mean()) / x.std() - (y - y.mean()) / y.std()
        expected = {
            "cosine_avg": cosine,
            "cosine_min": cosine,
            "cosine_max": cosine,
            "euc_distance": np.sqrt(0.5 * d.var() / (x.var() + y.var())),
            "standard_deviation": d.std(),
            "max_absolute": np.abs(d).max(),
            "max_absolute_normalized": np.abs(z).max(),
            "sqnr_db": 10 * np.log10((x @ x) / (d @ d)),
            "mean_error": d.mean(),
        }
        for column, value in expected.items():
            assert node[column] == pytest.approx(value, rel=2e-5, abs=2e-6 * np.abs(x).max()), (node["name"], column)
        assert node["samples"] == [{"sample": "digit_0_0536.png", "cosine": node["cosine_avg"]}]


def test_the_model_file_computes_the_levels_of_every_node(one: tuple[dict[str, Any], Path]) -> None:
    document, dumps = one
    graph = load(Path(document["artefacts"][2]).read_bytes())
    pixels = np.fromfile(dumps / "input_uint8.bin", "u1").reshape(1, 64, 64, 3)
    found = run_quantized(graph, {"data": pixels})
    for node in document["nodes"]:
        assert found[node["name"]].tobytes() == values(dumps, node["name"])[1].tobytes(), node["name"]


def test_rows_over_several_pictures_are_means_and_extremes(sample: Path, one: tuple[dict[str, Any], Path]) -> None:
    document = converted(sample)
    assert len(document["nodes"][0]["samples"]) == len(list((SAMPLE / "debug_digits").iterdir()))
    for node, alone in zip(document["nodes"], one[0]["nodes"], strict=True):
        cosines = [cell["cosine"] for cell in node["samples"]]
        assert (node["cosine_min"], node["cosine_max"]) == (min(cosines), max(cosines))
        assert node["cosine_avg"] == pytest.approx(np.mean(cosines))
        cell = next(c for c in node["samples"] if c["sample"] == "digit_0_0536.png")
        assert cell["cosine"] == alone["cosine_avg"]
        more = node["by_sample"]
        assert {len(numbers) for numbers in more.values()} == {len(cosines)}
        for metric in ("sqnr_db", "saturation", "local_cosine"):
            assert more[metric][node["samples"].index(cell)] == alone[metric]
            assert node[metric] == pytest.approx(np.mean([number for number in more[metric] if number != SQNR_EXACT]))
    last = document["nodes"][-1]
    assert document["outputs"][0]["cosine_avg"] == last["cosine_avg"]
    assert last["cosine_avg"] > 0.99


def test_more_bits_leave_less_noise(sample: Path) -> None:
    documents = [converted(sample, f"QUANT_FEATURE_BIT={bits}") for bits in (8, 10, 12)]
    noise = [[n["sqnr_db"] for n in d["nodes"]] for d in documents]
    assert noise[0][-1] < noise[1][-1] < noise[2][-1]
    assert np.mean(noise[0]) + 5 < np.mean(noise[1]) < np.mean(noise[2])
    assert [d["nodes"][5]["feature_bits"] for d in documents] == [8, 10, 12]
