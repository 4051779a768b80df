"""Settings of the network in a study file. The terms are those of netem (tc-netem(8)).

Where the meaning differs from that in netem, the setting says "unlike netem".
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import networkx as nx
from pydantic import Field, field_validator, model_validator

from testbed.common.settings import SettingError, Settings
from testbed.common.units import Seconds
from testbed.identity import default, differing, same
from testbed.network.faults.settings import AnyFault, check_names
from testbed.network.impairments.link_settings import LinkOverride, LinkSettings
from testbed.network.link_names import parse_directions
from testbed.network.link_table import settings_by_direction
from testbed.network.topology_schedule_settings import AnySchedule

RELIABLE_ONLY = ("retransmission_timeout", "retries", "acknowledgement_size")


class NetworkSettings(Settings):
    """The simulated network: its links, its transport and what goes wrong when."""

    link: LinkSettings = LinkSettings()
    """Settings of every link."""
    links: Mapping[str, LinkOverride] = Field(default_factory=dict)
    """Overrides for single links, by name: {"0-1": {delay: 50ms}}; "0>1" is one direction only."""
    classes: Mapping[Annotated[str, Field(pattern=r"^[^.]+$")], LinkOverride] = Field(default_factory=dict)
    """Overrides for the links whose edge attribute `class` is this name: {wan: {delay: 50ms}}."""
    transport: Literal["datagram", "reliable"] = "datagram"
    """`datagram`: fire and forget. `reliable`: acknowledgements, retransmission, no duplicates."""
    retransmission_timeout: Seconds | None = None
    """Reliable only: seconds from sending to the first retransmission, doubled at each further one. Null:
    twice the nominal round trip of that message and its acknowledgement, plus 4 times the jitter of both
    ways, plus what waits in the sender's queue, at least 10 ms."""
    retries: int = Field(default=10, ge=0, le=200)
    """Reliable only: retransmissions before a message is given up as undeliverable."""
    acknowledgement_size: int = Field(default=40, ge=0)
    """Reliable only: bytes of an acknowledgement on the wire (40: the IPv4 and TCP headers)."""
    faults: tuple[AnyFault, ...] = ()
    """Faults and their times; one without `fault` is a link that goes down."""
    schedule: AnySchedule | None = None
    """Schedule of the links that exist at each time; null: all of them, always."""
    audit: bool = False
    """Whether every event is checked against the invariants of `testbed.network.trace.invariants`. Slow."""

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
            try:
                ways = parse_directions(name)
            except ValueError as error:
                raise SettingError(("links", name), str(error)) from None
            same = frozenset(ways[0]) if len(ways) == 2 else ways[0]
            if same in seen:
                raise SettingError(("links", name), f"links {seen[same]!r} and {name!r} are the same link")
            seen[same] = name
        for field, overrides in (("classes", self.classes), ("links", self.links)):
            if field == "links" and self.classes:
                continue  # the settings they override depend on the link's class: see `check`
            for name, override in overrides.items():
                try:
                    self.link.overridden(override)
                except ValueError as error:
                    raise SettingError((field, name), str(error), field=f"{field} {name!r}") from None
        return self

    def essence(self) -> dict[str, Any]:
        """The meaning of the settings on any graph; see `testbed.identity`."""
        return self.meaning(attributes=True)

    def meaning(self, *, attributes: bool) -> dict[str, Any]:
        """Plain data, equal for settings that mean the same; see `testbed.identity`.

        Args:
            attributes: whether the graph's links may have settings as attributes, which a file can give them.
        """
        found = differing(self)
        if self.transport != "reliable":
            for name in RELIABLE_ONLY:
                found.pop(name, None)
        # Overrides that repeat `link` have no effect; a link's attributes from elsewhere are not known here.
        classes = {name: self.link.changed_by(override) for name, override in self.classes.items()}
        classes = {name: changed for name, changed in classes.items() if changed}
        links: dict[str, list[dict[str, Any]]] = {}
        for (u, v), overrides in self._overrides().items():
            if not (attributes or classes):
                given = [self.link.changed_by(*overrides, last=True)]
            else:
                given = [override.essence() for override in overrides]
            if given := [each for each in given if each]:
                links[f"{u}>{v}"] = given
        found |= {"links": links, "classes": classes}
        if not (attributes or links or classes) and "link" in found:
            found["link"] = {k: value for k, value in found["link"].items() if k not in self.link.idle}
        return {name: value for name, value in found.items() if not same(value, default(type(self), name))}

    def _overrides(self) -> dict[tuple[int, int], list[LinkOverride]]:
        """The overrides of `links` for each direction; later ones take precedence.

        "0-1" is both directions, and is applied before "0>1": see `testbed.network.link_table`.
        """
        found: dict[tuple[int, int], list[LinkOverride]] = {}
        for name in sorted(self.links, key=lambda name: len(parse_directions(name)), reverse=True):
            for way in parse_directions(name):
                found.setdefault(way, []).append(self.links[name])
        return found

    def by_direction(self, graph: "nx.Graph[int]") -> dict[tuple[int, int], LinkSettings]:
        """The settings of each direction by (source, destination); raises SettingError as `check` does."""
        return settings_by_direction(graph, self.link, self.classes, self.links)

    @field_validator("faults")
    @classmethod
    def _have_names_of_their_own(cls, faults: tuple[AnyFault, ...]) -> tuple[AnyFault, ...]:
        check_names(faults)
        return faults

    def check(self, graph: "nx.Graph[int]") -> None:
        """Raise SettingError if something here does not fit `graph`, such as a link that it does not have."""
        self.by_direction(graph)
        for number, fault in enumerate(self.faults):
            unknown = fault.unknown(graph)
            if unknown is not None:
                raise SettingError(("faults", number, unknown[0]), unknown[1], field="faults")
        unknown = None if self.schedule is None else self.schedule.unknown(graph)
        if unknown is not None:
            raise SettingError(("schedule", unknown[0]), unknown[1], field="schedule")
