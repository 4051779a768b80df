"""Links as pairs of directions, each with its own rules and its own packets in flight."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from testbed.network.clock import Timeline
from testbed.network.direction import CopyingDirection, Direction
from testbed.network.impairments.chain import chain
from testbed.network.impairments.duplicate import DuplicateRule
from testbed.network.impairments.link_settings import LinkSettings
from testbed.network.ledger import Ledger
from testbed.network.message import Message
from testbed.network.streams import Streams
from testbed.network.trace.trace import Trace


class Links:
    """Both directions of every edge of a graph, with their ledger and trace."""

    def __init__(
        self,
        nodes: Iterable[int],
        settings: Mapping[tuple[int, int], LinkSettings],
        streams: Streams,
        timeline: Timeline,
        trace: Trace | None,
    ) -> None:
        self.timeline = timeline
        self.trace = trace
        self.ledger = Ledger(self._in_flight)
        self.serial = 0
        """Serial number of the next packet."""
        self._directions: dict[int, dict[int, Direction]] = {node: {} for node in nodes}
        for (source, destination), link in settings.items():

            def stream(purpose: str, source: int = source, destination: int = destination) -> Any:
                return streams.fresh("link", source, destination, purpose)

            rules = chain(link, stream, _trace_offset(link, streams, source, destination))
            common = source, destination, link, rules, timeline, self.ledger, trace
            duplication = rules.get("duplicate")
            self._directions[source][destination] = (
                CopyingDirection(*common, duplication, self.packet)
                if isinstance(duplication, DuplicateRule)
                else Direction(*common)
            )

    def __iter__(self) -> Iterator[Direction]:
        for neighbours in self._directions.values():
            yield from neighbours.values()

    def direction(self, source: int, destination: int) -> Direction:
        """The direction from one node to another. Raises ValueError if there is no such link."""
        try:
            return self._directions[source][destination]
        except KeyError:
            raise ValueError(f"there is no link from node {source!r} to node {destination!r}") from None

    def packet(self, direction: Direction, kind: str, payload: Any, size: int) -> Message:
        """A new packet for a direction, first sent now, with the next serial number."""
        serial = self.serial
        self.serial = serial + 1
        return Message(
            direction.source, direction.destination, kind, payload, size, self.timeline.now, serial
        )

    def arriving_at(self, node: int) -> list[Direction]:
        """The directions that end at `node`. Raises ValueError if there is no such node."""
        if node not in self._directions:
            raise ValueError(f"node {node!r} is not in this network")
        return [self._directions[neighbour][node] for neighbour in self._directions[node]]

    def _in_flight(self) -> tuple[int, int]:
        packets = [hop.message.size for direction in self for hop in direction.in_flight]
        return len(packets), sum(packets)


def _trace_offset(link: LinkSettings, streams: Streams, u: int, v: int) -> float:
    """Seconds of its trace that have passed at time 0; random ones are the same for both ways of a link."""
    if link.trace is None:
        return 0.0
    return link.trace.begins(lambda: float(streams.fresh("link trace", min(u, v), max(u, v)).random()))
