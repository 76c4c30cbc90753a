"""How requests find their answer: by the name of a module, loaded when it is first asked for."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from ..errors import UsageError, nearest
from ..events import Report
from .context import Context

Lane = Literal["heavy", "light", "own"]
"""Heavy requests work one at a time and refuse another, light ones wait for each other, one with a lane of its own runs until cancelled."""

_NOT_REQUESTS = ("lanes", "context")


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of request."""

    name: str
    lane: Lane
    fields: type[msgspec.Struct]
    answer: Callable[[Context, Any, Report], Any]

    def read(self, message: Mapping[str, Any]) -> msgspec.Struct:
        """Return the fields of a message; UsageError says which one is wrong."""
        try:
            return msgspec.convert({k: v for k, v in message.items() if k not in ("id", "do")}, self.fields)
        except msgspec.ValidationError as error:
            raise UsageError(str(error), where=self.name) from error


@cache
def names() -> tuple[str, ...]:
    """Return the names of all requests that live here, without loading them."""
    found = (m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return tuple(sorted(n for n in found if n not in _NOT_REQUESTS))


@cache
def service(name: str) -> Service:
    """Return the service of that name; UsageError with the nearest when there is none."""
    if name not in names():
        near = nearest(name, names())
        raise UsageError(f"there is no request {name!r}", hint=f"did you mean {near}?" if near else "")
    module = import_module(f"{__package__}.{name}")
    return Service(name, cast("Lane", module.LANE), module.Fields, module.answer)
