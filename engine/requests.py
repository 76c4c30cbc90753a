"""What a client of the worker asks for: lines of JSON, as docs/protocol.md has them, into immutable values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from engine.errors import EXIT_USAGE, MagikError, nearest
from engine.jsontext import shown
from engine.service.lanes import names

MAX_LINE = 1 << 20


class ProtocolError(MagikError):
    """A line is not a request; `request` is its id where it has one."""

    exit_code = EXIT_USAGE
    request: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Convert, simulate and measure; `settings` are KEY=VALUE on top of the configuration."""

    id: int
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the run `target`, if it is still at work."""

    id: int
    target: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer, to show that somebody is there."""

    id: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Anything that `engine.service` answers: `fields` is the whole message, not looked at yet."""

    id: int
    do: str
    fields: dict[str, Any]


Request = Run | Cancel | Ping | Ask


class Lines:
    """Cuts a stream of bytes into lines; of a line longer than MAX_LINE only its beginning is kept, which no parser takes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that `chunk` completes, blank ones left out."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[: MAX_LINE + 1]
        yield from (line for line in lines if line.strip())


def parse_request(line: bytes) -> Request:
    """Return the request in `line`; ProtocolError says what is wrong with it."""
    if len(line) > MAX_LINE:
        raise ProtocolError(f"a line is longer than {MAX_LINE} bytes")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError("expected an object with id and do")
    number = message.get("id")
    if not _is_integer(number):
        raise ProtocolError("expected an integer id")
    try:
        return _request(number, message)
    except ProtocolError as error:
        error.request = number
        raise


def _request(number: int, message: dict[str, Any]) -> Request:
    match message.get("do"):
        case "run":
            settings = message.get("set", [])
            if not isinstance(settings, list) or not all(isinstance(each, str) for each in settings):
                raise ProtocolError('expected "set" to be a list of "KEY=VALUE"')
            return Run(number, tuple(settings))
        case "cancel":
            if not _is_integer(message.get("target")):
                raise ProtocolError('expected "target", the id of a run')
            return Cancel(number, message["target"])
        case "ping":
            return Ping(number)
        case str(other) if other in names():
            return Ask(number, other, message)
        case str(other):
            known = ("run", "cancel", "ping", *names())
            near = nearest(other, known)
            raise ProtocolError(f"there is no {shown(other)}", hint=f"did you mean {near}?" if near else f"there is {', '.join(known)}")
        case _:
            raise ProtocolError('expected "do": run, cancel or ping')


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
