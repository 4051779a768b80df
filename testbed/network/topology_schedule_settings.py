"""Settings of a topology that changes: the graph has all links, a schedule chooses those of each round."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self

import networkx as nx
from pydantic import Field, field_validator, model_validator

from testbed.common.settings import Settings
from testbed.common.units import Seconds
from testbed.network.contacts import Changes, read_contacts, read_positions, within_range_changes
from testbed.network.faults.settings import MOST_OFTEN, InFlight
from testbed.network.link_names import parse_link, unknown_agent, unknown_link
from topologies.schedules import Round, one_peer_exponential

FARTHEST = 1000.0
"""Most sides of the square that an agent may walk in a round: after a few it could be anywhere in it."""


class _AnySchedule(Settings):
    in_flight: InFlight = "drop"
    """Fate of packets already accepted when their link goes down."""
    window: Annotated[int, Field(ge=1)] = 10
    """Rounds over which joint connectivity is reported."""

    def cycle(self, nodes: int) -> tuple[Round, ...] | None:
        """The rounds of the cycle, as (source, destination) pairs; None if there is no cycle."""
        return None

    @property
    def pace(self) -> float | None:
        """Seconds from one round to the next; None if a file says when rounds begin."""
        return None

    def changes(self, graph: "nx.Graph[int]") -> Changes | None:
        """Times of all changes, with the directions that change; None if rounds are periodic."""
        return None

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        """The field that needs a link which `graph` does not have, and the reason."""
        return None


class _Schedule(_AnySchedule):
    period: Annotated[Seconds, Field(ge=MOST_OFTEN)]
    """Seconds of one round; the links change between rounds only."""

    @property
    def pace(self) -> float:
        return self.period


class ContactSchedule(_AnySchedule):
    """Links are up at the times that a file lists; every change begins a round."""

    name: Literal["contacts"]
    file: Path
    """CSV or Parquet with the columns `time` (seconds), `link` ("0-1", or one way, "0>1") and `up` (1 or 0).
    Links are down until a row says that they are up."""

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        read_contacts(self.file)
        return self

    def changes(self, graph: "nx.Graph[int]") -> Changes:
        return read_contacts(self.file)

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        names = dict.fromkeys(f"{u}-{v}" for _, ways in self.changes(graph) for (u, v), _ in ways)
        wrong = next((wrong for name in names if (wrong := unknown_link(name, graph)) is not None), None)
        return None if wrong is None else ("file", wrong)


class PositionSchedule(_AnySchedule):
    """Agents move as a file says; linked agents hear each other within radio range. Every change of a link
    begins a round."""

    name: Literal["positions"]
    file: Path
    """CSV or Parquet with the columns `time` (seconds), `node`, `x` and `y`. Agents move straight from one
    row to the next."""
    range: Annotated[float, Field(gt=0)]
    """Radio range, in the unit of `x` and `y`. Only links of the topology exist: give it `complete` for
    all."""

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        read_positions(self.file)
        return self

    def changes(self, graph: "nx.Graph[int]") -> Changes:
        links = sorted((min(u, v), max(u, v)) for u, v in graph.edges)
        return within_range_changes(read_positions(self.file), links, self.range)

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        tracks = read_positions(self.file)
        for node in sorted(tracks.keys() - set(graph.nodes)):
            return "file", unknown_agent(node, graph) or f"there is no agent {node}"
        for node in sorted(set(graph.nodes) - tracks.keys()):
            return "file", f"agent {node} has no position in {str(self.file)!r}"
        return None


class SwitchingSchedule(_Schedule):
    """Given rounds, repeated in a cycle."""

    name: Literal["switching"]
    rounds: Annotated[tuple[tuple[str, ...], ...], Field(min_length=1)]
    """The links that are up in each round: [["0-1", "2-3"], ["1-2"]]; an empty round has none."""

    @field_validator("rounds")
    @classmethod
    def _are_links(cls, rounds: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        for link in (link for links in rounds for link in links):
            parse_link(link)
        return rounds

    def cycle(self, nodes: int) -> tuple[Round, ...] | None:
        return tuple(_both_ways(parse_link(link) for link in links) for links in self.rounds)

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        wrongs = (unknown_link(link, graph) for links in self.rounds for link in links)
        wrong = next((wrong for wrong in wrongs if wrong is not None), None)
        return None if wrong is None else ("rounds", wrong)


class OnePeerSchedule(_Schedule):
    """The one-peer exponential graph: each agent hears one other, 1, 2, 4, ... numbers ahead, in turn."""

    name: Literal["one_peer_exponential"]
    both_ways: bool = True
    """Whether links work both ways while they are up, as exchanges need; false: from the peer only."""

    def cycle(self, nodes: int) -> tuple[Round, ...] | None:
        length = (nodes - 1).bit_length()
        rounds = one_peer_exponential(nodes)
        directed = [next(rounds) for _ in range(length)]
        return tuple(_both_ways(links) if self.both_ways else links for links in directed)

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        if len(graph) < 2:
            return "name", "one_peer_exponential needs at least 2 agents"
        for u, v in (link for links in self.cycle(len(graph)) or () for link in links):
            if not graph.has_edge(u, v):
                return "name", f"one_peer_exponential needs the link {u}-{v}: give the topology exponential"
        return None


class WaypointSchedule(_Schedule):
    """Agents move in the unit square by random waypoint; linked agents hear each other within radio range."""

    name: Literal["random_waypoint"]
    range: Annotated[float, Field(gt=0)]
    """Radio range; the square's sides are 1. Only links of the topology exist: give it `complete` for all."""
    speed: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.01, 0.1)
    """Least and greatest speed in sides per second, drawn for each leg."""
    pause: Seconds = 0.0
    """Seconds of rest at each waypoint."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.speed[0] > self.speed[1]:
            raise ValueError(f"speed {list(self.speed)}: must have the smaller first")
        if self.speed[1] * self.period > FARTHEST:
            raise ValueError(
                f"speed {list(self.speed)} with period {self.period:g}: an agent may walk {FARTHEST:g} sides"
                f" of the square in a round, not {self.speed[1] * self.period:.1g}"
            )
        return self


def _both_ways(links: Iterable[tuple[int, int]]) -> Round:
    return tuple(dict.fromkeys(way for u, v in links for way in ((u, v), (v, u))))


AnySchedule = Annotated[
    SwitchingSchedule | OnePeerSchedule | WaypointSchedule | ContactSchedule | PositionSchedule,
    Field(discriminator="name"),
]
