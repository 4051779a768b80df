"""Invariants of every network at every event, checked from the record of events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from testbed.network.impairments.delay import minimum_delay
from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.impairments.rule import AGENT_DOWN, LINK_DOWN
from testbed.network.message import Message
from testbed.network.trace.trace import LinkChange, PacketFate, Trace

Way = tuple[int, int]


@dataclass(slots=True)
class _Flight:
    """A packet that has entered the network and not left it."""

    way: Way
    entered: float
    doom: str | None
    """Reason for which it must be dropped; None if no fault prevents its delivery."""


class InvariantChecker(Trace):
    """A trace that keeps nothing but raises AssertionError at the first event that cannot be.

    Every packet enters once and has one fate; none crosses a direction that is down or reaches a crashed
    agent or the end of a held link; none arrives before it could, or out of order where order is promised;
    what a fault drops is dropped for the reason of that fault, and none by a fault that is not there.
    Changes of directions are recorded when they happen. The checker knows faults only by their records, not
    by how they are implemented. All records are passed on to `kept`, if given.
    """

    def __init__(self, settings: Mapping[Way, LinkSettings], kept: Trace | None) -> None:
        """`settings` are those of each direction, by (source, destination)."""
        super().__init__()
        self._settings = settings
        self._kept = kept
        if kept is not None:
            self.events, self.restorations = kept.events, kept.restorations
        self._flights: dict[int, _Flight] = {}
        self._down: set[Way] = set()
        # How many faults of each kind last.
        self._cut: Counter[Way] = Counter()
        self._crashed: Counter[int] = Counter()
        self._held: Counter[Way] = Counter()
        self._order: dict[Way, int] = {}
        self._next = 0

    def packet(self, time: float, event: PacketFate, message: Message, reason: str | None = None) -> None:
        if self._kept is not None:
            self._kept.packet(time, event, message, reason)
        way = message.source, message.destination
        if event in ("sent", "duplicated"):
            self._require(message.serial >= self._next, time, message, "has entered the network before")
            self._require(
                way in self._down or not self._cut[way],
                time,
                message,
                "is sent while a fault has its link down, but no event took the link down",
            )
            self._next = message.serial + 1
            doom = LINK_DOWN if way in self._down else None
            doom = AGENT_DOWN if self._crashed[message.source] else doom
            self._flights[message.serial] = _Flight(way, time, doom)
            return
        if event == "undeliverable":  # an event of a message, whose packets have had their fates
            return
        flight = self._flights.pop(message.serial, None)
        if flight is None:
            raise AssertionError(f"at {time} s: packet {message.serial} is {event}, but was not in flight")
        if event == "delivered":
            self._arrives(time, message, flight)
        elif event == "dropped":
            self._is_dropped(time, message, flight, reason)
        else:
            self._require(flight.doom is None, time, message, "is late, though its link or sender was down")

    def _is_dropped(self, time: float, message: Message, flight: _Flight, reason: str | None) -> None:
        if flight.doom is not None:
            rightly = reason == flight.doom
        elif reason == AGENT_DOWN:
            rightly = self._crashed[message.destination] > 0 and not self._held[flight.way]
        else:
            # A drop by the topology schedule belongs to no single fault: then the direction is down by now.
            rightly = reason != LINK_DOWN or flight.way in self._down
        self._require(rightly, time, message, f"is dropped as {reason}, wrongly")

    def _arrives(self, time: float, message: Message, flight: _Flight) -> None:
        settings = self._settings[flight.way]
        self._require(flight.doom is None, time, message, "is delivered, though its link or sender was down")
        self._require(
            not self._crashed[message.destination], time, message, "is delivered to an agent that is down"
        )
        self._require(not self._held[flight.way], time, message, "is delivered over a link that is held")
        quickest = 0.0 if settings.highest_rate is None else message.size / settings.highest_rate
        earliest = flight.entered + minimum_delay(settings) + quickest
        self._require(time >= earliest * (1 - 1e-12), time, message, f"could not arrive before {earliest} s")
        if settings.fifo:
            last = self._order.get(flight.way, -1)
            self._require(message.serial > last, time, message, f"is delivered after packet {last}")
            self._order[flight.way] = message.serial

    def link(self, time: float, event: LinkChange, source: int, destination: int) -> None:
        if self._kept is not None:
            self._kept.link(time, event, source, destination)
        way = source, destination
        if (event == "link_down") == (way in self._down) or (event == "link_up" and self._cut[way]):
            raise AssertionError(f"at {time} s: {event} contradicts the state of {source}>{destination}")
        if event == "link_down":
            self._down.add(way)
        else:
            self._down.remove(way)

    def record(self, time: float, event: str, **fields: Any) -> None:
        if self._kept is not None:
            self._kept.record(time, event, **fields)
        if event == "fault_begun":
            self._changed(fields, 1)
            self._doom(fields)
        elif event == "fault_lifted":
            self._changed(fields, -1)

    def announce_update(self, number: int) -> None:
        super().announce_update(number)
        if self._kept is not None:
            self._kept.announce_update(number)

    def restored(self, time: float, down: Sequence[Way], faults: Sequence[dict[str, Any]]) -> None:
        if self._kept is not None:
            self._kept.restored(time, down, faults)
        self._flights.clear()
        self._order.clear()
        self._down = set(down)
        for counts in (self._cut, self._crashed, self._held):
            counts.clear()
        for fault in faults:
            self._changed(fault, 1)
        self._next = 0

    def _changed(self, fault: Mapping[str, Any], change: int) -> None:
        """One fault more or less of the kind that its fields show."""
        if "state" in fault:
            self._crashed[fault["agent"]] += change
            return
        counts = self._cut if "in_flight" in fault else self._held
        for u, v in fault.get("ways", ()):
            counts[u, v] += change

    def _doom(self, fault: Mapping[str, Any]) -> None:
        """Packets in flight that a fault drops as it begins."""
        if fault.get("in_flight") != "drop":
            return
        ways = {(u, v) for u, v in fault.get("ways", ())}
        for flight in self._flights.values():
            if flight.way in ways:
                flight.doom = LINK_DOWN
            elif "state" in fault and flight.way[0] == fault["agent"]:
                flight.doom = AGENT_DOWN

    @staticmethod
    def _require(holds: bool, time: float, message: Message, what: str) -> None:
        if not holds:
            raise AssertionError(
                f"at {time} s: packet {message.serial}, {message.kind!r} from {message.source} to "
                f"{message.destination}, {what}"
            )
