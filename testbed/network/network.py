"""The simulated network as its users see it."""

from operator import index
from typing import Any, Literal

import networkx as nx

from testbed.network.clock import Clock
from testbed.network.faults import FaultReport, FaultSchedule, LinkDown, name_of
from testbed.network.ledger import Ledger
from testbed.network.links import Links
from testbed.network.message import Message
from testbed.network.settings import LinkFault, NetworkSettings
from testbed.network.streams import Streams
from testbed.network.trace import Trace
from testbed.network.transports import Datagram, Handler, Reliable, Transport


class Network:
    """Agents on the nodes of a graph exchange messages with their neighbours, in simulated time."""

    def __init__(
        self,
        graph: "nx.Graph[int]",
        settings: NetworkSettings,
        streams: Streams,
        clock: Clock | None = None,
        trace: Trace | None = None,
    ) -> None:
        """Build the links of `graph` and schedule the faults of `settings`, on a new clock if none is given.

        Raises ValueError if the graph is directed, joins a node with itself, or lacks a link that `settings`
        names.
        """
        if graph.is_directed() or graph.is_multigraph():
            raise ValueError("a network needs an undirected graph without parallel links")
        for node in nx.nodes_with_selfloops(graph):
            raise ValueError(f"node {node!r} is joined with itself: a network has no such links")
        settings.check(graph)
        self.graph = graph
        self.settings = settings
        self.clock = Clock() if clock is None else clock
        self.trace = trace
        self._links = Links(graph, settings, streams, self.clock.timeline, trace)
        self.ledger: Ledger = self._links.ledger
        """What became of every packet."""
        self._transport: Transport = (
            Datagram(self._links)
            if settings.transport == "datagram"
            else Reliable(self._links, self.clock, settings)
        )
        self._faults: list[LinkDown] = []
        self._schedule = FaultSchedule(
            [(plan, self._fault(plan, name_of(plan))) for plan in settings.faults], self.clock.timeline
        )

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

    def link_is_up(self, u: int, v: int) -> bool:
        """Whether the direction from `u` to `v` takes packets now. Raises ValueError if there is no link."""
        return self._links.direction(u, v).is_up

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
                if self.trace is not None:
                    self.trace.packet(self.clock.now, "late", message)
        self._transport.forget()
        return late

    def take_down(
        self,
        u: int,
        v: int,
        *,
        in_flight: Literal["drop", "deliver"] = "drop",
        direction: Literal["both", "forward", "backward"] = "both",
    ) -> LinkDown:
        """A fault of the link between `u` and `v`, for the caller to begin and lift, or to use with `with`.

        `in_flight` says what happens to packets already accepted; forward is from `u` to `v`.
        Raises ValueError if there is no such link.
        """
        plan = LinkFault(link=f"{u}-{v}", down=self.clock.now, in_flight=in_flight, direction=direction)
        return self._fault(plan, f"link {plan.link} taken down by hand")

    def _fault(self, plan: LinkFault, name: str) -> LinkDown:
        directions = [self._links.direction(source, destination) for source, destination in plan.directions]
        fault = LinkDown(name, directions, plan.in_flight, self.clock.timeline, self.trace)
        self._faults.append(fault)
        return fault

    def faults_report(self) -> list[FaultReport]:
        """What each fault did so far, scheduled ones first; one with `touched` 0 tested nothing."""
        return [fault.report() for fault in self._faults]

    def state_dict(self) -> dict[str, Any]:
        """The exact state, JSON-able: time, random streams, queues, faults, ledger, transport.

        Raises RuntimeError while packets are in flight, the transport may still send some again, or a link is
        taken down by hand: flush and lift first. Handlers and what others have scheduled on the clock are not
        included.
        """
        if self.ledger.in_flight or self._transport.outstanding():
            raise RuntimeError("the network has messages in flight: flush it before saving its state")
        by_hand = self._faults[len(self._schedule.faults) :]
        for fault in by_hand:
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
            "faults": self._schedule.state_dict(),
            "transport": self._transport.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where `state_dict` was called, in a network of the same graph and settings.

        The clock is set as well: nothing but this network's faults may be scheduled before the saved time
        (ValueError). What is in flight here is forgotten.
        """
        for direction in self._links:
            direction.empty()
        self._transport.forget()
        self._schedule.suspend()
        self.clock.timeline.move_to(state["time"])
        self._schedule.load_state_dict(state["faults"])
        self._links.serial = state["serial"]
        self.ledger.load_state_dict(state["ledger"])
        remembered = {(source, destination): rules for source, destination, rules in state["directions"]}
        for direction in self._links:
            rules = remembered.get((direction.source, direction.destination), {})
            for name, rule in direction.rules.items():
                rule.load_state_dict(rules.get(name))
        self._transport.load_state_dict(state["transport"])
