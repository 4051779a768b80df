"""When the faults of a study begin and are lifted."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from testbed.network.clock import Timeline
from testbed.network.direction import Direction, FilterKind, Hop
from testbed.network.event_list import Agenda
from testbed.network.faults.context import FaultContext
from testbed.network.faults.fault import Fault, FaultReport
from testbed.network.faults.moments import AfterMessages, AtUpdate, Lasting
from testbed.network.faults.settings import ScheduledFault
from testbed.network.faults.windows import WindowRecord

Stage = Literal["waiting", "lasting", "over"]


class Planned:
    """One fault with its plan: the stage it has reached, and its random times if there are any."""

    def __init__(
        self, plan: ScheduledFault, title: str, fault: Fault, rng: np.random.Generator | None
    ) -> None:
        """`title` is that of the plan; `rng` draws its times, if they are random."""
        self.plan = plan
        self.title = title
        self.fault = fault
        self.stage: Stage = "waiting"
        self.delivered = 0
        """Messages of the awaited kind since it began to wait."""
        self._rng = rng

    @property
    def moment(self) -> object:
        """The moment of its next action."""
        return {"waiting": self.plan.down, "lasting": self.plan.up, "over": None}[self.stage]

    @property
    def act(self) -> str:
        """Its next action."""
        return "begin" if self.stage == "waiting" else "lift"

    def wait(self) -> float | None:
        """Seconds until it acts next, counted from now, drawn at random; None if it is not random."""
        if self._rng is None:
            return None
        mean = self.plan.mtbf if self.stage == "waiting" else self.plan.mttr
        return float(self._rng.standard_exponential()) * (mean or 0.0)

    def state_dict(self) -> dict[str, Any]:
        """Its stage and its random numbers, JSON-able."""
        times = None if self._rng is None else self._rng.bit_generator.state
        state = {"stage": self.stage, "delivered": self.delivered, "luck": times}
        return state | {"fault": self.fault.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` gave."""
        self.stage = state["stage"]
        self.delivered = state["delivered"]
        if self._rng is not None:
            self._rng.bit_generator.state = state["luck"]
        self.fault.load_state_dict(state["fault"])


def planned(settings: ScheduledFault, context: FaultContext) -> list[Planned]:
    """The faults that settings ask for: one, or one for each link or agent.

    Raises ValueError if the network lacks their targets.
    """
    title = settings.titled(context.names)
    found = []
    for fault, target in settings.make(context.numbered(title), context):
        rng = context.generator(target, "times") if settings.mtbf is not None else None
        found.append(Planned(settings, title, fault, rng))
    return found


class FaultSchedule:
    """Faults with their plans, in one agenda: at equal times in the order of the settings.

    At equal times faults act before messages, regardless of which was scheduled first.
    """

    def __init__(
        self,
        plans: Sequence[tuple[ScheduledFault, Sequence[Planned]]],
        directions: Sequence[Direction],
        agenda: Agenda,
        timeline: Timeline,
    ) -> None:
        """Each plan has one fault per target, a link or an agent."""
        self._plans = plans
        self._items = [item for _, items in plans for item in items]
        self.windows = WindowRecord()
        """When each of them was active."""
        self._timeline = timeline
        self._agenda = agenda
        agenda.handle("begin", lambda number: self._act(number, "begin"))
        agenda.handle("lift", lambda number: self._act(number, "lift"))
        for number, item in enumerate(self._items):
            if isinstance(item.plan.down, float):
                self._agenda.put(item.plan.down, number, "begin")
            if isinstance(item.plan.up, float):
                self._agenda.put(item.plan.up, number, "lift")
            self._draw(number)
        if any(isinstance(m, AfterMessages) for plan, _ in plans for m in (plan.down, plan.up)):
            for direction in directions:
                direction.add_egress_filter(FilterKind.COUNT, "", self._count)

    def announce_update(self, number: int) -> None:
        """A policy update begins: so do the faults planned for it, and those that end with it are lifted."""
        self.windows.announce_update(number)
        for index, item in enumerate(self._items):
            moment = item.moment
            if isinstance(moment, AtUpdate) and moment.update <= number:
                self._act(index, item.act)

    def awaits_restart(self) -> bool:
        """Whether time alone will lift a crash that lasts now."""
        return any(
            item.stage == "lasting"
            and item.fault.stops_agent
            and (item.plan.mtbf is not None or isinstance(item.plan.up, float | Lasting))
            for item in self._items
        )

    def _count(self, direction: Direction, hop: Hop) -> bool:
        """Count a message that is about to be delivered. Faults that wait for it act just afterwards."""
        for number, item in enumerate(self._items):
            moment = item.moment
            if isinstance(moment, AfterMessages) and moment.kind == hop.message.kind:
                item.delivered += 1
                if item.delivered == moment.count:
                    self._agenda.put(self._timeline.now, number, item.act)
        return False

    def _act(self, number: int, what: str) -> None:
        item = self._items[number]
        if what == "begin" and item.stage == "waiting":
            item.stage = "lasting"
            item.delivered = 0
            item.fault.begin()
            self.windows.begun(item.title, item.fault.name, self._timeline.now)
            if isinstance(item.plan.up, Lasting):
                self._agenda.put(self._timeline.now + item.plan.up.lasting, number, "lift")
        elif what == "lift" and item.stage == "lasting":
            item.stage = "over" if item.plan.mtbf is None else "waiting"
            item.fault.lift()
            self.windows.lifted(item.fault.name, self._timeline.now)
        elif what == "lift" and item.stage == "waiting":
            # Its lifting time came before the moment that it waits for: it never happens.
            item.stage = "over"
        self._draw(number)

    def _draw(self, number: int) -> None:
        item = self._items[number]
        wait = item.wait()
        if wait is not None:
            self._agenda.put(self._timeline.now + wait, number, item.act)

    @property
    def lasting(self) -> list[Fault]:
        """The faults that have begun and are not lifted yet."""
        return [item.fault for item in self._items if item.fault.active]

    def report(self) -> list[FaultReport]:
        """The effects of each plan so far, in the order of the settings."""
        reports = []
        for plan, items in self._plans:
            parts = [item.fault.report() for item in items]
            reports.append(
                FaultReport(
                    items[0].title if items else plan.title,
                    refused=sum(part.refused for part in parts),
                    removed=sum(part.removed for part in parts),
                    held=sum(part.held for part in parts),
                    slowed=sum(part.slowed for part in parts),
                    falsified=sum(part.falsified for part in parts),
                )
            )
        return reports

    def state_dict(self) -> list[dict[str, Any]]:
        """The stage of each plan, JSON-able; the agenda is saved separately."""
        return [item.state_dict() for item in self._items]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Restore the state that `state_dict` gave; the agenda is loaded separately."""
        for item, saved in zip(self._items, state, strict=True):
            item.load_state_dict(saved)
