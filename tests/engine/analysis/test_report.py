"""The report is the JSON document of the headless commands, to the letter."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import pytest

from engine.analysis.reduce import Row
from engine.analysis.report import BySample, LayerRow, OutputRow, Report, SampleCosine, from_json, measured, to_json
from engine.errors import DataError

NODE_KEYS = """
    name op quantized reason feature_bits weight_bits method min max scale zero_point cosine_avg cosine_min cosine_max euc_distance
    standard_deviation max_absolute max_absolute_normalized sqnr_db saturation local_cosine samples
"""


def example() -> Report:
    row = Row(count=2, cosine_avg=0.99, cosine_min=0.98, cosine_max=1.0, sqnr_db=25.0, nonfinite=1, unmeasured=1)
    layer = LayerRow("a/relu", "Conv2D", True, "", 8, 8, 8, 8, "KL", 0.0, 1.5, 1.5 / 255, 0, macs=1000)
    layer = measured(layer, row, [SampleCosine("one.jpg", 0.98), SampleCosine("two.jpg", None)], BySample((25.0, None)))
    soft = LayerRow("prob", "Softmax", False, "softmax has no integer form")
    return Report("m.onnx", "T40", (layer, soft), (OutputRow("prob", 0.99, 0.98),), {"simulate": 1.5}, 100.0, ("OUT/m.bin",), ("careful",))


def test_document_has_the_promised_keys() -> None:
    document = to_json(example())
    promised = {"schema", "model", "soc", "nodes", "outputs", "timing", "peak_rss_mb", "artefacts", "warnings"}
    assert document["schema"] == 1
    assert promised <= document.keys()
    assert [set(NODE_KEYS.split()) - node.keys() for node in document["nodes"]] == [set(), set()]
    assert {"name", "cosine_avg", "cosine_min"} <= document["outputs"][0].keys()
    assert document["nodes"][0]["samples"] == [{"sample": "one.jpg", "cosine": 0.98}, {"sample": "two.jpg", "cosine": None}]
    assert document["nodes"][0]["by_sample"] == {"sqnr_db": [25.0, None], "saturation": [], "local_cosine": [], "local_sqnr_db": []}
    assert document["nodes"][0]["nonfinite"] == 1
    assert document["nodes"][1]["feature_bits"] is None


def test_document_reads_back_whole() -> None:
    assert from_json(json.loads(json.dumps(to_json(example()), allow_nan=False))) == example()


def test_numbers_that_json_lacks_become_null() -> None:
    report = Report("m", "", (LayerRow("n", "Conv2D", True, min=-math.inf, max=math.nan),), timing={"x": math.nan})
    document = to_json(report)
    assert (document["nodes"][0]["min"], document["nodes"][0]["max"], document["timing"]["x"]) == (None, None, None)
    json.dumps(document, allow_nan=False)


def test_later_keys_are_ignored() -> None:
    document = to_json(example())
    document["nodes"][0]["colour"] = "red"
    assert from_json(document) == example()


@pytest.mark.parametrize("broken", [None, [], {}, {"schema": 2}, {"schema": True, "model": "m", "soc": ""}, {"schema": 1, "model": 3}])
def test_what_is_no_report_is_refused(broken: object) -> None:
    with pytest.raises(DataError) as caught:
        from_json(broken, where="old.json")
    assert caught.value.where == "old.json"


def test_every_metric_of_a_row_reaches_the_layer() -> None:
    assert {f.name for f in fields(Row)} - {f.name for f in fields(LayerRow)} == {"count"}
    values = {f.name: float(i) for i, f in enumerate(fields(Row)) if f.name != "count"}
    layer = measured(LayerRow("n", "op", True), Row(**values))
    assert {name: getattr(layer, name) for name in values} == values


def test_a_path_that_is_no_text_is_told_as_it_is() -> None:
    odd = replace(example(), model="bad\udcff.onnx", peak_rss_mb=math.inf)
    document = to_json(odd)
    assert document == {**to_json(example()), "model": "bad\udcff.onnx", "peak_rss_mb": None}
