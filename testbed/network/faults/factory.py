"""From what is said about faults to handles that can be begun and lifted."""

from collections.abc import Callable
from typing import assert_never

import networkx as nx
import numpy as np

from testbed.network.agents import Agents, AgentState
from testbed.network.direction import Direction
from testbed.network.faults.agent_faults import Crash, Straggler
from testbed.network.faults.link_faults import Fault, Groups, Hold, LinkDown, Partition
from testbed.network.faults.settings import (
    AnyFault,
    CrashFault,
    HoldFault,
    InFlight,
    LinkFault,
    PartitionFault,
    StragglerFault,
    Way,
    ways,
)
from testbed.network.faults.timetable import Planned
from testbed.network.link_names import parse_link
from testbed.network.links import Links
from testbed.network.streams import Streams

Target = tuple[str | int, ...]
"""What a fault befalls, as random streams name it."""


class FaultMaker:
    """Makes the faults of one network."""

    def __init__(self, graph: "nx.Graph[int]", links: Links, agents: Agents, streams: Streams) -> None:
        self._graph, self._links, self._agents, self._streams = graph, links, agents, streams
        self._context = links.timeline, links.trace
        self._planned: dict[Target, int] = {}
        self._titles: dict[str, int] = {}
        self._names: set[str] = set()

    def take_down(self, name: str, u: int, v: int, direction: Way, in_flight: InFlight) -> LinkDown:
        """A link that takes no packets. Raises ValueError if there is no such link."""
        return LinkDown(self._unique(name), self._ways(u, v, direction), in_flight, *self._context)

    def hold(self, name: str, u: int, v: int, direction: Way) -> Hold:
        """A link at whose end packets are kept. Raises ValueError if there is no such link."""
        return Hold(self._unique(name), self._ways(u, v, direction), *self._context)

    def partition(self, name: str, groups: Groups | None, in_flight: InFlight, target: Target) -> Partition:
        """No packets between groups; None: random halves, drawn from the stream of `target`.

        Raises ValueError if a group names an agent that does not exist.
        """
        for group in groups or ():
            for node in group:
                self._agents.require(node)
        chosen = self._streams.fresh("fault", *target, "halves") if groups is None else groups
        return Partition(self._unique(name), chosen, list(self._links), in_flight, *self._context)

    def crash(self, name: str, node: int, state: AgentState, in_flight: InFlight) -> Crash:
        """An agent that is down. Raises ValueError if there is no such agent."""
        leaving, arriving = self._leaving(node), self._links.arriving_at(node)
        return Crash(
            self._unique(name), node, state, leaving, arriving, in_flight, self._agents, *self._context
        )

    def straggler(self, name: str, node: int, factor: float) -> Straggler:
        """An agent that computes slowly. Raises ValueError if there is no such agent."""
        return Straggler(self._unique(name), node, factor, self._leaving(node), self._agents, *self._context)

    def plan(self, settings: AnyFault) -> list[Planned]:
        """The faults that settings ask for: one, or one for each link or agent."""
        parts: list[tuple[Fault, Target]] = []
        title = self._numbered(settings.title)
        if isinstance(settings, LinkFault | HoldFault):
            every = settings.link == "all"
            for u, v in sorted(map(_sorted, self._graph.edges)) if every else [parse_link(settings.link)]:
                name = f"{title}: link {u}-{v}" if every else title
                fault: Fault = (
                    self.take_down(name, u, v, settings.direction, settings.in_flight)
                    if isinstance(settings, LinkFault)
                    else self.hold(name, u, v, settings.direction)
                )
                parts.append((fault, (settings.fault, *_sorted((u, v)))))
        elif isinstance(settings, CrashFault | StragglerFault):
            nodes = sorted(self._graph.nodes) if settings.agent == "all" else [settings.agent]
            for node in nodes:
                name = f"{title}: agent {node}" if settings.agent == "all" else title
                fault = (
                    self.crash(name, node, settings.state, settings.in_flight)
                    if isinstance(settings, CrashFault)
                    else self.straggler(name, node, settings.factor)
                )
                parts.append((fault, (settings.fault, node)))
        elif isinstance(settings, PartitionFault):
            target = self._own(settings.name, (settings.fault, str(settings.sets)))
            fault = self.partition(title, settings.sets, settings.in_flight, target)
            return [Planned(settings, fault, self._generator(target))]
        else:
            assert_never(settings)
        return [
            Planned(settings, fault, self._generator(self._own(settings.name, target)))
            for fault, target in parts
        ]

    def _own(self, name: str | None, target: Target) -> Target:
        """Its chances depend on what it befalls, and its name or else how many such there are before it."""
        if name is not None:
            return ("named", name, *target)
        number = self._planned[target] = self._planned.get(target, -1) + 1
        return (*target, number)

    def _numbered(self, title: str) -> str:
        """The second plan of the same title is told from the first in a trace."""
        number = self._titles[title] = self._titles.get(title, 0) + 1
        return title if number == 1 else f"{title} ({number})"

    def _unique(self, name: str) -> str:
        """No two faults have the same name: a trace says by it which of them is lifted."""
        number, free = 1, name
        while free in self._names:
            number += 1
            free = f"{name} ({number})"
        self._names.add(free)
        return free

    def _generator(self, target: Target) -> Callable[[], np.random.Generator]:
        return lambda: self._streams.fresh("fault", *target, "times")

    def _ways(self, u: int, v: int, direction: Way) -> list[Direction]:
        return [self._links.direction(source, destination) for source, destination in ways(u, v, direction)]

    def _leaving(self, node: int) -> list[Direction]:
        return [self._links.direction(node, each.source) for each in self._links.arriving_at(node)]


def _sorted(link: tuple[int, int]) -> tuple[int, int]:
    return min(link), max(link)
