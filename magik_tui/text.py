"""Text that comes from models, files and the worker, made fit for a terminal.

Names are hostile: they hold markup, escape sequences, line breaks and characters that turn the reading direction. Widgets
draw only what went through `clean` (line-API widgets) or `plain` (everything that takes a `Content`).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from textual.content import Content

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ELLIPSIS = "…"
_UNFIT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@lru_cache(maxsize=16384)
def clean(text: str) -> str:
    """Return `text` with every character that a terminal would obey, or that has no shape, replaced by U+FFFD."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(REPLACEMENT if unicodedata.category(c) in _UNFIT else c for c in text)


def plain(text: str) -> Content:
    """Return `text` as content that is shown as it is: no markup, no control characters."""
    return Content(clean(text))


@lru_cache(maxsize=16384)
def elide(text: str, width: int) -> str:
    """Return clean `text` in at most `width` cells; the middle goes first, because names differ most at their ends."""
    text = clean(text)
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    head = (width - 1) // 3
    tail = width - 1 - head
    kept = min(len(text), tail)
    while kept and cell_len(text[-kept:]) > tail:
        kept -= max(1, (cell_len(text[-kept:]) - tail) // 2)
    return set_cell_size(text, head) + ELLIPSIS + (text[-kept:] if kept else "")


@lru_cache(maxsize=8)
def distinct(names: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Return clean `names`, each in at most `width` cells, so that those that differ still do (from about eight cells on).

    Names that `elide` makes equal lose what they have in common instead, the beginning first; where that is not enough, the
    end of a name gives way to its place in the list.
    """
    whole = [clean(name) for name in names]
    chosen = {name: elide(name, width) for name in whole}
    for group in _alike(chosen):
        chosen.update(zip(group, _windows(group, width), strict=True))
    doubtful = {name for group in _alike(chosen) for name in group}
    if doubtful:
        places = {name: place for place, name in enumerate(dict.fromkeys(whole))}
        chosen.update((name, _tagged(name, places[name], width)) for name in doubtful)
    return tuple(chosen[name] for name in whole)


def _alike(chosen: dict[str, str]) -> list[list[str]]:
    """Return the groups of names that look the same."""
    groups: dict[str, list[str]] = {}
    for name, text in chosen.items():
        groups.setdefault(text, []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _windows(group: list[str], width: int) -> list[str]:
    """Return names with a part left out that all of them share: the beginning, or the end, or both."""
    first, last = min(group), max(group)  # what these two share, all of them share
    start = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    longest = max(map(len, group))
    if longest - start < width:
        texts = [ELLIPSIS + name[1 - width :] for name in group]
    else:
        begin = max(0, start - 2)
        texts = [ELLIPSIS + cut(name[begin:], width - 1) if begin else cut(name, width) for name in group]
    return [text if cell_len(text) <= width else elide(text, width) for text in texts]


def _tagged(name: str, place: int, width: int) -> str:
    tag = f"{ELLIPSIS}#{place + 1}"
    return set_cell_size(name, max(0, width - len(tag))).rstrip() + tag if len(tag) < width else elide(name, width)


def cut(text: str, width: int) -> str:
    """Return clean `text` in at most `width` cells; its end goes first."""
    text = clean(text[: width + 1])
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + ELLIPSIS[:width]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return clean `text` in exactly `width` cells, padded at its end, or with `right` at its start."""
    text = elide(text, width)
    room = " " * (width - cell_len(text))
    return room + text if right else text + room
