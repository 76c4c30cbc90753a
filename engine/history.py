"""The history of a project: every finished run with what it was made from, in `.magik/runs`, one JSON file each.

Nothing here is ever deleted but by `forget`. A run that says what the newest one says is not written again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from .discover import ProjectFiles
from .errors import DataError, nearest
from .export.files import atomic_write
from .ir import digest
from .userfiles import Which, place, read_file

SCHEMA = 1
BAD = 0.98
"""A layer that is below this cosine on a sample counts as bad, as the heatmap has it."""


class Record(msgspec.Struct, frozen=True):
    """One finished run: when (seconds since 1970), how ("run" or "live"), of what, and what came out.

    `config` and `bits` are the texts of the user's files as they were, `plan` and `settings` what was changed on top of them.
    """

    id: str
    time: float
    kind: str
    variant: str
    config: str
    bits: str
    document: dict[str, Any]
    settings: list[str] = []
    plan: dict[str, Any] = {}
    note: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Made:
    """What a run was made from."""

    variant: str
    config: str
    bits: str
    settings: tuple[str, ...] = ()
    plan: Mapping[str, Any] | None = None


def made_of(files: ProjectFiles, settings: Sequence[str], plan: Mapping[str, Any] | None = None) -> Made:
    """Return what a run of a project is made from now."""
    which: tuple[Which, Which] = ("config", "bits")
    config, bits = (read_file(place(w, files.root, files.config)).text for w in which)
    return Made(files.variant, config, bits, tuple(settings), plan)


def folder_of(root: Path) -> Path:
    """Return where a project's history lies."""
    return root / ".magik" / "runs"


def record(root: Path, kind: str, made: Made, document: Mapping[str, Any], now: float | None = None) -> Record:
    """Write a finished run and return it; the newest record instead where it says the same. OutputError when it cannot be written."""
    now = time.time() if now is None else now
    kept = {k: v for k, v in document.items() if k not in ("timing", "peak_rss_mb", "recomputed", "artefacts")}
    what = _identity(made, kept)
    newest = next(records(root), None)
    if newest is not None and _identity_of(newest) == what:
        return newest
    stamp = datetime.fromtimestamp(now).astimezone().strftime("%Y%m%d-%H%M%S")
    id_ = f"{stamp}-{what[:6]}"
    written = Record(id_, now, kind, made.variant, made.config, made.bits, dict(document), list(made.settings), dict(made.plan or {}))
    _write(root, written)
    return written


def records(root: Path) -> Iterator[Record]:
    """Yield the runs, the newest first; a file that is no record is passed over."""
    paths = sorted(folder_of(root).glob("*.json"), reverse=True)
    for path in paths:
        found = _load(path)
        if found is not None:
            yield found


def find(root: Path, id_: str) -> Record:
    """Return one run. DataError with the nearest id when there is none."""
    found = _load(folder_of(root) / f"{id_}.json") if "/" not in id_ else None
    if found is None:
        near = nearest(id_, [p.stem for p in folder_of(root).glob("*.json")])
        raise DataError(f"there is no run {id_!r}", hint=f"did you mean {near}?" if near else "")
    return found


def annotate(root: Path, id_: str, note: str) -> Record:
    """Give a run a note and return it."""
    changed = msgspec.structs.replace(find(root, id_), note=note)
    _write(root, changed)
    return changed


def forget(root: Path, id_: str) -> None:
    """Delete one run."""
    find(root, id_)
    (folder_of(root) / f"{id_}.json").unlink(missing_ok=True)


def summary(run: Record) -> dict[str, Any]:
    """Return what a list shows of a run: no layers, the outputs' figures, how many layers are bad and which is the worst."""
    nodes = [n for n in run.document.get("nodes", []) if n.get("cosine_avg") is not None]
    worst = min(nodes, key=lambda n: float(n["cosine_avg"]), default=None)
    return {
        "id": run.id,
        "time": run.time,
        "kind": run.kind,
        "variant": run.variant,
        "settings": run.settings,
        "plan": run.plan,
        "note": run.note,
        "soc": run.document.get("soc", ""),
        "outputs": run.document.get("outputs", []),
        "layers": len(run.document.get("nodes", [])),
        "bad": sum(_lowest(n) < BAD for n in nodes),
        "worst": {"name": worst["name"], "cosine_avg": worst["cosine_avg"]} if worst else None,
    }


def _lowest(node: Mapping[str, Any]) -> float:
    """Return the cosine of a layer's worst sample; a layer without values on one of the samples has none, so its mean counts."""
    lowest = node.get("cosine_min")
    return float(node["cosine_avg"] if lowest is None else lowest)


def _identity(made: Made, kept: Mapping[str, Any]) -> str:
    metrics = json.dumps([kept.get("nodes"), kept.get("outputs")], sort_keys=True)
    return digest(made.variant, made.config, made.bits, list(made.settings), json.dumps(made.plan or {}, sort_keys=True), metrics)


def _identity_of(run: Record) -> str:
    return _identity(Made(run.variant, run.config, run.bits, tuple(run.settings), run.plan), run.document)


def _write(root: Path, run: Record) -> None:
    atomic_write(folder_of(root) / f"{run.id}.json", [msgspec.json.encode(run)])


def _load(path: Path) -> Record | None:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.schema == SCHEMA and found.id == path.stem else None
