"""The account of every packet: each one sent is delivered, dropped, late or still in flight."""

from collections.abc import Callable
from typing import Any

from testbed.network.impairments.rule import REASONS
from testbed.network.message import Message

_COUNTS = (
    "sent",
    "sent_bytes",
    "duplicated",
    "duplicated_bytes",
    "delivered",
    "delivered_bytes",
    "late",
    "late_bytes",
    "corrupted",
    "retransmitted",
    "filtered",
    "undeliverable",
)


class Ledger:
    """Counts of packets and bytes by fate.

    Each transmission of a packet is one message here, acknowledgements and retransmissions included.
    Packets in flight are not counted but looked up on the links, so that `check` can find a message that is
    missing from the accounts.
    """

    __slots__ = ("_on_the_links", "dropped", "dropped_bytes", *_COUNTS)

    def __init__(self, on_the_links: Callable[[], tuple[int, int]]) -> None:
        """`on_the_links()` gives the packets and bytes now in flight."""
        self._on_the_links = on_the_links
        self.sent = 0
        self.sent_bytes = 0
        self.duplicated = 0
        self.duplicated_bytes = 0
        self.delivered = 0
        self.delivered_bytes = 0
        self.late = 0
        """Packets in flight when the network was flushed; never delivered."""
        self.late_bytes = 0
        self.dropped = dict.fromkeys(REASONS, 0)
        """Packets by reason."""
        self.dropped_bytes = dict.fromkeys(REASONS, 0)
        self.corrupted = 0
        """Delivered packets whose damage was not detected."""
        self.retransmitted = 0
        """Sent packets that are repetitions by the reliable transport."""
        self.filtered = 0
        """Delivered packets that are repetitions which the reliable transport kept from the handler."""
        self.undeliverable = 0
        """Messages (not packets) that the reliable transport gave up for want of an acknowledgement."""

    @property
    def in_flight(self) -> int:
        """Packets now waiting in queues or on the wire."""
        return self._on_the_links()[0]

    @property
    def in_flight_bytes(self) -> int:
        """Their bytes."""
        return self._on_the_links()[1]

    def drop(self, message: Message, reason: str) -> None:
        """Count one packet as dropped."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        self.dropped_bytes[reason] = self.dropped_bytes.get(reason, 0) + message.size

    def check(self) -> None:
        """Raise AssertionError unless sent + duplicated = delivered + dropped + in flight + late, twice."""
        packets, size = self._on_the_links()
        for unit, entered, left, remaining in (
            (
                "messages",
                self.sent + self.duplicated,
                self.delivered + sum(self.dropped.values()) + self.late,
                packets,
            ),
            (
                "bytes",
                self.sent_bytes + self.duplicated_bytes,
                self.delivered_bytes + sum(self.dropped_bytes.values()) + self.late_bytes,
                size,
            ),
        ):
            if entered != left + remaining:
                raise AssertionError(
                    f"{unit} do not add up: {entered} entered the network, {left} left it, "
                    f"{remaining} are in flight"
                )

    def snapshot(self) -> dict[str, int]:
        """All counts, flat: a row of a table.

        The keys are the same at every call, except for the reasons of rules added with `Network.add_rule`:
        each has one from the first packet that was dropped for it.
        """
        packets, size = self._on_the_links()
        return {
            "messages_sent": self.sent,
            "messages_duplicated": self.duplicated,
            "messages_delivered": self.delivered,
            "messages_dropped": sum(self.dropped.values()),
            "messages_in_flight": packets,
            "messages_late": self.late,
            "messages_corrupted": self.corrupted,
            "messages_retransmitted": self.retransmitted,
            "messages_filtered": self.filtered,
            "messages_undeliverable": self.undeliverable,
            "bytes_sent": self.sent_bytes,
            "bytes_duplicated": self.duplicated_bytes,
            "bytes_delivered": self.delivered_bytes,
            "bytes_dropped": sum(self.dropped_bytes.values()),
            "bytes_in_flight": size,
            "bytes_late": self.late_bytes,
            **{f"dropped_{reason}": count for reason, count in self.dropped.items()},
        }

    def state_dict(self) -> dict[str, Any]:
        """All counts, JSON-able."""
        counts: dict[str, Any] = {name: getattr(self, name) for name in _COUNTS}
        return counts | {"dropped": dict(self.dropped), "dropped_bytes": dict(self.dropped_bytes)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to the counts that `state_dict` gave."""
        for name in _COUNTS:
            setattr(self, name, state[name])
        self.dropped = dict(state["dropped"])
        self.dropped_bytes = dict(state["dropped_bytes"])
