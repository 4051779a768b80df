"""Payloads: the signals in messages as a codec writes them, and random subsets of the samples.

Both ends work with the numbers actually sent: the result of `Codecs.payload` has been through the codec.
Signals of torch pass through NumPy on the way and come back as they were: torch is not imported.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.codec import Encoded, MakeGenerator
from testbed.consensus.problems.base import Signal
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Streams
from testbed.network.corruption import Corruption

SEED_BYTES = 8
"""A subset is named by the seed of its draw, from which the receiver draws it again."""

Coordinates = NDArray[np.intp]


class Stamp(NamedTuple):
    """The place of a difference among those of its direction; see `testbed.consensus.references`."""

    incarnation: int
    """How often the sender has lost its state."""
    version: int
    """The number of the sender's copy that the message gives, counted from 1."""
    base: int
    """The number of the copy that the difference is added to."""
    heard: tuple[int, int, int] = (0, 0, 0)
    """The sender's acknowledgement of what it has from the receiver."""


class Payload(NamedTuple):
    """The content of a message about a signal."""

    values: Signal
    """The numbers [k] as the receiver decodes them, in the signal's own type."""
    where: Coordinates | None
    """Their coordinates [k], ascending; None: all of them, and k = m."""
    size: int
    """Bytes of the numbers and of the header needed to read them."""
    exact: bool
    """Whether the values are exactly the ones given, all of them and bit for bit."""
    encoded: Encoded | None
    """The numbers on the wire; None: the values themselves."""
    stamp: Stamp | None = None
    """Set if the numbers on the wire are a difference from a copy that both ends have."""


class Codecs:
    """The codec of one run; codecs and subsets draw from a separate stream for each direction."""

    def __init__(self, settings: ConsensusSettings, streams: Streams) -> None:
        self.codec, self.subset, self.streams = settings.codec, settings.subset, streams

    def coordinates(
        self, dimension: int, source: int, destination: int, width: int = 1
    ) -> Coordinates | None:
        """A uniformly random subset of the samples, at least one; None if all are always sent.

        A sample is ``width`` neighbouring coordinates of the ``dimension`` = m.
        """
        if self.subset == 1:
            return None
        seed = int(self.streams.generator("subset", source, destination).integers(2**63))
        draw = np.random.Generator(np.random.PCG64(seed))
        samples = dimension // width
        chosen = np.sort(draw.choice(samples, self._count(samples), replace=False))
        return (chosen[:, None] * width + np.arange(width)).ravel()

    def size(self, signal: Signal, width: int = 1) -> int:
        """Bytes of each message about a signal [m]."""
        return self._size(width * self._count(len(signal) // width), signal)

    def payload(
        self, signal: Signal, source: int, destination: int, where: Coordinates | None = None
    ) -> Payload:
        """Write a signal [m], or its coordinates ``where``, and read it again as the receiver will."""
        if self.codec is None:
            values = signal if where is None else signal[where]
            return Payload(values, where, self._size(len(values), signal), where is None, None)
        numbers = as_numpy(signal)
        chosen = numbers if where is None else numbers[where]
        encoded = self.encode(chosen, source, destination)
        decoded = self.decode(encoded, len(chosen))
        exact = where is None and bool(np.array_equal(decoded, chosen))
        size = encoded.size + SEED_BYTES * (self.subset < 1)
        return Payload(signal if exact else like(signal, decoded), where, size, exact, encoded)

    def encode(self, numbers: NDArray[Any], source: int, destination: int) -> Encoded:
        """Numbers [k] as they travel from source to destination."""
        return self._encode(numbers, lambda: self.streams.generator("codec", source, destination))

    def decode(self, encoded: Encoded, count: int) -> NDArray[np.floating]:
        """The ``count`` = k numbers as their receiver reads them."""
        return encoded.numbers if self.codec is None else self.codec.decode(encoded, count)

    def falsified(
        self, payload: Payload, numbers: NDArray[np.float64], generator: np.random.Generator
    ) -> Payload:
        """The payload with other numbers [k] in its place, written by the codec and read again.

        Numbers beyond `largest_lie` of the signal's type become this number. ``generator`` serves codecs that
        draw.
        """
        values = as_numpy(payload.values)
        most = largest_lie(values.dtype)
        told = np.clip(numbers, -most, most).astype(values.dtype)
        if self.codec is None:
            return payload._replace(values=like(payload.values, told), exact=False)
        encoded = self._encode(told, lambda: generator)
        decoded = like(payload.values, self.decode(encoded, len(told)))
        return payload._replace(values=decoded, exact=False, encoded=encoded)

    def arrived(self, payload: Payload, damage: Corruption | None) -> Payload | None:
        """The payload as its receiver reads it, with any damage applied; None unless all of it is finite."""
        if damage is None:
            return payload
        count = len(payload.values)
        encoded = payload.encoded or Encoded(b"", as_numpy(payload.values))
        if damage.noise is None:
            decoded = self.decode(encoded._replace(numbers=damage.apply(encoded.numbers)), count)
        else:
            decoded = damage.apply(self.decode(encoded, count))
        if not np.isfinite(decoded).all():
            return None
        return payload._replace(values=like(payload.values, decoded), exact=False)

    def variance(self, count: int) -> float:
        """The w of the codec for k numbers; see `testbed.consensus.codec.Codec.variance`."""
        return 0.0 if self.codec is None else self.codec.variance(count)

    def _encode(self, numbers: NDArray[Any], generator: MakeGenerator) -> Encoded:
        return Encoded(b"", numbers) if self.codec is None else self.codec.encode(numbers, generator)

    def _count(self, samples: int) -> int:
        return max(1, round(self.subset * samples))

    def _size(self, count: int, signal: Signal) -> int:
        numbers = count * int(signal.itemsize) if self.codec is None else self.codec.size(count)
        return numbers + SEED_BYTES * (self.subset < 1)


def largest_lie(dtype: np.dtype[Any]) -> float:
    """The fourth root of the largest number of a type: receivers can square what they make of it, twice."""
    return float(np.sqrt(np.sqrt(float(np.finfo(dtype).max))))


def as_numpy(signal: Signal) -> NDArray[np.floating]:
    """The numbers of a signal, copied only where they are on another device."""
    numbers: NDArray[np.floating] = (
        signal if isinstance(signal, np.ndarray) else signal.detach().cpu().numpy()
    )
    return numbers


def like(signal: Signal, numbers: NDArray[np.floating]) -> Signal:
    """The numbers as a new signal of the same library and type."""
    return numbers.astype(signal.dtype) if isinstance(signal, np.ndarray) else signal.new_tensor(numbers)


def doubled(signal: Signal) -> Signal:
    """The signal in float64; the signal itself if it already is."""
    return signal.astype(np.float64, copy=False) if isinstance(signal, np.ndarray) else signal.double()


def updated(signal: Signal, where: Coordinates | None, values: Signal) -> Signal:
    """``signal`` with the values [k] at the coordinates ``where``, as a new array."""
    if where is None:
        return values
    changed = signal.copy() if isinstance(signal, np.ndarray) else signal.clone()
    changed[where] = values
    return changed


def zeros_like(signal: Signal) -> Signal:
    """Zeros in place of a signal [m], of the same library and type."""
    return like(signal, np.zeros(len(signal)))
