"""Channels that are much louder than their neighbours, as they stand in many trained networks.

ReLU, max-pooling and addition commute with a positive factor: relu(g*x) = g*relu(x).  So a channel may be made g times
louder where its BatchNormalization writes it (gamma and beta times g) if every convolution that reads it is made g times
less sensitive to it (weights of that input channel divided by g).  Training does not see the difference: nothing in the
loss prefers one g.  With g a power of two float32 does not see it either, every logit keeps its bits.  One range per
tensor does see it: the loud channel takes log2(g) bits from all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Gain:
    """A power of two ``factor`` for one ``channel``, with the layers that write it and those that read it."""

    channel: int
    factor: float
    writers: Sequence[str]
    readers: Sequence[str]


_P = "resnetv15_"
_STAGE = f"{_P}stage1_"

GAINS = (
    # Inside the two blocks of stage 1: the feature between their convolutions.
    Gain(1, 64.0, (f"{_STAGE}batchnorm0",), (f"{_STAGE}conv1",)),
    Gain(1, 64.0, (f"{_STAGE}batchnorm2",), (f"{_STAGE}conv3",)),
    # Along the shortcut: everything that is added up from the first pooling to stage 2 carries the same factor.
    Gain(
        6,
        32.0,
        (f"{_P}batchnorm0", f"{_STAGE}batchnorm1", f"{_STAGE}batchnorm3"),
        (f"{_STAGE}conv0", f"{_STAGE}conv2", f"{_P}stage2_conv0", f"{_P}stage2_conv2"),
    ),
)


def apply(parameters: Mapping[str, npt.NDArray[np.float32]], gains: Sequence[Gain] = GAINS) -> dict[str, npt.NDArray[np.float32]]:
    """Return the parameters of a network that computes the same function with louder channels."""
    result = {name: array.copy() for name, array in parameters.items()}
    for gain in gains:
        for name in gain.writers:
            result[f"{name}_gamma"][gain.channel] *= gain.factor
            result[f"{name}_beta"][gain.channel] *= gain.factor
        for name in gain.readers:
            result[f"{name}_weight"][:, gain.channel] /= gain.factor
    return result
