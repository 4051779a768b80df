"""One way of a link, with its rules and its packets in flight."""

from bisect import insort
from collections.abc import Callable
from enum import IntEnum
from operator import itemgetter
from typing import Any

from testbed.network.clock import Occurrence, Timeline
from testbed.network.impairments.duplicate import DuplicateRule
from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.impairments.rule import CORRUPT, LINK_DOWN, Down, Fate, Rule, Transmission
from testbed.network.impairments.slot import SlotRule
from testbed.network.ledger import Ledger
from testbed.network.link_counts import LinkCounts
from testbed.network.message import Message
from testbed.network.trace.trace import Trace


class Hop(Occurrence):
    """The arrival of one packet at the end of a direction."""

    __slots__ = ("entered", "message")
    message: Message
    entered: float
    """Simulated time at which the packet was put on the direction."""


Rules = tuple[Callable[[Message, Fate], None], ...]

EgressFilter = Callable[["Direction", Hop], bool]
"""Sees each packet that has come to the end of a direction; True if it has dropped or kept it."""


class FilterKind(IntEnum):
    """The purposes of egress filters, in the order in which a packet meets them.

    The order does not depend on which fault came first, so that a restored state has the same order.
    """

    HOLD = 0
    """Keeps packets at the end of the link."""
    AGENT_DOWN = 1
    """Drops what leaves the link for an agent that has crashed."""
    COUNT = 2
    """Counts what is going to be delivered."""


class Direction:
    """One way of a link. Each packet costs one scheduled callback: its arrival."""

    __slots__ = (
        "_arrivals",
        "_decide",
        "_ledger",
        "_timeline",
        "_trace",
        "counts",
        "destination",
        "filters",
        "in_flight",
        "ingress_rules",
        "receive",
        "rules",
        "settings",
        "source",
    )

    def __init__(
        self,
        source: int,
        destination: int,
        settings: LinkSettings,
        rules: dict[str, Rule],
        timeline: Timeline,
        ledger: Ledger,
        trace: Trace | None,
    ) -> None:
        self.source = source
        self.destination = destination
        self.settings = settings
        self.rules = rules
        """The impairments, in order."""
        self.ingress_rules: list[Rule] = []
        """Rules that faults have put before the impairments while they last."""
        self.filters: list[tuple[FilterKind, str, EgressFilter]] = []
        """Egress filters that faults have put before the arrival while they last, by kind and name."""
        self.in_flight: dict[Hop, None] = {}
        """Packets waiting in the queue or on the wire, in the order of sending."""
        self.receive: Callable[[Message], object] = _nobody_there
        """Called with each packet that arrives."""
        self.counts: LinkCounts | None = None
        """Fates of this direction's packets; None where nobody measures the traffic."""
        self._timeline = timeline
        self._ledger = ledger
        self._trace = trace
        self._arrivals: list[Callable[[Any], None]] = [self._arrive]
        self._decide: Rules = ()
        self._rebuild_chain()

    @property
    def is_up(self) -> bool:
        """Whether the link is up in this direction, regardless of its agents."""
        return not any(isinstance(each, Down) and each.reason == LINK_DOWN for each in self.ingress_rules)

    def carry(self, message: Message) -> None:
        """Let the rules decide the fate of a packet sent now, and schedule its arrival if it has one."""
        ledger, trace = self._ledger, self._trace
        ledger.sent += 1
        ledger.sent_bytes += message.size
        now = self._timeline.now
        if trace is not None:
            trace.packet(now, "sent", message)
        self._launch(message, now, self._decide)

    def _launch(self, message: Message, now: float, rules: Rules) -> None:
        fate = Fate(now)
        for decide in rules:
            decide(message, fate)
        if fate.reason is not None:
            self.drop(message, fate.reason)
            return
        hop = Hop(self._arrivals)
        hop.message, hop.entered = message, now
        self.in_flight[hop] = None
        self._timeline.schedule_at(fate.time, hop)

    def _arrive_filtered(self, hop: Hop) -> None:
        for _, _, keeps in self.filters:
            if keeps(self, hop):
                return
        self._arrive(hop)

    def _arrive(self, hop: Hop) -> None:
        del self.in_flight[hop]
        message = hop.message
        ledger = self._ledger
        ledger.delivered += 1
        ledger.delivered_bytes += message.size
        if message.corruption is not None:
            ledger.corrupted += 1
        counts = self.counts
        if counts is not None:
            delay = self._timeline._now - hop.entered  # a property costs as much as all the rest
            counts.delivered += 1
            counts.delay += delay
            if delay > counts.delay_max:
                counts.delay_max = delay
        if self._trace is not None:
            damage = None if message.corruption is None else CORRUPT
            self._trace.packet(self._timeline.now, "delivered", message, damage)
        self.receive(message)

    def drop(self, message: Message, reason: str) -> None:
        """Account for a packet that will never arrive."""
        self._ledger.drop(message, reason)
        if self.counts is not None:
            self.counts.drop(reason)
        if self._trace is not None:
            self._trace.packet(self._timeline.now, "dropped", message, reason)

    def empty(self) -> list[Message]:
        """Take every packet off the direction, for the caller to account for, in the order of sending."""
        messages = [hop.message for hop in self.in_flight]
        for hop in self.in_flight:
            self._timeline.cancel(hop)
        self.in_flight.clear()
        for rule in self.rules.values():
            rule.clear()
        return messages

    def add_egress_filter(self, kind: FilterKind, name: str, keeps: EgressFilter) -> None:
        """Put a filter before the arrival, in the order of kinds and names; packets on the wire meet it, too.

        No two filters of a kind may have the same name.
        """
        insort(self.filters, (kind, name, keeps), key=itemgetter(0, 1))
        self._arrivals[0] = self._arrive_filtered

    def remove_egress_filter(self, keeps: EgressFilter) -> None:
        """Take away a filter that `add_egress_filter` put there."""
        self.filters = [entry for entry in self.filters if entry[2] != keeps]
        self._arrivals[0] = self._arrive_filtered if self.filters else self._arrive

    def refuse(self, hop: Hop, reason: str) -> None:
        """Drop a packet that has come to the end of the direction; egress filters call this."""
        del self.in_flight[hop]
        self.drop(hop.message, reason)

    def arrive_again(self, hop: Hop) -> None:
        """Let a packet that a filter has kept arrive now, before everything else that is due now."""
        if hop in self.in_flight:
            del self.in_flight[hop]
            again = Hop(self._arrivals)
            again.message, again.entered = hop.message, hop.entered
            self.in_flight[again] = None
            self._timeline.schedule_first_at(self._timeline.now, again)

    def insert(self, name: str, rule: Rule, *, after: str) -> None:
        """Put a rule into the chain just behind the one called `after`, or first if there is no such rule."""
        items = list(self.rules.items())
        place = list(self.rules).index(after) + 1 if after in self.rules else 0
        self.rules = dict([*items[:place], (name, rule), *items[place:]])
        self._rebuild_chain()

    def add_rule(self, name: str, rule: Rule) -> None:
        """Put a rule behind the impairments, but before the one that keeps packets in order."""
        self.rules = _before_fifo(self.rules, name, rule)
        self._rebuild_chain()

    def remove_rule(self, name: str) -> None:
        """Take away a rule that `add_rule` put there."""
        del self.rules[name]
        self._rebuild_chain()

    def add_ingress_rule(self, rule: Rule) -> None:
        """Put a rule before all others."""
        self.ingress_rules.append(rule)
        self._rebuild_chain()

    def remove_ingress_rule(self, rule: Rule) -> None:
        """Take away a rule that `add_ingress_rule` put there."""
        self.ingress_rules.remove(rule)
        self._rebuild_chain()

    def _rebuild_chain(self) -> None:
        self._decide = tuple(rule.decide for rule in (*self.ingress_rules, *self.rules.values()))

    def backlog(self) -> float:
        """Seconds until everything that waits has left, or the slot begins in which the last of it leaves."""
        now = self._timeline.now
        return max(
            (rule.backlog(now) for rule in self.rules.values() if isinstance(rule, Transmission | SlotRule)),
            default=0.0,
        )


class CopyingDirection(Direction):
    """A direction that may put a copy of a packet right behind it (netem's `duplicate`).

    The copy is a packet with its own serial number.
    """

    __slots__ = ("_decide_copies", "_duplication", "_next_packet")

    def __init__(
        self,
        source: int,
        destination: int,
        settings: LinkSettings,
        rules: dict[str, Rule],
        timeline: Timeline,
        ledger: Ledger,
        trace: Trace | None,
        duplication: DuplicateRule,
        next_packet: Callable[[Direction, str, Any, int], Message],
    ) -> None:
        """`next_packet` makes a packet with the next serial number: `Links.packet`."""
        self._duplication = duplication
        self._next_packet = next_packet
        super().__init__(source, destination, settings, rules, timeline, ledger, trace)

    def carry(self, message: Message) -> None:
        super().carry(message)
        if not self._duplication.wanted:
            return
        copy = self._next_packet(self, message.kind, message.payload, message.size)
        copy.sent_at, copy.header = message.sent_at, message.header
        ledger, now = self._ledger, self._timeline.now
        ledger.duplicated += 1
        ledger.duplicated_bytes += copy.size
        if self.counts is not None:
            self.counts.duplicated += 1
        if self._trace is not None:
            self._trace.packet(now, "duplicated", copy)
        self._launch(copy, now, self._decide_copies)

    def insert(self, name: str, rule: Rule, *, after: str) -> None:
        copies = self._duplication.copies
        place = copies.index(self.rules[after]) + 1 if after in self.rules else 0
        self._duplication.copies = (*copies[:place], rule, *copies[place:])
        super().insert(name, rule, after=after)

    def add_rule(self, name: str, rule: Rule) -> None:
        copies = self._duplication.copies
        place = copies.index(self.rules["fifo"]) if "fifo" in self.rules else len(copies)
        self._duplication.copies = (*copies[:place], rule, *copies[place:])
        super().add_rule(name, rule)

    def remove_rule(self, name: str) -> None:
        gone = self.rules[name]
        self._duplication.copies = tuple(rule for rule in self._duplication.copies if rule is not gone)
        super().remove_rule(name)

    def _rebuild_chain(self) -> None:
        super()._rebuild_chain()
        self._decide_copies = tuple(rule.decide for rule in (*self.ingress_rules, *self._duplication.copies))


def _before_fifo(rules: dict[str, Rule], name: str, rule: Rule) -> dict[str, Rule]:
    last = {"fifo": rules["fifo"]} if "fifo" in rules else {}
    return {**{key: each for key, each in rules.items() if key != "fifo"}, name: rule, **last}


def _nobody_there(message: Message) -> None:
    raise RuntimeError(
        f"message of kind {message.kind!r} reached node {message.destination}: no handler is attached"
    )
