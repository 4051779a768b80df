"""Links that go down together, such as those of one cable (a shared risk link group)."""

from collections.abc import Iterable
from typing import Annotated, Literal

import networkx as nx
from pydantic import Field, field_validator

from testbed.network.faults.context import FaultContext, Target
from testbed.network.faults.fault import Fault
from testbed.network.faults.link_down import LinkDown
from testbed.network.faults.settings import InFlight, ScheduledFault
from testbed.network.link_names import parse_link, unknown_link


class GroupFault(ScheduledFault):
    """Several links take no packets at the same times, as if they shared a cable: one process for all."""

    fault: Literal["group_down"]
    links: Annotated[tuple[str, ...], Field(min_length=1)]
    """The links, both ways of each: ["0-1", "1-2"]."""
    in_flight: InFlight = "drop"
    """Fate of packets already accepted when the links go down, waiting or on the wire."""

    @field_validator("links")
    @classmethod
    def _are_links(cls, links: tuple[str, ...]) -> tuple[str, ...]:
        seen: set[frozenset[int]] = set()
        for link in links:
            ends = frozenset(parse_link(link))
            if ends in seen:
                raise ValueError(f"link {link!r} is already in the group")
            seen.add(ends)
        return links

    @property
    def subject(self) -> str:
        links = ", ".join(self.link_title(*parse_link(link)) for link in self.links)
        return f"links {links} down together"

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        wrongs = (unknown_link(link, graph) for link in self.links)
        wrong = next((wrong for wrong in wrongs if wrong is not None), None)
        return None if wrong is None else ("links", wrong)

    def make(self, title: str, context: FaultContext) -> Iterable[tuple[Fault, Target]]:
        links = sorted({tuple(sorted(parse_link(link))) for link in self.links})
        directions = [way for u, v in links for way in context.directions(u, v)]
        target = context.target(self, *(node for link in links for node in link))
        yield LinkDown(title, directions, self.in_flight, context), target
