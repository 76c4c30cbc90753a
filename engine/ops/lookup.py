"""The functions of one tensor: sigmoid, hard-swish, SiLU, tanh, leaky ReLU and their kind, a few lines each.

`f` is the mathematics, in float64; a table of 2^bits entries is made of it. Sources: ONNX operator schemas, com.microsoft for QuickGelu.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ir import Node, RawNode
from ..numerics import Array
from .activation import clip_limits
from .base import Fixed, Origin
from .lowering import Builder
from .unary import Attrs, Unary, constants, erf, sigmoid, softplus
from .view import Decline, View


class Sigmoid(Unary):
    type = "Sigmoid"
    sources = ("Sigmoid",)

    def origin(self, node: Node) -> Origin:
        return Fixed(0.0, 1.0)

    def f(self, x: Array, a: Attrs) -> Array:
        return sigmoid(x)


class Tanh(Unary):
    type = "Tanh"
    sources = ("Tanh",)

    def origin(self, node: Node) -> Origin:
        return Fixed(-1.0, 1.0)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.tanh(x)


class HardSwish(Unary):
    type = "HardSwish"
    sources = ("HardSwish", "Add", "Mul", "Div", "HardSigmoid")
    priority = 2
    spelled = (constants(),)

    def f(self, x: Array, a: Attrs) -> Array:
        return x * np.clip(x + 3.0, 0.0, 6.0) / 6.0


class HardSigmoid(Unary):
    type = "HardSigmoid"
    sources = ("HardSigmoid", "Add", "Mul", "Div")
    priority = 1
    defaults = constants(alpha=0.2, beta=0.5)
    spelled = (constants(alpha=1.0 / 6.0), constants(alpha=0.2))

    def origin(self, node: Node) -> Origin:
        return Fixed(0.0, 1.0)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.asarray(np.clip(a["alpha"] * x + a["beta"], 0.0, 1.0))


class SiLU(Unary):
    type = "SiLU"
    sources = ("Sigmoid", "Swish")
    priority = 2
    defaults = constants(alpha=1.0)
    spelled = (constants(),)

    def single(self, raw: RawNode) -> bool:
        return raw.op == "Swish"

    def f(self, x: Array, a: Attrs) -> Array:
        return x * sigmoid(a["alpha"] * x)

    def float_steps(self, x: str, a: Attrs, b: Builder) -> str:
        inner = x if a["alpha"] == 1.0 else b.op("Mul", x, b.const(a["alpha"], np.float32))
        return b.op("Mul", x, b.op("Sigmoid", inner))


class QuickGelu(SiLU):
    """x * sigmoid(1.702 x)."""

    type = "QuickGelu"
    sources = ("QuickGelu", "Mul")
    domains = ("", "com.microsoft")
    defaults = constants(alpha=1.702)

    def single(self, raw: RawNode) -> bool:
        return raw.op == "QuickGelu"


class Mish(Unary):
    type = "Mish"
    sources = ("Mish", "Softplus")
    priority = 2
    spelled = (constants(),)

    def f(self, x: Array, a: Attrs) -> Array:
        return x * np.tanh(softplus(x))


class Gelu(Unary):
    type = "Gelu"
    sources = ("Gelu", "Div", "Mul", "Pow")
    domains = ("", "com.microsoft")
    priority = 2
    defaults = constants(approximate="none")
    spelled = (constants(), constants(approximate="tanh"))

    def f(self, x: Array, a: Attrs) -> Array:
        if a["approximate"] == "tanh":
            return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1.0 + erf(x / math.sqrt(2.0)))


class LeakyRelu(Unary):
    """x below 0 times alpha; PRelu with one slope for all channels is the same."""

    type = "LeakyRelu"
    sources = ("LeakyRelu", "PRelu")
    defaults = constants(alpha=0.01)

    def single(self, raw: RawNode) -> bool:
        return True

    def attrs_of(self, raw: RawNode, view: View) -> dict[str, Any] | Decline:
        if raw.op == "LeakyRelu":
            return super().attrs_of(raw, view)
        slope = view.const(raw.inputs[1])
        if slope is None or slope.size == 0 or slope.min() != slope.max() or slope.ndim > view.rank(raw.inputs[0]):
            return Decline("its slope is computed at run time, or differs from channel to channel")
        return {"alpha": float(slope.reshape(-1)[0])}

    def f(self, x: Array, a: Attrs) -> Array:
        return np.where(x < 0.0, a["alpha"] * x, x)


class Relu(Unary):
    type = "Relu"
    sources = ("Relu",)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.maximum(x, 0.0)


class Clip(Unary):
    type = "Clip"
    sources = ("Clip",)
    defaults = constants(low=0.0, high=6.0)

    def attrs_of(self, raw: RawNode, view: View) -> dict[str, Any] | Decline:
        limits = clip_limits(raw, view)
        return Decline("its limits are computed at run time, or crossed") if limits is None else {"low": limits[0], "high": limits[1]}

    def f(self, x: Array, a: Attrs) -> Array:
        return np.clip(x, a["low"], a["high"])

    def float_steps(self, x: str, a: Attrs, b: Builder) -> str:
        return b.op("Clip", x, b.const(max(a["low"], -3.4e38), np.float32), b.const(min(a["high"], 3.4e38), np.float32))


class Elu(Unary):
    type = "Elu"
    sources = ("Elu",)
    defaults = constants(alpha=1.0)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.where(x < 0.0, a["alpha"] * np.expm1(np.minimum(x, 0.0)), x)


class Celu(Unary):
    type = "Celu"
    sources = ("Celu",)
    defaults = constants(alpha=1.0)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.where(x < 0.0, a["alpha"] * np.expm1(np.minimum(x, 0.0) / a["alpha"]), x)


class Selu(Unary):
    type = "Selu"
    sources = ("Selu",)
    defaults = constants(alpha=1.67326319217681884765625, gamma=1.05070102214813232421875)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.asarray(a["gamma"] * np.where(x < 0.0, a["alpha"] * np.expm1(np.minimum(x, 0.0)), x))


class ThresholdedRelu(Unary):
    type = "ThresholdedRelu"
    sources = ("ThresholdedRelu",)
    defaults = constants(alpha=1.0)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.where(x > a["alpha"], x, 0.0)


class Softplus(Unary):
    type = "Softplus"
    sources = ("Softplus",)

    def f(self, x: Array, a: Attrs) -> Array:
        return softplus(x)


class Softsign(Unary):
    type = "Softsign"
    sources = ("Softsign",)

    def f(self, x: Array, a: Attrs) -> Array:
        return x / (1.0 + np.abs(x))


class Exp(Unary):
    type = "Exp"
    sources = ("Exp",)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.exp(x)


class Erf(Unary):
    type = "Erf"
    sources = ("Erf",)

    def f(self, x: Array, a: Attrs) -> Array:
        return erf(x)


class Abs(Unary):
    type = "Abs"
    sources = ("Abs",)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.abs(x)


class Neg(Unary):
    type = "Neg"
    sources = ("Neg",)

    def f(self, x: Array, a: Attrs) -> Array:
        return -x


class Sqrt(Unary):
    """A level may stand for a hair below 0 where the float value was 0; its root is 0."""

    type = "Sqrt"
    sources = ("Sqrt",)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.sqrt(np.maximum(x, 0.0))


class Sin(Unary):
    type = "Sin"
    sources = ("Sin",)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.sin(x)


class Cos(Unary):
    type = "Cos"
    sources = ("Cos",)

    def f(self, x: Array, a: Attrs) -> Array:
        return np.cos(x)


class Pow(Unary):
    """x to a constant whole power; other powers of negative numbers are no numbers."""

    type = "Pow"
    sources = ("Pow",)
    defaults = constants(exponent=2.0)

    def attrs_of(self, raw: RawNode, view: View) -> dict[str, Any] | Decline:
        exponent = view.const(raw.inputs[1])
        if exponent is None or exponent.size != 1 or exponent.ndim > view.rank(raw.inputs[0]):
            return Decline("its exponent is computed at run time, or differs from place to place")
        value = float(exponent.reshape(-1)[0])
        return {"exponent": value} if value in (2.0, 3.0, 4.0) else Decline(f"a power of {value:g} has no table here")

    def f(self, x: Array, a: Attrs) -> Array:
        return np.asarray(x ** a["exponent"])

    def float_steps(self, x: str, a: Attrs, b: Builder) -> str:
        return b.op("Pow", x, b.const(a["exponent"], np.float32))
