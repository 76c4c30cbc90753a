"""A command line of magik-transform-tools as one immutable value, with every spelling of the vendor's guide.

The tool itself reads its arguments here, and so does whoever finds that command in a user's run_*.sh.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import UsageError, nearest
from engine.jsontext import shown

TOOL = "magik-transform-tools"
SUFFIX = ".mk.h"

Action = Literal["convert", "template", "version", "help"]

_TAKES_VALUE = {
    **dict.fromkeys(("-i", "-inputpath", "--inputpath"), "model"),
    **dict.fromkeys(("-o", "-outputpath", "--outputpath"), "output"),
    **dict.fromkeys(("-cfg", "--config"), "config"),
    **dict.fromkeys(("-save_quantize_model", "--save_quantize_model"), "save"),
}
_ACTIONS: dict[str, Action] = {
    "-gcfg": "template",
    "--gen_config": "template",
    "--version": "version",
    "-h": "help",
    "--help": "help",
}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Invocation:
    """What one command line asks for; the paths are as written and empty unless the action is "convert"."""

    action: Action
    model: str = ""
    output: str = ""
    config: str = ""
    save_quantize_model: bool = False


def parse_invocation(arguments: Sequence[str]) -> Invocation:
    """Return what `arguments` (without the program's name) ask for.

    UsageError for an unknown or repeated flag, one without its value, a missing one, and an output that is not OUT/NAME.mk.h.
    """
    values: dict[str, str] = {}
    rest = iter(arguments)
    for written in rest:
        if written in _ACTIONS:
            return Invocation(_ACTIONS[written])
        flag, equals, value = written.partition("=")
        if flag not in _TAKES_VALUE:
            raise _unknown(written)
        key = _TAKES_VALUE[flag]
        if key in values:
            raise UsageError("given twice", where=flag)
        values[key] = value if equals else _value_of(flag, rest)
    for key, flag in (("model", "-i MODEL"), ("output", f"-o OUT/NAME{SUFFIX}"), ("config", "-cfg magik.cfg")):
        if not values.get(key):
            raise UsageError(f"{flag} is missing", hint=f"{TOOL} --help shows the flags")
    save = values.get("save", "false")
    if save.lower() not in _TRUTH:
        raise UsageError(f"expected true or false, got {shown(save)}", where="--save_quantize_model")
    return Invocation("convert", values["model"], _checked_output(values["output"]), values["config"], _TRUTH[save.lower()])


def _value_of(flag: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None or value in _TAKES_VALUE or value in _ACTIONS:
        got = "nothing" if value is None else f"the flag {value}"
        raise UsageError(f"expected a value, got {got}", where=flag)
    return value


def _checked_output(output: str) -> str:
    name = output.rpartition("/")[2]
    if not name.endswith(SUFFIX) or name == SUFFIX:
        raise UsageError(f"expected OUT/NAME{SUFFIX}, got {shown(output, 200)}", where="-o", hint=_better_output(output, name))
    return output


def _better_output(output: str, name: str) -> str:
    if not name or name == SUFFIX:
        return "the name of the model is missing"
    stem = name
    for suffix in (".mk", ".h", ".bin", ".mgk", "."):
        stem = stem.removesuffix(suffix)
    return f"did you mean {output.removesuffix(name)}{stem or name}{SUFFIX}?"


def _unknown(written: str) -> UsageError:
    if not written.startswith("-"):
        return UsageError(f"unexpected argument {shown(written)}", hint="every path follows its flag: -i MODEL -o OUT -cfg CFG")
    near = nearest(written.partition("=")[0], [*_TAKES_VALUE, *_ACTIONS])
    return UsageError(f"unknown flag {shown(written)}", hint=f"did you mean {near}?" if near else f"{TOOL} --help shows the flags")
