"""`magik-tui bisect`: the culprits on stdout, the search on stderr."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.analysis.scoring import figure
from engine.cli.guard import complain, say
from engine.cli.session import opened
from engine.errors import EXIT_DONE, Cancelled
from engine.jsontext import printable
from engine.messages import to_line

if TYPE_CHECKING:
    from engine.bisection.documents import Hunt, Pause
    from engine.bisection.wanted import Wanted

PROGRAM = "magik-tui"
MANY = 8
"""Culprits above which few operators are not what is wrong."""


def bisect_project(path: Path, wanted: Wanted, *, as_json: bool, apply: bool, **where: Any) -> int:
    """Bisect a project, print what came out, and write it to its configuration if asked; `where` are the options of `opened`."""
    from engine.bisection.documents import Pause
    from engine.bisection.hunt import bisect

    try:
        with opened(path, **where) as lab:
            hunt = bisect(lab, wanted)
            document = hunt.document()
            lines = [] if as_json else pause_lines(hunt) if isinstance(hunt, Pause) else report_lines(hunt, document)
    except Cancelled as stop:
        if stop.hint:
            complain(PROGRAM, stop.hint)
        raise
    say(to_line(document) if as_json else "".join(line + "\n" for line in lines))
    if apply and isinstance(hunt, Pause):
        complain(PROGRAM, "nothing is applied: the bisection is not finished")
    elif apply:
        said = applied(lab.job.config_path, document["config"])
        if not as_json:
            say(said + "\n")
        if where["settings"]:
            complain(PROGRAM, f"found with --set {' --set '.join(where['settings'])}, which the configuration does not say")
    return EXIT_DONE


def applied(file: Path, config: dict[str, list[str]]) -> str:
    """Write the skipped types and nodes to a configuration, all else as it is, and return what was done."""
    from engine.config import load_config
    from engine.export.config_file import edit_config

    before, _ = load_config(file)
    changes = {key: value for key, value in config.items() if list(getattr(before, key.lower())) != value}
    changed = edit_config(file, changes)
    name = printable(str(file), 300)
    return f"wrote {name}: {', '.join(changes)}" if changed else f"{name} stays as it is: there is nothing to add"


def pause_lines(pause: Pause) -> list[str]:
    """Return the steps so far, where the search stands, and what the next step would judge."""
    from engine.bisection.telling import answer_line, contradictions, counted, described, stand

    asked, session = pause.session.asked(), pause.session
    lines = [f"{number:>3} {answer_line(question, answer, session)}" for number, (question, answer) in enumerate(asked, 1)]
    lines += [f"note: {text}" for text in contradictions(session)]
    lines.append(f"paused after {counted(len(asked), 'evaluation')}. {stand(pause.question)}")
    lines.append(f"  > next     {described(pause.question, session)}")
    return [*lines, *_log(pause)]


def report_lines(hunt: Hunt, document: dict[str, Any]) -> list[str]:
    """Return the culprits as a table with their evidence, and what to do about them."""
    from engine.bisection.telling import counted

    steps = counted(document["evaluations"], "evaluation")
    if not document["culprits"]:
        value = "" if document["baseline"] is None else f", {document['metric']} {_figure(hunt, document['baseline'])}"
        return [f"nothing has to stay in float: the network is good as it is{value} ({steps})", *_log(hunt)]
    rows = [("must stay in float", "type", "quantized again", "local error")]
    for culprit in document["culprits"]:
        evidence = culprit["evidence"]
        again = _figure(hunt, evidence["before"]) + ("" if evidence["mark"] == "bad" else f" ({evidence['mark']})")
        rows.append((printable(culprit["name"], 300), culprit["op"], again, f"{evidence['local_error']:.5f}"))
    return [*_table(rows), *_verdict(hunt, document, steps), *_advice(hunt, document), *_log(hunt)]


def _log(searched: Hunt | Pause) -> list[str]:
    """Return where the log lies; nothing where it could not be kept, which was said."""
    return [f"log {printable(searched.log, 300)}"] if searched.kept else []


def _figure(hunt: Hunt, value: float | None) -> str:
    return "-" if value is None else figure(value, hunt.goal.metric, hunt.goal.target)


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            [
                *(cell.ljust(w) for cell, w in zip(row[:2], widths[:2], strict=True)),
                *(cell.rjust(w) for cell, w in zip(row[2:], widths[2:], strict=True)),
            ]
        )
        for row in rows
    ]


def _verdict(hunt: Hunt, document: dict[str, Any], steps: str) -> list[str]:
    from engine.bisection.telling import counted

    count = counted(len(document["culprits"]), "operator")
    kinds = ", ".join(document["culprit_types"])
    unit = " dB" if document["metric"] == "sqnr" else ""
    target = "" if document["target"] is None else f", target {document['target']:.12g}{unit}"
    lines = [f"{count} ({kinds}) in float{_change(hunt, document)}{target}; {steps}"]
    if document["minimal"]:
        which = "it" if len(document["culprits"]) == 1 else "any one of them"
        lines.append(f"checked: with {which} quantized again the network is bad")
    else:
        lines.append("not all of it could be checked: of some the judge could not tell")
    if document["interacting"]:
        lines.append("errors interact in this network: now and then more in float was worse, so another set may do as well")
    return lines


def _change(hunt: Hunt, document: dict[str, Any]) -> str:
    """Return the figures before and after; a step that was marked by hand has none, and a command may print none."""
    before, after = (None if document[key] is None else _figure(hunt, document[key]) for key in ("baseline", "healed"))
    if before is None and after is None:
        return ""
    figures = after if before is None else f"{before} -> {after or 'not measured'}"
    return f": {document['metric']} {figures}"


def _advice(hunt: Hunt, document: dict[str, Any]) -> list[str]:
    """Return what may be done now: skip the culprits, or give them more bits, with how that does."""
    from json import dumps

    names = dumps(document["config"]["QUANT_NODE_SKIP"], ensure_ascii=True)
    lines = ["", f'to skip them: --apply, or in magik.cfg  "QUANT_NODE_SKIP": {names}']
    if not hunt.goal.measured:
        return lines
    guilty, operators = [culprit["name"] for culprit in document["culprits"]], hunt.session.problem.operators
    sets = [("to keep them quantized", guilty)]
    if len(guilty) > MANY:
        sets.append((f"errors are spread over {len(guilty)} of {len(operators)} operators; for all of them", list(operators)))
    for what, chosen in sets:
        answer = hunt.widened(chosen)
        verdict = "good as well" if answer.mark == "good" else "not enough"
        lines.append(f"{what}: with features of {hunt.widest} bits it is {_figure(hunt, answer.value)}, {verdict}")
    return lines
