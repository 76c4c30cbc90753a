"""What a command that does its work once and ends asks of its process.

Nothing of it changes what is computed: less is tidied up that the end of the process tidies up anyway.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os

_YOUNG = 50_000
"""New objects before a collection looks at them: loading the libraries alone makes more than the usual 700 a hundred times over."""

_ARENA_MAX = -8  # M_ARENA_MAX of malloc.h


def one_heap() -> None:
    """Let all threads allocate from one heap, before there is a second thread: what one lets go of another uses.

    Compiling a network lets go of several times its weights. With a heap for each thread that memory lies idle, or is given back to the
    system, and the values of the samples are put into new pages, which the system has to clear first.
    """
    with contextlib.suppress(OSError, AttributeError):  # a C library without it has its own way
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def works_once() -> None:
    """Ask for it, before numpy is loaded.

    The executor's threads share the samples; further ones of the linear algebra library would spin beside them for work that never comes.
    """
    one_heap()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_YOUNG, 20, 50)
    atexit.register(gc.freeze)  # at the end every module is taken apart and collected; what is frozen is left to the system
