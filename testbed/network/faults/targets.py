"""Settings of faults that affect links or agents, one of them or each on its own."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import networkx as nx
from pydantic import BeforeValidator, field_validator

from testbed.network.direction import Direction
from testbed.network.faults.context import FaultContext, Target, Way, ways
from testbed.network.faults.fault import Fault
from testbed.network.faults.settings import ScheduledFault
from testbed.network.link_names import parse_link, unknown_agent, unknown_link


class OnLinks(ScheduledFault):
    """A fault of one link or of all."""

    link: str
    """Its two nodes, such as "0-1"; "all": every link, each on its own."""
    direction: Way = "both"
    """Forward is from the first node of `link` to the second (all: from the smaller number)."""

    @field_validator("link")
    @classmethod
    def _is_a_link(cls, link: str) -> str:
        if link != "all":
            parse_link(link)
        return link

    @property
    def directions(self) -> tuple[tuple[int, int], ...]:
        """The (source, destination) pairs of one link that are affected."""
        return ways(*parse_link(self.link), self.direction)

    @property
    def where(self) -> str:
        """The links in words."""
        way = "" if self.direction == "both" else f" ({self.direction})"
        if self.link == "all":
            return f"all links{way}"
        return f"link {self.link_title(*parse_link(self.link))}{way}"

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        wrong = None if self.link == "all" else unknown_link(self.link, graph)
        return None if wrong is None else ("link", wrong)

    def make(self, title: str, context: FaultContext) -> Iterable[tuple[Fault, Target]]:
        every = self.link == "all"
        for u, v in context.edges if every else [parse_link(self.link)]:
            name = f"{title}: link {context.link_title(u, v)}" if every else title
            directions = context.directions(u, v, self.direction)
            yield self.on_link(name, directions, context), context.target(self, min(u, v), max(u, v))

    @abstractmethod
    def on_link(self, name: str, directions: Sequence[Direction], context: FaultContext) -> Fault:
        """The handle for one link; `directions` are the affected ones."""


def _agent(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if whole or value == "all":
        return value
    raise ValueError("must be the number of an agent, or all")


AgentOrAll = Annotated[int | Literal["all"], BeforeValidator(_agent)]


class OnAgents(ScheduledFault):
    """A fault of one agent or of all."""

    agent: AgentOrAll
    """Its number; all: every agent, each on its own."""

    @property
    def who(self) -> str:
        """The agents in words."""
        return "all agents" if self.agent == "all" else f"agent {self.agent_title(self.agent)}"

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        wrong = None if self.agent == "all" else unknown_agent(self.agent, graph)
        return None if wrong is None else ("agent", wrong)

    def make(self, title: str, context: FaultContext) -> Iterable[tuple[Fault, Target]]:
        every = self.agent == "all"
        for node in context.nodes if every else [int(self.agent)]:
            name = f"{title}: agent {context.agent_title(node)}" if every else title
            yield self.on_agent(name, node, context), context.target(self, node)

    @abstractmethod
    def on_agent(self, name: str, node: int, context: FaultContext) -> Fault:
        """The handle for one agent."""
