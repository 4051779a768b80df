"""One byte per number, and a scale."""

import struct
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.codec import Codec, Encoded, MakeGenerator

SCALE = struct.Struct("<f")
"""The step between the levels, as a float32."""


class Int8Codec(Codec):
    """255 levels, evenly spaced from minus to plus the largest magnitude, by stochastic rounding.

    Each number is rounded to one of the two nearest levels with probabilities that make it unbiased (Gupta,
    Agrawal, Gopalakrishnan & Narayanan 2015, "Deep learning with limited numerical precision").
    """

    name: Literal["int8"]

    def encode(self, numbers: NDArray[np.floating], generator: MakeGenerator) -> Encoded:
        """The levels' numbers as int8; the header is the step between levels."""
        # One float32 up, so that the largest number stays within 127 steps.
        step = float(np.nextafter(np.float32(np.abs(numbers).max(initial=0.0) / 127), np.float32(np.inf)))
        levels = np.floor(numbers.astype(np.float64) / step + generator().random(numbers.shape))
        return Encoded(SCALE.pack(step), np.clip(levels, -127, 127).astype(np.int8))

    def decode(self, encoded: Encoded, dimension: int) -> NDArray[np.floating]:
        """The levels times the step."""
        decoded: NDArray[np.floating] = encoded.numbers * SCALE.unpack(encoded.header)[0]
        return decoded

    def size(self, dimension: int) -> int:
        """A byte for each number, and the step."""
        return dimension + SCALE.size

    def variance(self, dimension: int) -> float:
        """A number varies by at most a quarter of the squared step, which is at most (|x| / 127)^2."""
        return dimension / (4 * 127**2)
