"""Floating-point formats."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.codec import Codec, Encoded, MakeGenerator, rounded


class FloatingPoint(Codec):
    """The nearest numbers of a format; those beyond its range become its largest."""

    def encode(self, numbers: NDArray[np.floating], generator: MakeGenerator) -> Encoded:
        """The numbers in the format, without a header."""
        return Encoded(b"", rounded(numbers, self.name))

    def decode(self, encoded: Encoded, dimension: int) -> NDArray[np.floating]:
        """The numbers as they are."""
        return encoded.numbers

    def size(self, dimension: int) -> int:
        """The format's bytes for each number."""
        return dimension * np.dtype(self.name).itemsize


class Float64Codec(FloatingPoint):
    """8 bytes per number."""

    name: Literal["float64"]


class Float32Codec(FloatingPoint):
    """4 bytes per number."""

    name: Literal["float32"]


class Float16Codec(FloatingPoint):
    """2 bytes per number."""

    name: Literal["float16"]
