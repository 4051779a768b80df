"""What a study file can say about the network. The words are those of netem (tc-netem(8))."""

from collections.abc import Mapping
from typing import Literal, Self

import networkx as nx
from pydantic import Field, field_validator, model_validator

from testbed.network.link_names import nearest_link, parse_directions, parse_link
from testbed.network.link_settings import LinkOverride, LinkSettings
from testbed.network.link_table import settings_by_direction
from testbed.settings import SettingError, Settings
from testbed.units import Seconds


class LinkFault(Settings):
    """A link that goes down at one simulated time and perhaps up again at another."""

    link: str
    """Its two nodes, such as "0-1"."""
    down: Seconds
    up: Seconds | None = None
    """Null: never."""
    in_flight: Literal["drop", "deliver"] = "drop"
    """What happens to packets already accepted when the link goes down, waiting or on the wire."""
    direction: Literal["both", "forward", "backward"] = "both"
    """Forward is from the first node of `link` to the second."""

    @field_validator("link")
    @classmethod
    def _is_a_link(cls, link: str) -> str:
        parse_link(link)
        return link

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.up is not None and self.up <= self.down:
            raise ValueError(f"up {self.up} must be later than down {self.down}")
        return self

    @property
    def directions(self) -> tuple[tuple[int, int], ...]:
        """The (source, destination) pairs that go down."""
        u, v = parse_link(self.link)
        return {"both": ((u, v), (v, u)), "forward": ((u, v),), "backward": ((v, u),)}[self.direction]


class NetworkSettings(Settings):
    """The simulated network: its links, its transport and what goes wrong when."""

    link: LinkSettings = LinkSettings()
    """Every link."""
    links: Mapping[str, LinkOverride] = Field(default_factory=dict)
    """What is different on some links, by name: {"0-1": {delay: 50ms}}; "0>1" is one direction only."""
    classes: Mapping[str, LinkOverride] = Field(default_factory=dict)
    """What is different on the links whose edge attribute `class` is this name: {wan: {delay: 50ms}}."""
    transport: Literal["datagram", "reliable"] = "datagram"
    """`datagram`: fire and forget. `reliable`: acknowledgements, retransmission, no duplicates."""
    retransmission_timeout: Seconds | None = None
    """Reliable only: seconds from sending to the first retransmission, doubled at each further one. Null:
    twice the nominal round trip of that message and its acknowledgement, plus 4 times the jitter of both
    ways, plus what waits in the sender's queue, at least 10 ms."""
    retries: int = Field(default=10, ge=0)
    """Reliable only: retransmissions before a message is given up as undeliverable."""
    acknowledgement_size: int = Field(default=40, ge=0)
    """Reliable only: bytes of an acknowledgement on the wire (40: the IPv4 and TCP headers)."""
    faults: tuple[LinkFault, ...] = ()

    @field_validator("retransmission_timeout")
    @classmethod
    def _timeout_is_positive(cls, timeout: float | None) -> float | None:
        if timeout == 0:
            raise ValueError("retransmission_timeout 0 must be above 0, or null to follow the link")
        return timeout

    @model_validator(mode="after")
    def _links_are_valid(self) -> Self:
        seen: dict[frozenset[int] | tuple[int, int], str] = {}
        for name in self.links:
            ways = parse_directions(name)
            same = frozenset(ways[0]) if len(ways) == 2 else ways[0]
            if same in seen:
                raise ValueError(f"links {seen[same]!r} and {name!r} are the same link")
            seen[same] = name
        for field, overrides in (("classes", self.classes), ("links", self.links)):
            if field == "links" and self.classes:
                continue  # what they add to depends on the link's class: see `check`
            for name, override in overrides.items():
                try:
                    self.link.overridden(override)
                except ValueError as error:
                    raise ValueError(f"{field} {name!r}: {error}") from None
        return self

    def by_direction(self, graph: "nx.Graph[int]") -> dict[tuple[int, int], LinkSettings]:
        """The settings of each direction by (source, destination); raises SettingError as `check` does."""
        return settings_by_direction(graph, self.link, self.classes, self.links)

    def check(self, graph: "nx.Graph[int]") -> None:
        """Raise SettingError if something here does not fit `graph`, such as a link that it does not have."""
        self.by_direction(graph)
        for number, fault in enumerate(self.faults):
            if not graph.has_edge(*parse_link(fault.link)):
                reason = f"{fault.link!r} is not a link of this graph{nearest_link(fault.link, graph.edges)}"
                raise SettingError(("faults", number, "link"), f"faults: {reason}")
