"""The numbers that lying agents send, for every algorithm.

An algorithm passes each payload through `Falsification.told` on its way to `Network.send`, and keeps the true
one for the sender's own state. False numbers go through the number format like true ones, so a liar can only
send what its format can hold.
"""

from typing import Any

import numpy as np

from testbed.consensus.payloads import Codecs, Payload, as_numpy
from testbed.network import FalseMessage, Network


class Falsification:
    """The lies of one agreement: behaviours remember nothing of earlier ones."""

    def __init__(self, network: Network, codecs: Codecs) -> None:
        self._network, self._codecs = network, codecs
        self._memories: dict[tuple[str, int, int, str], dict[str, Any]] = {}

    def told(
        self,
        payload: Payload,
        source: int,
        destination: int,
        kind: str,
        *,
        dimension: int,
        sign: float = 1.0,
    ) -> Payload:
        """The payload that `source` sends in place of the true one; the same object if that is true.

        Args:
            payload: the true one.
            source: the sender.
            destination: the receiver.
            kind: of the message.
            dimension: m, the length of the whole signal.
            sign: of the sender's signal in the numbers, +1 or -1.
        """
        liars = self._network.liars(source)
        if not liars:
            return payload
        true = as_numpy(payload.values).astype(np.float64)
        false, generators = sign * true, [liar.generator() for liar in liars]
        for liar, generator in zip(liars, generators, strict=True):
            memory = self._memories.setdefault((liar.name, source, destination, kind), {})
            message = FalseMessage(generator, memory, dimension, payload.where)
            false = liar.falsify(false, message)
        false = sign * false
        if np.array_equal(false, true):
            return payload
        return self._codecs.falsified(payload, false, generators[-1])
