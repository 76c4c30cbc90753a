"""Run the measurements: `python -m bench [NAME ...]`, all of them by default, each in a process of its own."""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
from pathlib import Path


def measurements() -> list[str]:
    """Return the names of the measurements: every module beside this one that does not begin with an underscore."""
    return sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if not m.name.startswith("_"))


def main() -> int:
    """Run what the command line names and return the worst exit code."""
    known = measurements()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(known)}")
    names = parser.parse_args().names or known
    if unknown := [name for name in names if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    worst = 0
    for name in names:
        print(f"== {name}", flush=True)
        worst = max(worst, abs(subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
