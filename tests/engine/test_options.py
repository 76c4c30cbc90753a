"""Bits, methods and the size of the calibration set, end to end; what was not done as asked is listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.analysis.report import LayerRow
from engine.analysis.table import exceptions
from engine.bitfile import NAME
from engine.cli.transform import table_lines
from engine.discover import find_project, job_for
from engine.events import silent
from engine.lab import open_lab
from engine.plan import Choice

from .running import converted, rows


@pytest.mark.parametrize("bits", [4, 8, 10, 12])
def test_feature_bits(project: Path, bits: int) -> None:
    found = rows(converted(project, f"QUANT_FEATURE_BIT={bits}"))
    assert {row["feature_bits"] for row in found.values()} == {bits}
    assert {row["method"] for row in found.values()} - {"SHARED"} == {"KL" if bits <= 8 else "MSE"}


def test_more_bits_are_better(project: Path) -> None:
    noise = [converted(project, f"QUANT_FEATURE_BIT={bits}")["outputs"][0]["sqnr_db"] for bits in (4, 8, 12)]
    assert noise == sorted(noise)
    weights = [converted(project, "QUANT_FEATURE_BIT=12", f"QUANT_WEIGHT_BIT={bits}")["outputs"][0]["sqnr_db"] for bits in (2, 4, 6, 8)]
    assert weights == sorted(weights)


def test_the_four_methods_give_their_own_ranges(project: Path) -> None:
    found = {}
    for method in ("KL", "MSE", "ADMM", "MAX_ABS"):
        table = rows(converted(project, "QUANT_FEATURE_BIT=4", f"QUANT_FEATURE_METHOD={method}"))
        assert {row["method"] for row in table.values()} - {"SHARED"} == {method}
        found[method] = table["r1"]["scale"]
    assert found["MAX_ABS"] == max(found.values())
    assert len(set(found.values())) >= 3
    plain, admm = (rows(converted(project, "QUANT_WEIGHT_BIT=4", f"QUANT_WEIGHT_METHOD={m}")) for m in ("MAX_ABS", "ADMM"))
    assert plain["c2"]["local_cosine"] != admm["c2"]["local_cosine"]


def test_methods_and_widths_are_mixed_layer_by_layer(project: Path) -> None:
    """Each layer has the method, the width and the range it would have if all of them had its method."""
    mixed = {"r1": "MAX_ABS", "c2": "MSE", "g": "ADMM", "scores": "KL"}
    with open_lab(job_for(find_project(project), ["QUANT_FEATURE_BIT=4"]), report=silent, jobs=1) as lab:
        plan = lab.base
        for name, method in mixed.items():
            plan = plan.with_node(name, Choice(feature_method=method))
        found = rows(lab.evaluate(plan.with_node("r1", Choice(8, 4, "MAX_ABS", "ADMM"))))
    assert {name: found[name]["method"] for name in mixed} == mixed
    assert (found["r1"]["feature_bits"], found["r1"]["weight_bits"]) == (8, 4)
    for name, method in mixed.items():
        alone = rows(converted(project, f"QUANT_FEATURE_BIT={8 if name == 'r1' else 4}", f"QUANT_FEATURE_METHOD={method}"))
        assert found[name]["scale"] == alone[name]["scale"], name


def test_kl_above_eight_bits_is_obeyed_with_a_warning(project: Path) -> None:
    document = converted(project, "QUANT_FEATURE_METHOD=KL", "QUANT_FEATURE_BIT=10")
    assert any(text.startswith("QUANT_FEATURE_METHOD: KL has 2048 bins") for text in document["warnings"])
    assert rows(document)["r1"]["method"] == "KL"


def test_the_default_method_follows_the_width_of_each_layer(project: Path) -> None:
    (project / NAME).write_text(json.dumps({"r1": {"QUANT_FEATURE_BIT": 12}}))
    found = rows(converted(project, "LOAD_OP_QUANT_BIT=true"))
    assert (found["r1"]["method"], found["c2"]["method"]) == ("MSE", "KL")


def test_the_size_of_the_set_takes_the_first_samples(project: Path) -> None:
    """Three samples of ten give what a set of those three gives."""
    some = rows(converted(project, "QUANT_DATASET_SIZE=3"))
    for index in range(3, 10):
        (project / "calibration" / f"{index}.png").unlink()
    assert {name: row["scale"] for name, row in rows(converted(project)).items()} == {name: row["scale"] for name, row in some.items()}


def test_a_set_smaller_than_asked_is_told(project: Path) -> None:
    assert converted(project, "QUANT_DATASET_SIZE=10")["warnings"] == []
    said = "QUANT_DATASET_SIZE: 11 samples are asked for, the set holds 10: all of them are used"
    assert converted(project, "QUANT_DATASET_SIZE=11")["warnings"] == [said]


def test_the_templates_path_is_no_path(project: Path) -> None:
    document = converted(project, "QUANT_DATASET_PATH=./path/to/")
    assert not any(row["quantized"] for row in document["nodes"])
    assert any(text.startswith("QUANT_DATASET_PATH is not set") for text in document["warnings"])


def test_what_is_not_as_asked_is_listed() -> None:
    table = [
        LayerRow("a", "Conv2D", quantized=True, feature_bits=8, requested_feature_bits=8),
        LayerRow("p", "MaxPool", quantized=True, feature_bits=12, requested_feature_bits=8, method="SHARED"),
        LayerRow("s", "Softmax", quantized=False, requested_feature_bits=8, reason="no integer form of Softmax is known"),
        LayerRow("w", "Conv2D", quantized=True, weight_bits=8, requested_feature_bits=8),
    ]
    assert exceptions(table) == [
        "p: 12 bits, 8 asked: it keeps the levels of its input",
        "s: float, 8 bits asked: no integer form of Softmax is known",
    ]
    assert exceptions(table[2:3]) == []


def test_the_list_stands_below_the_table(project: Path) -> None:
    """And alone where nothing was measured."""
    skip = 'QUANT_NODE_SKIP=["c2"]'
    lines = table_lines(converted(project, skip))
    assert lines[0].startswith("feature name")
    assert lines[-1] == "c2: float, 8 bits asked: skipped by QUANT_NODE_SKIP"
    assert table_lines(converted(project, skip, "DEBUG_PATH=")) == lines[-1:]
