"""Transports: how a message of an agent becomes packets on a link."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from testbed.network.clock import Clock, Handle
from testbed.network.direction import Direction
from testbed.network.links import Links
from testbed.network.message import Message
from testbed.network.settings import NetworkSettings

Handler = Callable[[Message], object]

_SPREADS = 3
"""Jitters beyond the mean delay to wait for a packet; under any distribution hardly any arrive later."""

_SHORTEST_TIMEOUT = 0.01
"""Least retransmission timeout derived from the link, in seconds."""


class Transport(Protocol):
    """The interface of a transport."""

    def attach(self, node: int, handler: Handler) -> None:
        """Hand the messages for `node` to `handler`."""

    def send(self, source: int, destination: int, payload: Any, size: int, kind: str) -> Message:
        """Send a message over the link between two neighbours."""

    def patience(self, source: int, destination: int, size: int) -> float:
        """Seconds within which a message of `size` bytes sent now arrives, unless it never does."""

    def outstanding(self) -> int:
        """Messages that the transport may still send again."""

    def forget(self) -> None:
        """Give up everything outstanding without counting it; no packet is in flight."""

    def state_dict(self) -> Any:
        """Its state when nothing is outstanding or in flight, JSON-able."""

    def load_state_dict(self, state: Any) -> None:
        """Restore the state that `state_dict` gave."""


class Datagram:
    """Fire and forget: a message is one packet, whose fate is not reported to the sender."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def attach(self, node: int, handler: Handler) -> None:
        for direction in self._links.arriving_at(node):
            direction.receive = handler

    def send(self, source: int, destination: int, payload: Any, size: int, kind: str) -> Message:
        links = self._links
        direction = links.direction(source, destination)
        message = links.packet(direction, kind, payload, size)
        direction.carry(message)
        return message

    def patience(self, source: int, destination: int, size: int) -> float:
        direction = self._links.direction(source, destination)
        settings = direction.settings
        return direction.backlog() + settings.nominal_latency(size) + _SPREADS * settings.spread

    def outstanding(self) -> int:
        return 0

    def forget(self) -> None:
        pass

    def state_dict(self) -> Any:
        return None

    def load_state_dict(self, state: Any) -> None:
        pass


class Segment(NamedTuple):
    """Header of a packet with data."""

    sequence: int
    floor: int
    """The sender will never again send a sequence number below this one."""


class Acknowledgement(NamedTuple):
    """Header of a packet that acknowledges one."""

    sequence: int


class _Outstanding:
    """A message that has not been acknowledged yet."""

    __slots__ = ("attempts", "message", "timer")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.attempts = 0
        self.timer: Handle | None = None


class _Connection:
    """The sender's and the receiver's half of one direction, which share only information from packets."""

    __slots__ = ("_lowest", "back", "direction", "floor", "next_sequence", "outstanding", "seen")

    def __init__(self, direction: Direction, back: Direction) -> None:
        self.direction = direction
        self.back = back
        self.next_sequence = 0
        self.outstanding: dict[int, _Outstanding] = {}
        self._lowest = 0
        # Receiver: everything below the floor is old, above it only the numbers seen.
        self.floor = 0
        self.seen: set[int] = set()

    def lowest(self) -> int:
        """The lowest sequence number that the sender may still send."""
        while self._lowest < self.next_sequence and self._lowest not in self.outstanding:
            self._lowest += 1
        return self._lowest

    def restart(self, next_sequence: int) -> None:
        """Forget everything before `next_sequence`, on both sides."""
        self.outstanding.clear()
        self.seen.clear()
        self.next_sequence = self._lowest = self.floor = next_sequence

    def accept(self, header: Segment) -> bool:
        """Whether the receiver sees this sequence number for the first time."""
        seen = self.seen
        new = header.sequence >= max(self.floor, header.floor) and header.sequence not in seen
        if new:
            seen.add(header.sequence)
        while self.floor < header.floor or self.floor in seen:
            seen.discard(self.floor)
            self.floor += 1
        return new


class Reliable:
    """Sequence numbers, acknowledgements, retransmission with exponential back-off, bounded retries.

    The handler sees each message at most once, in the order of arrival: as in SCTP's unordered delivery a
    missing message does not hold back the others. A message whose retries are spent is counted as
    undeliverable by its sender, who cannot know whether only the acknowledgements were lost. Acknowledgements
    are packets like all others.
    """

    def __init__(self, links: Links, clock: Clock, settings: NetworkSettings) -> None:
        self._links = links
        self._clock = clock
        self._timeout = settings.retransmission_timeout
        self._retries = settings.retries
        self._acknowledgement_size = settings.acknowledgement_size
        self._handlers: dict[int, Handler] = {}
        self._connections: dict[tuple[int, int], _Connection] = {}
        for direction in links:
            back = links.direction(direction.destination, direction.source)
            self._connections[direction.source, direction.destination] = _Connection(direction, back)
            direction.receive = self._receive

    def attach(self, node: int, handler: Handler) -> None:
        self._links.arriving_at(node)
        self._handlers[node] = handler

    def send(self, source: int, destination: int, payload: Any, size: int, kind: str) -> Message:
        connection = self._connections.get((source, destination))
        if connection is None:
            raise ValueError(f"there is no link from node {source!r} to node {destination!r}")
        sequence = connection.next_sequence
        connection.next_sequence += 1
        message = self._links.packet(connection.direction, kind, payload, size)
        waiting = connection.outstanding[sequence] = _Outstanding(message)
        self._transmit(connection, sequence, waiting)
        return message

    def patience(self, source: int, destination: int, size: int) -> float:
        # Until the last retransmission's time is up: each waits twice as long as the one before it.
        connection = self._connections[source, destination]
        return self._first_timeout(connection, size) * (2.0 ** (self._retries + 1) - 1)

    def _transmit(self, connection: _Connection, sequence: int, waiting: _Outstanding) -> None:
        message = waiting.message
        message.header = Segment(sequence, connection.lowest())
        wait = self._first_timeout(connection, message.size) * 2.0**waiting.attempts
        connection.direction.carry(message)
        waiting.timer = self._clock.schedule_last(wait, partial(self._expire, connection, sequence))

    def _first_timeout(self, connection: _Connection, size: int) -> float:
        if self._timeout is not None:
            return self._timeout
        there, back = connection.direction.settings, connection.back.settings
        round_trip = there.nominal_latency(size) + back.nominal_latency(self._acknowledgement_size)
        spread = there.spread + back.spread
        return max(2 * round_trip + 4 * spread + connection.direction.backlog(), _SHORTEST_TIMEOUT)

    def _expire(self, connection: _Connection, sequence: int) -> None:
        waiting = connection.outstanding[sequence]
        old, ledger = waiting.message, self._links.ledger
        if waiting.attempts == self._retries:
            del connection.outstanding[sequence]
            ledger.undeliverable += 1
            if self._links.trace is not None:
                self._links.trace.packet(self._clock.now, "undeliverable", old)
            return
        waiting.attempts += 1
        waiting.message = self._links.packet(connection.direction, old.kind, old.payload, old.size)
        waiting.message.sent_at = old.sent_at
        ledger.retransmitted += 1
        self._transmit(connection, sequence, waiting)

    def _receive(self, message: Message) -> None:
        header = message.header
        if isinstance(header, Acknowledgement):
            connection = self._connections[message.destination, message.source]
            waiting = connection.outstanding.pop(header.sequence, None)
            if waiting is not None and waiting.timer is not None:
                waiting.timer.cancel()
            return
        connection = self._connections[message.source, message.destination]
        acknowledgement = self._links.packet(
            connection.back, "acknowledgement", None, self._acknowledgement_size
        )
        acknowledgement.header = Acknowledgement(header.sequence)
        connection.back.carry(acknowledgement)
        if connection.accept(header):
            handler = self._handlers.get(message.destination)
            if handler is None:
                raise RuntimeError(
                    f"message of kind {message.kind!r} reached node {message.destination}: no handler"
                )
            handler(message)
        else:
            self._links.ledger.filtered += 1

    def outstanding(self) -> int:
        return sum(len(connection.outstanding) for connection in self._connections.values())

    def forget(self) -> None:
        for connection in self._connections.values():
            for waiting in connection.outstanding.values():
                if waiting.timer is not None:
                    waiting.timer.cancel()
            connection.restart(connection.next_sequence)

    def state_dict(self) -> Any:
        return [
            [source, destination, connection.next_sequence]
            for (source, destination), connection in self._connections.items()
            if connection.next_sequence
        ]

    def load_state_dict(self, state: Any) -> None:
        self.forget()
        numbers = {(source, destination): number for source, destination, number in state}
        for key, connection in self._connections.items():
            connection.restart(numbers.get(key, 0))
