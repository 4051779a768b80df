"""Agents that compute slowly."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from testbed.network.faults.context import FaultContext
from testbed.network.faults.factor import changes_something
from testbed.network.faults.fault import Fault, FaultReport
from testbed.network.faults.targets import OnAgents
from testbed.network.impairments.rule import Fate, Rule
from testbed.network.message import Message


class StragglerFault(OnAgents):
    """An agent computes more slowly."""

    fault: Literal["straggler"]
    factor: Annotated[float, Field(gt=0, le=1e6), AfterValidator(changes_something)]
    """Its compute times are multiplied by this."""

    @property
    def subject(self) -> str:
        return f"{self.who} {self.factor:g} times slower"

    def on_agent(self, name: str, node: int, context: FaultContext) -> Fault:
        return Straggler(name, node, self.factor, context)


class Counted(Rule):
    """Counts the packets it sees."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        self.seen = 0

    def decide(self, message: Message, fate: Fate) -> None:
        self.seen += 1


class Straggler(Fault):
    """An agent whose compute times are multiplied."""

    def __init__(self, name: str, node: int, factor: float, context: FaultContext) -> None:
        """Raises ValueError if there is no such agent."""
        super().__init__(name, context)
        self._node, self._factor, self._agents = node, factor, context.agents
        self._leaving = context.leaving(node)
        self._rule = Counted()

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
