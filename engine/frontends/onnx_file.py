"""A file -> an ONNX model in memory, or a sentence that says why not. The file is only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from ..errors import ModelError
from ..numerics import Array
from .weights import read_apart

OLDEST, NEWEST_CERTAIN = 7, 22
"""Operator sets that are known to work; older ones are tried with a warning, newer ones after asking onnxruntime."""

_OTHERS = (
    (b"version https://git-lfs", 0, "a git-lfs pointer instead of the model: run git lfs pull"),
    (b"TFL3", 4, "a TensorFlow Lite model: convert it to ONNX first"),
    (b"PK\x03\x04", 0, "a zip archive, perhaps a PyTorch checkpoint: export it to ONNX first"),
    (b"\x89HDF", 0, "an HDF5 file, perhaps a Keras model: convert it to ONNX first"),
    (b"\x80\x02", 0, "a Python pickle, perhaps a PyTorch checkpoint: export it to ONNX first"),
    (b"ORTM", 4, "onnxruntime's own format: give the .onnx it was made from"),
)


@dataclass(frozen=True, slots=True, eq=False)
class ModelFile:
    """A model that was read: the message, the large constants that were read apart from it, and warnings."""

    model: onnx.ModelProto
    weights: Mapping[str, Array]
    warnings: tuple[str, ...] = ()


def read_model(path: Path) -> ModelFile:
    """Return the model in the file at `path`, external data included. ModelError when there is none to be had."""
    data, weights = _read(path)
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise _not_onnx(path, data, "not an ONNX model, or a truncated one") from error
    if not model.HasField("graph") or not model.ir_version:
        raise _not_onnx(path, data, "not an ONNX model: it holds no graph")
    if not model.graph.output:
        raise ModelError("the model has no output", where=str(path))
    warnings = _check_opset(model, path)
    _load_external(model, path)
    return ModelFile(model, weights, warnings)


def _read(path: Path) -> tuple[bytes, dict[str, Array]]:
    if path.is_dir():
        inside = sorted(p.name for p in path.glob("*.onnx"))
        raise ModelError("is a folder, expected an ONNX file", where=str(path), hint=f"it holds {', '.join(inside[:3])}" if inside else "")
    try:
        data, weights = read_apart(path)
    except FileNotFoundError as error:
        raise ModelError("no such file", where=str(path), hint=_beside(path)) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=str(path)) from error
    if not data:
        raise ModelError("the file is empty", where=str(path))
    return data, weights


def _beside(path: Path) -> str:
    """Say which models lie where one was looked for."""
    try:
        names = sorted(p.name for p in path.parent.glob("*.onnx"))
    except OSError:
        return ""
    return f"beside it: {', '.join(names[:3])}" if names else ""


def _not_onnx(path: Path, data: bytes, message: str) -> ModelError:
    hint = next((text for magic, offset, text in _OTHERS if data[offset : offset + len(magic)] == magic), "")
    return ModelError(message, where=str(path), hint=hint and f"it looks like {hint}")


def _check_opset(model: onnx.ModelProto, path: Path) -> tuple[str, ...]:
    """Refuse what onnxruntime is too old for, warn of what is older than anyone tests."""
    version = opsets_of(model)[""]
    if version > NEWEST_CERTAIN or model.ir_version > 10:
        from .running import refusal  # onnxruntime is loaded only when there is something to ask

        said = refusal(version, model.ir_version)
        if said:
            raise ModelError(
                f"operator set {version} (IR version {model.ir_version}) is newer than the installed onnxruntime",
                where=str(path),
                hint=f"onnxruntime says: {said}",
            )
    if version < OLDEST:
        return (f"operator set {version} is older than {OLDEST}: it is tried all the same",)
    return ()


def opsets_of(model: onnx.ModelProto) -> dict[str, int]:
    """Return the version of each operator domain; the default domain is ""."""
    found = {"" if entry.domain == "ai.onnx" else entry.domain: int(entry.version) for entry in model.opset_import}
    return {"": 1, **found}


def _load_external(model: onnx.ModelProto, path: Path) -> None:
    """Bring the tensors that lie in other files into the model in memory."""
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"its external data cannot be read: {reason}", where=str(path), hint="keep it beside the model") from error
