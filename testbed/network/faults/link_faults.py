"""What goes wrong on purpose, as handles that can be lifted."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from testbed.network.clock import Timeline
from testbed.network.direction import Direction, FilterKind, Hop
from testbed.network.faults.settings import InFlight
from testbed.network.impairments.rule import LINK_DOWN, Down
from testbed.network.trace.trace import Trace

Groups = Sequence[Sequence[int]]


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What one fault did. A fault that touched no message tested nothing."""

    fault: str
    refused: int = 0
    """Packets that were sent, or reached a crashed agent, while it lasted, and were dropped."""
    removed: int = 0
    """Packets that were in flight when it began, and dropped."""
    held: int = 0
    """Packets that were kept from arriving while it lasted."""
    slowed: int = 0
    """Packets that an agent sent while it computed more slowly."""

    @property
    def touched(self) -> int:
        """Packets whose fate it changed."""
        return self.refused + self.removed + self.held + self.slowed


class Fault(ABC):
    """Something that goes wrong from `begin` to `lift`; also a context manager that does both."""

    def __init__(self, name: str, timeline: Timeline, trace: Trace | None) -> None:
        self.name = name
        self.active = False
        self._timeline = timeline
        self._trace = trace
        self._removed = 0

    def begin(self) -> None:
        """Let it go wrong. Raises RuntimeError if this fault already lasts."""
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
        """Let things be right again, unless another fault forbids it. Raises RuntimeError if not begun."""
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
        """Its name and what it befalls, as a trace says it: JSON-able."""
        return {"fault": self.name, **self._details()}

    def _details(self) -> dict[str, Any]:
        """What it befalls."""
        return {}

    def _to_empty(self) -> Iterable[tuple[Direction, str]]:
        """Directions whose packets in flight are dropped when it begins, and why."""
        return ()

    @abstractmethod
    def _impose(self, *, live: bool) -> None:
        """Put its rules in place; nobody hears of it unless it is `live`, that is, not a state restored."""

    @abstractmethod
    def _release(self, *, live: bool) -> None:
        """Take its rules away."""

    @abstractmethod
    def report(self) -> FaultReport:
        """What it has done so far."""

    @abstractmethod
    def _counts(self) -> Any:
        """What it remembers besides whether it lasts, JSON-able."""

    @abstractmethod
    def _count_from(self, counts: Any) -> None:
        """Return to what `_counts` gave."""

    def state_dict(self) -> dict[str, Any]:
        """What it has done so far and whether it lasts, JSON-able."""
        return {"active": self.active, "removed": self._removed, "counts": self._counts()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to what `state_dict` gave, without touching a message."""
        if self.active:
            self._stop(live=False)
        self._count_from(state["counts"])
        self._removed = state["removed"]
        if state["active"]:
            self._start(live=False)


class LinkDown(Fault):
    """Directions that take no packets while it lasts."""

    def __init__(
        self,
        name: str,
        directions: Sequence[Direction],
        in_flight: InFlight,
        timeline: Timeline,
        trace: Trace | None,
    ) -> None:
        super().__init__(name, timeline, trace)
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


class Partition(LinkDown):
    """No packets between groups of agents; agents in no group are one more group together."""

    def __init__(
        self,
        name: str,
        groups: Groups | np.random.Generator,
        directions: Sequence[Direction],
        in_flight: InFlight,
        timeline: Timeline,
        trace: Trace | None,
    ) -> None:
        """`directions` are those of the whole network; a generator draws halves each time it begins."""
        super().__init__(name, (), in_flight, timeline, trace)
        self._all = directions
        self._groups: Groups = ()
        self._luck = groups if isinstance(groups, np.random.Generator) else None
        if not isinstance(groups, np.random.Generator):
            self._part(groups)

    def begin(self) -> None:
        if self._luck is not None and not self.active:
            nodes = sorted({direction.source for direction in self._all})
            self._part([sorted(self._luck.permutation(nodes)[: len(nodes) // 2].tolist())])
        super().begin()

    def _part(self, groups: Groups) -> None:
        self._groups = [list(group) for group in groups]
        side = {node: number for number, group in enumerate(groups) for node in group}
        self._directions = [
            each for each in self._all if side.get(each.source, -1) != side.get(each.destination, -1)
        ]

    def _counts(self) -> Any:
        luck = None if self._luck is None else self._luck.bit_generator.state
        return {"refused": self._rule.refused, "groups": self._groups, "luck": luck}

    def _count_from(self, counts: Any) -> None:
        self._rule.refused = counts["refused"]
        self._part(counts["groups"])
        if self._luck is not None:
            self._luck.bit_generator.state = counts["luck"]


class Hold(Fault):
    """Directions at whose end packets are kept; when released they arrive at once, in their order."""

    def __init__(
        self, name: str, directions: Sequence[Direction], timeline: Timeline, trace: Trace | None
    ) -> None:
        super().__init__(name, timeline, trace)
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
        # Another hold, released earlier, may have handed some on that are older than those before them.
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
