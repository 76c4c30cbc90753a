"""Where the panes stand: a preset (data in `layouts/presets`), the sizes the user gave, and the terminal's size make places. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Literal, NamedTuple

import msgspec

LEAST = 4  # cells that a part keeps, however large its neighbours are made


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a preset: a slot with `panes`, or `parts` in a row or a column of their own.

    `size` is a number of cells, or a share of what is left ("1fr", "2fr"). Several panes of a slot are tabs, and the `strip` over
    it lists them.
    """

    size: int | str = "1fr"
    panes: tuple[str, ...] = ()
    strip: bool = True
    split: Literal["rows", "columns"] = "rows"
    parts: tuple[Part, ...] = ()


class Preset(Part, frozen=True, forbid_unknown_fields=True):
    """A layout with a name; it is chosen by itself on terminals of at least `least` (columns, rows).

    Panes that it does not name are further tabs of its first slot.
    """

    name: str = ""
    title: str = ""
    least: tuple[int, int] = (0, 0)


class Rect(NamedTuple):
    """A place on the screen, in cells."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Place:
    """One pane that is in sight: its place, and the strip over it with the tabs of its slot, where there is one."""

    pane: str
    region: Rect
    tabs: tuple[str, ...]
    strip: Rect | None


Sizes = Mapping[str, int]
"""What the user made of the sizes: "PRESET/PATH" -> cells, where PATH is the place of a part in the tree ("1", "1.0")."""


@lru_cache(maxsize=1)
def presets() -> tuple[Preset, ...]:
    """Return the presets that come with the workbench, the smallest first."""
    files = resources.files("layouts").joinpath("presets").iterdir()
    read = [msgspec.json.decode(file.read_bytes(), type=Preset) for file in files if file.name.endswith(".json")]
    return tuple(sorted(read, key=lambda preset: (preset.least, preset.name)))


def chosen(known: Sequence[Preset], name: str, width: int, height: int) -> Preset:
    """Return the preset called `name`, or the largest that fits a terminal of that size."""
    named = next((each for each in known if each.name == name), None)
    fits = [each for each in known if each.least[0] <= width and each.least[1] <= height]
    return named or (fits or list(known))[-1 if fits else 0]


def arrange(
    preset: Preset,
    panes: Sequence[str],
    recent: Sequence[str],
    width: int,
    height: int,
    sizes: Sizes | None = None,
    *,
    zoomed: bool = False,
) -> tuple[Place, ...]:
    """Return the panes that are in sight on `width` x `height` cells, from the top left.

    `panes` are those that exist, `recent` those that were in focus, the latest first: of a slot's tabs the latest is in sight.
    """
    whole = Rect(0, 0, width, height)
    if zoomed and recent:
        return (_place(whole, tuple(panes), recent, strip=True),)
    return tuple(_places(_filled(preset, panes), whole, recent, sizes or {}, preset.name))


def _filled(preset: Preset, panes: Sequence[str]) -> Part:
    """Return the preset's tree with existing panes only, those that it does not name as further tabs of its first slot."""
    named = {pane for slot in _slots(preset) for pane in slot.panes}
    rest = [pane for pane in panes if pane not in named]

    def fill(part: Part) -> Part:
        if part.parts:
            return msgspec.structs.replace(part, parts=tuple(fill(each) for each in part.parts))
        mine = {*part.panes, *rest}
        rest.clear()
        return msgspec.structs.replace(part, panes=tuple(pane for pane in panes if pane in mine))

    return fill(preset)


def _slots(part: Part) -> Iterator[Part]:
    if not part.parts:
        yield part
    for each in part.parts:
        yield from _slots(each)


def _empty(part: Part) -> bool:
    return not any(slot.panes for slot in _slots(part))


def _places(part: Part, room: Rect, recent: Sequence[str], sizes: Sizes, path: str) -> Iterator[Place]:
    if not part.parts:
        if part.panes and room.width > 0 and room.height > 0:
            yield _place(room, part.panes, recent, strip=part.strip)
        return
    for inner, each, rect in _divided(part, room, sizes, path):
        yield from _places(each, rect, recent, sizes, inner)


def _place(room: Rect, panes: tuple[str, ...], recent: Sequence[str], *, strip: bool) -> Place:
    pane = next((each for each in recent if each in panes), panes[0])
    if not strip or room.height < 2:
        return Place(pane, room, panes, None)
    return Place(pane, room._replace(y=room.y + 1, height=room.height - 1), panes, room._replace(height=1))


def _divided(part: Part, room: Rect, sizes: Sizes, path: str) -> Iterator[tuple[str, Part, Rect]]:
    """Return the parts that hold something, with their paths and places: fixed sizes first, shares of the rest after that."""
    shown = [(f"{path}/{i}" if path.count("/") == 0 else f"{path}.{i}", each) for i, each in enumerate(part.parts) if not _empty(each)]
    whole = room.height if part.split == "rows" else room.width
    wished = [sizes.get(name, each.size) for name, each in shown]
    cells = [0] * len(wished)
    left, waiting = whole, len(wished)
    for i, size in enumerate(wished):
        if isinstance(size, int):
            waiting -= 1
            cells[i] = max(0, min(max(LEAST, size), left - LEAST * waiting))
            left -= cells[i]
    shares = [(i, int(size.removesuffix("fr"))) for i, size in enumerate(wished) if isinstance(size, str)]
    total = sum(share for _, share in shares)
    for i, share in shares:
        cells[i] = left * share // total
        left, total = left - cells[i], total - share
    if left > 0 and cells and not shares:
        cells[0] += left
    at = room.y if part.split == "rows" else room.x
    for (name, each), size in zip(shown, cells, strict=True):
        yield name, each, room._replace(y=at, height=size) if part.split == "rows" else room._replace(x=at, width=size)
        at += size


def resized(
    preset: Preset, panes: Sequence[str], pane: str, by: int, width: int, height: int, sizes: Sizes, *, outer: bool = False
) -> Sizes:
    """Return the sizes after `pane` was made `by` cells larger in the split it is in, or with `outer` in the split around that.

    Where the pane has a share of what is left, a neighbour of a fixed size is made smaller instead.
    """
    trail = list(_trail(_filled(preset, panes), pane, Rect(0, 0, width, height), sizes, preset.name))
    if outer:
        trail = trail[:-1]
    if not trail:
        return sizes
    mine, siblings = trail[-1]
    if len(siblings) < 2:
        return sizes
    size = {name: (part, cells) for name, part, cells in siblings}
    fixed = [name for name, part, _ in siblings if name != mine and isinstance(sizes.get(name, part.size), int)]
    target = fixed[-1] if fixed and isinstance(sizes.get(mine, size[mine][0].size), str) else mine
    whole = sum(cells for _, _, cells in siblings)
    wanted = size[target][1] + (by if target == mine else -by)
    return {**sizes, target: max(LEAST, min(wanted, whole - LEAST * (len(siblings) - 1)))}


def _trail(part: Part, pane: str, room: Rect, sizes: Sizes, path: str) -> Iterator[tuple[str, list[tuple[str, Part, int]]]]:
    """Yield, from the outermost split to the one that holds `pane`, the path of its part there and all parts with their cells."""
    if not part.parts:
        return
    divided = list(_divided(part, room, sizes, path))
    found = next((each for each in divided if any(pane in slot.panes for slot in _slots(each[1]))), None)
    if found is None:
        return
    yield found[0], [(name, each, rect.height if part.split == "rows" else rect.width) for name, each, rect in divided]
    yield from _trail(found[1], pane, found[2], sizes, found[0])
