"""What a command asks of its process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAPS = """
import ctypes, sys, threading
from engine.cli.process import one_heap
if sys.argv[1] == "one":
    one_heap()
c = ctypes.CDLL(None)
c.malloc.restype = c.fopen.restype = ctypes.c_void_p
every = threading.Barrier(3)
def allocate():
    every.wait()
    c.malloc(1000)
    every.wait()
threads = [threading.Thread(target=allocate) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
out = ctypes.c_void_p(c.fopen(b"/dev/stdout", b"w"))
c.malloc_info(0, out)
c.fclose(out)
"""


@pytest.mark.parametrize(("asked", "expected"), [("one", True), ("many", False)])
def test_threads_allocate_from_one_heap_when_asked_to(asked: str, expected: bool) -> None:
    """The C library tells how many heaps it has; by itself it gives threads that allocate at once their own."""
    told = subprocess.run([sys.executable, "-c", HEAPS, asked], capture_output=True, text=True, check=True).stdout
    assert told.count("<heap nr=") >= 1
    assert (told.count("<heap nr=") == 1) is expected
