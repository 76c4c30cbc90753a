"""`magik-tui apply`: widths, ranges and skips of single layers, written into the project or only tried."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.cli.guard import say
from engine.cli.session import opened
from engine.errors import EXIT_DONE, UsageError, nearest
from engine.jsontext import printable
from engine.messages import to_line


def plan_document(
    bits: Sequence[tuple[str, int]],
    weights: Sequence[tuple[str, int]],
    ranges: Sequence[tuple[str, str]],
    floats: Sequence[str],
    integers: Sequence[str],
) -> dict[str, Any]:
    """Return the plan that the options ask for, as plain JSON.

    UsageError for what is no range, and for a layer that is to be both float and integer.
    """
    nodes: dict[str, dict[str, Any]] = {}
    for name, width in bits:
        nodes.setdefault(name, {})["feature_bits"] = width
    for name, width in weights:
        nodes.setdefault(name, {})["weight_bits"] = width
    for name, text in ranges:
        nodes.setdefault(name, {}).update(_ends(text))
    for name in floats:
        if name in integers:
            raise UsageError(f"--float and --quantize both name {printable(name, 200)!r}: it is one or the other", where="--quantize")
    for skip, names in ((True, floats), (False, integers)):
        for name in names:
            nodes.setdefault(name, {})["skip"] = skip
    return {"nodes": nodes}


def _ends(text: str) -> dict[str, float]:
    low, comma, high = text.partition(",")
    try:
        ends = {key: float(part) for key, part in (("min", low), ("max", high)) if part.strip()}
    except ValueError:
        ends = {}
    if not comma or not ends:
        raise UsageError(f"--range: expected MIN,MAX with one of them at least, as in -0.5,1.7, got {text!r}")
    return ends


def apply_plan(path: Path, document: dict[str, Any], *, as_json: bool, dry_run: bool, **where: Any) -> int:
    """Write a plan into the project, or with `dry_run` print every layer's figures under it. `where` are the options of `opened`.

    UsageError when nothing is asked for, for a layer that is not there, and for what the files cannot say.
    """
    if not document["nodes"]:
        raise UsageError("nothing is asked for: --bits, --range, --float, --quantize", hint="magik-tui apply --help")
    with opened(path, **where) as lab:
        from engine.lab.writing import write_plan
        from engine.planjson import plan_over

        names = [node.name for node in lab.graph.nodes]
        for name in document["nodes"]:
            if name not in names:
                near = nearest(name, names)
                raise UsageError(f"there is no layer {name!r}", hint=f"did you mean {near!r}?" if near else "")
        if dry_run:
            found = lab.evaluate(plan_over(lab.base, document, lab.config.soc))
            lines = [] if as_json else [*_table(found), *_without_effect(found, document["nodes"])]
            say(to_line(found) if as_json else "".join(f"{line}\n" for line in lines))
        else:
            written = [str(file) for file in write_plan(lab, document)]
            said = {"schema": 1, "applied": written}
            say(to_line(said) if as_json else "".join(f"wrote {file}\n" for file in written) or "the files say so already\n")
    return EXIT_DONE


def _without_effect(found: dict[str, Any], asked: dict[str, dict[str, Any]]) -> list[str]:
    """Return what is to be known of the ranges that were asked for, and act otherwise than they read."""
    lines = []
    for row in found["nodes"]:
        ends = {key: asked.get(row["name"], {}).get(key) for key in ("min", "max")}
        name = printable(row["name"], len(row["name"]))
        if ends["min"] is None and ends["max"] is None:
            continue
        if row["method"] != "GIVEN":
            why = "its levels are those of its input" if row["quantized"] else f"it is float: {row['reason']}"
            lines.append(f"{name}: MIN and MAX have no effect: {why}")
        elif (ends["min"] or 0) > 0 or (ends["max"] or 0) < 0:
            lines.append(f"{name}: a range always holds 0, it is {row['min']:g} to {row['max']:g}")
    return lines


def _table(document: dict[str, Any]) -> list[str]:
    from engine.cli.transform import table_lines

    outputs = (f"output {o['name']}: cosine_avg {o['cosine_avg']:.5f}" for o in document["outputs"] if o["cosine_avg"] is not None)
    return [*(table_lines(document) or ["none measured: DEBUG_PATH names no samples"]), *outputs]
