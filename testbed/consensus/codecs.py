"""Encoding of signals in messages: number formats, and random subsets of the samples.

Both ends work with the numbers actually sent: the result of `Codecs.payload` has been through the format.
Signals of torch pass through NumPy on the way and come back as they were: torch is not imported.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.problems.base import Signal
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Streams
from testbed.network.corruption import Corruption

SEED_BYTES = 8
"""A subset is named by the seed of its draw, from which the receiver draws it again."""

SCALE_BYTES = 4
"""``int8`` sends the step between its levels as a float32."""

Coordinates = NDArray[np.intp]


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
    written: NDArray[Any] | None
    """The numbers [k] on the wire, in the format; None: the values themselves."""
    step: float = 1.0
    """The value of one unit on the wire."""


class Codecs:
    """The formats of one run; rounding and subsets are drawn from a separate stream for each direction."""

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
        size = self._size(len(signal) if where is None else len(where), signal)
        if self.codec is None:
            values = signal if where is None else signal[where]
            return Payload(values, where, size, where is None, None)
        numbers = as_numpy(signal)
        chosen = numbers if where is None else numbers[where]
        written, step = self._write(chosen, lambda: self.streams.generator("codec", source, destination))
        decoded = decode(written, step)
        exact = where is None and bool(np.array_equal(decoded, chosen))
        return Payload(signal if exact else like(signal, decoded), where, size, exact, written, step)

    def falsified(
        self, payload: Payload, numbers: NDArray[np.float64], generator: np.random.Generator
    ) -> Payload:
        """The payload with other numbers [k] in its place, written in the format and read again.

        Numbers beyond `largest_lie` of the signal's type become this number. ``generator`` rounds ``int8``.
        """
        values = as_numpy(payload.values)
        most = largest_lie(values.dtype)
        told = np.clip(numbers, -most, most).astype(values.dtype)
        if self.codec is None:
            return payload._replace(values=like(payload.values, told), exact=False)
        written, step = self._write(told, lambda: generator)
        decoded = like(payload.values, decode(written, step))
        return payload._replace(values=decoded, exact=False, written=written, step=step)

    def arrived(self, payload: Payload, damage: Corruption | None) -> Payload | None:
        """The payload as its receiver reads it, with any damage applied; None unless all of it is finite."""
        if damage is None:
            return payload
        written = as_numpy(payload.values) if payload.written is None else payload.written
        if damage.noise is None:
            decoded = decode(damage.apply(written), payload.step)
        else:
            decoded = damage.apply(decode(written, payload.step))
        if not np.isfinite(decoded).all():
            return None
        return payload._replace(values=like(payload.values, decoded), exact=False)

    def _write(
        self, numbers: NDArray[Any], generator: Callable[[], np.random.Generator]
    ) -> tuple[NDArray[Any], float]:
        """Numbers in the format, and the step of ``int8``, for which alone ``generator`` is asked."""
        if self.codec == "int8":
            return stochastic_int8(numbers, generator())
        return rounded(numbers, str(self.codec)), 1.0

    def _count(self, samples: int) -> int:
        return max(1, round(self.subset * samples))

    def _size(self, count: int, signal: Signal) -> int:
        each = int(signal.itemsize) if self.codec is None else np.dtype(self.codec).itemsize
        return count * each + SCALE_BYTES * (self.codec == "int8") + SEED_BYTES * (self.subset < 1)


def largest_lie(dtype: np.dtype[Any]) -> float:
    """The fourth root of the largest number of a type: receivers can square what they make of it, twice."""
    return float(np.sqrt(np.sqrt(float(np.finfo(dtype).max))))


def rounded(numbers: NDArray[np.floating], codec: str) -> NDArray[np.floating]:
    """The nearest numbers of the format; those beyond its range become its largest."""
    largest = float(np.finfo(codec).max)
    written: NDArray[np.floating] = np.clip(numbers.astype(np.float64), -largest, largest).astype(codec)
    return written


def stochastic_int8(
    numbers: NDArray[np.floating], generator: np.random.Generator
) -> tuple[NDArray[np.int8], float]:
    """255 levels, evenly spaced from minus to plus the largest magnitude, and the step between them.

    Each number is rounded to one of the two nearest levels with probabilities that make it unbiased (Gupta,
    Agrawal, Gopalakrishnan & Narayanan 2015, "Deep learning with limited numerical precision").
    """
    # One float32 up, so that the largest number stays within 127 steps.
    step = float(np.nextafter(np.float32(np.abs(numbers).max(initial=0.0) / 127), np.float32(np.inf)))
    levels = np.floor(numbers.astype(np.float64) / step + generator.random(numbers.shape))
    return np.clip(levels, -127, 127).astype(np.int8), step


def decode(written: NDArray[Any], step: float) -> NDArray[np.floating]:
    """The numbers encoded by those on the wire."""
    decoded: NDArray[np.floating] = written if step == 1 else written * step
    return decoded


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
