"""Agents that crash and restart."""

from collections.abc import Iterable
from typing import Any, Literal

from testbed.network.agents import AgentState
from testbed.network.direction import Direction, FilterKind, Hop
from testbed.network.faults.context import FaultContext
from testbed.network.faults.fault import Fault, FaultReport
from testbed.network.faults.settings import InFlight
from testbed.network.faults.targets import OnAgents
from testbed.network.impairments.rule import AGENT_DOWN, Down


class CrashFault(OnAgents):
    """An agent is down: packets it sends, or that reach it, are dropped as `agent_down` until it restarts."""

    fault: Literal["crash"]
    state: AgentState = "kept"
    """Whether it restarts with its state (kept), or without it (lost)."""
    in_flight: InFlight = "deliver"
    """Fate of the packets it had sent before the crash that still wait or are on the wire."""

    @property
    def subject(self) -> str:
        return f"crash of {self.who} (state {self.state})"

    def on_agent(self, name: str, node: int, context: FaultContext) -> Fault:
        return Crash(name, node, self.state, self.in_flight, context)


class Crash(Fault):
    """An agent is down: packets that it sends or that reach it meanwhile are dropped."""

    stops_agent = True

    def __init__(
        self, name: str, node: int, state: AgentState, in_flight: InFlight, context: FaultContext
    ) -> None:
        """`in_flight`: fate of packets the agent had sent. Raises ValueError if there is no such agent."""
        super().__init__(name, context)
        self._node, self._state, self._agents = node, state, context.agents
        self._leaving, self._arriving = context.leaving(node), context.arriving_at(node)
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
