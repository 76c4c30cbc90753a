"""Writing what a search chose into the project: the file of the nodes' bits, and the key that makes conversions read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..bitfile import NAME, Entry, read_entries, text_of
from ..config import read_source
from ..configedit import set_keys
from ..export.config_file import edit_config
from ..export.files import atomic_write

LOAD = {"LOAD_OP_QUANT_BIT": True}


def standing_entries(root: Path, config_path: Path, soc: str) -> Mapping[str, Entry]:
    """Return what the project's file of bits says now; nothing where there is none.

    ConfigError when it, or the configuration, could not be changed because it cannot be read: worth knowing before a long search.
    """
    set_keys(read_source(config_path, hint="-gcfg writes a template"), LOAD)
    path = root / NAME
    return read_entries(path, soc)[0] if path.exists() else {}


def apply_widths(root: Path, config_path: Path, widths: Sequence[tuple[str, int]], entries: Mapping[str, Entry]) -> list[Path]:
    """Write the width of every node, given in graph order, and set LOAD_OP_QUANT_BIT; return the files written.

    What `entries` say of a node besides its width stays, and so do nodes that are not among `widths`. Raises ConfigError or OutputError.
    """
    written = [atomic_write(root / NAME, [text_of(widths, entries).encode()])]
    if edit_config(config_path, LOAD):
        written.append(config_path)
    return written
