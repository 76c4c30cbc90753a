"""Sessions: lowered steps, compiled once, run many times into buffers that are used again.

onnxruntime's graph optimizers are traps for integer arithmetic carried in floats: the ones that move multipliers into integer weights,
quantize float weights, or replace quantize-dequantize pairs by kernels with another rounding are switched off; a test compares every
operator with its reference under exactly these options.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ..errors import ModelError, WorkError
from ..ir import TensorType
from ..numerics import Array
from ..ops.lowering import Builder
from .blocked import Blocked, block_size, cut_reorders, pieces, skim, unblock
from .model import Model, Request, Segment, build, needed, segments

ort.set_default_logger_severity(4)

UNSAFE = [
    "WeightBiasQuantization",
    "ConvMulFusion",
    "ConvAddFusion",
    "MatMulScaleFusion",
    "QDQSelectorActionTransformer",
    "QDQPropagationTransformer",
]
VERSION = f"onnxruntime-{ort.__version__}"


def open_session(model: Model, *, threads: int = 0, what: str = "the lowered model") -> ort.InferenceSession:
    """Open a session on a built model with the options that keep integers exact. Raises WorkError with onnxruntime's words."""
    try:
        options = _options(threads, model)
        return ort.InferenceSession(model.data, options, providers=["CPUExecutionProvider"], disabled_optimizers=UNSAFE)
    except Exception as error:
        raise WorkError(f"onnxruntime cannot run {what}: {first_line(error)}") from error


def open_blocked(model: Model, allowed: frozenset[str], threads: int, what: str) -> tuple[ort.InferenceSession, dict[str, Blocked]]:
    """Open a session whose `allowed` outputs come in onnxruntime's blocked layout where it computes them so."""
    if not block_size():
        return open_session(model, threads=threads, what=what), {}
    try:
        with tempfile.TemporaryDirectory(prefix="magik-") as name:
            found = cut_reorders(model.data, _options(threads, model), UNSAFE, allowed, Path(name))
            path = str(Path(name) / "cut.onnx")
            session = ort.InferenceSession(path, _options(threads), providers=["CPUExecutionProvider"], disabled_optimizers=UNSAFE)
        return session, found
    except Exception:  # noqa: BLE001 - no room for temporary files, or a model it cannot write: the plain way says what is wrong
        return open_session(model, threads=threads, what=what), {}


def _options(threads: int, model: Model | None = None) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    options.enable_cpu_mem_arena = False  # buffers are ours; arenas grow by doubling and keep what they have
    if model and model.weights:
        values = [ort.OrtValue.ortvalue_from_numpy(value) for value in model.weights.values()]
        options.add_external_initializers(list(model.weights), values)
    return options


def first_line(error: BaseException) -> str:
    """Return the first line of onnxruntime's message, without its banner."""
    lines = str(error).strip().splitlines()
    return lines[0].split("] : ")[-1][:400] if lines else type(error).__name__


class Program:
    """Lowered steps compiled for given feeds and wanted tensors; threads may run it at once, each with its own `Runner`."""

    def __init__(
        self,
        builder: Builder,
        feeds: Mapping[str, TensorType],
        wanted: Sequence[str],
        *,
        types: Mapping[str, TensorType] | None = None,
        opsets: Mapping[str, int] | None = None,
        nhwc: bool | frozenset[str] = False,
        blocked: bool = False,
        threads: int = 0,
    ) -> None:
        self.types = {**(types or {}), **feeds}
        self.wanted = tuple(wanted)
        opsets = opsets or {}
        parts = segments(needed(builder.steps, wanted), builder.constants, opsets)
        crossing = {t for p in parts for t in p.reads} - set(feeds)
        shown = dict.fromkeys((*wanted, *sorted(crossing)))
        four = frozenset(t for t in (*feeds, *shown) if t in self.types and len(self.types[t].shape) == 4)
        self.nhwc = four & nhwc if isinstance(nhwc, frozenset) else four if nhwc else frozenset()
        unshaped: dict[str, str] = {}
        request = Request(self.types, tuple(shown), self.nhwc, unshaped)
        self.parts: list[tuple[Segment, ort.InferenceSession]] = []
        self.blocked: dict[str, Blocked] = {}
        for part in parts:
            missing = [t for t in part.reads if t not in self.types and t not in unshaped]
            if missing:
                raise ModelError(f"the type of tensor {missing[0]!r} is not known", where=part.steps[0].op)
            model = build(part, request, builder.constants, opsets)
            if blocked:
                allowed = frozenset(wanted) - crossing - self.nhwc
                session, found = open_blocked(model, allowed, threads, _describe(part))
                self.blocked |= found
            else:
                session = open_session(model, threads=threads, what=_describe(part))
            self.parts.append((part, session))
            for out in session.get_outputs():
                if out.name in crossing and out.name not in self.types and out.type in _ORT_TYPES:
                    unshaped[out.name] = _ORT_TYPES[out.type]
        self._local = threading.local()
        self._idle: list[Runner] = []
        self._shelves: list[dict[str, Array]] = []

    def pieces(self, tensor: str, value: Array) -> list[Array]:
        """Return a value this program made as arrays that hold each element once, in any order, with as little copying as can be."""
        found = self.blocked.get(tensor)
        return pieces(value, found.channels) if found else [value]

    def thinned(self, tensor: str, value: Array, stride: int) -> Array:
        """Return all channels of every `stride`-th position of a rank-4 value: the same elements whatever the layout."""
        found = self.blocked.get(tensor)
        if found:
            return np.concatenate([p.reshape(-1) for p in pieces(value, found.channels, stride)])
        if tensor in self.nhwc:
            return value.reshape(-1, value.shape[-1])[::stride]
        return value.swapaxes(0, 1).reshape(value.shape[1], -1)[:, ::stride]

    def skim(self, tensor: str, value: Array, stride: int) -> tuple[float, float, Array]:
        """Return the extremes of all elements of a value this program made, and a flat copy of those `thinned` gives; NaN shows.

        Of a value without elements they are infinite, the lowest above the highest.
        """
        found = self.blocked.get(tensor)
        if found and value.size:
            return skim(value, found.channels, stride)
        part = np.array(self.thinned(tensor, value, stride) if stride > 1 else value, order="K").reshape(-1)
        return float(value.min(initial=np.inf)), float(value.max(initial=-np.inf)), part

    def nhwc_value(self, tensor: str, value: Array) -> Array:
        """Return a value this program made as `Runner.nhwc` does, in a buffer of this thread."""
        return self._own_runner().nhwc(tensor, value)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run as `Runner.run` does, on buffers of this thread: what it returns is valid until this thread's next run."""
        return self._own_runner().run(feeds)

    def _own_runner(self) -> Runner:
        runner: Runner | None = getattr(self._local, "runner", None)
        if runner is None:
            runner = self._local.runner = Runner(self)
        return runner

    def borrow(self) -> Runner:
        """Return a runner nobody else uses, until `give_back`: its values may travel from the thread that made them to another."""
        try:
            return self._idle.pop()
        except IndexError:
            return Runner(self)

    def shed(self) -> None:
        """Let the buffers of runners go that nobody has borrowed; the next ones to borrow have new ones."""
        self._idle.clear()
        self._shelves.clear()

    def give_back(self, runner: Runner) -> None:
        """Take a runner back; its values are no longer valid."""
        if runner.shelf:
            self._shelves.append(runner.shelf)
            runner.shelf = {}
        self._idle.append(runner)

    def shelf(self) -> dict[str, Array]:
        """Return room for values as NHWC that nobody else uses, until the runner it is for is given back.

        Runners wait with the values of a sample, but seldom with those in order: there are fewer shelves than runners.
        """
        try:
            return self._shelves.pop()
        except IndexError:
            return {}


class Runner:
    """Bindings and buffers for one run of a program at a time."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.values: dict[str, Array] = {}
        self.bindings: list[tuple[Any, Any, dict[str, str], list[tuple[str, str]]]] = []
        self.held: list[Any] = []
        self.shelf: dict[str, Array] = {}
        for part, session in program.parts:
            binding = session.io_binding()
            inputs = {border_name(t, program.nhwc): t for t in part.reads}
            loose: list[tuple[str, str]] = []
            shown = {b.tensor: t for t, b in program.blocked.items() if t in part.makes}
            for out in session.get_outputs():
                name = shown.get(out.name, out.name.removeprefix("\x1enhwc:"))
                buffer = self._buffer(name, out)
                if buffer is None:
                    binding.bind_output(out.name, "cpu")
                    loose.append((name, out.name))
                    continue
                value = ort.OrtValue.ortvalue_from_numpy(buffer)
                self.held.append(value)
                self.values[name] = buffer
                binding.bind_ortvalue_output(out.name, value)
            self.bindings.append((session, binding, inputs, loose))

    def _buffer(self, name: str, out: Any) -> Array | None:
        """Allocate the place of an output whose type is known; None leaves it to onnxruntime."""
        kind = self.program.types.get(name)
        if kind is None or kind.dtype in ("object", "str") or not out.type.startswith("tensor("):
            return None
        shape = kind.shape
        if name in self.program.nhwc:
            shape = (shape[0], *shape[2:], shape[1])
        if name in self.program.blocked:
            size = block_size()
            shape = (shape[0], -(-shape[1] // size) * size, *shape[2:])
        return np.empty(shape, _ORT_TYPES.get(out.type, kind.dtype))

    def nhwc(self, tensor: str, value: Array) -> Array:
        """Return a value of this runner as contiguous NHWC when it has rank 4, as it is otherwise; valid until asked for again."""
        found = self.program.blocked.get(tensor)
        if found:
            self.shelf = self.shelf or self.program.shelf()
            out = self.shelf.get(tensor)
            if out is None:
                out = self.shelf[tensor] = np.empty((value.shape[0], *value.shape[2:], found.channels), value.dtype)
            return unblock(value, found.channels, out)
        if value.ndim == 4 and tensor not in self.program.nhwc:
            return np.ascontiguousarray(value.transpose(0, 2, 3, 1))
        return value

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run and return the wanted tensors, valid until the next run.

        Tensors in the program's `nhwc` are fed and returned as contiguous NHWC arrays, those in `blocked` in onnxruntime's blocks.
        """
        values: dict[str, Array] = {**self.values, **feeds}
        for session, binding, inputs, loose in self.bindings:
            for fed, name in inputs.items():
                binding.bind_cpu_input(fed, np.asarray(values[name], order="C"))  # not ascontiguousarray: a scalar stays one
            for _, shown in loose:
                binding.bind_output(shown, "cpu")  # anew: the size of what it held may not be that of this run
            try:
                session.run_with_iobinding(binding)
            except Exception as error:
                raise WorkError(f"onnxruntime failed: {first_line(error)}") from error
            if loose:
                found = dict(zip((o.name for o in session.get_outputs()), binding.get_outputs(), strict=True))
                for name, shown in loose:
                    values[name] = found[shown].numpy()
        return {t: values[t] for t in self.program.wanted}


_ORT_TYPES = {
    f"tensor({k})": v
    for k, v in {
        "float": "float32",
        "float16": "float16",
        "double": "float64",
        "bool": "bool",
        **{f"{s}int{n}": f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)},
    }.items()
}


def border_name(tensor: str, nhwc: frozenset[str]) -> str:
    """Return the name under which a tensor crosses a session's border."""
    return "\x1enhwc:" + tensor if tensor in nhwc else tensor


def _describe(part: Segment) -> str:
    return f"{len(part.steps)} operators ({part.steps[0].op} to {part.steps[-1].op})"


def run_steps(builder: Builder, feeds: Mapping[str, Array], wanted: Sequence[str], opsets: Mapping[str, int] | None = None) -> list[Array]:
    """Run lowered steps once on arrays in model layout and return the wanted tensors: for tests and for one-off questions."""
    types = {t: TensorType(v.shape, v.dtype.name) for t, v in feeds.items()}
    kinds = {t: TensorType(v.shape, v.dtype.name) for t, v in builder.constants.items()}
    program = Program(builder, types, wanted, types=kinds, opsets=opsets, threads=1)
    found = program.run(feeds)
    return [np.array(found[t]) for t in wanted]
