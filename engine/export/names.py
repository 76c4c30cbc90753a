"""Node names as file names and C identifiers: safe, recognisable, unique within a model, the same in every run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

MOST_BYTES = 200
"""Room is left under the usual 255 for what is put before or behind (a suffix, a temporary name)."""

_HASH = 12
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,@~()[]{} ")


def file_name(name: str) -> str:
    """Return the file name of one node name: `/` becomes `_`, other unsafe characters `%XX` of their UTF-8 bytes.

    Never empty, ".", "..", nor longer than `MOST_BYTES`: a long name is cut and ends in a hash of the whole.
    """
    text = "".join(_character(c) for c in name) or "%"
    if text[0] in ".~- " or text[-1] in ". ":  # hidden files, options, and what some file systems cut off
        text = "".join(_escaped(c) if i in (0, len(text) - 1) and c in ".~- " else c for i, c in enumerate(text))
    if len(text) <= MOST_BYTES:
        return text
    cut = text[: MOST_BYTES - _HASH - 1].rstrip(". ")
    return f"{re.sub('%.?$', '', cut)}~{_hash(name)}"


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Return the file name of every node; where two would meet (case aside), all but one that needs no change get a hash."""
    plain = {name: file_name(name) for name in names}
    groups: dict[str, list[str]] = {}
    for name, text in plain.items():
        groups.setdefault(text.casefold(), []).append(name)
    for group in groups.values():
        unchanged = [name for name in group if plain[name] == name]
        keeper = min(unchanged or group)
        for name in group:
            if name != keeper:
                plain[name] = f"{plain[name][: MOST_BYTES - _HASH - 1]}~{_hash(name)}"
    return plain


def c_identifier(name: str) -> str:
    """Return `name` as the tail of a C identifier: letters, digits and underscores only."""
    return re.sub(r"[^0-9A-Za-z_]", "_", name)


def _character(c: str) -> str:
    if c == "/":
        return "_"
    return c if c in _SAFE else _escaped(c)


def _escaped(c: str) -> str:
    return "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "surrogatepass"))


def _hash(name: str) -> str:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_HASH // 2).hexdigest()
