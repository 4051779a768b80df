"""The simulated network as its users see it."""

from collections.abc import Callable, Iterable
from operator import index
from typing import Any

import networkx as nx

from testbed.network.agents import Agents, Liar, OnCrash, OnRestart
from testbed.network.clock import Clock
from testbed.network.custom_rules import CustomRules, PacketRule
from testbed.network.event_list import Agenda
from testbed.network.faults.by_hand import FaultsByHand
from testbed.network.faults.context import FaultContext
from testbed.network.faults.fault import FaultReport
from testbed.network.faults.timetable import FaultSchedule, planned
from testbed.network.faults.windows import FaultWindow
from testbed.network.ledger import Ledger
from testbed.network.links import Links
from testbed.network.message import Message
from testbed.network.settings import NetworkSettings
from testbed.network.streams import Streams
from testbed.network.topology_schedule import LinkSchedule, ScheduleReport
from testbed.network.trace.invariants import InvariantChecker
from testbed.network.trace.trace import Trace
from testbed.network.traffic import Traffic
from testbed.network.transports import Datagram, Handler, Reliable, Transport


class Network(FaultsByHand):
    """Agents on the nodes of a graph exchange messages with their neighbours, in simulated time.

    With random faults or a changing topology the event list never empties: then `clock.run` needs an
    `until`.
    """

    def __init__(
        self,
        graph: "nx.Graph[int]",
        settings: NetworkSettings,
        streams: Streams,
        clock: Clock | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Build the links of `graph` and schedule the faults of `settings`, on a new clock if none is given.

        Raises ValueError if the graph is directed, joins a node to itself, or lacks a link that `settings`
        names.
        """
        if graph.is_directed() or graph.is_multigraph():
            raise ValueError("a network needs an undirected graph without parallel links")
        for node in nx.nodes_with_selfloops(graph):
            raise ValueError(f"node {node!r} is joined to itself: a network has no such links")
        settings.check(graph)
        self.graph = graph
        self.settings = settings
        self.clock = Clock() if clock is None else clock
        self._checker = InvariantChecker(settings.by_direction(graph), trace) if settings.audit else None
        self.trace = trace = trace if self._checker is None else self._checker
        self._links = Links(graph, settings.by_direction(graph), streams, self.clock.timeline, trace)
        self._custom_rules = CustomRules(self._links)
        self.ledger: Ledger = self._links.ledger
        """The account of every packet."""
        if settings.audit:
            self.clock.timeline.checks.append(self.ledger.check)
        self.traffic: Traffic | None = None
        """The load of each direction, once `measure_traffic` has been called."""
        self._transport: Transport = (
            Datagram(self._links)
            if settings.transport == "datagram"
            else Reliable(self._links, self.clock, settings)
        )
        self.agents = Agents(graph.nodes)
        """Which agents are up, how fast they compute, and which of them lie."""
        super().__init__(FaultContext(graph, self._links, self.agents, streams))
        plans = [(plan, planned(plan, self._context)) for plan in settings.faults]
        self._agenda = Agenda(self.clock.timeline)
        self._planned = FaultSchedule(plans, list(self._links), self._agenda, self.clock.timeline)
        self._schedule: LinkSchedule | None = None
        if settings.schedule is not None:
            self._schedule = LinkSchedule(settings.schedule, graph, self._links, streams, self._agenda)
        # Entries already due, such as a link that is down from 0 s, are processed at once.
        self._agenda.catch_up()

    def attach(self, node: int, handler: Handler) -> None:
        """Call `handler(message)` for each message that reaches `node`; replaces an earlier handler.

        Raises ValueError if there is no such node.
        """
        self._transport.attach(node, handler)

    def send(self, source: int, destination: int, payload: Any, size: int, kind: str) -> Message:
        """Send `payload`, which counts as `size` bytes, from one node to a neighbour over the transport.

        The payload is carried by reference. Raises ValueError if the nodes are not neighbours or `size` is
        negative, TypeError if `size` is not an integer.
        """
        if type(size) is not int:
            size = index(size)
        if size < 0:
            raise ValueError(f"size {size!r} must not be negative")
        return self._transport.send(source, destination, payload, size, kind)

    def nominal_latency(self, source: int, destination: int, size: int) -> float:
        """Seconds for `size` bytes: mean delay plus transmission, without queueing, loss or faults."""
        return self._links.direction(source, destination).settings.nominal_latency(size)

    def spread(self, source: int, destination: int) -> float:
        """Seconds of jitter from one node to a neighbour; 0 if the delay is always the same."""
        return self._links.direction(source, destination).settings.spread

    def patience(self, source: int, destination: int, size: int) -> float:
        """Seconds within which `size` bytes sent now arrive, unless they never do (faults apart).

        By datagrams: what waits before them, the nominal latency and three times the jitter. Reliably: until
        all retransmissions have been made and the last of them has had its time.
        """
        return self._transport.patience(source, destination, size)

    def link_is_up(self, u: int, v: int) -> bool:
        """Whether the link is up from `u` to `v`: no fault and no schedule has taken it down.

        Whether its agents run is `agent_is_up`. Raises ValueError if there is no such link.
        """
        return self._links.direction(u, v).is_up

    def is_quiet(self) -> bool:
        """Whether nothing is in flight and no transport will send anything again by itself."""
        return not self.ledger.in_flight and not self._transport.outstanding()

    def awaits_restart(self) -> bool:
        """Whether a crashed agent may run again before the next update, if no more messages are delivered."""
        by_hand = any(fault.active for fault in self._by_hand if fault.stops_agent)
        return by_hand or self._planned.awaits_restart()

    def flush(self) -> int:
        """End an agreement. Returns the number of packets that were in flight: they are counted late.

        They are never delivered, queues are empty, and transports forget what they would have sent again.
        """
        late = 0
        ledger = self.ledger
        for direction in self._links:
            for message in direction.empty():
                late += 1
                ledger.late += 1
                ledger.late_bytes += message.size
                if direction.counts is not None:
                    direction.counts.late += 1
                if self.trace is not None:
                    self.trace.packet(self.clock.now, "late", message)
        self._transport.forget()
        return late

    def measure_traffic(self) -> Traffic:
        """Count what each direction carries from now on; a network that is not asked to spends nothing on it.

        Raises RuntimeError if packets have been sent already.
        """
        if self.traffic is None:
            if self._links.serial:
                raise RuntimeError("packets have already been sent: start measuring before the first one")
            self.traffic = Traffic(self._links, lambda: self.clock.now)
        return self.traffic

    def add_rule(
        self, rule: PacketRule, links: Iterable[str] | None = None, name: str | None = None
    ) -> Callable[[], None]:
        """Let a callable decide about every packet sent from now on; returns a function that removes it.

            network.add_rule(lambda message, now: "blackhole" if message.size > 1500 else None)

        `rule(message, now)` sees each packet, copies and retransmissions too, when it is sent at `now`, in
        simulated seconds. It returns None, or the reason to drop the packet (text, counted and traced as
        such), or seconds by which its arrival is delayed. It comes behind the impairments of the link, and
        before `fifo`: a dropped packet has taken its place in the queue. Timeouts that are derived from the
        link know nothing of it.

        A rule also sees packets that a fault or an impairment has already dropped, without knowing it: if it
        draws random numbers, it draws them for every packet, and runs stay paired packet by packet. Draw from
        a stream of `Streams`, not from a generator of unknown seed.

        A rule with the methods `state_dict` (JSON-able) and `load_state_dict` is saved and restored with the
        network, under its name; add it before loading. One without must be a function of its arguments alone,
        or a resumed run would go on differently.

        Args:
            rule: the callable.
            links: names such as "0-1", both directions, or "0>1", one; all by default.
            name: under which its state is saved; "rule 0" and so on by default.

        Raises ValueError if there is no such link, or a rule of this name; and later, as packets are sent, if
        the rule returns anything else, or one of the reasons of faults, `link_down` and `agent_down`.
        """
        return self._custom_rules.add(rule, links, name)

    # --- agents -----------------------------------------------------------------------------------------

    def agent_is_up(self, node: int) -> bool:
        """Whether an agent runs, that is, has not crashed. Raises ValueError if there is no such agent."""
        return self.agents.is_up(node)

    def compute_factor(self, node: int) -> float:
        """The factor that multiplies an agent's compute times now; 1 unless it is a straggler.

        Raises ValueError if there is no such agent.
        """
        return self.agents.compute_factor(node)

    def liars(self, node: int) -> tuple[Liar, ...]:
        """The faults that make an agent lie now; whoever makes the payloads of messages has to ask them.

        The network never touches a payload: `testbed.consensus.falsification` does, for every algorithm.
        """
        return self.agents.liars(node)

    def on_crash(self, callback: OnCrash) -> Callable[[], None]:
        """Call `callback(node)` when an agent crashes; returns a function that ends it."""
        return self.agents.on_crash(callback)

    def on_restart(self, callback: OnRestart) -> Callable[[], None]:
        """Call `callback(node, "kept" or "lost")` when an agent runs again; returns a function that ends it.

        An agent whose state is lost must start with nothing, as if it had just been built.
        """
        return self.agents.on_restart(callback)

    def announce_update(self, number: int) -> None:
        """The learner begins a policy update, counted from 1: faults planned for it begin or are lifted.

        Events belong to it from now on, in the trace and in `fault_windows`.
        """
        if self.trace is not None:
            self.trace.announce_update(number)
        self._planned.announce_update(number)

    def faults_report(self) -> list[FaultReport]:
        """The effects of each fault so far, scheduled ones first; one with `touched` 0 tested nothing."""
        return [*self._planned.report(), *(fault.report() for fault in self._by_hand)]

    def fault_windows(self) -> list[FaultWindow] | None:
        """Each time that a fault of the settings was active, in the order in which they began.

        None if the network was restored from a state that an earlier version saved, which had no record.
        """
        return self._planned.windows.taken

    def schedule_report(self) -> ScheduleReport | None:
        """The effects of the changing topology so far; None if the topology does not change."""
        return None if self._schedule is None else self._schedule.report()

    def metrics(self) -> dict[str, float]:
        """The ledger's counts, the number of faults (`faults`) and of those that touched no packet, and,
        where the topology changes, the share of windows of rounds that are connected
        (`joint_connectivity`)."""
        reports = self.faults_report()
        counts = {**self.ledger.snapshot(), "faults": len(reports)}
        counts["faults_untouched"] = sum(report.touched == 0 for report in reports)
        row = {name: float(count) for name, count in counts.items()}
        schedule = self.schedule_report()
        return row if schedule is None else row | {"joint_connectivity": schedule.joint_connectivity}

    def state_dict(self) -> dict[str, Any]:
        """The exact state, JSON-able: time, random streams, queues, faults, ledger, transport.

        Raises RuntimeError while packets are in flight, the transport may still send some again, or a link is
        taken down by hand: flush and lift first. Handlers, rules without a state and other events
        scheduled on the clock are not included.
        """
        if self.ledger.in_flight or self._transport.outstanding():
            raise RuntimeError("the network has messages in flight: flush it before saving its state")
        for fault in self._by_hand:
            if fault.active:
                raise RuntimeError(f"{fault.name}: lift it before saving the network's state")
        directions = []
        for direction in self._links:
            states = {name: rule.state_dict() for name, rule in direction.rules.items()}
            rules = {name: saved for name, saved in states.items() if saved is not None}
            if rules:
                directions.append([direction.source, direction.destination, rules])
        return {
            "time": self.clock.now,
            "serial": self._links.serial,
            "ledger": self.ledger.state_dict(),
            "directions": directions,
            "agenda": self._agenda.state_dict(),
            "faults": self._planned.state_dict(),
            "fault_windows": self._planned.windows.state_dict(),
            "schedule": None if self._schedule is None else self._schedule.state_dict(),
            "agents": self.agents.state_dict(),
            "transport": self._transport.state_dict(),
            **({"rules": own} if (own := self._custom_rules.state_dict()) else {}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where `state_dict` was called, in a network of the same graph and settings.

        The clock is set as well: nothing but this network's faults may be scheduled before the saved time
        (ValueError). Packets in flight here are discarded.
        """
        for direction in self._links:
            direction.empty()
        self._transport.forget()
        self._agenda.suspend()
        self.clock.timeline.move_to(state["time"])
        self._planned.load_state_dict(state["faults"])
        self._planned.windows.load_state_dict(state.get("fault_windows"))
        if self._schedule is not None:
            self._schedule.load_state_dict(state["schedule"])
        self._agenda.load_state_dict(state["agenda"])
        self.agents.load_state_dict(state["agents"])
        self._links.serial = state["serial"]
        self.ledger.load_state_dict(state["ledger"])
        remembered = {(source, destination): rules for source, destination, rules in state["directions"]}
        for direction in self._links:
            rules = remembered.get((direction.source, direction.destination), {})
            for name, rule in direction.rules.items():
                rule.load_state_dict(rules.get(name))
        self._transport.load_state_dict(state["transport"])
        self._custom_rules.load_state_dict(state.get("rules", {}))
        if self.trace is not None:
            if (update := self._planned.windows.update) is not None:
                self.trace.announce_update(update)
            self.note_faults(self.trace)

    def note_faults(self, trace: Trace) -> None:
        """Note the faults that last now in a trace that begins, or goes on, in the middle of the run."""
        lasting = [*self._planned.lasting, *(fault for fault in self._by_hand if fault.active)]
        down = [(each.source, each.destination) for each in self._links if not each.is_up]
        trace.restored(self.clock.now, down, [fault.described() for fault in lasting])
