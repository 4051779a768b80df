"""Undetected corruption: its effect on the numbers in a packet.

The network never touches a payload. It marks the message, `message.corruption`, and the receiver, which
understands the payload, applies the mark to the numbers that came over the wire, before decoding them:

    if message.corruption is not None:
        numbers = message.corruption.apply(numbers)

Headers are taken to be protected: transports and protocols read theirs as they were sent.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Corruption(NamedTuple):
    """The damage to one packet: the same at every application."""

    seed: int
    """Seed of the random numbers that choose the place and kind of the damage."""
    noise: float | None
    """Standard deviation of the noise, relative to the root mean square of the numbers. None: a bit flips."""

    def apply(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """A damaged copy of an array, of the same shape and type; an empty one stays as it is.

        One bit is flipped, each equally likely, as netem does; in floating-point numbers that may give any
        value, infinities and NaN included. Or normal noise is added, which needs real floating-point numbers
        (TypeError for others).
        """
        damaged = np.array(numbers, order="C")
        if damaged.size == 0:
            return damaged
        generator = np.random.default_rng(self.seed)
        if self.noise is None:
            octets = damaged.reshape(-1).view(np.uint8)
            bit = int(generator.integers(8 * octets.size))
            octets[bit // 8] ^= np.uint8(1 << bit % 8)
            return damaged
        if not np.issubdtype(damaged.dtype, np.floating):
            raise TypeError(f"noise cannot be added to numbers of type {damaged.dtype}: only to real floats")
        size = np.sqrt(np.mean(np.square(damaged, dtype=np.float64)))
        noise = self.noise * size * generator.standard_normal(damaged.shape)
        damaged += noise.astype(damaged.dtype)
        return damaged
