"""What a command that does its work once and ends asks of its process.

Nothing of it changes what is computed: less is tidied up that the end of the process tidies up anyway.
"""

from __future__ import annotations

import atexit
import gc
import os

_YOUNG = 50_000
"""New objects before a collection looks at them: loading the libraries alone makes more than the usual 700 a hundred times over."""


def works_once() -> None:
    """Ask for it, before numpy is loaded.

    The executor's threads share the samples; further ones of the linear algebra library would spin beside them for work that never comes.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_YOUNG, 20, 50)
    atexit.register(gc.freeze)  # at the end every module is taken apart and collected; what is frozen is left to the system
