"""Pictures on terminals that speak kitty's graphics protocol, as text: a picture is sent once, and cells of a private character show it.

Such cells (Unicode placeholders: kitty from 0.28, Ghostty) scroll, and are covered and drawn again like any others. Pure.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping

PLACEHOLDER = "\U0010eeee"
ROWS = (
    0x0305, 0x030D, 0x030E, 0x0310, 0x0312, 0x033D, 0x033E, 0x033F, 0x0346, 0x034A, 0x034B, 0x034C, 0x0350, 0x0351, 0x0352, 0x0357,
    0x035B, 0x0363, 0x0364, 0x0365, 0x0366, 0x0367, 0x0368, 0x0369, 0x036A, 0x036B, 0x036C, 0x036D, 0x036E, 0x036F,
)  # fmt: skip
"""The marks that say in which row of the picture a cell is, and with a second one in which column."""
FIRST, LAST = 16, 255  # ids of pictures: a cell says its picture by one of the 256 colours
CHUNK = 4096  # characters of base64 in one sequence
TERMINALS = ("xterm-kitty", "xterm-ghostty")


def spoken(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal says that it speaks the protocol; tmux and screen would have to be told to let it through."""
    if environment.get("TMUX") or environment.get("STY") or environment.get("NO_COLOR"):
        return False
    return environment.get("TERM") in TERMINALS or bool(environment.get("KITTY_WINDOW_ID"))


def place(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    """Return how many columns and rows a picture of `width` x `height` pixels takes of so many; a cell is twice as high as wide."""
    rows = min(rows, len(ROWS))
    scale = max(width / columns, height / (2 * rows))
    return max(1, min(columns, round(width / scale))), max(1, min(rows, round(height / scale / 2)))


def transmit(id_: int, width: int, height: int, rgb: bytes, columns: int, rows: int) -> str:
    """Return what sends a picture, three bytes a pixel, and lets cells show it as `columns` x `rows`; one of that id gives way."""
    data = base64.b64encode(zlib.compress(rgb)).decode("ascii")
    head = f"a=T,U=1,q=2,f=24,o=z,s={width},v={height},i={id_},c={columns},r={rows}"
    return "".join(f"\x1b_G{keys};{part}\x1b\\" for keys, part in _chunks(head, data))


def _chunks(head: str, data: str) -> Iterator[tuple[str, str]]:
    parts = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)] or [""]
    for at, part in enumerate(parts):
        more = f"m={int(at < len(parts) - 1)}"
        yield (f"{head},{more}" if at == 0 else f"q=2,{more}"), part


def cells(row: int, columns: int) -> str:
    """Return a row of cells that show a picture; each follows the one at its left, the first says where it is."""
    return PLACEHOLDER + chr(ROWS[row]) + chr(ROWS[0]) + PLACEHOLDER * (columns - 1)
