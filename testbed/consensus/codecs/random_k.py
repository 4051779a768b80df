"""A random subset of the numbers, scaled up so that it is right on average."""

import struct
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.consensus.codec import Codec, Encoded, MakeGenerator, rounded

SEED = struct.Struct("<q")
"""A subset is named by the seed of its draw, from which the receiver draws it again."""


class RandomKCodec(Codec):
    """k of the m numbers, uniformly drawn again for each message and times m / k; all others are read as
    zero.

    C(x) is x on average, with E |C(x) - x|^2 = (m/k - 1) |x|^2. With a `codec_memory`, and in
    `choco_gossip`, the numbers are sent unscaled: E |C(x) - x|^2 = (1 - k/m) |x|^2 (Stich, Cordonnier & Jaggi
    2018, "Sparsified SGD with memory", arXiv 1809.07599).
    """

    name: Literal["random_k"]
    share: Annotated[float, Field(gt=0, le=1)]
    """k / m, the share of the numbers that is sent; at least one of them."""
    format: Literal["float64", "float32", "float16"] = "float32"
    """Number format of those that are sent."""

    whole: ClassVar[bool] = False

    def encode(self, numbers: NDArray[np.floating], generator: MakeGenerator) -> Encoded:
        """The scaled numbers in the order of their indices; the header is the seed of the draw."""
        seed = int(generator().integers(2**63))
        where = self.chosen(seed, len(numbers))
        scaled = numbers[where].astype(np.float64) * (len(numbers) / len(where))
        return Encoded(SEED.pack(seed), rounded(scaled, self.format))

    def decode(self, encoded: Encoded, dimension: int) -> NDArray[np.floating]:
        """Zeros, except for the numbers sent."""
        decoded = np.zeros(dimension)
        decoded[self.chosen(SEED.unpack(encoded.header)[0], dimension)] = encoded.numbers
        return decoded

    def size(self, dimension: int) -> int:
        """The seed and the numbers."""
        return SEED.size + self.count(dimension) * np.dtype(self.format).itemsize

    def variance(self, dimension: int) -> float:
        """m / k - 1."""
        return dimension / self.count(dimension) - 1

    def count(self, dimension: int) -> int:
        """k."""
        return max(1, round(self.share * dimension))

    def chosen(self, seed: int, dimension: int) -> NDArray[np.intp]:
        """The coordinates [k] that a seed stands for, ascending."""
        draw = np.random.Generator(np.random.PCG64(seed))
        return np.sort(draw.choice(dimension, self.count(dimension), replace=False))
