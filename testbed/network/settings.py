"""What a study file can say about the network. The words are those of netem (tc-netem(8))."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, Self

import networkx as nx
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from testbed.settings import Settings
from testbed.units import BytesPerSecond, Seconds

Distribution = Literal["constant", "uniform", "normal", "lognormal", "exponential", "pareto"]


class LinkOverride(Settings):
    """Some of the settings of one link; those not given are taken from the default link."""

    delay: Seconds = 0.0
    """Mean propagation delay, each way."""
    jitter: Seconds = 0.0
    """Spread of the delay: half the width of `uniform`, the standard deviation of the others."""
    distribution: Distribution = "uniform"
    """Law of the delay, see `testbed.network.distributions`."""
    loss: float = Field(default=0.0, ge=0.0, le=1.0)
    """Probability that a packet is lost on the wire, independently of all others."""
    rate: BytesPerSecond | None = None
    """Bytes per second onto the wire, each way; null is unlimited."""
    limit: int | None = Field(default=None, ge=1)
    """Packets that may wait or be in transmission, each way; one more is dropped (drop-tail); null is
    unlimited. Without a `rate` nothing ever waits."""
    fifo: bool = False
    """Whether packets arrive in the order they were sent (the early ones wait). As in netem, jitter may
    otherwise let one packet overtake another."""

    @model_serializer(mode="wrap")
    def _only_what_was_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        given: dict[str, Any] = handler(self)
        return {name: value for name, value in given.items() if name in self.model_fields_set}


class LinkSettings(LinkOverride):
    """One link, both directions alike."""

    @model_validator(mode="after")
    def _law_exists(self) -> Self:
        if self.distribution == "constant" and self.jitter > 0:
            others = "uniform, normal, lognormal, exponential or pareto"
            raise ValueError(f"jitter {self.jitter} with distribution constant: choose {others}, or jitter 0")
        if self.distribution == "lognormal" and self.jitter > 0 and self.delay == 0:
            raise ValueError(f"delay 0 with jitter {self.jitter}: a lognormal delay needs a mean above 0")
        return self

    @model_serializer(mode="wrap")
    def _all(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        everything: dict[str, Any] = handler(self)
        return everything

    def nominal_latency(self, size: int) -> float:
        """Mean delay plus transmission time of `size` bytes: seconds, without queueing and loss."""
        return self.delay if self.rate is None else self.delay + size / self.rate


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
    """What is different on some links, by name: {"0-1": {delay: 50ms}}."""
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
        seen: dict[frozenset[int], str] = {}
        for name in self.links:
            ends = frozenset(parse_link(name))
            if ends in seen:
                raise ValueError(f"links {seen[ends]!r} and {name!r} are the same link")
            seen[ends] = name
            try:
                self._merged(name)
            except ValidationError as error:
                reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"links {name!r}: {reason}") from None
        return self

    def _merged(self, name: str) -> LinkSettings:
        override = self.links[name]
        given = {field: getattr(override, field) for field in override.model_fields_set}
        return LinkSettings(**(self.link.model_dump() | given))

    @cached_property
    def _overridden(self) -> Mapping[frozenset[int], LinkSettings]:
        return MappingProxyType({frozenset(parse_link(name)): self._merged(name) for name in self.links})

    def link_settings(self, u: int, v: int) -> LinkSettings:
        """The settings of the link between `u` and `v`, overrides applied."""
        return self._overridden.get(frozenset((u, v)), self.link)

    def check(self, graph: "nx.Graph[int]") -> None:
        """Raise ValueError if a link named here is not an edge of `graph`."""
        for field, names in (("links", list(self.links)), ("faults", [fault.link for fault in self.faults])):
            for name in names:
                if not graph.has_edge(*parse_link(name)):
                    raise ValueError(
                        f"{field}: {name!r} is not a link of this graph{_nearest(name, graph.edges)}"
                    )


def parse_link(name: str) -> tuple[int, int]:
    """The two nodes of a link named like "0-1". Raises ValueError if it is not such a name."""
    match = re.fullmatch(r"(\d+)-(\d+)", name)
    if match is None:
        raise ValueError(f'link {name!r} must be two node numbers joined by a hyphen, such as "0-1"')
    u, v = int(match.group(1)), int(match.group(2))
    if u == v:
        raise ValueError(f"link {name!r} joins a node with itself")
    return u, v


def _nearest(name: str, edges: Iterable[tuple[int, int]]) -> str:
    names = [f"{u}-{v}" for u, v in edges]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
    return f": did you mean {close[0]!r}?" if close else ", which has no links"
