"""The closer look at a layer as lines: histograms, clip limits, weights, worst samples, neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from magik_tui.core.detail import Detail, Histogram, Weights
from magik_tui.text import clean, fit, fixed, short
from magik_tui.widgets.ink import Line

BLOCKS = " ▁▂▃▄▅▆▇█"
LABEL = 8
WORST = 3


def detail_lines(found: Detail | None, width: int) -> tuple[Line, ...]:
    """Return the lines for `width` cells; one that says so while nothing is known yet."""
    if found is None:
        return ((("values", "strong"),), ((fit("looking closer", width), "dim"),))
    lines: list[Line] = []
    if found.histogram is not None:
        lines += histogram_lines(found.histogram, found.clip, width)
    if found.weights is not None:
        lines += weight_lines(found.weights, width)
    if found.samples:
        lines.append(((fit("worst samples", width), "strong"),))
        for each in found.samples[:WORST]:
            lines.append((("  " + fixed(each.cosine), "text"), (fit(f"  {clean(each.sample)}", max(0, width - 9)), "text")))
    for label, names in (("reads", found.inputs), ("read by", found.readers)):
        if names:
            lines.append(((fit(label, LABEL), "label"), (fit(", ".join(map(clean, names)), max(0, width - LABEL)), "text")))
    lines += [((fit(clean(note), width), "warn"),) for note in found.notes]
    return tuple(lines)


def histogram_lines(found: Histogram, clip: tuple[float, float] | None, width: int) -> list[Line]:
    """Return both histograms, one over the other, with the ends of the levels marked below; heights are logarithmic."""
    room = max(8, width - LABEL)
    floats, levels = squeezed(found.floats, room), squeezed(found.quantized, room)
    peak = max((*floats, *levels), default=0)
    lines: list[Line] = [((fit("values (logarithmic)", width), "strong"),)]
    for label, counts in (("float", floats), ("levels", levels)):
        lines.append(((fit(label, LABEL), "label"), (bars(counts, peak), "text")))
    if clip is not None and found.high > found.low:
        lines.append(((fit("clip", LABEL), "label"), (fit(limits(found, clip, len(floats)), room), "warn")))
    ends = f"{short(found.low, 4)} to {short(found.high, 4)}"
    return [*lines, ((fit("from", LABEL), "label"), (fit(ends, room), "text"))]


def limits(found: Histogram, clip: tuple[float, float], room: int) -> str:
    """Return a line with [ and ] where the levels end; an end outside of the values stands at the edge as < or >."""
    marks = [" "] * room
    step = (found.high - found.low) / room
    for value, inside, outside, edge in ((clip[0], "[", "<", 0), (clip[1], "]", ">", room - 1)):
        place = int((value - found.low) / step) if step else edge
        marks[edge if not 0 <= place < room else place] = inside if 0 <= place < room else outside
    return "".join(marks)


def squeezed(counts: Sequence[int], room: int) -> tuple[int, ...]:
    """Return counts in at most `room` bins; neighbours are added."""
    if len(counts) <= room:
        return tuple(counts)
    ends = [round(i * len(counts) / room) for i in range(room + 1)]
    return tuple(sum(counts[a:b]) for a, b in pairwise(ends))


def bars(counts: Sequence[int], peak: int) -> str:
    """Return one character per count, its height the logarithm of it; what is not zero is never blank."""
    if not peak:
        return " " * len(counts)
    top = math.log1p(peak)
    return "".join(BLOCKS[0] if not n else BLOCKS[max(1, round(math.log1p(n) / top * (len(BLOCKS) - 1)))] for n in counts)


def weight_lines(found: Weights, width: int) -> list[Line]:
    """Return the largest weight of each channel as a line of bars, and the widest and narrowest channel."""
    reach = [max(abs(low), abs(high)) for low, high in zip(found.min, found.max, strict=True)]
    if not reach:
        return []
    room = max(8, width - LABEL)
    ends = [round(i * len(reach) / min(room, len(reach))) for i in range(min(room, len(reach)) + 1)]
    shown = [max(reach[a:b]) for a, b in pairwise(ends)]
    top = max(shown) or 1.0
    drawn = "".join(BLOCKS[max(1, round(v / top * (len(BLOCKS) - 1)))] if v else BLOCKS[0] for v in shown)
    said = f"{found.channels} channels, {short(min(reach), 3)} to {short(max(reach), 3)}"
    return [((fit("weights", LABEL), "label"), (drawn, "text")), ((fit("", LABEL), "label"), (fit(said, room), "text"))]
