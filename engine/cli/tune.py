"""`magik-tui tune`: the cheapest width of every unit that meets a target, printed and, with --apply, written into the project."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.analysis.scoring import figure, score_key
from engine.cli.guard import complain, say
from engine.cli.session import opened
from engine.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, MagikError
from engine.jsontext import printable
from engine.messages import to_line

if TYPE_CHECKING:
    from engine.analysis.scoring import Metric
    from engine.analysis.tuning import Tuned
    from engine.lab import Lab

PROGRAM = "magik-tui"


def run_tune(
    path: Path,
    *,
    as_json: bool,
    target: float | None,
    budget: float | None,
    bits: Sequence[int],
    metric: Metric,
    at: str,
    apply: bool,
    **where: Any,
) -> int:
    """Search, print, write; stopped, the best plan so far counts. `where` are the options of `opened`. Raises MagikError."""
    start = time.perf_counter()
    with opened(path, **where) as lab:
        from engine.analysis.search_documents import tune_document
        from engine.analysis.tune import tune
        from engine.lab.goals import goal_for
        from engine.stages.applying import apply_widths, standing_entries

        goal = goal_for(lab, target=target, budget=budget, bits=bits, metric=metric, at=at)
        entries = standing_entries(lab.job.root, lab.job.config_path, lab.config.soc) if apply else {}
        found = tune(lab, goal, report=lab.report)
        widths = _node_widths(lab, found)
        written: list[Path] = []
        failure: MagikError | None = None
        try:
            written = apply_widths(lab.job.root, lab.job.config_path, widths, entries) if apply and found.met else []
        except MagikError as error:  # what was found is printed all the same
            failure = error
        document = {
            **tune_document(found),
            "nodes": {name: {"QUANT_FEATURE_BIT": width} for name, width in widths},
            "model": str(lab.job.model),
            "soc": lab.config.soc,
            "applied": [str(file) for file in written],
            "timing": {"tune": time.perf_counter() - start},
        }
    say(to_line(document) if as_json else "".join(line + "\n" for line in [*_lines(document), *_written(document, apply)]))
    if failure is not None:
        raise failure
    return _ending(document, where["settings"], apply)


def _node_widths(lab: Lab, found: Tuned) -> list[tuple[str, int]]:
    """Return the width of every node that the chosen plan sets, in graph order."""
    table = {node: found.chosen.widths[unit.name] for unit in found.units for node in unit.nodes}
    return [(node.name, table[node.name]) for node in lab.graph.nodes if node.name in table]


def _ending(document: dict[str, Any], settings: Sequence[str], apply: bool) -> int:
    """Say on stderr what the document alone might not make plain, and return the exit code."""
    if apply and not document["met"]:
        complain(PROGRAM, "nothing was written: no plan meets what was asked for")
    if document["applied"] and settings:
        complain(PROGRAM, f"the widths hold for --set {' --set '.join(settings)}, which is not written")
    if document["interrupted"]:
        complain(PROGRAM, "interrupted: this is the best plan so far; the next call takes up what is known")
        return EXIT_INTERRUPTED
    if not document["met"]:
        complain(PROGRAM, _missed(document))
        return EXIT_FAILED
    return EXIT_DONE


def _lines(document: dict[str, Any]) -> list[str]:
    """Return the front and the chosen plan for people."""
    metric, chosen, widths = document["metric"], document["chosen"], [int(bits) for bits in document["costs"]]
    head = ["cost", metric, *(f"{bits} bits" for bits in widths), ""]
    rows = [_row(point, document, widths, "<- chosen" if point["widths"] == chosen["widths"] else "") for point in document["front"]]
    sizes = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    table = ["  ".join(c.rjust(w) for c, w in zip(row, sizes, strict=True)).rstrip() for row in (head, *rows)]
    return [*table, "cost 1 is everything at 8 bits; below the widths is how many units have them", *_choice(document)]


def _row(point: dict[str, Any], document: dict[str, Any], widths: Sequence[int], mark: str) -> list[str]:
    return [f"{point['cost']:.4f}", _reached(point, document), *(str(point["counts"].get(str(bits), 0)) for bits in widths), mark]


def _choice(document: dict[str, Any]) -> list[str]:
    chosen = document["chosen"]
    asked = [f"target {document['target']:.12g} {'met' if document['met'] else 'missed'}"] if document["target"] is not None else []
    asked += (
        [f"budget {document['budget']:g} {'met' if chosen['cost'] <= document['budget'] else 'missed'}"]
        if document["budget"] is not None
        else []
    )
    lines = [f"chosen: {document['metric']} {_reached(chosen, document)} for cost {chosen['cost']:.4f}, {', '.join(asked)}"]
    least = min(map(int, document["costs"]))
    for bits in sorted({width for width in chosen["widths"].values() if width > least}):
        names = [printable(name, len(name)) for name, width in chosen["widths"].items() if width == bits]
        lines.append(f"{bits} bits: {' '.join(names)}" if len(names) < len(chosen["widths"]) else f"{bits} bits: every unit")
    return [*lines, f"took {document['timing']['tune']:.1f} s, {document['runs']} plans"]


def _written(document: dict[str, Any], apply: bool) -> list[str]:
    if apply or not document["met"]:
        return [f"wrote {printable(file, len(file))}" for file in document["applied"]]
    return ["nothing is written; --apply writes magik_node_quant_bit_info.json and sets LOAD_OP_QUANT_BIT"]


def _missed(document: dict[str, Any]) -> str:
    """Say why the target was missed, and what to do about it."""
    limit = document["limit"]
    said = f"the target {document['target']:.12g} is not met, the best is {document['metric']} {_number(limit['reachable'], document)}"
    if limit["by"] == "budget":
        return f"{said} within the budget of {document['budget']:g}; a dearer plan meets it"
    finest = ""
    if limit["at_16_bits"] is not None:
        lucky = limit["at_16_bits"] < limit["reachable"]
        finest = (
            f" ({_number(limit['at_16_bits'], document)} with features of 16 bits{': in the best plan errors cancel' if lucky else ''})"
        )
    worst = ", ".join(f"{printable(u['name'], len(u['name']))} {u['share']:.0%}" for u in limit["units"])
    if limit["by"] == "features":
        return f"{said}: features need more bits than were allowed{finest}; what is left comes from {worst}"
    mend = "QUANT_WEIGHT_METHOD, WEIGHT_CORRECT_PATH or QUANT_NODE_SKIP may help"
    return f"{said}: the weights limit it, not the features{finest}; what is left comes from {worst}; {mend}"


def _reached(point: dict[str, Any], document: dict[str, Any]) -> str:
    return _number(point[score_key(document["metric"])], document)


def _number(value: float | None, document: dict[str, Any]) -> str:
    return "-" if value is None else figure(value, document["metric"], document["target"])
