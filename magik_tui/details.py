"""The parts of a closer look at a layer, as lines: histograms, weight ranges, worst samples, neighbours. None needs colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

from magik_tui.core.detail import Detail, Histogram, Weights
from magik_tui.core.state import State
from magik_tui.levels import BAD, HEALTHY
from magik_tui.numerals import fixed, short
from magik_tui.text import clean, elide, fit
from magik_tui.widgets.ink import Line, Role, Run

RAMP = "▁▂▃▄▅▆▇█"
BOTH, FLOAT, QUANTIZED = "█", "░", "▒"
HIGHEST = 10  # rows of a histogram
LOWEST = 2
MOST = 64  # columns of a histogram
OTHER = "of the layer before; reading"
ORIGINS = {"own": "observed", "shared": "its input's", "fixed": "by its mathematics", "given": "given"}  # where a range comes from
MARGIN = 1  # cells at the left of every part


def judged(cosine: float | None) -> Role:
    """Return the role of a cosine."""
    if cosine is None:
        return "dim"
    return "good" if cosine >= HEALTHY else "warn" if cosine >= BAD else "bad"


def word(cosine: float | None) -> str:
    """Return the verdict on a cosine in one character, so that its colour never speaks alone."""
    if cosine is None:
        return ""
    return "+" if cosine >= HEALTHY else "~" if cosine >= BAD else "x"


def columns(width: int) -> int:
    """Return how many bins a histogram in `width` cells has; more than MOST say little and cost bytes."""
    return max(8, min(MOST, width - 2 * MARGIN))


def _heading(title: str, more: str, width: int) -> Line:
    room = max(0, width - MARGIN - len(title) - 2)
    return ((" " * MARGIN, "text"), (title, "strong"), (f"  {elide(more, room)}", "dim"))


def borrowed(lines: tuple[Line, ...], width: int) -> tuple[Line, ...]:
    """Return a part of another layer's, and say so in its heading: what will be equal need not be sent twice."""
    return tuple(_heading(line[1][0], OTHER, width) if len(line) > 1 and line[1][1] == "strong" else line for line in lines)


def histogram_lines(detail: Detail, width: int, height: int) -> tuple[Line, ...]:
    """Return the float values' histogram with the quantized values' over it: columns on a logarithmic scale, the clip limits below."""
    found, clip = detail.histogram, detail.clip
    if found is None or not found.floats or height < LOWEST + 3:
        return (_heading("values", "all are equal, or none is kept", width),) if height else ()
    rows = min(HIGHEST, height - 3)
    top = math.log1p(max(*found.floats, *found.quantized, 1))
    floats, quantized = (_heights(counts, rows, top) for counts in (found.floats, found.quantized))
    forms = (f"{BOTH} both {FLOAT} float only {QUANTIZED} quantized only, log", f"{BOTH} both {FLOAT} float {QUANTIZED} int, log")
    legend = next((form for form in forms if len(form) <= width - MARGIN - 8), forms[-1])
    drawn = [_heading("values", legend, width)]
    for level in range(rows, 0, -1):
        drawn.append(((" " * MARGIN, "text"), _cells([(f >= level, q >= level) for f, q in zip(floats, quantized, strict=True)])))
    return (*drawn, _axis(found, clip), _ends(found, clip, detail.origin))


def _heights(counts: Sequence[int], rows: int, top: float) -> list[int]:
    return [math.ceil(rows * math.log1p(count) / top) for count in counts]


def _cells(cells: Sequence[tuple[bool, bool]]) -> Run:
    """Return cells as one run: glyphs alone tell them apart, since a colour for each would cost ten times the bytes."""
    glyphs = {(True, True): BOTH, (True, False): FLOAT, (False, True): QUANTIZED, (False, False): " "}
    return "".join(map(glyphs.__getitem__, cells)), "text"


def _axis(found: Histogram, clip: tuple[float, float] | None) -> Line:
    """Return the axis: a rule between the clip limits, dots where values are cut off."""
    count = len(found.floats)
    if clip is None:
        return ((" " * MARGIN, "text"), ("-" * count, "dim"))
    step = (found.high - found.low) / count
    left, right = (int((end - found.low) / step) if step else 0 for end in clip)
    cells = ["=" if left <= x <= right else "." for x in range(count)]
    if 0 <= left < count:
        cells[left] = "["
    if 0 <= right < count:
        cells[right] = "]"
    return ((" " * MARGIN, "text"), ("".join(cells), "label"))


def _ends(found: Histogram, clip: tuple[float, float] | None, origin: str | None) -> Line:
    low, high = short(found.low, 4), short(found.high, 4)
    room = max(0, len(found.floats) - len(low) - len(high))
    limits = f"clip {short(clip[0], 4)} .. {short(clip[1], 4)}" if clip else "not clipped"
    forms = (f"{limits} ({ORIGINS[origin]})" if clip and origin in ORIGINS else limits, limits, "")
    middle = next(form for form in forms if len(form) + 2 <= room or not form)
    return ((" " * MARGIN, "text"), (low, "text"), (f"{middle:^{room}}", "label"), (high, "text"))


def weight_lines(detail: Detail, width: int, height: int) -> tuple[Line, ...]:
    """Return the ranges of the output channels, a column for each or for some neighbours, and what the quantizer noted about them."""
    notes: list[Line] = [((" " * MARGIN, "text"), (f"  {elide(note, max(0, width - MARGIN - 2))}", "warn")) for note in detail.notes]
    return (*_ranges(detail.weights, width), *notes)[:height]


def _ranges(found: Weights | None, width: int) -> tuple[Line, ...]:
    count = min(len(found.min), len(found.max)) if found else 0
    if found is None or not count:
        return (_heading("weights", "it has none", width),)
    reach = [max(abs(a), abs(b)) for a, b in zip(found.min, found.max, strict=False)]
    most = max(reach) or 1.0
    room = max(1, width - MARGIN - 5)
    each = -(-count // room)
    said = f"{count} channels" + (f", {each} a column" if each > 1 else "")
    lines = [_heading("weights", said, width)]
    for label, values in (("max", [max(v, 0.0) for v in found.max]), ("min", [max(-v, 0.0) for v in found.min])):
        groups = [max(values[i : i + each]) for i in range(0, count, each)]
        lines.append(
            (
                (" " * MARGIN, "text"),
                (f"{label}  ", "label"),
                ("".join(RAMP[min(7, int(8 * v / most))] if v else " " for v in groups), "text"),
            )
        )
    order = sorted(range(count), key=reach.__getitem__)
    widest, middle, narrowest = order[-1], order[count // 2], order[0]
    lines += [
        _pair("widest", f"{short(reach[widest], 4)} (channel {widest})", width),
        _pair("median", short(reach[middle], 4), width),
        _pair("narrowest", f"{short(reach[narrowest], 4)} (channel {narrowest})", width),
    ]
    return tuple(lines)


def _pair(label: str, value: str, width: int) -> Line:
    return ((" " * MARGIN, "text"), (f"  {label:<12}", "label"), (elide(value, max(0, width - MARGIN - 14)), "text"))


def sample_lines(found: Detail, width: int, height: int) -> tuple[Line, ...]:
    """Return the worst samples with their figures, the worst first."""
    if not found.samples:
        return (_heading("worst samples", "none is measured", width),) if height else ()
    lines = [_heading("worst samples", f"of {len(found.samples)}", width)]
    for each in found.samples[: max(0, height - 1)]:
        sqnr = "" if each.sqnr_db is None or abs(each.sqnr_db) > 900 else f" {each.sqnr_db:6.2f} dB"
        head = f"{fixed(each.cosine)} {word(each.cosine):1}{sqnr} "
        room = max(0, width - MARGIN - 2 - len(head))
        lines.append(((" " * MARGIN, "text"), (f"  {head}", judged(each.cosine)), (elide(each.sample, room), "text")))
    return tuple(lines)


def neighbour_lines(state: State, found: Detail, width: int, height: int) -> tuple[Line, ...]:
    """Return the layers that this one reads, and those that read it, with their mean cosines."""
    shape = "x".join(map(str, found.shape)) if found.shape else ""
    lines = [_heading("neighbours", shape and f"makes {shape}", width)]
    for head, names in (("reads", found.inputs), ("read by", found.readers)):
        for i, name in enumerate(names or ("nothing" if head == "reads" else "nothing: an output",)):
            row = state.table.find(name) if names else None
            mean = state.table.mean(row) if row is not None else None
            tail = f" {fixed(mean)} {word(mean)}" if mean is not None else ""
            room = max(0, width - MARGIN - 10 - len(tail))
            first: Run = (f"  {head if i == 0 else '':<8}", "label")
            lines.append(((" " * MARGIN, "text"), first, (fit(clean(name), room), "text"), (tail, judged(mean))))
    if len(lines) > height > 1:
        lines = [*lines[: height - 1], ((f"{'':{MARGIN + 10}}and {len(lines) - height + 1} more", "dim"),)]
    return tuple(lines[:height])
