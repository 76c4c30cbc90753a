"""Which files a conversion writes, and writing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..ir import QGraph
from ..jsontext import shown
from .files import Staged, stage
from .header import header
from .mgk import dump

SUFFIX = ".mk.h"


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of `-o DIR/NAME.mk.h`."""

    name: str
    bin: Path
    header: Path
    mgk: Path

    @property
    def folder(self) -> Path:
        return self.bin.parent


def plan_outputs(output: str | Path) -> Outputs:
    """Return the files that `-o DIR/NAME.mk.h` stands for: NAME.bin, magik_model_NAME.mk.h, save-magik/model_quant.mgk in DIR."""
    path = Path(output)
    name = path.name.removesuffix(SUFFIX)
    if not path.name.endswith(SUFFIX) or not name.strip(". ") or not name.isprintable():
        raise UsageError(
            f"-o names a file that ends in {SUFFIX}, not {shown(str(output))}", hint=f"write -o OUT/NAME{SUFFIX}: the model is named NAME"
        )
    folder = path.parent
    return Outputs(name, folder / f"{name}.bin", folder / f"magik_model_{name}{SUFFIX}", folder / "save-magik" / "model_quant.mgk")


def write_model(graph: QGraph, outputs: Outputs, save_quantize_model: bool, *, soc: str = "") -> list[Path]:
    """Write the model file, its header and, if asked for, the copy that PC inference runs; return what was written."""
    return [staged.commit() for staged in stage_model(graph, outputs, save_quantize_model, soc=soc)]


def stage_model(graph: QGraph, outputs: Outputs, save_quantize_model: bool, *, soc: str = "") -> list[Staged]:
    """Write the same files under temporary names; when one cannot be written, none is left."""
    data = dump(graph, model=outputs.name, soc=soc)
    contents = {outputs.bin: iter([data]), outputs.header: header(outputs.name, data)}
    if save_quantize_model:
        contents[outputs.mgk] = iter([data])
    staged: list[Staged] = []
    try:
        for path, chunks in contents.items():
            staged.append(stage(path, chunks))
    except BaseException:
        for one in staged:
            one.discard()
        raise
    return staged
