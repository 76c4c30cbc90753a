"""The room of the bit file as it stands: read into the plan, so that what somebody wrote there can be tried, changed and taken back."""

from __future__ import annotations

from magik_tui import events as ev
from magik_tui.core.bits import Bits
from magik_tui.core.choices import replaced
from magik_tui.core.config import Text
from magik_tui.core.live import NOTHING, Choice, Live, PlanTaken
from magik_tui.core.requests import Reply, ask
from magik_tui.core.state import State, Step, on

NAME = "magik_node_quant_bit_info.json"


class LoadAsked(ev.Event, frozen=True):
    """Widths and ranges shall be those of the bit file, whether the configuration loads it or not; one step of undo."""


@on(LoadAsked)
def _asked(state: State, event: LoadAsked) -> Step:
    if not state.of(Bits).units:
        return state.noted("info", "the units are not known yet"), ()
    return ask(state, "read", {"file": "bits"}, then=_read, value=Text, label=f"reading {NAME}")


def _read(state: State, reply: Reply) -> Step:
    if reply.failed:
        return state.noted("error", reply.error), ()
    return _loaded(state, reply.said) if reply.done else (state, ())


def _loaded(state: State, said: Text) -> Step:
    from engine.bitfile import entries_of
    from engine.errors import ConfigError, nearest
    from engine.jsontext import Source

    if not said.version:
        return state.noted("info", f"there is no {NAME} yet: a writes one"), ()
    try:
        entries, warnings = entries_of(Source(said.text, NAME), state.soc)
    except ConfigError as error:
        return state.noted("error", str(error)), ()
    units, plan = state.of(Bits).units or (), state.of(Live).plan
    nodes: dict[str, Choice] = {}
    for unit in units:
        old, entry = plan.get(unit.name, NOTHING), entries.get(unit.name)
        bits, low, high = (entry.bits, entry.low, entry.high) if entry else (None, None, None)
        nodes[unit.name] = replaced(
            old,
            feature_bits=bits if bits != unit.feature_bits else None,
            min=low if low != unit.min else None,
            max=high if high != unit.max else None,
        )
    known = [*(node for unit in units for node in unit.nodes), *(row.name for row in state.table.rows)]
    lost = [name for name in entries if name not in set(known)]
    changed = sum(choice != NOTHING for choice in nodes.values())
    text = f"read {NAME}: {len(entries)} entries, {changed} units differ from what the configuration asks for"
    state = state.noted("info", text)
    if lost:
        near = nearest(lost[0], known)
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        state = state.noted("warning", f"no layer is called {lost[0]!r}{more}" + (f"; did you mean {near!r}?" if near else ""))
    elif warnings:
        state = state.noted("warning", f"line {warnings[0].line}: {warnings[0].message}")
    return state, (PlanTaken({**plan, **nodes}),)
