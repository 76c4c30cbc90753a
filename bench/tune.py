"""Mixed widths on a ResNet-18: what a cosine of 0.999 at the output costs, against everything at 12 bits.

Costs are those of the SOC profile, relative to everything at 8 bits. Promises: the target is met, for at most half of what 12 bits
everywhere cost more than 8; the front has at least 8 measured points; and a run of the project with the bit file that was written gives
the figure that was promised.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from . import _cases

TARGET = 0.999


def main() -> int:
    """Tune, write, run; return 1 when a promise is broken."""
    with tempfile.TemporaryDirectory() as name:
        (case,) = _cases.cases(Path(name), ("resnet18",))
        root = _cases.project(case, Path(name))
        tool = str(Path(sys.executable).parent / "magik-tui")
        flags = ["--target", str(TARGET), "--json", "--apply"]
        found = json.loads(subprocess.run([tool, "tune", str(root), *flags], check=True, capture_output=True, text=True).stdout)
        run = json.loads(subprocess.run([tool, "run", str(root), "--json"], check=True, capture_output=True, text=True).stdout)
    chosen = found["chosen"]
    costs = {int(bits): cost for bits, cost in found["costs"].items()}
    print(f"{found['runs']} plans in {found['timing']['tune']:.1f} s; the configuration has {found['base']['cosine_avg']:.5f}")
    for point in found["front"]:
        print(f"  cost {point['cost']:.4f}  cosine {point['cosine_avg']:.5f}  {point['counts']}")
    held = _cases.verdict("  cosine", chosen["cosine_avg"], TARGET, at_least=True)
    held &= _cases.verdict("  cost increase / that of 12 bits everywhere", (chosen["cost"] - 1) / (costs[12] - 1), 0.5)
    held &= _cases.verdict("  points of the front", len(found["front"]), 8, at_least=True)
    apart = abs(run["outputs"][0]["cosine_avg"] - chosen["cosine_avg"])
    held &= _cases.verdict("  promised and real cosine apart, in millionths", apart * 1e6, 1.0)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
