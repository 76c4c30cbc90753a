"""The result of a run as one value, and as the JSON document that programs read.

Field names are the document's keys. A number that does not exist is None here and null there; NaN and infinity never leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import msgspec

from ..errors import DataError
from ..messages import plain
from .reduce import Row

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class SampleCosine:
    """One cell of the heatmap: the cumulative cosine of a node on one debug sample, None when it does not exist."""

    sample: str
    cosine: float | None = None


@dataclass(frozen=True, slots=True)
class BySample:
    """What else is known of a node on each debug sample: one number for each of its `samples`, in their order, None where there is none.

    Lists of numbers, since a table of thousands of layers would be three times as long with names in every cell.
    """

    sqnr_db: tuple[float | None, ...] = ()
    saturation: tuple[float | None, ...] = ()
    local_cosine: tuple[float | None, ...] = ()
    local_sqnr_db: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One node: what was asked for it, what it got, how it fared.

    `feature_bits` and `weight_bits` are the effective widths (None for a float node, and for weights where there are none), the
    `requested_` ones those of the configuration. `reason` says why the node is float. `min` and `max` are the calibrated range,
    `scale` and `zero_point` what was made of it. Metrics are those of `Row`: the whole quantized network against the float one,
    `local_` ones for this layer alone. `macs` counts multiply-accumulates of one picture, in integers or in float.
    """

    name: str
    op: str
    quantized: bool
    reason: str = ""
    feature_bits: int | None = None
    weight_bits: int | None = None
    requested_feature_bits: int | None = None
    requested_weight_bits: int | None = None
    method: str = ""
    min: float | None = None
    max: float | None = None
    scale: float | None = None
    zero_point: int | None = None
    cosine_avg: float | None = None
    cosine_min: float | None = None
    cosine_max: float | None = None
    euc_distance: float | None = None
    standard_deviation: float | None = None
    max_absolute: float | None = None
    max_absolute_normalized: float | None = None
    sqnr_db: float | None = None
    saturation: float | None = None
    mean_error: float | None = None
    local_cosine: float | None = None
    local_sqnr_db: float | None = None
    unmeasured: int = 0
    nonfinite: int = 0
    macs: int = 0
    samples: tuple[SampleCosine, ...] = ()
    by_sample: BySample = BySample()


@dataclass(frozen=True, slots=True)
class OutputRow:
    """One output of the network; its metrics are those of the node that makes it."""

    name: str
    cosine_avg: float | None = None
    cosine_min: float | None = None
    sqnr_db: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All of one run: nodes in graph order, outputs, seconds per stage, peak memory in MiB, files written, what to know."""

    model: str
    soc: str
    nodes: tuple[LayerRow, ...] = ()
    outputs: tuple[OutputRow, ...] = ()
    timing: Mapping[str, float] = field(default_factory=dict)
    peak_rss_mb: float | None = None
    artefacts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    numerics: str = ""


_MEASURED = {f.name for f in fields(Row)} & {f.name for f in fields(LayerRow)}


def measured(layer: LayerRow, row: Row, samples: Sequence[SampleCosine] = (), by_sample: BySample = BySample()) -> LayerRow:
    """Return `layer` with the metrics of `row`."""
    metrics = {name: getattr(row, name) for name in _MEASURED}
    return replace(layer, **metrics, samples=tuple(samples), by_sample=by_sample)


def to_json(report: Report) -> dict[str, Any]:
    """Return the document: plain dicts, lists, strings and finite numbers, ready for `json.dumps`."""
    try:
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(report))  # what is not finite becomes null
    except UnicodeEncodeError:  # a path that is no text
        document = plain(msgspec.to_builtins(report))
    return {"schema": SCHEMA} | document


def from_json(document: object, *, where: str = "") -> Report:
    """Return the report of a document that `to_json` made; keys of later versions are ignored.

    DataError when it is no such document; `where` names the file it came from.
    """
    schema = document.get("schema") if isinstance(document, Mapping) else None
    if schema != SCHEMA or isinstance(schema, bool):
        raise DataError(f"this is not a report of schema {SCHEMA}", where=where, hint="write one with magik-tui run --json")
    try:
        return msgspec.convert(plain(document), Report)
    except msgspec.ValidationError as error:
        raise DataError(f"a broken report: {error}", where=where) from error
