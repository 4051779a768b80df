"""Partitions: no packets between groups of agents."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Self

import networkx as nx
from pydantic import field_validator, model_validator

from testbed.network.faults.context import FaultContext, Target
from testbed.network.faults.fault import Fault
from testbed.network.faults.link_down import LinkDown
from testbed.network.faults.settings import InFlight, ScheduledFault
from testbed.network.link_names import unknown_agent

Groups = Sequence[Sequence[int]]


class PartitionFault(ScheduledFault):
    """No packets between groups of agents. Agents that no group names are one more group together."""

    fault: Literal["partition"]
    groups: tuple[tuple[int, ...], ...] | Literal["halves"] | None = None
    """Lists of agents; or `halves`: two random halves, drawn again each time the fault begins."""
    isolate: int | None = None
    """Short for one group that contains only this agent."""
    in_flight: InFlight = "drop"
    """Fate of packets on their way from one group to another."""

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
                    raise ValueError(f"groups: agent {agent} is already in a group")
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
            return f"agent {self.agent_title(self.isolate)} isolated"
        if self.sets is None:
            return "partition into random halves"
        groups = (f"[{', '.join(map(self.agent_title, group))}]" for group in self.sets)
        return f"partition of {' and '.join(groups)}"

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
                return "groups", "all agents are in one group, so nothing is partitioned"
        return None

    def make(self, title: str, context: FaultContext) -> Iterable[tuple[Fault, Target]]:
        target = context.target(self, str(self.sets))
        yield Partition(title, self.sets, self.in_flight, target, context), target


class Partition(LinkDown):
    """No packets between groups of agents; agents in no group are one more group together."""

    def __init__(
        self,
        name: str,
        groups: Groups | None,
        in_flight: InFlight,
        target: Target,
        context: FaultContext,
    ) -> None:
        """Without groups, random halves are drawn from the stream of `target` each time it begins.

        Raises ValueError if a group names an agent that does not exist.
        """
        super().__init__(name, (), in_flight, context)
        for group in groups or ():
            for node in group:
                context.agents.require(node)
        self._all = list(context.links)
        self._groups: Groups = ()
        self._rng = context.generator(target, "halves") if groups is None else None
        if groups is not None:
            self._part(groups)

    def begin(self) -> None:
        if self._rng is not None and not self.active:
            nodes = sorted({direction.source for direction in self._all})
            self._part([sorted(self._rng.permutation(nodes)[: len(nodes) // 2].tolist())])
        super().begin()

    def _part(self, groups: Groups) -> None:
        self._groups = [list(group) for group in groups]
        side = {node: number for number, group in enumerate(groups) for node in group}
        self._directions = [
            each for each in self._all if side.get(each.source, -1) != side.get(each.destination, -1)
        ]

    def _counts(self) -> Any:
        state = None if self._rng is None else self._rng.bit_generator.state
        return {"refused": self._rule.refused, "groups": self._groups, "luck": state}

    def _count_from(self, counts: Any) -> None:
        self._rule.refused = counts["refused"]
        self._part(counts["groups"])
        if self._rng is not None:
            self._rng.bit_generator.state = counts["luck"]
