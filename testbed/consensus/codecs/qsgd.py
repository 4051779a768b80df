"""Stochastic quantisation to a few bits per number, relative to the vector's norm."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.consensus.codec import Codec, Encoded, MakeGenerator, pack_bits, unpack_bits

NORM = np.dtype("<f4")


class QsgdCodec(Codec):
    """Sign and one of s + 1 = 2^(bits - 1) levels of |x_i| / |x|, rounded at random and right on average.

    Alistarh, Grubic, Li, Tomioka & Vojnovic 2017, "QSGD: communication-efficient SGD via gradient
    quantization and encoding" (arXiv 1610.02132): E |C(x) - x|^2 <= min(m / s^2, sqrt(m) / s) |x|^2. Codes
    have a fixed width here, in place of Elias's. As in the paper's experiments, a vector may be cut into
    buckets, each with its own norm: then m is the bucket's.
    """

    name: Literal["qsgd"]
    bits: Annotated[int, Field(ge=2, le=8)] = 4
    """Per number, with its sign; 2: minus one, zero or one times the norm."""
    bucket: Annotated[int | None, Field(ge=1, le=2**31)] = None
    """Neighbouring numbers that share a norm; null: all of them."""

    @property
    def levels(self) -> int:
        """s, the greatest level."""
        return int(2 ** (self.bits - 1) - 1)

    def encode(self, numbers: NDArray[np.floating], generator: MakeGenerator) -> Encoded:
        """Codes of ``bits`` each, packed; the header has the norm of each bucket as a float32."""
        exact = numbers.astype(np.float64)
        starts = np.arange(0, len(exact), self._width(len(exact)))
        squares = np.add.reduceat(exact * exact, starts) if len(exact) else np.zeros(0)
        # One float32 up, so that no number is greater than the norm.
        norms = np.nextafter(np.sqrt(squares).astype(NORM), np.float32(np.inf)).astype(NORM)
        share = np.abs(exact) / self._spread(norms, len(exact))
        levels = np.floor(share * self.levels + generator().random(exact.shape))
        codes = np.minimum(levels, self.levels).astype(np.uint8) | (
            np.signbit(exact).astype(np.uint8) << (self.bits - 1)
        )
        return Encoded(norms.tobytes(), pack_bits(codes, self.bits))

    def decode(self, encoded: Encoded, dimension: int) -> NDArray[np.floating]:
        """Sign times level over s times norm."""
        codes = unpack_bits(encoded.numbers, self.bits, dimension)
        norms = self._spread(np.frombuffer(encoded.header, NORM), dimension)
        sizes = (codes & self.levels) * (norms / self.levels)
        return np.where(codes > self.levels, -sizes, sizes)

    def size(self, dimension: int) -> int:
        """Norms and codes."""
        return -(-dimension // self._width(dimension)) * NORM.itemsize + -(-dimension * self.bits // 8)

    def variance(self, dimension: int) -> float:
        """min(m / s^2, sqrt(m) / s), m being the numbers of a bucket."""
        width, s = min(dimension, self._width(dimension)), self.levels
        return float(min(width / s**2, np.sqrt(width) / s))

    def _width(self, dimension: int) -> int:
        return max(1, dimension if self.bucket is None else self.bucket)

    def _spread(self, norms: NDArray[np.floating], dimension: int) -> NDArray[np.float64]:
        """The norm of each number's bucket [m]."""
        return np.repeat(norms.astype(np.float64), self._width(dimension))[:dimension]
