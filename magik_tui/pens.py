"""How styled text is written for a terminal in few bytes: of a style, what differs from the one before it.

rich says every style whole and takes it back after each run of text; two thirds of a frame are that.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28", "9": "29", "21": "24", "53": "55"}
SEEN_ON_BLANKS = frozenset({"4", "7", "9", "21", "53"})  # underlined, reversed, struck, doubly underlined, overlined
RESET = "\x1b[0m"


class Pen(NamedTuple):
    """What a terminal writes with: codes of attributes, of the ink, of the paper."""

    attributes: frozenset[str] = frozenset()
    ink: str = "39"
    paper: str = "49"


PLAIN = Pen()


@lru_cache(maxsize=4096)
def pen(style: Style | None, system: ColorSystem) -> Pen:
    """Return the pen of a style, with colours that the terminal has."""
    if style is None:
        return PLAIN
    attributes = Strip.render_ansi(style.without_color, system)
    ink, paper = (
        ";".join(color.downgrade(system).get_ansi_codes(foreground)) if color is not None else usual
        for color, foreground, usual in ((style.color, True, "39"), (style.bgcolor, False, "49"))
    )
    return Pen(frozenset(filter(None, attributes.split(";"))), ink, paper)


@lru_cache(maxsize=8192)
def turn(old: Pen, new: Pen, blank: bool) -> tuple[str, Pen]:
    """Return what makes the old pen the new one, and the pen there is then; for `blank` text only what is seen of it counts."""
    if blank and not SEEN_ON_BLANKS & (old.attributes | new.attributes):
        new = old._replace(paper=new.paper)
    if old == new:
        return "", new
    off = {OFF.get(code, "0") for code in old.attributes - new.attributes}
    if "0" in off or new == PLAIN:
        old, codes = PLAIN, ["0"]
    else:
        codes = sorted(off)
    kept = {code for code in old.attributes if OFF.get(code) not in off}  # bold and dim are taken back together
    codes += sorted(new.attributes - kept)
    codes += [each for each, before in ((new.ink, old.ink), (new.paper, old.paper)) if each != before]
    return f"\x1b[{';'.join(codes)}m", new


def written(pieces: Iterable[tuple[str, Iterable[Segment]]], system: ColorSystem) -> str:
    """Return pieces of text, each behind what takes the cursor to its place, for a terminal with a plain pen, which it has afterwards."""
    parts: list[str] = []
    now = PLAIN
    for place, segments in pieces:
        parts.append(place)
        for text, style, _ in segments:
            if style is not None and style.link:
                parts += [RESET if now != PLAIN else "", Strip.render_style(style, text, system)]
                now = PLAIN
                continue
            codes, now = turn(now, pen(style, system), not text.strip(" "))
            parts += [codes, text]
    if now != PLAIN:
        parts.append(RESET)
    return "".join(parts)


@lru_cache(maxsize=4096)
def on_blanks(style: Style | None) -> Style | None:
    """Return what is seen of a style where nothing is written."""
    if style is None or style.underline or style.reverse or style.strike or style.underline2 or style.overline:
        return style
    return Style.from_color(None, style.bgcolor) if style.bgcolor is not None and not style.bgcolor.is_default else None
