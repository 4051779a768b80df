"""Codecs: how the numbers of a message are written in bytes, and read again.

A codec is one module of `testbed.consensus.codecs`, or of another package that names it in an entry point of
the group `consensus_testbed.codecs`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.common.registry import Registry
from testbed.common.settings import Settings
from testbed.identity import differing

MakeGenerator = Callable[[], np.random.Generator]
"""Gives the random numbers of a direction; called only by codecs that draw some."""


class Encoded(NamedTuple):
    """A vector as it travels."""

    header: bytes
    """Needed to read the numbers: indices, a seed, scales. Protected from damage on the way."""
    numbers: NDArray[Any]
    """The numbers on the wire, which damage can strike."""

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.header) + self.numbers.nbytes

    def packed(self) -> bytes:
        """The header and then the numbers, as they are sent."""
        return self.header + self.numbers.tobytes()


class Codec(Settings, ABC):
    """How a vector [m] is written and read; subclasses have a literal `name`."""

    if TYPE_CHECKING:
        name: str  # each subclass has a literal of its own

    whole: ClassVar[bool] = True
    """Whether it sends every number of the vector, so that `subset` may choose some of them before."""

    @abstractmethod
    def encode(self, numbers: NDArray[np.floating], generator: MakeGenerator) -> Encoded:
        """Write a vector [m], which must not be written into."""

    @abstractmethod
    def decode(self, encoded: Encoded, dimension: int) -> NDArray[np.floating]:
        """Read a vector of ``dimension`` = m numbers."""

    @abstractmethod
    def size(self, dimension: int) -> int:
        """Bytes of every vector of ``dimension`` = m numbers, known before it is written."""

    def variance(self, dimension: int) -> float:
        """Least known w with E |C(x) - x|^2 <= w |x|^2 for all x [m] of a codec right on average; else 0.

        C(x / (1 + w)) is then a contraction: E |C(x / (1 + w)) - x|^2 <= (1 - 1 / (1 + w)) |x|^2.
        """
        return 0.0

    def essence(self) -> Any:
        """The name alone where nothing else is chosen, as it is written in a study file."""
        found = differing(self)
        return self.name if set(found) == {"name"} else found


CODECS = Registry("codecs", Codec, "testbed.consensus.codecs", by_name=True)

AnyCodec = Annotated[Codec, CODECS]


def rounded(numbers: NDArray[np.floating], number_format: str) -> NDArray[np.floating]:
    """The nearest numbers of the format; those beyond its range become its largest."""
    largest = float(np.finfo(number_format).max)
    written: NDArray[np.floating] = np.clip(numbers.astype(np.float64), -largest, largest).astype(
        number_format
    )
    return written


def pack_bits(codes: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
    """Codes [k] from 0 to 2^bits - 1, ``bits`` each, the highest first, as ceil(k bits / 8) octets."""
    shifts = np.arange(bits - 1, -1, -1)
    return np.packbits(((codes[:, None].astype(np.int64) >> shifts) & 1).astype(np.uint8).ravel())


def unpack_bits(octets: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.int64]:
    """The ``count`` codes that `pack_bits` has written."""
    digits = np.unpackbits(octets, count=count * bits).reshape(count, bits).astype(np.int64)
    codes: NDArray[np.int64] = digits @ (1 << np.arange(bits - 1, -1, -1))
    return codes
