"""Peak memory of a run with 200 calibration pictures against one with 20. Promise: at most 1.1 times as much."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from . import _cases


def pictures(folder: Path, count: int) -> Path:
    """Fill a folder with `count` pictures: the shared ones, again and again, each with bytes of its own."""
    folder.mkdir()
    files = sorted((_cases.SHARED / "images/calib").iterdir())
    for index in range(count):
        target = folder / f"{index:03d}.jpg"
        shutil.copyfile(files[index % len(files)], target)
        with target.open("ab") as file:
            file.write(b"%d" % index)
    return folder


def main() -> int:
    """Measure and return 1 when the promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        case = _cases.cases(work, ("efficientnet_lite0",))[0]
        peaks = []
        for count in (20, 200):
            root = _cases.project(case, work, calib=pictures(work / str(count), count))
            peaks.append(min(_weigh_cold(root) for _ in range(2)))
            print(f"{count} pictures: {peaks[-1]:.0f} MB")
        return 0 if _cases.verdict("200 pictures / 20 pictures", peaks[1] / peaks[0], 1.1) else 1


def _weigh_cold(root: Path) -> float:
    _cases.fresh(root)
    return _cases.weigh(_cases.run_command(root)).peak_mb


if __name__ == "__main__":
    sys.exit(main())
