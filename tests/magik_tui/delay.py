"""A slow line in place of ssh: each line arrives as many seconds late as the first argument says, in both directions.

python delay.py SECONDS COMMAND ...
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from queue import SimpleQueue
from typing import IO


def carry(source: IO[bytes], target: IO[bytes], late: float, *, close: bool) -> None:
    """Pass lines on, each when it is due: many may be under way at once, as on a long line."""
    under_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def read() -> None:
        for line in iter(source.readline, b""):
            under_way.put((time.monotonic() + late, line))
        under_way.put((0.0, b""))

    threading.Thread(target=read, daemon=True).start()
    while True:
        due, line = under_way.get()
        if not line:
            break
        time.sleep(max(0.0, due - time.monotonic()))
        target.write(line)
        target.flush()
    if close:
        target.close()


if __name__ == "__main__":
    child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    seconds = float(sys.argv[1])
    threading.Thread(target=carry, args=(sys.stdin.buffer, child.stdin, seconds), kwargs={"close": True}, daemon=True).start()
    carry(child.stdout, sys.stdout.buffer, seconds, close=False)
    sys.exit(child.wait())
