"""What is sent of a frame leaves the terminal with that frame, whatever it showed before, and what is there already is not sent again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from magik_tui.frames import Frames
from magik_tui.pens import pen, turn, written
from tests.magik_tui.emulator import Screen

WIDTH, HEIGHT = 24, 3
SIZE = Size(WIDTH, HEIGHT)
SYSTEM = ColorSystem.EIGHT_BIT
STYLES = [
    None, Style(bold=True), Style(reverse=True), Style(dim=True, color="red"), Style(color="#010203", bgcolor="color(17)"),
    Style(bold=True, dim=True, bgcolor="color(17)"), Style(underline=True, italic=True, color="bright_blue", bgcolor="default"),
    Style(color="red", bgcolor="white", link="https://here"),
]  # fmt: skip
Runs = list[tuple[str, int]]


def strip(runs: Runs, width: int) -> Strip:
    return Strip([Segment(text, STYLES[style]) for text, style in runs]).adjust_cell_length(width)


words = st.lists(st.sampled_from(["a", "b", " ", "0", "░", "层", "e\u0301"]), max_size=6).map("".join)
runs = st.lists(st.tuples(words, st.integers(0, len(STYLES) - 1)), max_size=8)
frames = st.lists(st.lists(runs, min_size=HEIGHT, max_size=HEIGHT), min_size=1, max_size=4)


def full(lines: Sequence[Runs], cut: int = WIDTH) -> LayoutUpdate:
    strips = [strip(line, WIDTH) for line in lines]
    return LayoutUpdate([[each.crop(0, cut), each.crop(cut, WIDTH)] for each in strips], Region(0, 0, WIDTH, HEIGHT))


CONSOLE = Console(color_system="256", force_terminal=True, legacy_windows=False)


def shown(lines: Sequence[Runs], cut: int) -> Screen:
    """A terminal that was sent the whole frame."""
    terminal = Screen(WIDTH, HEIGHT)
    for y, strips in enumerate(full(lines, cut).strips):
        terminal.read(f"\x1b[{y + 1};1H" + "".join(each.render(CONSOLE) for each in strips))
    return terminal


@given(frames, st.integers(0, WIDTH))
def test_the_terminal_ends_with_the_last_frame(sequence: list[list[Runs]], cut: int) -> None:
    memory, terminal = Frames(), Screen(WIDTH, HEIGHT)
    for lines in sequence:
        terminal.read(memory.less(full(lines, cut), SIZE).render_segments(CONSOLE))
        assert terminal.lines() == shown(lines, cut).lines()
        assert terminal.cells == shown(lines, cut).cells
        assert memory.less(full(lines, cut), SIZE).pieces == []


@given(
    lines=st.lists(runs, min_size=HEIGHT, max_size=HEIGHT), over=runs, y=st.integers(0, HEIGHT - 1), x=st.integers(1, WIDTH - 4),
    size=st.integers(1, 12),
)  # fmt: skip
def test_a_part_of_a_line_is_laid_over_it(lines: list[Runs], over: Runs, y: int, x: int, size: int) -> None:
    memory, terminal = Frames(), Screen(WIDTH, HEIGHT)
    terminal.read(memory.less(full(lines), SIZE).render_segments(CONSOLE))
    end = min(WIDTH, x + size)
    piece = strip(over, end - x)
    chops = [{0: None, x: None, end: None} if row != y else {0: None, x: piece, end: None} for row in range(HEIGHT)]
    update = ChopsUpdate(chops, [(y, x, end)], [[x, end, WIDTH]] * HEIGHT)
    terminal.read(memory.less(update, SIZE).render_segments(CONSOLE))
    plain = shown(lines, WIDTH)
    plain.read(f"\x1b[{y + 1};{x + 1}H{piece.render(CONSOLE)}")
    assert terminal.lines() == plain.lines()


def sent(before: str, after: str) -> str:
    memory = Frames()
    memory.less(full([[(before, 0)], [], []]), SIZE)
    return memory.less(full([[(after, 0)], [], []]), SIZE).render_segments(CONSOLE)


@pytest.mark.parametrize(
    ("before", "after", "bytes_"),
    [
        ("running 3s", "running 4s", "\x1b[1;9H4s"),
        ("row 1   0.98 ok", "row 1   0.97 ok", "\x1b[1;9H0.97"),
        ("a             b", "x             y", "\x1b[1;1Hx\x1b[1;15Hy"),
        ("a   b", "x   y", "\x1b[1;1Hx   y"),
        ("same", "same", ""),
    ],
)
def test_words_that_differ_are_sent(before: str, after: str, bytes_: str) -> None:
    assert sent(before, after) == bytes_


def test_nothing_is_trusted_after_a_change_of_size_or_when_told_so() -> None:
    memory = Frames()
    lines: list[Runs] = [[("abc", 0)], [], []]
    assert len(memory.less(full(lines), SIZE).pieces) == 2 * HEIGHT
    assert memory.less(full(lines), SIZE).pieces == []
    memory.forget()
    assert len(memory.less(full(lines), SIZE).pieces) == 2 * HEIGHT
    assert len(memory.less(full(lines), Size(WIDTH + 1, HEIGHT)).pieces) == 2 * HEIGHT


@pytest.mark.parametrize(
    ("before", "after", "blank", "codes"),
    [
        (Style(color="red", bgcolor="blue"), Style(color="green", bgcolor="blue"), False, "\x1b[32m"),
        (Style(color="red", bgcolor="blue"), Style(color="green", bgcolor="blue"), True, ""),
        (Style(color="red", bgcolor="blue"), Style(bgcolor="white", bold=True), True, "\x1b[47m"),
        (Style(bold=True), Style(bold=True, bgcolor="white"), False, "\x1b[47m"),
        (Style(bold=True, dim=True), Style(dim=True), False, "\x1b[22;2m"),
        (Style(reverse=True, color="red"), Style(color="red"), True, "\x1b[27m"),
        (Style(bold=True, color="red"), None, False, "\x1b[0m"),
        (None, Style(color="#010203"), False, "\x1b[38;5;16m"),
        (Style(color="red"), Style(color="red"), False, ""),
    ],
)
def test_of_a_style_what_differs_is_sent(before: Style | None, after: Style | None, blank: bool, codes: str) -> None:
    assert turn(pen(before, SYSTEM), pen(after, SYSTEM), blank)[0] == codes


def test_the_terminal_is_left_with_a_plain_pen() -> None:
    text = written(
        [("", [Segment("a", Style(bold=True)), Segment("b", Style(color="red", link="https://here")), Segment("c", None)])], SYSTEM
    )
    assert text.startswith("\x1b[1ma\x1b[0m\x1b]8;")
    assert text.endswith("\x1b[31mb\x1b[0m\x1b]8;;\x1b\\c")
    assert written([("", [Segment("a", Style(bold=True))])], SYSTEM) == "\x1b[1ma\x1b[0m"
