"""A fix of a diagnosis becomes what the project's files say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..lab import Lab
from ..lab.writing import write_plan

Fix = Mapping[str, Any]
"""One of the `fixes` of the document."""


def fix_of(fixes: Sequence[Fix], rank: int) -> Fix:
    """Return the fix of a rank, from 1 on. UsageError where there is none, and for one that no file of the project can say."""
    if not fixes:
        raise UsageError(f"there is no fix {rank}: nothing that was tried gains enough to be advised", where="--apply")
    found = next((fix for fix in fixes if fix["rank"] == rank), None)
    if found is None:
        raise UsageError(f"there is no fix {rank}: they are numbered 1 to {len(fixes)}", where="--apply")
    if not found["config"] and not found["bit_file"]:
        raise UsageError(f"no file says fix {rank}, it is yours to do: {found['do'] or found['title']}", where="--apply")
    return found


def write_fix(lab: Lab, fix: Fix) -> list[Path]:
    """Write the keys of a fix to magik.cfg and its widths to the file of bits, and return the files written; what else they say stays."""
    nodes = {name: {"feature_bits": entry["QUANT_FEATURE_BIT"]} for name, entry in fix["bit_file"].items()}
    return write_plan(lab, {"nodes": nodes}, fix["config"])


def left_to_do(fix: Fix) -> str:
    """Return what is left to a person once the files say a fix, "" where nothing is; how entries get into the file of bits is no matter of
    theirs."""
    return "" if fix["bit_file"] and not fix["without"] else str(fix["do"])
