"""The document of a diagnosis for people: lines for a terminal, or Markdown to paste into a ticket."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...jsontext import printable
from .document import BIT_FILE

WIDTH = 100

MARKS = {"bad": "x", "hint": "!", "help": "+", "fine": ".", "unknown": "?"}
WORDS = {"bad": "at fault", "hint": "suspect", "help": "helps", "fine": "fine", "unknown": "cannot be told"}

LONG = 1 << 12

Document = Mapping[str, Any]


def text_lines(document: Document) -> list[str]:
    """Return the diagnosis as lines for a terminal: what is to be said first, the findings, the fixes with their lines."""
    lines = [*_wrapped(_sentence(document["headline"]["claim"]), ""), ""]
    for finding in document["findings"]:
        name = finding["topic"].replace("_", " ")
        lines += _wrapped(f"{name}: {finding['claim']}", f"  {MARKS[finding['level']]} ")
    lines += ["", "  (x at fault, ! suspect, + helps, . fine, ? cannot be told)"]
    for what, why in ((each["what"], each["why"]) for each in document["untried"]):
        lines += _wrapped(f"not tried: {what}: {why}", "    ")
    fixes = document["fixes"]
    lines += ["", _heading(document)]
    lines += _table([("", *COLUMNS), *((f"{fix['rank']}", *_row(fix)) for fix in fixes)]) if fixes else []
    lines += _wrapped(_legend(fixes), "   ") if _legend(fixes) else []
    for fix in fixes:
        lines += ["", f"{fix['rank']}. {_safe(fix['title'])}", *(f"   {line}" for line in recipe(fix))]
    return lines


def markdown(document: Document, name: str) -> str:
    """Return the diagnosis of the project `name` in Markdown."""
    baseline = document["baseline"]
    lines = [f"# Diagnosis of {_md(name)}", "", f"**{_md(_sentence(document['headline']['claim']))}**", ""]
    lines += ["| | as it is |", "| --- | --- |", *(f"| {_md(k)} | {_md(v)} |" for k, v in _overview(document, baseline)), ""]
    lines += ["## Findings", ""]
    lines += [f"- {_md(f['topic'].replace('_', ' '))} ({WORDS[f['level']]}): {_md(f['claim'])}" for f in document["findings"]]
    lines += [f"- not tried: {_md(each['what'])}: {_md(each['why'])}" for each in document["untried"]]
    lines += ["", "## Fixes", ""]
    fixes = document["fixes"]
    lines += [_sentence(_heading(document)), ""]
    if fixes:
        lines += [f"| | {' | '.join(COLUMNS)} |", "| --- " * (len(COLUMNS) + 1) + "|"]
        lines += [f"| {fix['rank']} | {' | '.join(map(_md, _row(fix)))} |" for fix in fixes]
        lines += ["", _sentence(_legend(fixes))] if _legend(fixes) else []
    for fix in fixes:
        lines += ["", f"{fix['rank']}. {_md(fix['title'])}", "", *_fenced(recipe(fix))]
    return "\n".join(lines) + "\n"


COLUMNS = ("fix", "outputs", "gain", "noise left", "samples better", "cost", "in float", "")


def _row(fix: Document) -> tuple[str, ...]:
    left = fix["noise_left"]
    return (
        _safe(fix["title"]),
        f"{_cosine(fix['before']['cosine_avg'])} -> {_cosine(fix['after']['cosine_avg'])}",
        "-" if fix["gain"] is None else f"{fix['gain']:+.5f}",
        "-" if left is None else f"{left:.0%}",
        f"{fix['better']} of {fix['samples']}",
        _price(fix["cost"]),
        f"{fix['cost']['floats']:.0%}",
        "with caution" if fix["caution"] else "heals" if fix["heals"] else "good outputs" if fix["restores"] else "",
    )


def _legend(fixes: Sequence[Document]) -> str:
    """Return what the words and figures of the table mean, as far as they are in it."""
    said = [
        "heals: all layers within the guide's thresholds" if any(f["heals"] for f in fixes) else "",
        "good outputs: the outputs alone, with at most a quarter of the noise"
        if any(f["restores"] and not f["heals"] for f in fixes)
        else "",
        "work in float is charged like the widest width, the least it can cost" if any(f["cost"]["floats"] for f in fixes) else "",
    ]
    text = "; ".join(filter(None, said))
    return f"({text})" if text else ""


def _price(cost: Document) -> str:
    """Return the cost of features and weights, each relative to 8 bits."""
    if cost["features"] is None:
        return "-"
    weights = cost["weights"]
    return times(cost["features"]) + (f", weights {times(weights)}" if weights is not None and weights != 1 else "")


def times(value: float) -> str:
    """Return a relative cost with as many digits as tell it from 1."""
    return f"x{value:.2f}" if value == 1 or abs(value - 1) >= 0.005 else f"x{value:.4f}"


def recipe(fix: Document) -> Iterator[str]:
    """Yield what to do, with the exact lines."""
    keys = [line for line in fix["lines"] if not line.startswith("-")]
    gone = [line[1:] for line in fix["lines"] if line.startswith("-")]
    if keys:
        yield "in magik.cfg:"
        yield from (f"    {_safe(line)}," for line in keys[:-1])
        yield f"    {_safe(keys[-1])}"
    if gone:
        yield f"take out of magik.cfg: {', '.join(gone)}"
    if fix["bit_file"]:
        yield f"in {BIT_FILE}:"
        entries = [f"    {_safe(json.dumps(node, ensure_ascii=False))}: {json.dumps(entry)}" for node, entry in fix["bit_file"].items()]
        yield from ("    {", *(f"    {line}," for line in entries[:-1]), f"    {entries[-1]}", "    }")
    if fix["do"]:
        yield _safe(fix["do"])
    yield from (f"    {_safe(name)}" for name in fix["without"])
    if fix["caution"]:
        yield f"caution: {_safe(fix['caution'])}"


def _heading(document: Document) -> str:
    if not document["fixes"]:
        return "nothing that was tried gains enough to be advised"
    if document["cause"] == "none" and not document["hint"]:
        return "no fix is needed; what would gain all the same:"
    return "fixes, the most advisable first:"


def _overview(document: Document, baseline: Document) -> Iterator[tuple[str, str]]:
    yield "model", document["model"]
    yield "SOC", document["soc"] or "-"
    yield "verdict", document["verdict"]
    yield "cosine of the outputs, mean and worst sample", f"{_cosine(baseline['cosine_avg'])}, {_cosine(baseline['cosine_min'])}"
    yield "mean over integer layers", f"{_cosine(baseline['mean'])} of {baseline['layers']}"
    yield "layers below 0.99, below 0.98, by the mean over the samples", f"{baseline['below_99']}, {baseline['below_98']}"
    yield "worst layer", f"{baseline['worst']} {_cosine(baseline['worst_cosine'])}"
    yield "debug samples", str(len(document["debug_samples"]))


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.5f}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _wrapped(text: str, head: str) -> list[str]:
    return textwrap.wrap(_safe(text), WIDTH, initial_indent=head, subsequent_indent=" " * len(head) or "", break_long_words=False) or [head]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _safe(text: str) -> str:
    return printable(text, LONG)


def _md(text: object) -> str:
    """Return text in which nothing is markup; underscores inside of words are none anyway."""
    plain = re.sub(r"([\\`*<>|\[\]#])", r"\\\1", _safe(str(text)))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", plain)


def _fenced(lines: Iterator[str]) -> Iterator[str]:
    """Put lines into a block of code, behind a fence longer than any in them."""
    held = list(lines)
    fence = "`" * max(3, *(len(run) + 1 for line in held for run in re.findall("`+", line)), 3)
    yield from (fence, *held, fence)
