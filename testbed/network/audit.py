"""What must hold on every network at every event, checked from the record of what happens."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.network.distributions import minimum_delay
from testbed.network.link_settings import LinkSettings
from testbed.network.message import Message
from testbed.network.rules import AGENT_DOWN, LINK_DOWN
from testbed.network.trace import LinkChange, PacketFate, Trace

Way = tuple[int, int]


@dataclass(slots=True)
class _Flight:
    """What is known of a packet that has entered the network and not left it."""

    way: Way
    entered: float
    doomed: bool
    """Whether a fault forbids that it is ever delivered."""


class Audit(Trace):
    """A trace that keeps nothing but raises AssertionError at the first event that cannot be.

    Every packet enters once and has one fate; none crosses a direction that is down or reaches a crashed
    agent or the end of a held link; none arrives before it could, or out of order where order is promised;
    none is dropped by a fault that is not there. It knows the faults by what is recorded of them, and
    nothing of how they are made to happen. What is recorded goes on to `kept`, if there is one.
    """

    def __init__(self, settings: Mapping[Way, LinkSettings], kept: Trace | None) -> None:
        """`settings` are those of each direction, by (source, destination)."""
        super().__init__()
        self._settings = settings
        self._kept = kept
        if kept is not None:
            self.events = kept.events
        self._flights: dict[int, _Flight] = {}
        self._down: set[Way] = set()
        self._crashed: Counter[int] = Counter()
        self._held: Counter[Way] = Counter()
        self._order: dict[Way, int] = {}
        self._next = 0

    def synchronise(self, down: Iterable[Way], crashed: Iterable[int], serial: int) -> None:
        """A saved state has been restored, in which nothing is in flight."""
        self._flights.clear()
        self._order.clear()
        self._down = set(down)
        self._crashed = Counter(crashed)
        self._held.clear()
        self._next = serial

    def packet(self, time: float, event: PacketFate, message: Message, reason: str | None = None) -> None:
        if self._kept is not None:
            self._kept.packet(time, event, message, reason)
        way = message.source, message.destination
        if event in ("sent", "duplicated"):
            self._require(message.serial >= self._next, time, message, "has entered the network before")
            self._next = message.serial + 1
            doomed = way in self._down or self._crashed[message.source] > 0
            self._flights[message.serial] = _Flight(way, time, doomed)
            return
        if event == "undeliverable":  # said of a message, whose packets have had their fates
            return
        flight = self._flights.pop(message.serial, None)
        if flight is None:
            raise AssertionError(f"at {time} s: packet {message.serial} is {event}, but was not in flight")
        if event == "delivered":
            self._arrives(time, message, flight)
        elif reason in (LINK_DOWN, AGENT_DOWN):
            crashed = self._crashed[message.destination] > 0 and reason == AGENT_DOWN
            # What a schedule of links drops is no single fault's: then its direction is down by now.
            gone = way in self._down and reason == LINK_DOWN
            self._require(flight.doomed or crashed or gone, time, message, f"is dropped as {reason}, wrongly")

    def _arrives(self, time: float, message: Message, flight: _Flight) -> None:
        settings = self._settings[flight.way]
        self._require(not flight.doomed, time, message, "is delivered, though its link or sender was down")
        self._require(
            not self._crashed[message.destination], time, message, "is delivered to an agent that is down"
        )
        self._require(not self._held[flight.way], time, message, "is delivered over a link that is held")
        quickest = 0.0 if settings.rate is None else message.size / settings.rate
        earliest = flight.entered + minimum_delay(settings) + quickest
        self._require(time >= earliest * (1 - 1e-12), time, message, f"could not arrive before {earliest} s")
        if settings.fifo:
            last = self._order.get(flight.way, -1)
            self._require(message.serial > last, time, message, f"is delivered after packet {last}")
            self._order[flight.way] = message.serial

    def link(self, time: float, event: LinkChange, source: int, destination: int) -> None:
        if self._kept is not None:
            self._kept.link(time, event, source, destination)
        if event == "link_down":
            self._down.add((source, destination))
        else:
            self._down.discard((source, destination))

    def record(self, time: float, event: str, **fields: Any) -> None:
        if self._kept is not None:
            self._kept.record(time, event, **fields)
        if event not in ("fault_begun", "fault_lifted"):
            return
        change = 1 if event == "fault_begun" else -1
        ways = {(u, v) for u, v in fields.get("ways", ())}
        if "state" in fields:
            self._crashed[fields["agent"]] += change
        elif ways and "in_flight" not in fields:
            for way in ways:
                self._held[way] += change
        if change > 0 and fields.get("in_flight") == "drop":
            for flight in self._flights.values():
                if flight.way in ways or ("state" in fields and flight.way[0] == fields["agent"]):
                    flight.doomed = True

    @staticmethod
    def _require(holds: bool, time: float, message: Message, what: str) -> None:
        if not holds:
            raise AssertionError(
                f"at {time} s: packet {message.serial}, {message.kind!r} from {message.source} to "
                f"{message.destination}, {what}"
            )
