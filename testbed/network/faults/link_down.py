"""Links that go down."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from testbed.network.direction import Direction
from testbed.network.faults.context import FaultContext
from testbed.network.faults.fault import Fault, FaultReport
from testbed.network.faults.settings import InFlight
from testbed.network.faults.targets import OnLinks
from testbed.network.impairments.rule import LINK_DOWN, Down


class LinkFault(OnLinks):
    """A link takes no packets: it goes down at one simulated time, and perhaps up again at another."""

    fault: Literal["link_down"] = "link_down"
    in_flight: InFlight = "drop"
    """Fate of packets already accepted when the link goes down, waiting or on the wire."""

    @property
    def subject(self) -> str:
        return f"{self.where} down"

    def on_link(self, name: str, directions: Sequence[Direction], context: FaultContext) -> Fault:
        return LinkDown(name, directions, self.in_flight, context)


class LinkDown(Fault):
    """Directions that take no packets while it lasts."""

    def __init__(
        self,
        name: str,
        directions: Sequence[Direction],
        in_flight: InFlight,
        context: FaultContext,
    ) -> None:
        super().__init__(name, context)
        self._directions = directions
        self._rule = Down()
        self._in_flight = in_flight

    def _details(self) -> dict[str, Any]:
        ways = [[direction.source, direction.destination] for direction in self._directions]
        return {"in_flight": self._in_flight, "ways": ways}

    def _to_empty(self) -> Iterable[tuple[Direction, str]]:
        return [(direction, LINK_DOWN) for direction in self._directions if self._in_flight == "drop"]

    def _impose(self, *, live: bool) -> None:
        for direction in self._directions:
            if live and self._trace is not None and direction.is_up:
                self._trace.link(self._timeline.now, "link_down", direction.source, direction.destination)
            direction.add_ingress_rule(self._rule)

    def _release(self, *, live: bool) -> None:
        for direction in self._directions:
            direction.remove_ingress_rule(self._rule)
            if live and self._trace is not None and direction.is_up:
                self._trace.link(self._timeline.now, "link_up", direction.source, direction.destination)

    def report(self) -> FaultReport:
        return FaultReport(self.name, refused=self._rule.refused, removed=self._removed)

    def _counts(self) -> Any:
        return {"refused": self._rule.refused}

    def _count_from(self, counts: Any) -> None:
        self._rule.refused = counts["refused"]
