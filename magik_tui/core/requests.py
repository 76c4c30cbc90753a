"""How a room asks the worker for something: `ask`, and a function that gets the answers.

    return ask(state, "evaluate", {"set": settings}, then=_evaluated, value=Evaluated, label="evaluating", heavy=True)

    def _evaluated(state: State, reply: Reply) -> Step:
        if reply.failed:
            return state.noted("error", reply.error), ()
        if reply.done:
            return state.put(replace(state.of(Bits), scores=reply.said)), ()
        return state, ()

Requests may be open together. The worker does one heavy thing at a time (a run is one): heavy requests wait here for their
turn. A request waits for the worker too, and starts it where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from magik_tui import events as ev
from magik_tui import wire
from magik_tui.core.state import Note, State, Step, logged, on

PATIENCE = 0.8  # seconds that a cancel may take before the worker is ended; Esc has one second in all
Then = Callable[[State, "Reply"], Step]


@dataclass(frozen=True, slots=True)
class Request:
    """One question to the worker, until it is answered.

    `value` is what the result is converted to, `news` the same per name of an event that only this request has; `tag` is the
    asker's own. `sent` says that the worker has it, `cancelled` that it has been asked to stop.
    """

    id: int
    do: str
    fields: Mapping[str, Any]
    then: Then
    value: Any = dict
    news: Mapping[str, Any] = field(default_factory=dict)
    tag: Any = None
    label: str = ""
    heavy: bool = False
    sent: bool = False
    cancelled: bool = False
    since: float | None = None
    stage: str = ""
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for `request`: progress, a log line or news while it works, at last a result (`done`) or an error (`failed`).

    `said` is the message itself, but for a result its value, and for news their content, as the types that were asked for.
    """

    request: Request
    said: Any
    done: bool = False

    @property
    def failed(self) -> bool:
        """Whether the request has ended without a result; a cancelled one has, too."""
        return isinstance(self.said, wire.Error)

    @property
    def cancelled(self) -> bool:
        """Whether it ended because someone wanted it to."""
        return isinstance(self.said, wire.Error) and self.said.kind == "Cancelled"

    @property
    def error(self) -> str:
        """Why it failed, in words."""
        return (self.said.message or self.said.kind) if isinstance(self.said, wire.Error) else ""


@dataclass(frozen=True, slots=True)
class Requests:
    """The slice of this room: what has been asked and not been answered, oldest first; `now` is the time of the last tick."""

    open: tuple[Request, ...] = ()
    now: float = 0.0

    def elapsed(self, request: Request) -> float:
        """Return the seconds since the first tick after `request` was sent."""
        return 0.0 if request.since is None else self.now - request.since


class RequestOverdue(ev.Event, frozen=True):
    """The worker has not answered the cancel of request `id` in time."""

    id: int


def ask(
    state: State, do: str, fields: Mapping[str, Any] | None = None, *, then: Then, value: Any = dict,
    news: Mapping[str, Any] | None = None, tag: Any = None, label: str = "", heavy: bool = False,
) -> Step:  # fmt: skip
    """Ask the worker to `do` something with `fields`; `then(state, reply)` is called for all that comes back.

    The state that is returned knows the request as `last_request`. `label` names it in the status row ("bisecting"); `value` and
    `news` are types for msgspec to convert to. An answer that does not fit them is an error like any other.
    """
    request = Request(state.last_id + 1, do, fields or {}, then, value, news or {}, tag, label or do, heavy)
    state = _with(state, state.of(Requests).open + (request,))
    state = replace(state, last_id=request.id)
    if state.worker == "off":
        return replace(state, worker="starting"), (ev.Start(),)
    return flush(state)


def ask_first(state: State, do: str, fields: Mapping[str, Any], *, then: Then) -> Step:
    """Ask a worker that has just said hello for what has to come before all that waits for it to be ready."""
    request = Request(state.last_id + 1, do, fields, then, label=do, sent=True)
    state = replace(_with(state, (*state.of(Requests).open, request)), last_id=request.id)
    return state, (ev.Send({"id": request.id, "do": do, **fields}),)


def last_request(state: State) -> Request | None:
    """Return the request that was asked for last, while it is open."""
    return next(iter(state.of(Requests).open[::-1]), None)


def heavy_at_work(state: State) -> Request | None:
    """Return the heavy request that the worker has."""
    return next((r for r in state.of(Requests).open if r.heavy and r.sent), None)


def flush(state: State) -> Step:
    """Send what may be sent now: light requests, and the next heavy one when nothing heavy is at work."""
    if state.worker != "ready":
        return state, ()
    free = state.phase not in ("running", "cancelling") and heavy_at_work(state) is None
    sent: list[ev.Effect] = []
    requests: list[Request] = []
    for each in state.of(Requests).open:
        if not each.sent and (free or not each.heavy):
            free = free and not each.heavy
            each = replace(each, sent=True)
            sent.append(ev.Send({"id": each.id, "do": each.do, **each.fields}))
        requests.append(each)
    return (_with(state, tuple(requests)) if sent else state), tuple(sent)


def cancel(state: State, id_: int) -> Step:
    """Ask for an open request to be stopped; one that has not been sent is dropped at once, and its asker told."""
    found = next((r for r in state.of(Requests).open if r.id == id_), None)
    if found is None or found.cancelled:
        return state, ()
    if not found.sent:
        return _close(state, found, wire.Error("Cancelled", "stopped before it began", 130, id=id_))
    state = replace(_changed(state, replace(found, cancelled=True)), last_id=state.last_id + 1)
    return state, (ev.Send({"id": state.last_id, "do": "cancel", "target": id_}), ev.Alarm(PATIENCE, RequestOverdue(id_)))


def stop_heavy(state: State) -> Step | None:
    """Stop the heavy request at work, or failing that the last one that waits; None where there is neither."""
    waiting = [r for r in state.of(Requests).open if r.heavy and not r.sent]
    found = heavy_at_work(state) or (waiting[-1] if waiting else None)
    return cancel(state, found.id) if found else None


def forget(state: State, why: str) -> Step:
    """Answer every open request with an error: the worker that had them is gone."""
    effects: tuple[ev.Effect | ev.Event, ...] = ()
    for each in state.of(Requests).open:
        kind = "Cancelled" if each.cancelled else "Exited"
        state, more = _close(state, each, wire.Error(kind, why, id=each.id))
        effects += more
    return state, effects


def _with(state: State, requests: tuple[Request, ...]) -> State:
    return state.put(replace(state.of(Requests), open=requests))


def _changed(state: State, request: Request) -> State:
    return _with(state, tuple(request if r.id == request.id else r for r in state.of(Requests).open))


def _close(state: State, request: Request, said: Any, *, done: bool = False) -> Step:
    state = _with(state, tuple(r for r in state.of(Requests).open if r.id != request.id))
    return request.then(state, Reply(request, said, done))


def _of(state: State, id_: int | None) -> Request | None:
    return next((r for r in state.of(Requests).open if r.id == id_), None) if id_ is not None else None


@on(ev.Tick)
def _tick(state: State, event: ev.Tick) -> Step:
    if heavy_at_work(state) is None:
        return state, ()
    open_ = (replace(r, since=event.now) if r.sent and r.since is None else r for r in state.of(Requests).open)
    return state.put(Requests(tuple(open_), event.now)), ()


@on(RequestOverdue)
def _overdue(state: State, event: RequestOverdue) -> Step:
    found = _of(state, event.id)
    if found is None:
        return state, ()
    state = replace(state, worker="stopping", note=Note("warning", "stopped; the engine did not answer and was ended, a new one starts"))
    return state, (ev.Terminate(),)


@on(wire.Progress)
def _progress(state: State, said: wire.Progress) -> Step:
    found = _of(state, said.id)
    if found is None:
        return state, ()
    found = replace(found, stage=said.stage, done=said.done, total=said.total)
    return found.then(_changed(state, found), Reply(found, said))


def _told(state: State, said: wire.Log | wire.Layers | wire.Sample) -> Step:
    found = _of(state, said.id)
    return (state, ()) if found is None else found.then(state, Reply(found, said))


on(wire.Layers)(_told)
on(wire.Sample)(_told)


@on(wire.Log)
def _log(state: State, said: wire.Log) -> Step:
    if _of(state, said.id) is None:
        return state, ()
    return _told(logged(state, Note(said.level, said.text, said.source)), said)


@on(wire.News)
def _news(state: State, said: wire.News) -> Step:
    found = _of(state, said.id)
    if found is None:
        return state, ()
    try:
        content = wire.read(said.fields, found.news.get(said.event, dict))
    except wire.Unfit as problem:
        return logged(state, Note("warning", f"not a message ({problem}): {said.event}", "engine")), ()
    return found.then(state, Reply(found, content))


@on(wire.Result)
def _result(state: State, said: wire.Result) -> Step:
    found = _of(state, said.id)
    if found is None:
        return state, ()
    try:
        content = wire.read(said.value, found.value)
    except wire.Unfit as problem:
        error = wire.Error("ProtocolError", f"the engine's answer to {found.do} does not fit: {problem}", id=said.id)
        return _ended(state, found, error)
    return _ended(state, found, content, done=True)


@on(wire.Error)
def _error(state: State, said: wire.Error) -> Step:
    found = _of(state, said.id)
    return (state, ()) if found is None else _ended(state, found, said)


def _ended(state: State, request: Request, said: Any, *, done: bool = False) -> Step:
    """Close a request and let the next heavy thing begin: a run that waits, else the next request."""
    state, effects = _close(state, request, said, done=done)
    return state, (*effects, ev.Freed())
