"""The dumps of a debug run: `magik_dump_path/`, one raw file per node and kind, NHWC, little-endian.

    input.bin, input_uint8.bin   what was fed: pixels before mean and normal, as float32 and as uint8
    float_model/                 float32 values of the float network
    ptq_model/                   levels of the quantized one: uint8, above 8 bits uint16
    ptq_model_dequantize/        the same as float32 values
    model_node_info.json         node names by operator type

The folder appears whole or not at all: it is built under a temporary name and then swapped in. Of a folder that is there already, what an
earlier run wrote goes, what has the name of something we write is replaced, and every other file stays.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

from ..errors import OutputError
from ..numerics import Array, QParams, dequantize
from .files import explained, temporary_sibling
from .names import file_names

FLOAT, LEVELS, VALUES = "float_model", "ptq_model", "ptq_model_dequantize"
NODE_INFO = "model_node_info.json"
SUFFIX = ".bin"
_MARK = ".magik-dump"
"""Lists what a run wrote, one path a line, so that the next run knows what it may take away."""


def node_info(nodes: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what model_node_info.json holds for (name, type) pairs in graph order: all types sorted, then the nodes of each type."""
    by_type: dict[str, list[str]] = {}
    for name, kind in nodes:
        by_type.setdefault(kind, []).append(name)
    return {"all_type": sorted(by_type)} | {kind: by_type[kind] for kind in sorted(by_type)}


class DumpWriter:
    """Writes one sample's dumps into `folder`, which is there, complete, after a `with` block that raises nothing.

    `nodes` are the (name, type) pairs of every node in graph order; `inputs` names the network's inputs, `others` what is dumped besides
    nodes. OutputError when the folder cannot be written; after any failure nothing of it is left, and an older folder is as it was.
    """

    def __init__(self, folder: Path, nodes: Iterable[tuple[str, str]], inputs: Iterable[str] = (), others: Iterable[str] = ()) -> None:
        self.folder = Path(folder)
        self._nodes, self._inputs = list(nodes), list(inputs)
        self._files = file_names([*(name for name, _ in self._nodes), *others])
        self._input_files = file_names(self._inputs)
        self._work = temporary_sibling(self.folder)

    def __enter__(self) -> DumpWriter:
        with explained(self.folder):
            _check_folder(self.folder)
            try:
                for part in (FLOAT, LEVELS, VALUES):
                    (self._work / part).mkdir(parents=True)
                info = json.dumps(node_info(self._nodes), indent=4)
                (self._work / NODE_INFO).write_text(info + "\n", "utf-8")
            except BaseException:
                self._remove()
                raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._remove()
            return
        with explained(self.folder):
            try:
                self._swap()
            except BaseException:
                self._remove()
                raise

    def write_input(self, name: str, pixels: Array) -> None:
        """Write what one input was fed, NHWC: as float32, and as uint8 if it arrived as uint8.

        The input of a network with one is `input`; of several, each goes by its own name.
        """
        stem = "input" if len(self._inputs) < 2 else self._input_files[name]
        self._put(f"{stem}{SUFFIX}", pixels.astype("<f4", copy=False))
        if pixels.dtype == np.uint8:
            self._put(f"{stem}_uint8{SUFFIX}", pixels)

    def write(self, node: str, floats: Array | None, quantized: Array | None, q: QParams | None) -> None:
        """Write a node's values, NHWC: the float network's, and the quantized network's levels under `q` (None: values of a float node).

        A side that does not exist is None and leaves no file.
        """
        name = self._files[node] + SUFFIX
        if floats is not None:
            self._put(f"{FLOAT}/{name}", floats.astype("<f4", copy=False))
        if quantized is None:
            return
        if q is not None:
            self._put(f"{LEVELS}/{name}", quantized.astype(q.dtype.newbyteorder("<"), copy=False))
        real = dequantize(quantized, q) if q is not None else quantized
        self._put(f"{VALUES}/{name}", real.astype("<f4", copy=False))

    def paths(self) -> Mapping[str, str]:
        """Return the file name of every node, without its folder."""
        return {name: text + SUFFIX for name, text in self._files.items()}

    def _put(self, name: str, array: Array) -> None:
        with explained(self.folder / name), open(self._work / name, "xb") as file:
            file.write(np.ascontiguousarray(array).data)

    def _swap(self) -> None:
        """Put the new folder where the old one was; what is not ours in the old one moves over."""
        written = {p.relative_to(self._work).as_posix() for p in self._work.rglob("*") if p.is_file()} | {_MARK}
        (self._work / _MARK).write_text("".join(f"{w}\n" for w in sorted(written)), "utf-8")
        if not self.folder.exists():
            self._work.rename(self.folder)
            return
        foreign = _foreign(self.folder, written)
        old = temporary_sibling(self.folder)
        self.folder.rename(old)
        try:
            self._work.rename(self.folder)
        except BaseException:
            old.rename(self.folder)
            raise
        for relative in foreign:
            (self.folder / relative).parent.mkdir(parents=True, exist_ok=True)
            (old / relative).rename(self.folder / relative)
        shutil.rmtree(old)

    def _remove(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)


def _foreign(folder: Path, written: set[str]) -> list[str]:
    """Return the paths of the files in `folder` that neither an earlier run wrote nor this one replaces.

    OutputError where one of them stands in the way of a file or folder of ours.
    """
    mark = folder / _MARK
    known = written | (set(mark.read_text("utf-8", "replace").splitlines()) if mark.is_file() else set())
    parts = {p for w in written for p in (w, *(q.as_posix() for q in Path(w).parents))} - {"."}
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        is_folder = path.is_dir() and not path.is_symlink()
        if (is_folder and relative in written) or (not is_folder and relative in parts - written):
            raise OutputError("something that is not ours is in the way", where=str(path), hint="move it away")
        if not is_folder and relative not in known:
            found.append(relative)
    return found


def _check_folder(folder: Path) -> None:
    """Refuse what is no folder, before any work is done."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError("a file or link stands where the dumps go", where=str(folder), hint="move it away")
