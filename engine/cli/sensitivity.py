"""`magik-tui sensitivity`: what each unit does to the output, worst first."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.analysis.scoring import Metric, figure, score_key
from engine.cli.guard import complain, say
from engine.cli.session import opened
from engine.errors import EXIT_DONE, EXIT_INTERRUPTED
from engine.jsontext import printable
from engine.messages import to_line


def run_sensitivity(
    path: Path,
    *,
    as_json: bool,
    bits: Sequence[int],
    metric: Metric,
    at: str,
    **where: Any,
) -> int:
    """Measure the units of a project and print what was found; stopped, what was found by then.

    `where` are the options of `opened`. Raises MagikError.
    """
    start = time.perf_counter()
    with opened(path, **where) as lab:
        from engine.analysis.costs import finest, width_costs
        from engine.analysis.search_documents import sensitivity_document
        from engine.analysis.sensitivity import sensitivity

        widths = tuple(width_costs(lab.profile, bits))
        found = sensitivity(lab, widths, finest(lab.profile), report=lab.report, metric=metric, at=at)
        document = {
            **sensitivity_document(found, metric=metric, at=at),
            "model": str(lab.job.model),
            "soc": lab.config.soc,
            "widths": list(widths),
            "timing": {"sensitivity": time.perf_counter() - start},
        }
    say(to_line(document) if as_json else "".join(line + "\n" for line in _lines(document)))
    if found.interrupted:
        complain("magik-tui", "interrupted: what is missing was not measured; the next call takes up what is known")
    return EXIT_INTERRUPTED if found.interrupted else EXIT_DONE


def _lines(document: dict[str, Any]) -> list[str]:
    metric, widths = document["metric"], document["widths"]
    base = _number(document["base"][score_key(metric)], metric)
    head = ["unit", *(f"alone {bits}" for bits in widths), "in float", "local dB", "op"]
    rows = [[_name(u), *_figures(u, metric, widths), u["op"]] for u in sorted(document["units"], key=lambda u: _worst(u, metric, widths))]
    table = [head, *rows]
    sizes = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = ["  ".join([row[0].ljust(sizes[0]), *(c.rjust(w) for c, w in zip(row[1:], sizes[1:], strict=True))]) for row in table]
    return [*lines, f"{metric} of the configuration: {base}; {document['runs']} plans, {document['timing']['sensitivity']:.1f} s"]


def _figures(unit: dict[str, Any], metric: Metric, widths: Sequence[int]) -> list[str]:
    alone = {entry["bits"]: entry[score_key(metric)] for entry in unit["alone"]}
    local = unit["local_error"]
    decibels = "-" if not local else f"{-10 * math.log10(local):.1f}"
    return [
        *(_number(alone.get(bits), metric) for bits in widths),
        _number((unit["in_float"] or {}).get(score_key(metric)), metric),
        decibels,
    ]


def _worst(unit: dict[str, Any], metric: Metric, widths: Sequence[int]) -> tuple[bool, float]:
    """Sort by what the unit does at the width it has, or at the first that was measured; unknown ones last."""
    alone = {entry["bits"]: entry[score_key(metric)] for entry in unit["alone"]}
    value = alone.get(unit["bits"], alone.get(widths[0]))
    return value is None, value or 0.0


def _number(value: float | None, metric: Metric) -> str:
    return "-" if value is None else figure(value, metric, digits=6)


def _name(unit: dict[str, Any]) -> str:
    more = f" +{len(unit['nodes']) - 1}" if len(unit["nodes"]) > 1 else ""
    return printable(unit["name"], len(unit["name"])) + more
