"""What leaves the engine as JSON: events, errors and documents as one line each, in the words of docs/protocol.md.

JSON knows no NaN and no infinity: whatever is not finite becomes null here, at the border.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from engine.errors import EXIT_FAILED, MagikError
from engine.events import Event, Found, Layers, Log, Progress, SampleMeasured

Message = dict[str, Any]


def event_message(event: Event) -> Message:
    """Return the message of an event, without the id of its request."""
    match event:
        case Progress(stage, done, total):
            return {"event": "progress", "stage": stage, "done": done, "total": total}
        case Log(text, level, source):
            return {"event": "log", "text": text, "level": level, "source": source}
        case Layers(rows, samples):
            return {"event": "layers", "rows": [dict(row) for row in rows], "samples": list(samples)}
        case Found(kind, data):
            return {"event": kind, **data}
        case SampleMeasured(sample, index, metrics):
            return {"event": "sample", "sample": sample, "index": index, "metrics": {name: dict(m) for name, m in metrics.items()}}


def error_message(error: Exception) -> Message:
    """Return the message of an error; one that nobody raised on purpose has the kind InternalError."""
    if isinstance(error, MagikError):
        return {"event": "error", "kind": type(error).__name__, "message": str(error), "exit_code": error.exit_code}
    return {"event": "error", "kind": "InternalError", "message": unforeseen(error), "exit_code": EXIT_FAILED}


def unforeseen(error: Exception) -> str:
    """Return one line for an error that is no MagikError: what the machine refused, or that this is a mistake of ours."""
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return f"internal error: {type(error).__name__}: {error}"


def to_line(message: Mapping[str, Any]) -> str:
    """Return a message or document as one line of JSON in ASCII, with its newline."""
    try:
        text = json.dumps(message, allow_nan=False, separators=(", ", ": "))
    except ValueError:
        text = json.dumps(plain(message), allow_nan=False, separators=(", ", ": "))
    return text + "\n"


def plain(value: Any) -> Any:
    """Return a value as JSON has it: mappings with string keys, tuples as lists, numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
