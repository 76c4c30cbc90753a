"""Where panes stand: every layout, every size, every set of panes fills the room without gaps or overlaps."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magik_tui.arrange import LEAST, Place, Preset, Rect, arrange, chosen, presets, resized
from magik_tui.panes.registry import TITLES

ALL = tuple(TITLES)
PRESETS = {preset.name: preset for preset in presets()}


def cells(places: tuple[Place, ...]) -> list[tuple[int, int]]:
    rects: list[Rect] = [rect for place in places for rect in (place.region, place.strip) if rect is not None]
    return [(x, y) for r in rects for x, y in product(range(r.x, r.x + r.width), range(r.y, r.y + r.height))]


def test_every_preset_has_its_own_name_and_knows_only_panes_that_can_be() -> None:
    assert len(PRESETS) == len(presets())
    for preset in presets():
        named = str(preset)
        assert all(f"'{pane}'" in named for pane in ALL), preset.name


@pytest.mark.parametrize(
    ("size", "name"), [((60, 15), "small"), ((80, 24), "small"), ((120, 40), "wide"), ((200, 50), "broad"), ((200, 24), "wide")]
)
def test_the_layout_suits_the_terminal_unless_one_is_named(size: tuple[int, int], name: str) -> None:
    assert chosen(presets(), "", *size).name == name
    assert chosen(presets(), "single", *size).name == "single"
    assert chosen(presets(), "no such", *size).name == name


@given(
    name=st.sampled_from(sorted(PRESETS)), panes=st.sets(st.sampled_from(ALL), min_size=1), recent=st.permutations(ALL),
    width=st.integers(60, 90), height=st.integers(13, 40), zoomed=st.booleans(), by=st.lists(st.sampled_from((-30, -2, 2, 30)), max_size=4),
    outer=st.booleans(),
)  # fmt: skip
def test_the_room_is_filled_once(
    name: str, panes: set[str], recent: list[str], width: int, height: int, zoomed: bool, by: list[int], outer: bool
) -> None:
    preset: Preset = PRESETS[name]
    known = tuple(pane for pane in ALL if pane in panes)
    latest = [pane for pane in recent if pane in panes]
    sizes: dict[str, int] = {}
    for each in by:
        sizes = dict(resized(preset, known, latest[0], each, width, height, sizes, outer=outer))
    places = arrange(preset, known, latest, width, height, sizes, zoomed=zoomed)
    seen = cells(places)
    assert len(seen) == len(set(seen)) == width * height
    assert latest[0] in {place.pane for place in places}
    assert all(place.region.width >= LEAST and place.region.height >= LEAST - 1 for place in places)
    tabs = [pane for place in places for pane in place.tabs]
    assert sorted(tabs) == sorted(known)


def test_the_pane_that_had_the_keys_last_is_the_tab_in_sight() -> None:
    places = arrange(PRESETS["small"], ALL, ("layer", "log", "heatmap"), 80, 22)
    assert [place.pane for place in places] == ["log", "layer"]


def test_a_pane_grows_at_the_cost_of_its_neighbour() -> None:
    wide = PRESETS["wide"]
    for pane, by in (("layer", 6), ("heatmap", -6)):
        sizes = resized(wide, ALL, pane, by, 120, 38, {})
        after = {place.pane: place.region.width for place in arrange(wide, ALL, ("heatmap", "layer"), 120, 38, sizes)}
        assert after == {"heatmap": 76, "layer": 44}
    broad = PRESETS["broad"]
    sizes = resized(broad, ALL, "layer", 10, 200, 48, resized(broad, ALL, "layer", 4, 200, 48, {}), outer=True)
    after_ = {place.pane: place.region for place in arrange(broad, ALL, ("heatmap", "layer", "log"), 200, 48, sizes)}
    assert (after_["layer"].width, after_["layer"].height) == (74, 33)


def test_a_lonely_pane_cannot_grow() -> None:
    assert resized(PRESETS["single"], ALL, "log", 4, 80, 22, {}) == {}
