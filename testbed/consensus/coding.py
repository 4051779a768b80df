"""The way of a signal into messages and out of them, with what an agreement remembers of earlier messages.

Without a `codec_memory` each message stands for itself. With ``error_feedback`` the sender adds to a signal
what the codec has left out of its earlier messages to this neighbour: C(x + e), then e <- x + e - C(x + e)
(Seide, Fu, Droppo, Li & Yu 2014, "1-bit stochastic gradient descent"; Karimireddy, Rebjock, Stich & Jaggi
2019, arXiv 1901.09847). The receiver knows nothing of it, so losses cannot make the two disagree; numbers
lost on the way are not made up for. With ``difference`` both ends keep copies: see
`testbed.consensus.references`.

Both need a contraction: codecs that are right on average are divided by 1 + w (`Codec.variance`).
"""

from testbed.consensus.codec import Encoded
from testbed.consensus.payloads import Codecs, Coordinates, Payload, as_numpy, like, zeros_like
from testbed.consensus.problems.base import Signal
from testbed.consensus.references import STAMP, Acknowledgement, HeldCopies, SentCopies
from testbed.consensus.result import Counts
from testbed.network import Message, Network

Way = tuple[int, int]


class Coding:
    """Encodes and decodes the messages of one agreement; at its beginning nothing is remembered."""

    def __init__(self, codecs: Codecs, memory: str | None, network: Network, counts: Counts) -> None:
        """``memory``: the `codec_memory`. Messages that cannot be used are counted in ``counts``."""
        self.codecs, self.memory, self._network, self._counts = codecs, memory, network, counts
        self._incarnations = dict.fromkeys(network.graph.nodes, 0)
        self._left_out: dict[Way, Signal] = {}
        self._sent: dict[Way, SentCopies] = {}
        self._held: dict[Way, HeldCopies] = {}

    @property
    def differences(self) -> bool:
        """Whether differences travel, which are to be acknowledged."""
        return self.memory == "difference"

    def size(self, signal: Signal, width: int = 1) -> int:
        """Bytes of each message about a signal [m], without the header of its algorithm."""
        return self.codecs.size(signal, width) + STAMP.size * self.differences

    def encode(
        self, signal: Signal, source: int, destination: int, where: Coordinates | None = None
    ) -> Payload:
        """Write a signal [m], or its coordinates ``where``, and read it again as the receiver will."""
        if self.memory is None:
            return self.codecs.payload(signal, source, destination, where)
        way, shrunk = (source, destination), 1 / (1 + self.codecs.variance(len(signal)))
        if self.memory == "error_feedback":
            wanted = signal + self._left_out[way] if way in self._left_out else signal
            payload = self.codecs.payload(wanted * shrunk, source, destination)
            self._left_out[way] = wanted - payload.values
            return payload._replace(exact=False)
        sent = self._sent.get(way)
        if sent is None:
            sent = self._sent[way] = SentCopies(self._incarnations[source], zeros_like(signal))
        encoded = self.codecs.encode(as_numpy((signal - sent.copy) * shrunk), source, destination)
        copy = sent.copy + self._read(encoded, signal)
        stamp = sent.add(copy, self.heard(destination, source))
        exact = bool((copy == signal).all())
        return Payload(copy, None, encoded.size + STAMP.size, exact, encoded, stamp)

    def decode(self, payload: Payload, message: Message) -> Payload | None:
        """The payload as its receiver reads it; None if it cannot be used, which is counted.

        Raises:
            ValueError: a difference has been damaged on the way, and nobody has noticed.
        """
        stamp = payload.stamp
        if stamp is None:
            arrived = self.codecs.arrived(payload, message.corruption)
            self._counts.garbled += arrived is None
            return arrived
        source, destination = message.source, message.destination
        if message.corruption is not None:
            raise ValueError(f"message from {source} to {destination}: {DAMAGED}")
        # The message acknowledges what its sender has from the receiver.
        self.acknowledged(destination, source, stamp.heard)
        held = self._held.get((source, destination))
        if held is None:
            held = self._held[source, destination] = HeldCopies(zeros_like(payload.values))
        copy = held.read(stamp, lambda: self._difference(payload))
        if copy is None:
            self._counts.stale += 1
            return None
        if self._network.settings.audit and as_numpy(copy).tobytes() != as_numpy(payload.values).tobytes():
            raise AssertionError(
                f"at {self._network.clock.now} s: agents {source} and {destination} differ on copy"
                f" {stamp.version} of {source}"
            )
        return payload._replace(values=copy)

    def heard(self, source: int, destination: int) -> Acknowledgement:
        """The acknowledgement that ``destination`` sends to ``source``."""
        held = self._held.get((source, destination))
        incarnation, newest = (0, 0) if held is None else (held.incarnation, held.newest)
        return incarnation, newest, self._incarnations[destination]

    def acknowledged(self, source: int, destination: int, heard: Acknowledgement) -> None:
        """``source`` learns what ``destination`` has acknowledged."""
        sent = self._sent.get((source, destination))
        if sent is not None:
            sent.acknowledged(heard)

    def forgotten(self, node: int) -> None:
        """An agent has lost its state."""
        self._incarnations[node] += 1
        for remembered in (self._left_out, self._sent):
            for way in [way for way in remembered if way[0] == node]:
                del remembered[way]
        for way in [way for way in self._held if way[1] == node]:
            del self._held[way]

    def _difference(self, payload: Payload) -> Signal:
        """The decoded difference [m] that a message carries."""
        if payload.encoded is None:
            raise AssertionError("a message with a stamp has a difference")
        return self._read(payload.encoded, payload.values)

    def _read(self, encoded: Encoded, signal: Signal) -> Signal:
        """Encoded numbers [m] in the type of a signal [m]."""
        return like(signal, self.codecs.decode(encoded, len(signal)))


DAMAGED = (
    "undetected damage would make the copies at the two ends of a link differ forever, so codec_memory"
    " difference and choco_gossip need network.link.corrupt 0 or detected"
)
LIES = (
    "false numbers would make the copies at the two ends of a link differ forever, so codec_memory"
    " difference and choco_gossip do not allow the fault byzantine"
)
