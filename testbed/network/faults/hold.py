"""Links at whose end packets are held."""

from collections.abc import Sequence
from typing import Any, Literal

from testbed.network.direction import Direction, FilterKind, Hop
from testbed.network.faults.context import FaultContext
from testbed.network.faults.fault import Fault, FaultReport
from testbed.network.faults.targets import OnLinks


class HoldFault(OnLinks):
    """Packets that reach the end of a link are held there, and all arrive at once when released."""

    fault: Literal["hold"]

    @property
    def subject(self) -> str:
        return f"hold on {self.where}"

    def on_link(self, name: str, directions: Sequence[Direction], context: FaultContext) -> Fault:
        return Hold(name, directions, context)


class Hold(Fault):
    """Directions at whose end packets are kept; when released they arrive at once, in their order."""

    def __init__(self, name: str, directions: Sequence[Direction], context: FaultContext) -> None:
        super().__init__(name, context)
        self._directions = directions
        self._kept: list[tuple[Direction, Hop]] = []
        self._held = 0
        self._filter = self._keep

    def _details(self) -> dict[str, Any]:
        return {"ways": [[direction.source, direction.destination] for direction in self._directions]}

    def _keep(self, direction: Direction, hop: Hop) -> bool:
        self._held += 1
        self._kept.append((direction, hop))
        return True

    def _impose(self, *, live: bool) -> None:
        for direction in self._directions:
            direction.add_egress_filter(FilterKind.HOLD, self.name, self._filter)

    def _release(self, *, live: bool) -> None:
        for direction in self._directions:
            direction.remove_egress_filter(self._filter)
        # A packet that has been taken off the link meanwhile does not arrive.
        kept, self._kept = self._kept, []
        # An earlier release of another hold may have handed on packets older than those before them.
        kept.sort(key=lambda entry: entry[1].message.serial if entry[0].settings.fifo else -1)
        for direction, hop in kept:
            direction.arrive_again(hop)

    def report(self) -> FaultReport:
        return FaultReport(self.name, held=self._held)

    def _counts(self) -> Any:
        return {"held": self._held}

    def _count_from(self, counts: Any) -> None:
        self._held = counts["held"]
        self._kept = []
