"""The header holds every byte, sixteen a line, and a C compiler reads them back."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from engine.export import header as module
from engine.export.header import header


def text_of(name: str, data: bytes) -> str:
    return b"".join(bytes(c) for c in header(name, data)).decode("ascii")


def test_form_of_the_file() -> None:
    text = text_of("resnet18", bytes(range(20)))
    assert text.splitlines() == [
        "#ifndef MAGIK_MODEL_RESNET18_MK_H",
        "#define MAGIK_MODEL_RESNET18_MK_H",
        "",
        "static const unsigned char magik_model_resnet18_mk[] = {",
        "0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,",
        "0x10, 0x11, 0x12, 0x13,",
        "};",
        "",
        "#endif /* MAGIK_MODEL_RESNET18_MK_H */",
    ]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000, module._CHUNK - 1, module._CHUNK, module._CHUNK + 1])
def test_every_byte_is_there(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    body = text_of("m", data).split("{\n")[1].split("}")[0]
    assert bytes(int(v, 16) for v in re.findall("0x[0-9a-f]{2}", body)) == data
    lines = body.splitlines()
    assert all(line.count("0x") == 16 for line in lines[:-1])
    assert all(line.endswith(",") for line in lines)


def test_hostile_names_stay_identifiers() -> None:
    assert "magik_model_a_b____1_mk[]" in text_of("a-b;\n/*1", b"\1")


def test_a_compiler_reads_the_bytes_back(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    data = bytes(range(256)) * 3 + b"\xff"
    (tmp_path / "m.h").write_bytes(b"".join(bytes(c) for c in header("m", data)))
    (tmp_path / "m.c").write_text(
        '#include "m.h"\n#include "m.h"\n#include <stdio.h>\n'
        "int main(void) { return fwrite(magik_model_m_mk, 1, sizeof magik_model_m_mk, stdout) != sizeof magik_model_m_mk; }\n"
    )
    subprocess.run([compiler, "-std=c99", "-Wall", "-Werror", "-o", tmp_path / "m", tmp_path / "m.c"], check=True, timeout=60)
    assert subprocess.run([tmp_path / "m"], capture_output=True, check=True, timeout=60).stdout == data
