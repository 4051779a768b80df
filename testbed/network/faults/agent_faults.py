"""Faults of agents: they crash and restart, or compute slowly."""

from collections.abc import Iterable, Sequence
from typing import Any

from testbed.network.agents import Agents, AgentState
from testbed.network.clock import Timeline
from testbed.network.direction import Direction, FilterKind, Hop
from testbed.network.faults.link_faults import Fault, FaultReport
from testbed.network.faults.settings import InFlight
from testbed.network.impairments.rule import AGENT_DOWN, Down, Fate, Rule
from testbed.network.message import Message
from testbed.network.trace.trace import Trace


class Crash(Fault):
    """An agent is down: what it sends and what reaches it meanwhile is dropped."""

    def __init__(
        self,
        name: str,
        node: int,
        state: AgentState,
        leaving: Sequence[Direction],
        arriving: Sequence[Direction],
        in_flight: InFlight,
        agents: Agents,
        timeline: Timeline,
        trace: Trace | None,
    ) -> None:
        """`leaving` and `arriving` are the agent's directions; `in_flight` is about what it had sent."""
        super().__init__(name, timeline, trace)
        self._node, self._state, self._agents = node, state, agents
        self._leaving, self._arriving = leaving, arriving
        self._in_flight = in_flight
        self._rule = Down(AGENT_DOWN)
        self._filter = self._turn_away

    def _details(self) -> dict[str, Any]:
        return {"agent": self._node, "state": self._state, "in_flight": self._in_flight}

    def _to_empty(self) -> Iterable[tuple[Direction, str]]:
        return [(direction, AGENT_DOWN) for direction in self._leaving if self._in_flight == "drop"]

    def _turn_away(self, direction: Direction, hop: Hop) -> bool:
        self._rule.refused += 1
        direction.refuse(hop, AGENT_DOWN)
        return True

    def _impose(self, *, live: bool) -> None:
        for direction in self._leaving:
            direction.add_ingress_rule(self._rule)
        for direction in self._arriving:
            direction.add_egress_filter(FilterKind.AGENT_DOWN, self.name, self._filter)
        self._agents.crash(self._node, self._state, tell=live)

    def _release(self, *, live: bool) -> None:
        for direction in self._leaving:
            direction.remove_ingress_rule(self._rule)
        for direction in self._arriving:
            direction.remove_egress_filter(self._filter)
        self._agents.restart(self._node, tell=live)

    def report(self) -> FaultReport:
        return FaultReport(self.name, refused=self._rule.refused, removed=self._removed)

    def _counts(self) -> Any:
        return {"refused": self._rule.refused}

    def _count_from(self, counts: Any) -> None:
        self._rule.refused = counts["refused"]


class _Counted(Rule):
    """Counts the packets it sees."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0

    def decide(self, message: Message, fate: Fate) -> None:
        self.seen += 1


class Straggler(Fault):
    """An agent whose compute times are multiplied."""

    def __init__(
        self,
        name: str,
        node: int,
        factor: float,
        leaving: Sequence[Direction],
        agents: Agents,
        timeline: Timeline,
        trace: Trace | None,
    ) -> None:
        super().__init__(name, timeline, trace)
        self._node, self._factor, self._agents = node, factor, agents
        self._leaving = leaving
        self._rule = _Counted()

    def _details(self) -> dict[str, Any]:
        return {"agent": self._node, "factor": self._factor}

    def _impose(self, *, live: bool) -> None:
        for direction in self._leaving:
            direction.add_ingress_rule(self._rule)
        self._agents.slow(self._node, self._factor)

    def _release(self, *, live: bool) -> None:
        for direction in self._leaving:
            direction.remove_ingress_rule(self._rule)
        self._agents.recover(self._node, self._factor)

    def report(self) -> FaultReport:
        return FaultReport(self.name, slowed=self._rule.seen)

    def _counts(self) -> Any:
        return {"slowed": self._rule.seen}

    def _count_from(self, counts: Any) -> None:
        self._rule.seen = counts["slowed"]
