"""The heatmap's room: which figures, which layers, in which order, against which run; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import pytest

from magik_tui import events as ev
from magik_tui import figures as fg
from magik_tui import figuretext as ft
from magik_tui import table as tb
from magik_tui import wire
from magik_tui.core import State, update
from magik_tui.core.against import AgainstAsked, AgainstChosen
from magik_tui.core.asking import Prompt
from magik_tui.core.choices import Choice
from magik_tui.core.heat import BadMoved, FilterTyped, Heat, LocalAsked, MeasureAsked, RowMoved, SortAsked, TurnAsked, view
from magik_tui.core.history import ComparedAsked, Forget, History, Past, Whole
from magik_tui.core.live import Live
from magik_tui.core.places import PaneChosen, Places
from magik_tui.core.session import restored, saved
from magik_tui.figures import COSINE, LOCAL, LOCAL_SQNR, SATURATION, SQNR, figures, map_levels
from magik_tui.levels import FLOORS
from magik_tui.panes.heatmap import said_lines
from magik_tui.sheets import layers_sheet
from magik_tui.table import Table
from magik_tui.widgets.grid import extent, lay_out, map_cell, row_line
from magik_tui.widgets.ink import line_text

MakeDocument = Callable[..., wire.Document]


@pytest.fixture
def table(document: MakeDocument) -> Table:
    return tb.from_document(document(), ())


@pytest.fixture
def state(table: Table) -> State:
    return State("/p/net", table=table, phase="done", worker="ready")


def after(state: State, *events: ev.Event) -> State:
    for event in events:
        state, _ = update(state, event)
    return state


def said(state: State, width: int = 120) -> str:
    return "".join(line_text(line) for line in said_lines(state, view(state), width))


def names(state: State) -> list[str]:
    return [state.table.rows[row].name for row in view(state).order]


# Figures


def test_the_same_noise_has_the_same_level_as_cosine_and_as_sqnr() -> None:
    assert [round(floor, 1) for floor in fg.DB_FLOORS] == [27.0, 20.0, 16.9, 13.8, 9.7, 6.3, 2.5]
    for step, floor in enumerate(FLOORS):
        assert COSINE.level(floor) == SQNR.level(fg.DB_FLOORS[step]) == step
        assert COSINE.level(floor - 1e-6) == SQNR.level(fg.DB_FLOORS[step] - 1e-3) == step + 1
    assert [SATURATION.level(share) for share in (0.0, 0.0001, 0.0002, 0.01, 0.011, 1.0)] == [0, 0, 1, 3, 4, 7]


def test_every_measure_has_a_number_for_every_sample(table: Table) -> None:
    for measure in fg.MEASURES:
        found = figures(table, measure)
        pick = min if measure.low_is_bad else max
        for row in (0, 13, 24):
            cells = [column[row] for column in found.columns if column is not None]
            assert len(cells) == 12
            assert found.worst[row] == pick(cell for cell in cells if cell is not None)
        assert found.worst[23] is None  # the layer without a cosine
        assert figures(table, measure) is found  # asked again, it costs nothing
    assert figures(table, SQNR).mean[0] == 18.42


def test_a_run_that_goes_on_has_all_measures_too(document: MakeDocument) -> None:
    rows = document().nodes
    table = tb.from_layers(wire.Layers(rows, ("a", "b")))
    told = {"cosine": 0.97, "sqnr_db": 12.0, "saturation": 0.02, "local_cosine": 0.99, "local_sqnr_db": 17.0}
    table = tb.with_sample(table, wire.Sample("b", 1, {rows[0].name: told}))
    for measure in fg.MEASURES:
        found = figures(table, measure)
        assert found.columns[0] is None
        assert (found.columns[1] or ())[:2] == (told[measure.cell], None)
        assert found.worst[:2] == found.mean[:2] == (told[measure.cell], None)


@pytest.mark.parametrize("measure", fg.MEASURES, ids=lambda measure: measure.key)
@pytest.mark.parametrize("value", [-1.0, -0.5, 0.0, 1e-9, 0.0012, 0.01, 0.05, 0.5, 0.98765, 0.99999, 1.0, 13.85, 99.6, 999.0, -123.4])
def test_numbers_fit_their_columns(measure: fg.Measure, value: float) -> None:
    if (measure.is_cosine and abs(value) > 1) or (measure is SATURATION and not 0 <= value <= 1):
        return
    plain = figures(tb.from_layers(wire.Layers((), ())), measure)
    for shown in (plain, replace(plain, difference=True)):
        assert 0 < len(ft.short(shown, value)) <= 3
        assert 0 < len(ft.long(shown, value)) <= 6
        assert all(0 < len(ft.number(shown, value, places)) <= places + 2 for places in (4, 5))


@pytest.mark.parametrize(
    ("measure", "change", "texts", "step"),
    [
        (COSINE, 0.0004, ("0", "+.0004"), 0),
        (COSINE, -0.0123, ("-12", "-.0123"), -2),
        (COSINE, 0.0123, ("+12", "+.0123"), 2),
        (COSINE, -0.25, ("-.2", "-.2500"), -3),
        (COSINE, 1e-9, ("0", "0"), 0),
        (SQNR, -0.26, ("-.3", "-0.3"), 0),
        (SQNR, 12.2, ("+12", "+12.2"), 3),
        (SATURATION, 0.012, ("+1", "+1.2%"), -2),
        (SATURATION, -0.012, ("-1", "-1.2%"), 2),
    ],
)
def test_a_change_has_a_sign_and_a_step(measure: fg.Measure, change: float, texts: tuple[str, str], step: int) -> None:
    shown = replace(figures(tb.from_layers(wire.Layers((), ())), measure), difference=True)
    assert (ft.short(shown, change), ft.number(shown, change, 4)) == texts
    assert shown.level(change) == step


# Order and filter


def test_layers_are_ordered_by_every_column_and_turned_round(state: State) -> None:
    graph = [row.name for row in state.table.rows]
    worst = dict(zip(graph, state.table.worst, strict=True))
    assert names(state) == graph
    assert said(state) == ""
    by_worst = after(state, SortAsked("worst"))
    known = [worst[name] for name in names(by_worst)[:-1]]
    assert known == sorted(known)
    assert names(by_worst)[-1] == graph[23]  # the layer without a cosine comes last, whichever way
    turned = after(by_worst, TurnAsked())
    assert [worst[name] for name in names(turned)[:-1]] == known[::-1]
    assert names(turned)[-1] == graph[23]
    assert said(turned) == " by worst, best first"
    assert names(after(state, TurnAsked())) == graph[::-1]
    assert names(after(state, SortAsked("name"))) == sorted(graph, key=str.casefold)
    widths = [state.table.rows[row].feature_bits for row in view(after(state, SortAsked("bits"))).order]
    assert widths == [8] * 23 + [12, None]


def test_the_sample_that_orders_the_layers_is_the_one_at_the_cursor(state: State) -> None:
    seen = after(replace(state, column=3), SortAsked("sample"))
    column = state.table.columns[3] or ()
    assert [column[row] for row in view(seen).order][:3] == sorted(value for value in column if value is not None)[:3]
    assert said(seen) == " by sample cat_003.jpg"
    assert view(replace(seen, column=5)).order == view(seen).order
    gone = replace(seen, table=replace(state.table, samples=("x",) * 12))
    assert (view(gone).order, said(gone)) == (tuple(range(25)), " in graph order, there is no sample cat_003.jpg")


def test_one_key_goes_through_all_columns(state: State) -> None:
    seen = []
    for _ in range(7):
        state = after(state, SortAsked())
        seen.append(state.of(Heat).sort)
    assert seen == ["worst", "mean", "sample", "name", "type", "bits", "graph"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("cos<0.98", range(12, 19)),
        ("cos<0.98 conv", (12, 13, 18)),
        ("bits>8", (3,)),
        ("relu4", ()),
        ("relu3", (3,)),
        ("method=float", (24,)),
        ("type=softmax", (24,)),
        ("worst<0.9 sqnr<6", (14, 15, 16)),
        ("wbits=8 max<6", (0, 1)),
    ],
)
def test_a_filter_leaves_the_layers_that_fit(state: State, text: str, rows: Sequence[int]) -> None:
    seen = after(state, FilterTyped(text))
    assert sorted(view(seen).order) == list(rows)


def test_a_filter_that_makes_no_sense_yet_leaves_what_was_there(state: State) -> None:
    for text in ("c", "co", "cos", "cos<", "cos<0.9", "cos<0.98", "cos<0.98 bi", "cos<0.98 bits", "cos<0.98 bits>", "cos<0.98 bits>7"):
        state = after(state, FilterTyped(text))
        count = {"c": 20, "co": 8, "cos<0.9": 3}.get(text, 25 if len(text) < 7 else 7)  # these are parts of names
        assert (text, len(view(state).order)) == (text, count)
        assert (state.of(Heat).filter.trouble != "") == text.endswith(("<", ">"))
    assert view(after(state, FilterTyped("bits", done=True))).order == ()  # no layer is called so, and nobody types on


def test_the_cursor_stays_on_its_layer_and_comes_back_to_it(state: State) -> None:
    state = replace(state, cursor=10)
    assert after(state, SortAsked("worst"), TurnAsked()).cursor == 10
    narrowed = after(state, FilterTyped("cos<0.98"))
    assert narrowed.cursor == 12  # the nearest one below that is left
    assert after(narrowed, FilterTyped("")).cursor == 10
    assert after(narrowed, RowMoved(1), FilterTyped("")).cursor == 13  # someone went on from there: so it stays
    assert after(replace(state, cursor=20), FilterTyped("cos<0.98")).cursor == 18
    assert after(state, FilterTyped("nothing is called so")).cursor == 10


def test_keys_walk_over_what_is_shown(state: State) -> None:
    worst = after(state, SortAsked("worst"))
    order = view(worst).order
    assert after(worst, RowMoved(to=0)).cursor == order[0]
    assert after(worst, RowMoved(to=0), RowMoved(2)).cursor == order[2]
    assert after(worst, RowMoved(to=-1)).cursor == order[-1] == 23
    narrowed = after(state, FilterTyped("cos<0.98"))
    assert after(narrowed, RowMoved(100)).cursor == 18
    hidden = replace(narrowed, cursor=15, table=tb.from_document(wire.Document(state.table.rows), ()))
    hidden = replace(hidden, table=state.table, cursor=20)  # a new table has hidden the layer at the cursor
    assert (after(hidden, RowMoved(-1)).cursor, after(hidden, RowMoved(1)).cursor) == (18, 18)
    assert after(replace(hidden, cursor=5), RowMoved(1)).cursor == 12
    empty = after(state, FilterTyped("zzz"))
    assert "no layer fits the filter" in getattr(after(empty, RowMoved(1)).note, "text", "")  # also in the pane Layer, which has no filter
    assert after(empty, RowMoved(1), RowMoved(to=-1), BadMoved(1)).cursor == 0


def test_the_next_bad_layer_is_bad_by_what_is_shown(state: State) -> None:
    assert [row for row in range(25) if row in view(state).bad] == list(range(12, 19))
    assert after(state, BadMoved(1)).cursor == 12
    assert after(state, BadMoved(-1)).cursor == 18
    alone = after(state, LocalAsked())
    assert view(alone).bad < view(state).bad
    saturated = after(state, MeasureAsked("saturation"))
    assert view(saturated).bad == {row for row, share in enumerate(figures(state.table, SATURATION).worst) if (share or 0) > 0.01}
    good = after(state, FilterTyped("cos>0.98"), BadMoved(1))
    assert good.note is not None
    assert good.note.text == "no layer below 0.98 among those that the filter leaves"


def test_metrics_go_round_and_each_is_of_the_whole_or_alone(state: State) -> None:
    seen = []
    for event in (MeasureAsked(), LocalAsked(), MeasureAsked(), MeasureAsked()):
        state = after(state, event)
        seen.append(view(state).figures.measure)
    assert seen == [SQNR, LOCAL_SQNR, SATURATION, LOCAL]
    assert said(state) == " cosine, of each layer alone"


def test_the_session_finds_it_all_again(state: State) -> None:
    asked = (MeasureAsked("sqnr"), LocalAsked(), SortAsked("sample"), TurnAsked(), FilterTyped("bits>8"))
    kept = saved(after(replace(state, column=2), *asked))
    found = restored(State("/p/net"), kept)
    heat = found.of(Heat)
    assert (heat.metric, heat.local, heat.sort, heat.sample, heat.back) == ("sqnr", True, "sample", "cat_002.jpg", True)
    assert (heat.filter.text, view(replace(found, table=state.table)).order) == ("bits>8", (3,))
    for broken in ({"sort": "colour"}, {"metric": 3}, {"filter": "cos<"}, "x"):
        assert restored(State("p"), {"heat": broken}).of(Heat).filter.terms == ()


def test_the_sheet_is_what_is_shown(state: State) -> None:
    shown = after(state, MeasureAsked("sqnr"), SortAsked("worst"), FilterTyped("cos<0.98"), RowMoved(1))
    sheet = layers_sheet(shown, view(shown))
    assert [row[0] for row in sheet.rows] == names(shown)
    assert sheet.rows[sheet.row][0] == shown.table.rows[shown.cursor].name
    assert sheet.heads[-1] == "cat_011.jpg sqnr"
    assert sheet.rows[0][-1] == (figures(state.table, SQNR).columns[11] or ())[view(shown).order[0]]


# Against an earlier run


def with_run(state: State, document: wire.Document) -> State:
    return after(state.put(History(other=Whole("20260101-aaaa", document=document))), AgainstAsked())


@pytest.fixture
def earlier(document: MakeDocument) -> wire.Document:
    """The run as it was, but one layer is better, one is much worse, one was called otherwise."""
    nodes = list(document().nodes)
    for row, by in ((2, -0.01), (7, 0.03)):
        node = nodes[row]
        scores = tuple(msgspec.structs.replace(s, cosine=(s.cosine or 0) + by) for s in node.samples)
        means = {name: getattr(node, name) + by for name in ("cosine_avg", "cosine_min")}
        nodes[row] = msgspec.structs.replace(node, samples=scores, **means)
    nodes[5] = msgspec.structs.replace(nodes[5], name="old name")
    return wire.Document(tuple(nodes))


def test_a_difference_has_sign_and_digits_and_says_what_it_cannot_compare(state: State, earlier: wire.Document) -> None:
    seen = with_run(state, earlier)
    shown = view(seen).figures
    assert said(seen) == " difference to 20260101-aaaa (1 only here, 1 only there)"
    drawn = {}
    for width in (79, 150):
        grid = lay_out(extent(seen.table), width, 0)
        lines = [line_text(row_line(seen.table, row, grid, shown=shown)) for row in range(25)]
        assert len({len(line) for line in lines}) == 1
        drawn[width] = lines
    assert drawn[79][2].endswith(" +.0100 +.0100 ▲▲▲▲▲▲▲▲▲▲▲▲")
    assert drawn[79][7].endswith(" -.0300 -.0300 ▼▼▼▼▼▼▼▼▼▼▼▼")
    assert drawn[79][7].startswith(" x ")
    assert drawn[79][0].endswith("      0      0 ············")
    assert drawn[150][7].endswith(" -30" * 12)
    assert "not comparable" in drawn[79][5]
    assert "not comparable" in drawn[150][5]
    roles = [role for _, role in row_line(seen.table, 7, lay_out(extent(seen.table), 79, 0), shown=shown)][-12:]
    assert set(roles) == {"worse3"}
    assert view(seen).bad == {7}
    fell = msgspec.structs.replace(earlier.nodes[9], cosine_avg=(earlier.nodes[9].cosine_avg or 0) + 0.03)
    assert view(with_run(state, wire.Document((*earlier.nodes[:9], fell, *earlier.nodes[10:])))).bad == {7, 9}  # a mean that fell, too
    assert after(seen, BadMoved(1)).cursor == 7
    better = after(seen, FilterTyped("worst>-0.01"), BadMoved(1))
    assert better.note is not None
    assert better.note.text == "no layer became worse by 0.005 or more among those that the filter leaves"
    assert names(after(seen, SortAsked("worst")))[0] == seen.table.rows[7].name
    assert sorted(view(after(seen, FilterTyped("worst<-0.01"))).order) == [7]
    assert not view(after(seen, AgainstAsked())).figures.difference


def test_a_run_without_values_per_sample_says_so(state: State, earlier: wire.Document) -> None:
    bare = wire.Document(tuple(msgspec.structs.replace(node, by_sample=wire.BySample()) for node in earlier.nodes))
    seen = after(with_run(state, bare), MeasureAsked("sqnr"))
    assert said(seen).endswith(" · no values per sample")
    assert view(seen).figures.mean[0] == 0.0


def test_the_run_is_chosen_from_a_list_that_is_asked_for(state: State) -> None:
    asked, effects = update(state.put(Places(("heatmap", "config"))), AgainstAsked())
    request = next(effect.request for effect in effects if isinstance(effect, ev.Send))
    assert (request["do"], request["act"]) == ("runs", "list")
    listed = msgspec.Raw(msgspec.json.encode({"runs": [{"id": "r[1]", "time": 1.7e9, "note": "mine"}]}))
    _, effects = update(asked, wire.Result(listed, id=request["id"]))
    prompt = next(effect for effect in effects if isinstance(effect, Prompt))
    assert "mine" in prompt.choices[0].label
    assert prompt.then("r[1]") == AgainstChosen("r[1]")
    gone, effects = update(after(asked, PaneChosen("config")), wire.Result(listed, id=request["id"]))
    assert (effects, gone.of(History).runs[0].id if gone.of(History).runs else "") == ((), "r[1]")  # who went on is not asked
    none, _ = update(asked, wire.Result(msgspec.Raw(b'{"runs": []}'), id=request["id"]))
    assert none.note is not None
    assert none.note.text == "there is no earlier run to compare with"


def test_the_run_that_is_shown_is_none_to_compare_with(state: State) -> None:
    """It is the newest that was made of the same and came to the same."""
    outputs = (wire.Output("out", cosine_avg=0.98),)
    plan = {"nodes": {"a": {"feature_bits": 12}}}
    runs = tuple(Past(id_, variant="t40", plan=of, outputs=outputs) for id_, of in (("c", {}), ("b", plan), ("a", plan)))
    state = replace(state, variant="t40", outputs=outputs).put(Live(plan={"a": Choice(feature_bits=12)})).put(History(runs=runs))
    _, (prompt,) = update(state, AgainstAsked())
    assert isinstance(prompt, Prompt)
    assert [(choice.id, choice.reason) for choice in prompt.choices] == [("c", ""), ("b", "it is what is shown"), ("a", "")]
    _, (prompt,) = update(replace(state, stale=True), AgainstAsked())
    assert isinstance(prompt, Prompt)
    assert [choice.reason for choice in prompt.choices] == ["", "", ""]
    alone = after(state.put(History(runs=runs[1:2])), AgainstAsked())
    assert alone.note is not None
    assert alone.note.text == "there is no earlier run to compare with"


def test_the_difference_ends_with_the_run_that_it_is_to(state: State, earlier: wire.Document) -> None:
    seen = with_run(state, earlier)
    seen = seen.put(replace(seen.of(History), runs=(Past("20260101-aaaa"), Past("b"))))
    for event in (Forget("20260101-aaaa"), ComparedAsked()):
        ended = after(seen, event)
        assert (ended.of(History).other, ended.of(Heat).against) == (None, False)
    assert after(seen, Forget("b")).of(Heat).against


# The map


def test_the_map_holds_the_worst_of_each_part() -> None:
    assert map_levels((0, 1, 7, None, None, 2), 3, difference=False) == (1, 7, 2)
    assert map_levels((None, None, 3), 3, difference=False) == (None, None, 3)
    assert map_levels((3, -1, 0, 1, 0, 0), 3, difference=True) == (-1, 1, 0)
    levels = tuple(range(8)) * 125
    slots = map_levels(levels, 40, difference=False)
    assert set(slots) == {7}
    assert map_levels(levels[:40], 40, difference=False) == levels[:40]


def test_the_map_marks_what_is_in_sight() -> None:
    cells = [map_cell((0, 4, None, 7), slot, 50, 25, 100, difference=False) for slot in range(4)]
    assert cells == [("·", "glyph0"), ("▒", "glyph4"), ("▐", "text"), ("█", "glyph7")]
    assert map_cell((0, 7), 1, 0, 60, 100, difference=False) == ("▐", "digit7")
    assert [map_cell((-2, 1, 0), slot, 90, 10, 90, difference=True)[0] for slot in range(3)] == ["-", "+", "·"]
