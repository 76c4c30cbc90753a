"""The lines under the table."""

from __future__ import annotations

from typing import Any

from engine.cli.summary import summary_lines


def document(*quantized: bool, macs: int = 0, **fields: Any) -> dict[str, Any]:
    nodes = [{"name": f"n{i}", "quantized": each, "macs": macs} for i, each in enumerate(quantized)]
    return {"nodes": nodes, "warnings": [], "outputs": [], "artefacts": [], "timing": {}, **fields}


def test_what_is_not_in_the_table_is_named() -> None:
    """Three names at most; nothing is said when nothing is missing."""
    assert summary_lines(document(True, True)) == []
    assert summary_lines(document(True, *[False] * 5)) == ["5 float layers are not in the table: n1, n2, n3 and 2 more"]
    said = "1 float layer (25.0 % of the multiply-accumulates) is not in the table: n3"
    assert summary_lines(document(True, True, True, False, macs=7)) == [said]


def test_an_empty_table_says_why() -> None:
    """The warning that explains it is repeated where the table should be."""
    why = "QUANT_DATASET_PATH is not set: the model is converted without quantization"
    assert summary_lines(document(False, warnings=["other", why])) == [f"the table is empty, no layer is quantized: {why}"]


def test_outputs_artefacts_and_time() -> None:
    """Hostile names are escaped; an output without a cosine is left out."""
    outputs = [{"name": "o\x1b", "cosine_avg": 0.99784, "cosine_min": 0.99013}, {"name": "p", "cosine_avg": None}]
    lines = summary_lines(document(True, outputs=outputs, artefacts=["out/net.bin"], timing={"import": 0.5, "measure": 1.0}))
    assert lines == [r"mean output cosine 0.99784, worst 0.99013: o\u001b", "wrote out/net.bin", "took 1.50 s"]
