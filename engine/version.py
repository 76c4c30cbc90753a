"""The version of the engine, as a plain value: the commands and the worker's greeting say it before anything heavy loads."""

from __future__ import annotations

import functools
import hashlib
import platform
import sys
from pathlib import Path

VERSION = "0.1.0"


@functools.cache
def backend() -> str:
    """Name, as a hash, what float values depend on besides graph and data: us, the libraries that compute, the instruction set."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    libraries = [library_version(name) for name in ("onnxruntime", "numpy", "pillow")]
    text = "\n".join((VERSION, *libraries, platform.machine(), flags))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def library_version(name: str) -> str:
    """Return the version of an installed library, from the name of the folder that describes it where there is one."""
    for place in sys.path:
        for folder in Path(place).glob(f"{name}-*.dist-info"):
            return folder.name.removeprefix(f"{name}-").removesuffix(".dist-info")
    from importlib.metadata import version  # it takes longer to load than the commands themselves

    return version(name)
