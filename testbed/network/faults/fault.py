"""Faults as handles that can be begun and lifted, whatever their kind."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from testbed.network.direction import Direction
from testbed.network.faults.context import FaultContext


@dataclass(frozen=True, slots=True)
class FaultReport:
    """The effects of one fault. A fault that touched no message tested nothing."""

    fault: str
    refused: int = 0
    """Packets that were sent, or reached a crashed agent, while it lasted, and were dropped."""
    removed: int = 0
    """Packets that were in flight when it began, and dropped."""
    held: int = 0
    """Packets that were kept from arriving while it lasted."""
    slowed: int = 0
    """Packets that were sent while it made their sender, or their link, slower."""
    falsified: int = 0
    """Messages whose numbers it changed; retransmissions and copies are not counted again."""

    @property
    def touched(self) -> int:
        """Packets whose fate it changed, and messages whose numbers it did."""
        return self.refused + self.removed + self.held + self.slowed + self.falsified


class Fault(ABC):
    """Something that goes wrong from `begin` to `lift`; also a context manager that does both.

    Subclasses define its effect on the network, how to undo it, and the packets to count meanwhile.
    """

    stops_agent = False
    """Whether an agent does not run while it lasts."""

    def __init__(self, name: str, context: FaultContext) -> None:
        """The name may get a number, because no two faults of a network may share one."""
        self.name = context.unique(name)
        self.active = False
        self._timeline = context.timeline
        self._trace = context.trace
        self._removed = 0

    def begin(self) -> None:
        """Impose the fault. Raises RuntimeError if it is already active."""
        if self.active:
            raise RuntimeError(f"fault {self.name!r} has already begun")
        if self._trace is not None:
            self._trace.record(self._timeline.now, "fault_begun", **self.described())
        self._start(live=True)
        for direction, reason in self._to_empty():
            for message in direction.empty():
                direction.drop(message, reason)
                self._removed += 1

    def lift(self) -> None:
        """Undo it, unless another fault has the same effect. Raises RuntimeError if it has not begun."""
        if not self.active:
            raise RuntimeError(f"fault {self.name!r} has not begun: there is nothing to lift")
        if self._trace is not None:
            self._trace.record(self._timeline.now, "fault_lifted", **self.described())
        self._stop(live=True)

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.lift()

    def _start(self, *, live: bool) -> None:
        self.active = True
        self._impose(live=live)

    def _stop(self, *, live: bool) -> None:
        self.active = False
        self._release(live=live)

    def described(self) -> dict[str, Any]:
        """Its name and target, as a trace records them: JSON-able."""
        return {"fault": self.name, **self._details()}

    def _details(self) -> dict[str, Any]:
        """Its target, JSON-able, under names of its own.

        Audits and pictures read some names: `agent` with `state` is a crash, `agent` with `factor` a
        straggler, `agent` with `behaviour` a liar, `ways` with `in_flight` are directions that are down,
        `ways` alone ones that are held.
        """
        return {}

    def _to_empty(self) -> Iterable[tuple[Direction, str]]:
        """Directions whose packets in flight are dropped when it begins, and why."""
        return ()

    @abstractmethod
    def _impose(self, *, live: bool) -> None:
        """Put its rules in place; callbacks run only if `live`, that is, not when a state is restored."""

    @abstractmethod
    def _release(self, *, live: bool) -> None:
        """Take its rules away."""

    @abstractmethod
    def report(self) -> FaultReport:
        """Its effects so far."""

    @abstractmethod
    def _counts(self) -> Any:
        """Its state apart from whether it is active, JSON-able."""

    @abstractmethod
    def _count_from(self, counts: Any) -> None:
        """Restore the state that `_counts` gave."""

    def state_dict(self) -> dict[str, Any]:
        """Its effects so far and whether it is active, JSON-able."""
        return {"active": self.active, "removed": self._removed, "counts": self._counts()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` gave, without touching a message."""
        if self.active:
            self._stop(live=False)
        self._count_from(state["counts"])
        self._removed = state["removed"]
        if state["active"]:
            self._start(live=False)
