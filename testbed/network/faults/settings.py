"""The settings shared by all kinds of faults: when a fault happens, and for how long.

Every fault has a moment `down` at which it begins and perhaps one `up` at which it is lifted, or comes and
goes at random with `mtbf` and `mttr`. `fault` says which kind it is; without it, it is a link that goes down.
A kind is one module of this package, or of another package that names it in an entry point of the group
`consensus_testbed.faults`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

import networkx as nx
from pydantic import Field, PrivateAttr, model_validator

import topologies
from testbed.common.registry import Registry
from testbed.common.settings import SettingError, Settings
from testbed.common.units import Seconds
from testbed.network.faults.context import FaultContext, Target
from testbed.network.faults.fault import Fault
from testbed.network.faults.moments import AtUpdate, Beginning, End, Lasting

MOST_OFTEN = 1e-6
"""Least mean time in seconds from one random failure to the next."""

InFlight = Literal["drop", "deliver"]


class ScheduledFault(Settings, ABC):
    """When a fault begins and ends; subclasses, with a literal `fault`, define its kind."""

    if TYPE_CHECKING:
        fault: str  # each subclass has a literal of its own

    lies: ClassVar[bool] = False
    """Whether it makes agents send false numbers."""

    name: str | None = None
    """Name in reports; null: a description of what happens and when."""
    down: Beginning | None = None
    """When it begins: simulated seconds, {update: 3} or {kind: response, count: 5}."""
    up: End | None = None
    """When it is lifted: in the same forms, or {lasting: 2s}. Null: never."""
    mtbf: Annotated[Seconds | None, Field(gt=0)] = None
    """At random: mean seconds from the beginning, or from being lifted, to the next failure (exponential)."""
    mttr: Annotated[Seconds | None, Field(gt=0)] = None
    """At random: mean seconds that each failure lasts (exponential)."""
    _names: Mapping[int, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _happens(self) -> Self:
        if (self.mtbf is None) != (self.mttr is None):
            raise ValueError("needs both mtbf and mttr, or neither")
        if self.mtbf is not None and (self.down is not None or self.up is not None):
            raise ValueError("mtbf and mttr draw down and up at random: leave down and up out")
        if self.mtbf is not None and self.mttr is not None and self.mtbf + self.mttr < MOST_OFTEN:
            raise ValueError(
                f"mtbf {self.mtbf:g} and mttr {self.mttr:g}: must add up to at least {MOST_OFTEN:g} s"
            )
        if self.mtbf is None and self.down is None:
            raise ValueError("needs down, when it begins, or mtbf and mttr, to begin and end at random")
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
        """A description of what goes wrong."""

    @property
    def title(self) -> str:
        """Its name in reports."""
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

    def titled(self, names: Mapping[int, str]) -> str:
        """Its title with the names of the agents beside their numbers; agents without a name keep theirs."""
        named = self.model_copy()
        named._names = dict(names)
        return named.title

    def agent_title(self, agent: int) -> str:
        """``3``, or in a title with names ``3 (Zürich)``."""
        return topologies.named_node(agent, self._names)

    def link_title(self, u: int, v: int) -> str:
        """``0-1``, or in a title with names ``0-1 (Zürich - Bern)``."""
        return topologies.named_link(u, v, self._names)

    @abstractmethod
    def unknown(self, graph: "nx.Graph[int]") -> tuple[str, str] | None:
        """The field that names something `graph` does not have, and what is wrong with it."""

    @abstractmethod
    def make(self, title: str, context: FaultContext) -> Iterable[tuple[Fault, Target]]:
        """The handles, one for each target (link or agent), and the names of their random streams.

        Args:
            title: the name of the handle; several handles each have their target appended.
            context: the network; `context.target` names a random stream.

        Raises ValueError if the network lacks its target.
        """


FAULTS = Registry("faults", ScheduledFault, "testbed.network.faults", tag="fault", default="link_down")

AnyFault = Annotated[ScheduledFault, FAULTS]


def check_names(faults: tuple[AnyFault, ...]) -> None:
    """Raise ValueError if two faults have been given the same name."""
    seen: set[str] = set()
    for fault in faults:
        if fault.name is not None and fault.name in seen:
            raise ValueError(f"two are named {fault.name!r}")
        seen.add(fault.name or "")
