"""What a network puts out on every debug sample, for programs that judge it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..dataset import none_readable
from ..errors import DataError
from ..numerics import Array
from ..plan import Plan
from .course import crosses
from .lab import Lab


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """One sample's outputs by tensor name, in the layout and the type of the model: of the quantized network, and of the float one.

    An output that is no float32 is among the quantized ones only.
    """

    sample: str
    quantized: Mapping[str, Array]
    floats: Mapping[str, Array]


def outputs(lab: Lab, plan: Plan) -> Iterator[Outputs]:
    """Yield the outputs of every readable debug sample, in order; DataError when none is readable."""
    quantized, course = lab.quantized(plan), lab.course(plan)
    names = dict(zip(lab.graph.outputs, quantized.graph.outputs, strict=True))
    names = {name: made for name, made in names.items() if crosses(quantized.graph.types.get(made))}
    values, failures = lab.core.values, []
    for index, sample in enumerate(lab.samples):
        try:
            made, _ = values.run(course, index, names.values(), keep=lab.shared)
        except DataError as error:
            failures.append(str(error))
            continue
        real = values.floats(index)
        yield Outputs(
            sample,
            {name: _in_model_layout(made[tensor]) for name, tensor in names.items()},
            {name: _in_model_layout(real[name]) for name in names if name in real},
        )
    if failures and len(failures) == len(lab.samples):
        raise DataError(none_readable(len(failures), "debug", failures[0]))


def _in_model_layout(value: Array) -> Array:
    return np.ascontiguousarray(value.transpose(0, 3, 1, 2)) if value.ndim == 4 else value
