"""The network as its faults see it."""

from typing import Literal, Protocol

import networkx as nx
import numpy as np

import topologies
from testbed.network.agents import Agents
from testbed.network.direction import Direction
from testbed.network.links import Links
from testbed.network.streams import Streams

Target = tuple[str | int, ...]
"""The target of a fault, as random streams name it."""

Way = Literal["both", "forward", "backward"]


class Named(Protocol):
    """The parts of a fault that its random streams depend on, besides its target."""

    @property
    def fault(self) -> str:
        """The kind of fault."""

    @property
    def name(self) -> str | None:
        """Its own name, if it has one."""


class FaultContext:
    """Links, agents and random streams of one network, and the names of its faults.

    Attributes:
        links: both directions of every link.
        agents: which of them are up, and how fast they compute.
        timeline: simulated time.
        trace: where faults record what they do; None for nowhere.
        edges: the links as pairs of nodes, the smaller first, in their order.
        nodes: the agents, in their order.
        names: their names, as people read them; their numbers where the graph gives none.
    """

    def __init__(self, graph: "nx.Graph[int]", links: Links, agents: Agents, streams: Streams) -> None:
        self.links, self.agents = links, agents
        self.timeline, self.trace = links.timeline, links.trace
        self.edges = sorted((min(u, v), max(u, v)) for u, v in graph.edges)
        self.nodes = sorted(graph.nodes)
        self.names = topologies.names_by_node(graph)
        self._streams = streams
        self._planned: dict[Target, int] = {}
        self._titles: dict[str, int] = {}
        self._names: set[str] = set()

    def directions(self, u: int, v: int, way: Way = "both") -> list[Direction]:
        """The directions of a link. Raises ValueError if there is no such link."""
        return [self.links.direction(source, destination) for source, destination in ways(u, v, way)]

    def arriving_at(self, node: int) -> list[Direction]:
        """The directions that end at an agent. Raises ValueError if there is no such agent."""
        return self.links.arriving_at(node)

    def leaving(self, node: int) -> list[Direction]:
        """The directions that begin at an agent. Raises ValueError if there is no such agent."""
        return [self.links.direction(node, each.source) for each in self.links.arriving_at(node)]

    def target(self, fault: Named, *befalls: str | int) -> Target:
        """The name of the random stream of one more fault of a target.

        It depends on the target, and on the fault's name or else on the number of earlier faults of its kind.
        """
        target = (fault.fault, *befalls)
        if fault.name is not None:
            return ("named", fault.name, *target)
        number = self._planned[target] = self._planned.get(target, -1) + 1
        return (*target, number)

    def generator(self, target: Target, purpose: str) -> np.random.Generator:
        """A generator at the beginning of the stream of a target and a purpose."""
        return self._streams.fresh("fault", *target, purpose)

    def agent_title(self, node: int) -> str:
        """``3``, or ``3 (Zürich)`` if the graph gives the agent a name."""
        return topologies.named_node(node, self.names)

    def link_title(self, u: int, v: int) -> str:
        """``0-1``, or ``0-1 (Zürich - Bern)`` if the graph gives its agents names."""
        return topologies.named_link(u, v, self.names)

    def numbered(self, title: str) -> str:
        """The title, numbered if an earlier plan has the same one, so that a trace tells them apart."""
        number = self._titles[title] = self._titles.get(title, 0) + 1
        return title if number == 1 else f"{title} ({number})"

    def unique(self, name: str) -> str:
        """A name that no other fault has, by which a trace identifies the fault that is lifted."""
        number, free = 1, name
        while free in self._names:
            number += 1
            free = f"{name} ({number})"
        self._names.add(free)
        return free


def ways(u: int, v: int, direction: Way) -> tuple[tuple[int, int], ...]:
    """The (source, destination) pairs of a link in the given direction."""
    return {"both": ((u, v), (v, u)), "forward": ((u, v),), "backward": ((v, u),)}[direction]
