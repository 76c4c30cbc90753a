"""What a person wants to know after the table: what is not in it, what came out, where it was written, how long it took."""

from __future__ import annotations

from typing import Any

from engine.jsontext import printable

NAMED = 3  # float layers that are named


def summary_lines(document: dict[str, Any]) -> list[str]:
    """Return the lines under the table of a document: float layers, the mean cosine of every output, artefacts, seconds."""
    nodes = document["nodes"]
    return [*_float_layers(nodes, document["warnings"]), *_outputs(document), *_written(document), *_seconds(document)]


def _float_layers(nodes: list[dict[str, Any]], warnings: list[str]) -> list[str]:
    names = [_name(node["name"]) for node in nodes if not node["quantized"]]
    if not names:
        return []
    if len(names) == len(nodes):
        why = next((text for text in warnings if "without quantization" in text), "every layer is float")
        return [f"the table is empty, no layer is quantized: {why}"]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    noun, verb = ("layer", "is") if len(names) == 1 else ("layers", "are")
    return [f"{len(names)} float {noun}{_work(nodes)} {verb} not in the table: {', '.join(names[:NAMED])}{more}"]


def _work(nodes: list[dict[str, Any]]) -> str:
    """Return which part of the work is done in float; nothing where there is no work that anybody counts."""
    whole = sum(node["macs"] for node in nodes)
    floats = sum(node["macs"] for node in nodes if not node["quantized"])
    return f" ({100 * floats / whole:.1f} % of the multiply-accumulates)" if whole else ""


def _outputs(document: dict[str, Any]) -> list[str]:
    found = [output for output in document["outputs"] if output.get("cosine_avg") is not None]
    return [f"mean output cosine {each['cosine_avg']:.5f}{_worst(each)}: {_name(each['name'])}" for each in found]


def _worst(output: dict[str, Any]) -> str:
    worst = output.get("cosine_min")
    return "" if worst is None else f", worst {worst:.5f}"


def _written(document: dict[str, Any]) -> list[str]:
    return [f"wrote {_name(path)}" for path in document["artefacts"]]


def _seconds(document: dict[str, Any]) -> list[str]:
    timing = document["timing"]
    known = " (unchanged since an earlier run)" if "cached" in timing else ""
    return [f"took {sum(timing.values()):.2f} s{known}"] if timing else []


def _name(text: str) -> str:
    return printable(text, len(text))
