"""Only the largest numbers, and where they are."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.consensus.codec import Codec, Encoded, MakeGenerator, pack_bits, rounded, unpack_bits


class TopKCodec(Codec):
    """The k numbers of largest magnitude with their indices; all others are read as zero.

    |C(x) - x|^2 <= (1 - k/m) |x|^2, but C(x) is not x on average (Stich, Cordonnier & Jaggi 2018, "Sparsified
    SGD with memory", arXiv 1809.07599): use it with a `codec_memory`, or in `choco_gossip`.
    """

    name: Literal["top_k"]
    share: Annotated[float, Field(gt=0, le=1)]
    """k / m, the share of the numbers that is sent; at least one of them."""
    format: Literal["float64", "float32", "float16"] = "float32"
    """Number format of those that are sent."""

    whole: ClassVar[bool] = False

    def encode(self, numbers: NDArray[np.floating], generator: MakeGenerator) -> Encoded:
        """The numbers in the order of their indices, which are the header: ceil(log2 m) bits each."""
        count = kept(self.share, len(numbers))
        where = np.sort(np.argsort(-np.abs(numbers), kind="stable")[:count])
        header = pack_bits(where, _index_bits(len(numbers))).tobytes()
        return Encoded(header, rounded(numbers[where], self.format))

    def decode(self, encoded: Encoded, dimension: int) -> NDArray[np.floating]:
        """Zeros, except for the numbers sent."""
        octets = np.frombuffer(encoded.header, np.uint8)
        decoded = np.zeros(dimension)
        decoded[unpack_bits(octets, _index_bits(dimension), len(encoded.numbers))] = encoded.numbers
        return decoded

    def size(self, dimension: int) -> int:
        """Indices and numbers."""
        count = kept(self.share, dimension)
        return -(-count * _index_bits(dimension) // 8) + count * np.dtype(self.format).itemsize


def kept(share: float, dimension: int) -> int:
    """k, the number of those sent."""
    return max(1, round(share * dimension))


def _index_bits(dimension: int) -> int:
    return max(1, (dimension - 1).bit_length())
