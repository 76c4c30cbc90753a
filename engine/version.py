"""The version of the engine, as a plain value: the commands and the worker's greeting say it before anything heavy loads."""

from __future__ import annotations

import functools
import hashlib
import platform
from pathlib import Path

VERSION = "0.1.0"


@functools.cache
def backend() -> str:
    """Name, as a hash, what float values depend on besides graph and data: us, the libraries that compute, the instruction set."""
    from importlib.metadata import version  # it takes longer to load than the commands themselves

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = platform.processor()
    libraries = [version(name) for name in ("onnxruntime", "numpy", "pillow")]
    text = "\n".join((VERSION, *libraries, platform.machine(), flags))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
