"""What goes wrong on purpose, as handles that can be lifted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from testbed.network.clock import Handle, Occurrence, Timeline
from testbed.network.links import Direction
from testbed.network.rules import LINK_DOWN, Down
from testbed.network.settings import LinkFault
from testbed.network.trace import Trace


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What one fault did. A fault that touched no message tested nothing."""

    fault: str
    refused: int
    """Packets that were sent while it lasted, and dropped."""
    removed: int
    """Packets that were in flight when it began, and dropped."""

    @property
    def touched(self) -> int:
        """Packets whose fate it changed."""
        return self.refused + self.removed


class LinkDown:
    """Directions that take no packets from `begin` to `lift`; also a context manager that does both."""

    def __init__(
        self,
        name: str,
        directions: Sequence[Direction],
        in_flight: Literal["drop", "deliver"],
        timeline: Timeline,
        trace: Trace | None,
    ) -> None:
        self.name = name
        self.active = False
        self._rules = [(direction, Down()) for direction in directions]
        self._in_flight = in_flight
        self._removed = 0
        self._timeline = timeline
        self._trace = trace

    def begin(self) -> None:
        """Take the directions down. Raises RuntimeError if this fault already lasts."""
        if self.active:
            raise RuntimeError(f"fault {self.name!r} has already begun")
        self._obstruct(record=True)
        if self._in_flight == "drop":
            for direction, _ in self._rules:
                for message in direction.empty():
                    direction.drop(message, LINK_DOWN)
                    self._removed += 1

    def lift(self) -> None:
        """Let packets in again, unless another fault forbids it. Raises RuntimeError if not begun."""
        if not self.active:
            raise RuntimeError(f"fault {self.name!r} has not begun: there is nothing to lift")
        self._release(record=True)

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.lift()

    def _obstruct(self, *, record: bool) -> None:
        self.active = True
        for direction, rule in self._rules:
            if record and self._trace is not None and direction.is_up:
                self._trace.link(self._timeline.now, "link_down", direction.source, direction.destination)
            direction.obstruct(rule)

    def _release(self, *, record: bool) -> None:
        self.active = False
        for direction, rule in self._rules:
            direction.release(rule)
            if record and self._trace is not None and direction.is_up:
                self._trace.link(self._timeline.now, "link_up", direction.source, direction.destination)

    def report(self) -> FaultReport:
        """What it has done so far."""
        return FaultReport(self.name, sum(rule.refused for _, rule in self._rules), self._removed)

    def state_dict(self) -> dict[str, Any]:
        """What it has done so far and whether it lasts, JSON-able."""
        refused = [rule.refused for _, rule in self._rules]
        return {"active": self.active, "refused": refused, "removed": self._removed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to what `state_dict` gave, without touching a message."""
        if self.active and not state["active"]:
            self._release(record=False)
        elif state["active"] and not self.active:
            self._obstruct(record=False)
        for (_, rule), refused in zip(self._rules, state["refused"], strict=True):
            rule.refused = refused
        self._removed = state["removed"]


class FaultSchedule:
    """Faults with their times, in one agenda: at equal times in the order of the settings.

    At equal times faults act before messages, whatever was scheduled first. What is due already, such as a
    link that is down from 0 s, is done at once.
    """

    def __init__(self, plans: Sequence[tuple[LinkFault, LinkDown]], timeline: Timeline) -> None:
        self.faults = tuple(fault for _, fault in plans)
        self._timeline = timeline
        agenda: list[tuple[float, int, Callable[[], None]]] = []
        for number, (plan, fault) in enumerate(plans):
            agenda.append((plan.down, number, fault.begin))
            if plan.up is not None:
                agenda.append((plan.up, number, fault.lift))
        self._agenda = sorted(agenda, key=lambda entry: entry[:2])
        self._done = 0
        self._pending: Occurrence | None = None
        while self._done < len(agenda) and self._agenda[self._done][0] <= timeline.now:
            self._agenda[self._done][2]()
            self._done += 1
        self._schedule()

    def _schedule(self) -> None:
        self._pending = None
        if self._done < len(self._agenda):
            self._pending = Handle(self._timeline, self._act)
            self._timeline.schedule_first_at(self._agenda[self._done][0], self._pending)

    def _act(self) -> None:
        _, _, act = self._agenda[self._done]
        self._done += 1
        self._schedule()
        act()

    def suspend(self) -> None:
        """Take what is to come out of the timeline, so that the clock can be set."""
        if self._pending is not None:
            self._timeline.cancel(self._pending)

    def state_dict(self) -> dict[str, Any]:
        """How far it has got, JSON-able."""
        return {"done": self._done, "faults": [fault.state_dict() for fault in self.faults]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Return to what `state_dict` gave and schedule the rest; `suspend` must have been called."""
        for fault, saved in zip(self.faults, state["faults"], strict=True):
            fault.load_state_dict(saved)
        self._done = state["done"]
        self._schedule()


def name_of(settings: LinkFault) -> str:
    """How reports call a scheduled fault."""
    way = "" if settings.direction == "both" else f" ({settings.direction})"
    until = "" if settings.up is None else f" to {settings.up:g} s"
    return f"link {settings.link}{way} down from {settings.down:g} s{until}"
