"""What a study file can say about faults: what goes wrong, when, and for how long.

Every fault has a moment `down` at which it begins and perhaps one `up` at which it is lifted, or comes and
goes at random with `mtbf` and `mttr`. `fault` says which kind it is; without it, it is a link that goes down.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Any, Literal, Self

import networkx as nx
from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from testbed.common.settings import SettingError, Settings
from testbed.common.units import Seconds
from testbed.network.agents import AgentState
from testbed.network.link_names import parse_link, unknown_agent, unknown_link

MOST_OFTEN = 1e-6
"""Seconds: what comes and goes does so no more often than once in this time, on average."""

InFlight = Literal["drop", "deliver"]
Way = Literal["both", "forward", "backward"]


class AtUpdate(Settings):
    """When the learner begins a policy update."""

    update: Annotated[int, Field(ge=1, description="updates count from 1")]

    def __str__(self) -> str:
        return f"update {self.update}"


class AfterMessages(Settings):
    """Just after messages of a kind have been delivered: since the beginning, or `up`: since `down`."""

    kind: str
    """Such as request or response; see the algorithms."""
    count: Annotated[int, Field(ge=1)] = 1
    """How many of them."""

    def __str__(self) -> str:
        return f"{self.kind} {self.count}"


class Lasting(Settings):
    """Some time after the fault has begun."""

    lasting: Annotated[Seconds, Field(gt=0)]
    """How long."""


def _tag(moment: Any) -> str:
    # No tag is a key as well: error messages tell the two apart by that.
    if isinstance(moment, AtUpdate) or (isinstance(moment, dict) and "update" in moment):
        return "at_update"
    if isinstance(moment, Lasting) or (isinstance(moment, dict) and "lasting" in moment):
        return "for_a_time"
    return "after_messages" if isinstance(moment, AfterMessages | dict) else "at_time"


_Seconds = Annotated[Seconds, Tag("at_time")]
_AtUpdate = Annotated[AtUpdate, Tag("at_update")]
_AfterMessages = Annotated[AfterMessages, Tag("after_messages")]
Beginning = Annotated[_Seconds | _AtUpdate | _AfterMessages, Discriminator(_tag)]
End = Annotated[
    _Seconds | _AtUpdate | _AfterMessages | Annotated[Lasting, Tag("for_a_time")], Discriminator(_tag)
]


def _agent(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if whole or value == "all":
        return value
    raise ValueError("must be the number of an agent, or all")


AgentOrAll = Annotated[int | Literal["all"], BeforeValidator(_agent)]


class ScheduledFault(Settings, ABC):
    """When a fault begins and ends."""

    name: str | None = None
    """How reports call it; null: by what it is and when."""
    down: Beginning | None = None
    """When it begins: simulated seconds, {update: 3} or {kind: response, count: 5}."""
    up: End | None = None
    """When it is lifted: the same, or {lasting: 2s}. Null: never."""
    mtbf: Annotated[Seconds | None, Field(gt=0)] = None
    """At random: mean seconds from the beginning, or from being lifted, to the next failure (exponential)."""
    mttr: Annotated[Seconds | None, Field(gt=0)] = None
    """At random: mean seconds that each failure lasts (exponential)."""

    @model_validator(mode="after")
    def _happens(self) -> Self:
        if (self.mtbf is None) != (self.mttr is None):
            raise ValueError("needs both mtbf and mttr, or neither")
        if self.mtbf is not None and (self.down is not None or self.up is not None):
            raise ValueError("has mtbf and mttr: then down and up are drawn at random, leave them out")
        if self.mtbf is not None and self.mttr is not None and self.mtbf + self.mttr < MOST_OFTEN:
            raise ValueError(
                f"mtbf {self.mtbf:g} and mttr {self.mttr:g}: must be at least {MOST_OFTEN:g} s together"
            )
        if self.mtbf is None and self.down is None:
            raise ValueError("needs down, the moment it begins, or mtbf and mttr to come and go at random")
        if isinstance(self.down, float) and isinstance(self.up, float) and self.up <= self.down:
            raise SettingError(("up",), f"up {self.up} must be later than down {self.down}")
        if (
            isinstance(self.down, AtUpdate)
            and isinstance(self.up, AtUpdate)
            and self.up.update <= self.down.update
        ):
            raise SettingError(("up",), f"up at {self.up} must be later than down at {self.down}")
        return self

    @property
    @abstractmethod
    def subject(self) -> str:
        """What goes wrong, in words."""

    @property
    def title(self) -> str:
        """How reports call it."""
        if self.name is not None:
            return self.name
        if self.mtbf is not None:
            return f"{self.subject} at random (mtbf {self.mtbf:g} s, mttr {self.mttr:g} s)"
        begins = f"from {self.down:g} s" if isinstance(self.down, float) else f"from {self.down}"
        if isinstance(self.up, Lasting):
            return f"{self.subject} {begins} for {self.up.lasting:g} s"
        if self.up is None:
            return f"{self.subject} {begins}"
        return f"{self.subject} {begins} to " + (
            f"{self.up:g} s" if isinstance(self.up, float) else f"{self.up}"
        )

    @abstractmethod
    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        """The field that names something `graph` does not have, and what is wrong with it."""


class _OnLinks(ScheduledFault):
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
    def _where(self) -> str:
        way = "" if self.direction == "both" else f" ({self.direction})"
        return f"all links{way}" if self.link == "all" else f"link {self.link}{way}"

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        wrong = None if self.link == "all" else unknown_link(self.link, graph)
        return None if wrong is None else ("link", wrong)


class LinkFault(_OnLinks):
    """A link takes no packets: at one simulated time it goes down and perhaps up again at another."""

    fault: Literal["link_down"] = "link_down"
    in_flight: InFlight = "drop"
    """What happens to packets already accepted when the link goes down, waiting or on the wire."""

    @property
    def subject(self) -> str:
        return f"{self._where} down"


class HoldFault(_OnLinks):
    """What comes to the end of a link is held there, and arrives all at once when it is released."""

    fault: Literal["hold"]

    @property
    def subject(self) -> str:
        return f"hold on {self._where}"


class PartitionFault(ScheduledFault):
    """No packets between groups of agents. Agents that no group names are one more group together."""

    fault: Literal["partition"]
    groups: tuple[tuple[int, ...], ...] | Literal["halves"] | None = None
    """Lists of agents; or halves: two random halves, drawn anew at each beginning."""
    isolate: int | None = None
    """Short for one group of this agent alone."""
    in_flight: InFlight = "drop"
    """What happens to packets on their way from one group to another."""

    @field_validator("groups", mode="before")
    @classmethod
    def _well_formed(cls, groups: object) -> object:
        lists = isinstance(groups, list | tuple) and all(isinstance(group, list | tuple) for group in groups)
        if groups is not None and groups != "halves" and not lists:
            raise ValueError("must be halves, or lists of agents such as [[0, 1], [2, 3]]")
        return groups

    @model_validator(mode="after")
    def _parts_something(self) -> Self:
        if (self.groups is None) == (self.isolate is None):
            raise ValueError("needs groups or isolate, one of the two")
        seen: set[int] = set()
        for group in () if self.groups in (None, "halves") else self.groups or ():
            for agent in group:
                if agent in seen:
                    raise ValueError(f"groups: agent {agent} is in a group already")
                seen.add(int(agent))
        return self

    @property
    def sets(self) -> tuple[tuple[int, ...], ...] | None:
        """The groups; None for random halves."""
        if self.isolate is not None:
            return ((self.isolate,),)
        return None if self.groups == "halves" else self.groups

    @property
    def subject(self) -> str:
        if self.isolate is not None:
            return f"agent {self.isolate} isolated"
        if self.sets is None:
            return "partition into random halves"
        return "partition of " + " and ".join(str(list(group)) for group in self.sets)

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        for group in self.sets or ():
            for agent in group:
                wrong = unknown_agent(agent, graph)
                if wrong is not None:
                    return ("groups" if self.isolate is None else "isolate"), wrong
        if self.sets is not None:
            named = [group for group in self.sets if group]
            rest = len(graph) - sum(map(len, named))
            if len(named) + (rest > 0) < 2:
                return "groups", "all agents are in one group, so nothing is parted"
        return None


class _OnAgents(ScheduledFault):
    agent: AgentOrAll
    """Its number; all: every agent, each on its own."""

    @property
    def _who(self) -> str:
        return "all agents" if self.agent == "all" else f"agent {self.agent}"

    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        wrong = None if self.agent == "all" else unknown_agent(self.agent, graph)
        return None if wrong is None else ("agent", wrong)


class CrashFault(_OnAgents):
    """An agent is down: what it sends and what reaches it is dropped as `agent_down`, until it restarts."""

    fault: Literal["crash"]
    state: AgentState = "kept"
    """Whether it restarts with what it knew, or with nothing."""
    in_flight: InFlight = "deliver"
    """What happens to what it had sent when it crashes, waiting or on the wire."""

    @property
    def subject(self) -> str:
        return f"crash of {self._who} (state {self.state})"


class StragglerFault(_OnAgents):
    """An agent computes more slowly."""

    fault: Literal["straggler"]
    factor: Annotated[float, Field(gt=0, le=1e6)]
    """Its compute times are multiplied by this."""

    @field_validator("factor")
    @classmethod
    def _changes_something(cls, factor: float) -> float:
        if factor == 1:
            raise ValueError("factor 1 changes nothing")
        return factor

    @property
    def subject(self) -> str:
        return f"{self._who} {self.factor:g} times slower"


def ways(u: int, v: int, direction: Way) -> tuple[tuple[int, int], ...]:
    """The (source, destination) pairs of a link that a direction means."""
    return {"both": ((u, v), (v, u)), "forward": ((u, v),), "backward": ((v, u),)}[direction]


def _link_by_default(fault: Any) -> Any:
    return {"fault": "link_down", **fault} if isinstance(fault, dict) else fault


AnyFault = Annotated[
    LinkFault | HoldFault | PartitionFault | CrashFault | StragglerFault,
    Field(discriminator="fault"),
    BeforeValidator(_link_by_default),
]


def check_names(faults: tuple[AnyFault, ...]) -> None:
    """Raise ValueError if two faults have been given the same name."""
    seen: set[str] = set()
    for fault in faults:
        if fault.name is not None and fault.name in seen:
            raise ValueError(f"two are named {fault.name!r}")
        seen.add(fault.name or "")
