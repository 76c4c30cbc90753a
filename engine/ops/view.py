"""What a recogniser sees of the source model, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..ir import Node, RawNode, TensorType
from ..numerics import Array


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """A layer was recognised: the layer, and every source operator it absorbs."""

    node: Node
    absorbed: tuple[RawNode, ...]


@dataclass(frozen=True, slots=True)
class Decline:
    """The operator stays in float, for this reason."""

    reason: str


class View:
    """Read-only questions about the source model: constants, types, neighbours."""

    def __init__(
        self, nodes: Sequence[RawNode], outputs: Sequence[str], constants: Mapping[str, Array], types: Mapping[str, TensorType]
    ) -> None:
        self._constants, self._types, self._outputs = constants, types, frozenset(outputs)
        self._producer = {t: n for n in nodes for t in n.outputs if t}
        self._readers: dict[str, list[RawNode]] = {}
        for n in nodes:
            for t in dict.fromkeys((*n.inputs, *n.captured)):
                if t:
                    self._readers.setdefault(t, []).append(n)

    def const(self, tensor: str) -> Array | None:
        """Return the value of a constant tensor, None when it is computed (or absent)."""
        return self._constants.get(tensor)

    def type(self, tensor: str) -> TensorType | None:
        """Return the static type of a tensor, None when it is not known."""
        t = self._types.get(tensor)
        if t is None and tensor in self._constants:
            value = self._constants[tensor]
            return TensorType(value.shape, value.dtype.name)
        return t

    def rank(self, tensor: str) -> int:
        """Return the number of dimensions, -1 when unknown."""
        t = self.type(tensor)
        return len(t.shape) if t else -1

    def producer(self, tensor: str) -> RawNode | None:
        """Return the operator that makes a tensor."""
        return self._producer.get(tensor)

    def readers(self, tensor: str) -> tuple[RawNode, ...]:
        """Return the operators that read a tensor."""
        return tuple(self._readers.get(tensor, ()))

    def is_output(self, tensor: str) -> bool:
        """Tell whether a tensor leaves the model."""
        return tensor in self._outputs

    def only_reader(self, tensor: str) -> RawNode | None:
        """Return the single operator that reads a tensor that is not an output; None when a fusion would hide a value others need."""
        readers = self._readers.get(tensor, ())
        return readers[0] if len(readers) == 1 and tensor not in self._outputs else None

    def features(self, raw: RawNode) -> tuple[str, ...]:
        """Return the computed (not constant, not omitted) inputs of an operator."""
        return tuple(t for t in raw.inputs if t and t not in self._constants)

    def is_float(self, *tensors: str) -> bool:
        """Tell whether every tensor is known to be float32."""
        kinds = [self.type(t) for t in tensors]
        return all(k is not None and k.dtype == "float32" for k in kinds)

    def argument(self, raw: RawNode, index: int, name: str) -> Array | None:
        """Return an argument that older opsets have as attribute `name` and newer ones as input `index`; None when absent.

        Raises LookupError when the argument is there but computed at run time.
        """
        if index < len(raw.inputs) and raw.inputs[index]:
            value = self.const(raw.inputs[index])
            if value is None:
                raise LookupError(name)
            return value
        value = raw.attrs.get(name)
        return None if value is None else np.asarray(value)

    def reads_computed(self, raw: RawNode, first: int) -> bool:
        """Tell whether an argument from input `first` on is computed at run time."""
        return any(t and self.const(t) is None for t in raw.inputs[first:])
