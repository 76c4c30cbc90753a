"""The model file: `NAME.bin` for the board and `save-magik/model_quant.mgk` for PC inference, one format (docs/formats.md)."""

from __future__ import annotations

from ..ir import QGraph
from ..version import VERSION
from .mgk_read import Contents, Reader
from .mgk_write import Writer


def dump(graph: QGraph, *, model: str = "", soc: str = "") -> bytes:
    """Return the model file of an integer graph, byte for byte the same whenever the graph is.

    ModelError when the graph holds what the file cannot (an attribute of a foreign type, a size beyond 32 bits).
    """
    writer = Writer()
    writer.graph(graph, {"engine": VERSION, "model": model, "soc": soc})
    return b"".join(writer.chunks())


def load(data: bytes | memoryview, *, where: str = "") -> QGraph:
    """Return the graph of a model file; its arrays are read-only views of `data`.

    ModelError for anything else: truncated, damaged, of another version or another arithmetic. `where` names the file.
    """
    return read(data, where=where).graph


def read(data: bytes | memoryview, *, where: str = "") -> Contents:
    """Return the graph as `load` does, with the model's name, SOC and engine version."""
    reader = Reader(data, where)
    return Contents(reader.graph(), reader.meta())
