"""What is typed after `/`: the grammar, its mistakes told with what was expected, and the line that takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from textual import events as ui
from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import Input

from magik_tui.core.filtering import Columns, Filter, Term, begun, parse
from magik_tui.ordered import Ordered
from magik_tui.widgets.filterline import FilterLine
from magik_tui.widgets.ink import line_text

COLUMNS = Columns(("cos", "sqnr", "sat", "bits"), ("name", "type"))
ROWS: dict[str, dict[str, float | str | None]] = {
    "conv_1": {"name": "conv_1", "type": "Conv2D", "cos": 0.97, "sqnr": 12.0, "sat": 0.02, "bits": 8},
    "conv_2": {"name": "conv_2", "type": "Conv2D", "cos": 0.99, "sqnr": 25.5, "sat": 0.0, "bits": 12},
    "Relu a<b": {"name": "Relu a<b", "type": "ReLU", "cos": 0.98, "sqnr": -3.0, "sat": None, "bits": 8},
    "soft": {"name": "soft", "type": "Softmax", "cos": None, "sqnr": None, "sat": None, "bits": None},
}


def left(text: str) -> list[str]:
    found = parse(text, COLUMNS)
    assert not found.trouble
    rows = ROWS.items()
    return [name for name, row in rows if found.fits((name.casefold(), str(row["type"]).casefold()), row.__getitem__)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", list(ROWS)),
        ("   ", list(ROWS)),
        ("CONV", ["conv_1", "conv_2"]),
        ("conv 2", ["conv_1", "conv_2"]),  # a 2 is in Conv2D, too
        ("!conv", ["Relu a<b", "soft"]),
        ('"a<b"', ["Relu a<b"]),
        ('"relu a', ["Relu a<b"]),
        ('!"relu a"', ["conv_1", "conv_2", "soft"]),
        ("cos<0.98", ["conv_1"]),
        ("cos<=0.98", ["conv_1", "Relu a<b"]),
        ("cos>.98", ["conv_2"]),
        ("COS>=98%", ["conv_2", "Relu a<b"]),
        ("sat>1%", ["conv_1"]),
        ("sqnr<0", ["Relu a<b"]),
        ("sqnr>-5e0", ["conv_1", "conv_2", "Relu a<b"]),
        ("bits=8 cos<0.98", ["conv_1"]),
        ("bits!=8", ["conv_2"]),
        ("type=conv bits==12", ["conv_2"]),
        ("type!=conv", ["Relu a<b", "soft"]),
        ("name=2", ["conv_2"]),
        ("nothing", []),
    ],
)
def test_all_terms_must_hold(text: str, names: list[str]) -> None:
    assert left(text) == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sqn<20", "there is no column sqn; did you mean sqnr?"),
        ("zebra=1", "there is no column zebra: one of cos, sqnr, sat, bits, name, type"),
        ("cos<", "cos< needs a number, as in cos<0.98"),
        ("bits>x", "bits> needs a number, as in bits>8, not x"),
        ("cos<nan", "cos< needs a number, as in cos<0.98, not nan"),
        ("cos<1_0", "cos< needs a number, as in cos<0.98, not 1_0"),
        ("type>3", "type is a word: type=PART or type!=PART"),
    ],
)
def test_a_mistake_is_told_with_what_was_expected(text: str, said: str) -> None:
    assert parse(f"conv {text}", COLUMNS) == Filter(f"conv {text}", (Term("conv"),), said)  # what makes sense holds


BEGUN = [("s", 0), ("conv CO", 1), ("conv co ", None), ("conv", None), ("!s", None), ("cos<1", None)]


@pytest.mark.parametrize(("text", "left_over"), BEGUN)
def test_a_word_that_may_become_a_column_is_only_begun(text: str, left_over: int | None) -> None:
    found = begun(parse(text, COLUMNS), COLUMNS)
    assert (found and len(found.terms)) == left_over


def test_names_that_mean_harm_are_found_as_they_are(hostile: Sequence[str]) -> None:
    for name in hostile:
        found = parse(f'"{name}"', COLUMNS)
        assert not found.trouble
        assert found.fits((name.casefold(), "conv2d"), {}.get)
        assert parse(name, COLUMNS).text == name  # whatever it says, nothing breaks


class Bench(App[None]):
    """A filter line and nothing else; `said` is what it told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str | bool | int] = []

    def compose(self) -> ComposeResult:
        yield FilterLine(id="filter")

    def on_filter_line_typed(self, message: FilterLine.Typed) -> None:
        self.said.append(message.text)

    def on_filter_line_left(self, message: FilterLine.Left) -> None:
        self.said.append(message.keep)

    def on_filter_line_walked(self, message: FilterLine.Walked) -> None:
        self.said.append(message.by)


def test_the_line_tells_what_is_typed_and_how_it_was_left() -> None:
    async def main() -> None:
        app = Bench()
        async with app.run_test(size=(60, 15)) as pilot:
            line = app.screen.query_one(FilterLine)
            assert line.size.height == 0
            line.open()
            await pilot.press("a", "<", "down", "enter")
            assert app.said == ["a", "a<", 1, True]
            line.show("a<", "3 of 9")
            await pilot.pause()
            assert (line.is_open, line.size.height) == (False, 1)
            line.open()
            await pilot.press("5", "escape")
            assert app.said[4:] == ["a<5", False]
            line.show("", "")
            await pilot.pause()
            assert line.size.height == 0

    asyncio.run(main())


def test_a_key_that_comes_with_enter_is_for_who_has_the_focus_then() -> None:
    class Rows(Widget, can_focus=True):
        def on_key(self, event: ui.Key) -> None:
            self.app.said.append(event.key)  # type: ignore[attr-defined]

    class Both(Ordered, Bench):
        def compose(self) -> ComposeResult:
            yield Rows()
            yield from super().compose()

    async def main() -> None:
        app = Both()
        async with app.run_test(size=(60, 15)) as pilot:
            app.screen.set_focus(app.query_one(Rows))
            app.query_one(FilterLine).open()
            for key in ("c", "enter", "n"):
                app.post_message(ui.Key(key, key if len(key) == 1 else None))
            async with asyncio.timeout(10):
                while len(app.said) < 3:
                    await pilot.pause()
            assert sorted(map(str, app.said)) == ["True", "c", "n"]
            assert app.query_one(Input).value == "c"

    asyncio.run(main())


def test_a_mistake_takes_the_place_of_what_comes_of_it() -> None:
    async def main() -> None:
        app = Bench()
        async with app.run_test(size=(60, 15)) as pilot:
            line = app.screen.query_one(FilterLine)
            line.show("conv", "3 of 9 layers")
            await pilot.pause()
            told: Any = line.query_one("#filter-said")
            assert line_text(told.lines[0]) == "3 of 9 layers"
            line.show("conv", "3 of 9 layers", "there is no column sqn; did you mean sqnr, which is one of them?")
            await pilot.pause()
            assert line_text(told.lines[0]) == "there is no column sqn; did you mean…"
            assert told.size.width == len(line_text(told.lines[0]))

    asyncio.run(main())
