"""Which files a conversion writes, and writing them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..ir import QGraph
from ..jsontext import shown
from .files import atomic_write
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
    data = dump(graph, model=outputs.name, soc=soc)
    written = [atomic_write(outputs.bin, [data]), atomic_write(outputs.header, header(outputs.name, data))]
    if save_quantize_model:
        written.append(atomic_write(outputs.mgk, [data]))
    return written
