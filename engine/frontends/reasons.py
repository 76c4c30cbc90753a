"""Why operators that have no integer form run in float32, in a person's words; what is not listed is merely not known here."""

from __future__ import annotations

from collections.abc import Iterable


def _table(*rows: tuple[Iterable[str], str]) -> dict[str, str]:
    return {op: words for ops, words in rows for op in ops}


REASONS = _table(
    (("Softmax", "LogSoftmax"), "softmax runs in float32: an exponential and its sum span more than the levels of a feature can tell"),
    (("Hardmax", "ArgMax", "ArgMin", "TopK"), "it looks for positions: it compares in float32 and makes no feature"),
    (("NonMaxSuppression", "NonZero", "Unique", "Compress"), "how much it selects depends on the picture: it runs in float32"),
    (
        ("LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization", "RMSNormalization"),
        "layer normalization runs in float32: it divides by a deviation that every position has for itself",
    ),
    (
        ("GroupNormalization", "GroupNorm", "InstanceNormalization", "MeanVarianceNormalization", "LpNormalization", "LRN"),
        "normalization runs in float32: it divides by a deviation that every picture has for itself",
    ),
    (
        ("GRU", "LSTM", "RNN"),
        "a recurrent cell runs in float32: the error of a state that is rounded at every step would add up",
    ),
    (("Attention", "MultiHeadAttention"), "attention in one operator runs in float32, with its softmax"),
    (("Div", "Reciprocal"), "dividing by a feature runs in float32: a quotient has no bound where the divisor comes near 0"),
    (("Mod", "Floor", "Ceil", "Round", "Sign"), "it is about exact values, which levels do not keep: it runs in float32"),
    (
        ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "IsNaN", "IsInf"),
        "it compares in float32: its result is true or false, no feature",
    ),
    (("If",), "which branch of an If is taken is known at run time only: both run in float32"),
    (("Loop", "Scan", "SequenceMap"), "how often a loop runs is known at run time only: it runs in float32"),
    (("Cast",), "it changes the type of its values"),
    (
        ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"),
        "the model brings its own quantization, which runs as it is: give the float model",
    ),
    (("GridSample", "RoiAlign", "MaxRoiPool"), "it samples where the picture says: it runs in float32"),
    (("Einsum",), "an Einsum runs in float32: written as MatMul and Transpose it would run in integers"),
)


def no_integer_form(op: str) -> str:
    """Return why the source operator `op` runs in float32 whatever its arguments are."""
    return REASONS.get(op, f"no integer form of {op} is known")
