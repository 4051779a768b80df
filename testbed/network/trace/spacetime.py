"""The contents of a space-time diagram: the events of a trace, combined into flights, outages and marks.

Lamport 1978 ("Time, clocks, and the ordering of events in a distributed system"), Figure 1.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal, cast

from testbed.network.trace.trace import LinkEvent, OtherEvent, PacketEvent, Restored, Trace

Way = tuple[int, int]
_Key = tuple[Literal["down", "held"], int, int] | tuple[Literal["crashed", "slow", "lying"], int]
_Moment = tuple[float, int]
"""Simulated seconds, and a place in the trace."""
Fate = Literal["delivered", "dropped", "late", "in flight"]

REFUSED = ("link_down", "agent_down", "queue_full")
"""Reasons of drops that can happen before a packet is on the wire."""

MARKS = ("completed", "half_committed", "given_up", "busy", "stale")
"""Events of an algorithm that are marked at the agent they name."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One packet from its sending to its fate; times in simulated seconds."""

    serial: int
    kind: str
    source: int
    destination: int
    begin: float
    end: float
    """Arrival, or the time at which it was taken off the wire; the end of the trace if it is still in flight
    then. A lost packet is given the usual time for the part of the way that it went."""
    fate: Fate
    reason: str | None = None
    reach: float = 1.0
    """Part of the way it went: all if it arrived, none if its own sender refused it, half if it was lost (the
    place is unknown); otherwise its time under way divided by its direction's usual time."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One direction of a link took no packets (down), or kept them at its end (held).

    Faults that overlap are one outage, from where the first begins to where the last is lifted.
    """

    source: int
    destination: int
    begin: float
    end: float
    kind: Literal["down", "held"] = "down"
    first: int = field(default=0, compare=False)
    """The place in the trace of the event that began it, or before which a state with it was restored."""
    last: int = field(default=0, compare=False)
    """The place of the event that ended it, or the last one of the trace."""
    lasts: bool = field(default=False, compare=False)
    """Whether no event of the trace has ended it."""


@dataclass(frozen=True, slots=True)
class Spell:
    """An agent did not run, computed more slowly, or lied; faults that overlap are one spell."""

    agent: int
    kind: Literal["crashed", "slow", "lying"]
    begin: float
    end: float
    first: int = field(default=0, compare=False)
    """The place in the trace of the event that began it."""
    last: int = field(default=0, compare=False)
    """The place of the event that ended it, or the last one of the trace."""
    lasts: bool = field(default=False, compare=False)
    """Whether no event of the trace has ended it."""


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
    """The agents that the trace names, in ascending order."""
    flights: tuple[Flight, ...]
    outages: tuple[Outage, ...]
    marks: tuple[Mark, ...]
    spells: tuple[Spell, ...] = ()

    def window(self, begin: float, end: float) -> "SpaceTime":
        """The part from `begin` to `end`, partial overlaps included. Raises ValueError unless begin < end."""
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
        """The beginning, until that many messages have been sent, which is short enough to read."""
        sent = sorted(flight.begin for flight in self.flights)
        if len(sent) <= messages:
            return self
        end = next((time for time in sent[messages:] if time > self.begin), self.end)
        return self.window(self.begin, end)


def spacetime(trace: Trace) -> SpaceTime:
    """Put the events of a whole trace together."""
    packets = [event for event in trace.events if isinstance(event, PacketEvent)]
    times = [each.time for each in (*trace.events, *trace.restorations)] or [0.0]
    begin, end = min(times), max(times)
    marks = tuple(
        Mark(event.time, event.event, event.fields["agent"])
        for event in trace.events
        if isinstance(event, OtherEvent) and event.event in MARKS and "agent" in event.fields
    )
    outages, spells = _lasting(trace)
    agents = {mark.agent for mark in marks} | {spell.agent for spell in spells}
    agents |= {agent for outage in outages for agent in (outage.source, outage.destination)}
    for event in trace.events:
        if not isinstance(event, OtherEvent):
            agents |= {event.source, event.destination}
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


def _lasting(trace: Trace) -> tuple[tuple[Outage, ...], tuple[Spell, ...]]:
    """Outages and spells: first directions that were down, then those held; agents crashed or slow."""
    spans, ended = _Spans(), 0
    restorations = deque(trace.restorations)
    for place, event in enumerate(trace.events):
        while restorations and restorations[0].place <= place:
            spans.restore(restorations.popleft())
        if isinstance(event, LinkEvent):
            key: _Key = ("down", event.source, event.destination)
            spans.change([key], begins=event.event == "link_down", moment=(event.time, place))
        elif isinstance(event, OtherEvent) and event.event in ("fault_begun", "fault_lifted"):
            begins = event.event == "fault_begun"
            spans.change(_befallen(event.fields), begins=begins, moment=(event.time, place))
    if trace.events:
        ended = len(spans.closed)
        spans.close((max(event.time for event in trace.events), len(trace.events) - 1))
    outages: list[Outage] = []
    spells: list[Spell] = []
    for number, (key, (begin, first), (end, last)) in enumerate(spans.closed):
        if key[0] == "down" or key[0] == "held":
            outages.append(Outage(key[1], key[2], begin, end, key[0], first, last, number >= ended))
        else:
            spells.append(Spell(key[1], key[0], begin, end, first, last, number >= ended))
    return tuple(sorted(outages, key=lambda outage: outage.kind)), tuple(spells)


class _Spans:
    """Spans of states that any number of faults may cause, in the order of their ends."""

    def __init__(self) -> None:
        self._since: dict[_Key, _Moment] = {}
        self._reasons: Counter[_Key] = Counter()
        self.closed: list[tuple[_Key, _Moment, _Moment]] = []

    def change(self, keys: Iterable[_Key], *, begins: bool, moment: _Moment) -> None:
        """One reason more or less for each."""
        for key in keys:
            if begins:
                self._since.setdefault(key, moment)
                self._reasons[key] += 1
            elif key in self._since:
                self._reasons[key] -= 1
                if not self._reasons[key]:
                    self.closed.append((key, self._since.pop(key), moment))

    def restore(self, state: Restored) -> None:
        """Take the active states from a restored state."""
        moment = state.time, state.place
        keys: list[_Key] = [("down", u, v) for u, v in state.down]
        keys += [key for fault in state.faults for key in _befallen(fault)]
        for key in [key for key in self._since if key not in keys]:
            self.closed.append((key, self._since.pop(key), moment))
        self._reasons.clear()
        self.change(keys, begins=True, moment=moment)

    def close(self, moment: _Moment) -> None:
        """End everything that still lasts."""
        self.closed += [(key, since, moment) for key, since in self._since.items()]


def _befallen(fault: Mapping[str, Any]) -> list[_Key]:
    """The targets that a fault holds, crashes, slows down or makes lie; links that go down have events."""
    if "agent" in fault:
        if "behaviour" in fault:
            return [("lying", fault["agent"])]
        return [("slow" if "factor" in fault else "crashed", fault["agent"])]
    if "in_flight" in fault:
        return []
    return [("held", u, v) for u, v in fault.get("ways", ())]
