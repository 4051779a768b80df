"""What a space-time diagram shows: the events of a trace put together to flights, outages and marks.

Lamport 1978 ("Time, clocks, and the ordering of events in a distributed system"), Figure 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, cast

from testbed.network.trace import LinkEvent, OtherEvent, PacketEvent, Trace

Way = tuple[int, int]
Fate = Literal["delivered", "dropped", "late", "in flight"]

REFUSED = ("link_down", "agent_down", "queue_full")
"""Reasons of drops that can happen before a packet is on the wire."""

MARKS = ("completed", "half_committed", "given_up", "busy", "stale")
"""Events of an algorithm that are marked at the agent they name."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One packet from where it was sent to what became of it; times in simulated seconds."""

    serial: int
    kind: str
    source: int
    destination: int
    begin: float
    end: float
    """Arrival, or when it was taken off the wire; the end of the trace for what is still in flight then. A
    packet that was lost is given the usual time for the part of the way that it went."""
    fate: Fate
    reason: str | None = None
    reach: float = 1.0
    """Which part of the way it went: all when it arrived, none when its own sender refused it, half of it
    when it was lost (nobody knows where); else the time it was under way over its direction's usual time."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One direction of a link took no packets (down), or kept them at its end (held)."""

    source: int
    destination: int
    begin: float
    end: float
    kind: Literal["down", "held"] = "down"


@dataclass(frozen=True, slots=True)
class Spell:
    """An agent did not run, or computed more slowly."""

    agent: int
    kind: Literal["crashed", "slow"]
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Mark:
    """An event of an algorithm at one agent."""

    time: float
    event: str
    agent: int


@dataclass(frozen=True, slots=True)
class SpaceTime:
    """Everything between two moments, in the order of the events that ended it."""

    begin: float
    end: float
    agents: tuple[int, ...]
    """In ascending order: those that the trace names."""
    flights: tuple[Flight, ...]
    outages: tuple[Outage, ...]
    marks: tuple[Mark, ...]
    spells: tuple[Spell, ...] = ()

    def window(self, begin: float, end: float) -> "SpaceTime":
        """What falls into a time from `begin` to `end`, even partly. Raises ValueError if it is none."""
        if not begin < end:
            raise ValueError(f"a window from {begin:g} s to {end:g} s is empty: it must end after it begins")
        return SpaceTime(
            begin,
            end,
            self.agents,
            tuple(flight for flight in self.flights if flight.begin <= end and flight.end >= begin),
            tuple(outage for outage in self.outages if outage.begin < end and outage.end > begin),
            tuple(mark for mark in self.marks if begin <= mark.time <= end),
            tuple(spell for spell in self.spells if spell.begin < end and spell.end > begin),
        )

    def first(self, messages: int) -> "SpaceTime":
        """The beginning, until that many messages have been sent: what an eye can still follow."""
        sent = sorted(flight.begin for flight in self.flights)
        if len(sent) <= messages:
            return self
        end = next((time for time in sent[messages:] if time > self.begin), self.end)
        return self.window(self.begin, end)


def spacetime(trace: Trace) -> SpaceTime:
    """Put the events of a whole trace together."""
    packets = [event for event in trace.events if isinstance(event, PacketEvent)]
    changes = [event for event in trace.events if isinstance(event, LinkEvent)]
    times = [event.time for event in trace.events] or [0.0]
    begin, end = min(times), max(times)
    marks = tuple(
        Mark(event.time, event.event, event.fields["agent"])
        for event in trace.events
        if isinstance(event, OtherEvent) and event.event in MARKS and "agent" in event.fields
    )
    held, spells = _faults([event for event in trace.events if isinstance(event, OtherEvent)], end)
    agents = {mark.agent for mark in marks} | {spell.agent for spell in spells}
    for event in trace.events:
        if not isinstance(event, OtherEvent):
            agents |= {event.source, event.destination}
    outages = (*_outages(changes, end), *held)
    return SpaceTime(begin, end, tuple(sorted(agents)), _flights(packets, end), outages, marks, spells)


def _flights(packets: Sequence[PacketEvent], end: float) -> tuple[Flight, ...]:
    sent: dict[int, PacketEvent] = {}
    ended: list[tuple[PacketEvent, PacketEvent]] = []
    for event in packets:
        if event.event in ("sent", "duplicated"):
            sent[event.serial] = event
        elif event.event in ("delivered", "dropped", "late"):
            ended.append((sent[event.serial], event))
    usual = _usual(ended)
    flights = []
    for start, stop in ended:
        whole = usual.get((start.source, start.destination), 0.0)
        reach = _reach(start, stop, whole)
        lost = stop.event == "dropped" and stop.time == start.time
        until = start.time + reach * whole if lost else stop.time
        flights.append(_flight(start, until, cast(Fate, stop.event), stop.reason, reach))
    landed = {start.serial for start, _ in ended}
    flights += [_flight(start, end, "in flight") for start in sent.values() if start.serial not in landed]
    return tuple(flights)


def _flight(
    start: PacketEvent, end: float, fate: Fate, reason: str | None = None, reach: float = 0.5
) -> Flight:
    return Flight(
        start.serial, start.kind, start.source, start.destination, start.time, end, fate, reason, reach
    )


def _usual(ended: Sequence[tuple[PacketEvent, PacketEvent]]) -> dict[Way, float]:
    """The median time under way by direction, of packets that arrived."""
    times: dict[Way, list[float]] = {}
    for start, stop in ended:
        if stop.event == "delivered":
            times.setdefault((start.source, start.destination), []).append(stop.time - start.time)
    return {way: median(some) for way, some in times.items()}


def _reach(start: PacketEvent, stop: PacketEvent, whole: float) -> float:
    elapsed = stop.time - start.time
    if stop.event == "delivered":
        return 1.0
    if elapsed == 0:
        return 0.0 if stop.reason in REFUSED else 0.5
    return min(elapsed / whole, 0.9) if whole > 0 else 0.5


def _outages(changes: Sequence[LinkEvent], end: float) -> tuple[Outage, ...]:
    down: dict[Way, float] = {}
    outages = []
    for change in changes:
        way = change.source, change.destination
        if change.event == "link_down":
            down[way] = change.time
        elif way in down:
            outages.append(Outage(*way, down.pop(way), change.time))
    return (*outages, *(Outage(*way, begin, end) for way, begin in down.items()))


def _faults(events: Sequence[OtherEvent], end: float) -> tuple[tuple[Outage, ...], tuple[Spell, ...]]:
    """Holds, crashes and stragglers, from the beginnings and ends of the faults of each name."""
    begun: dict[str, OtherEvent] = {}
    lasted: list[tuple[OtherEvent, float]] = []
    for event in events:
        if event.event == "fault_begun":
            begun[event.fields["fault"]] = event
        elif event.event == "fault_lifted" and event.fields["fault"] in begun:
            lasted.append((begun.pop(event.fields["fault"]), event.time))
    lasted += [(event, end) for event in begun.values()]
    held, spells = [], []
    for event, until in lasted:
        fields = event.fields
        if "agent" in fields:
            kind: Literal["crashed", "slow"] = "slow" if "factor" in fields else "crashed"
            spells.append(Spell(fields["agent"], kind, event.time, until))
        elif "ways" in fields and "in_flight" not in fields:  # the others are told by their links
            held += [Outage(i, j, event.time, until, "held") for i, j in fields["ways"]]
    return tuple(held), tuple(spells)
