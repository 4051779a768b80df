"""A topology that changes: links of the graph that are not in the present round are down.

Rounds are periodic, or begin whenever a link changes as a file says.
"""

from dataclasses import dataclass
from typing import Any

import networkx as nx

from testbed.network.event_list import Agenda
from testbed.network.impairments.rule import LINK_DOWN, Down
from testbed.network.links import Links
from testbed.network.streams import Streams
from testbed.network.topology_schedule_settings import AnySchedule, WaypointSchedule
from topologies.motion import RandomWaypoint, within_range
from topologies.schedules import JointConnectivity, Round

_BEFORE_FAULTS = -1


@dataclass(frozen=True, slots=True)
class ScheduleReport:
    """The effects of a changing topology so far."""

    rounds: int
    """Rounds begun so far."""
    refused: int
    """Packets dropped because their link was down when they were sent."""
    removed: int
    """Packets dropped in flight when their link went down."""
    joint_connectivity: float
    """Share of the windows of rounds whose union is connected; NaN before the first is full."""


class LinkSchedule:
    """Takes links down and up as rounds begin, counted from the time it is made."""

    def __init__(
        self,
        settings: AnySchedule,
        graph: "nx.Graph[int]",
        links: Links,
        streams: Streams,
        agenda: Agenda,
    ) -> None:
        self._settings, self._links, self._agenda = settings, links, agenda
        self._began = links.timeline.now
        self._edges = sorted((min(u, v), max(u, v)) for u, v in graph.edges)
        self._number = 0
        """Number of the next round."""
        self._rule = Down()
        self._removed = 0
        self._missing: dict[tuple[int, int], None] = {}
        self._connectivity = JointConnectivity(graph.nodes, settings.window)
        self._cycle = settings.cycle(len(graph))
        self._changes = settings.changes(graph)
        if self._changes is not None and (not self._changes or self._changes[0][0] > 0):
            self._changes = ((0.0, ()), *self._changes)
        self._period = settings.pace or 0.0
        self._walk: RandomWaypoint | None = None
        self._range = 0.0
        self._nodes = sorted(graph.nodes)
        if isinstance(settings, WaypointSchedule):
            generators = [streams.fresh("waypoint", node) for node in self._nodes]
            self._walk = RandomWaypoint(generators, settings.speed, settings.pause)
            self._range = settings.range
        agenda.handle("round", self._begin_round)
        self._put()

    def _put(self) -> None:
        if self._changes is not None:
            if self._number == len(self._changes):
                return
            after = self._changes[self._number][0]
        else:
            # Absolute times from the first one: adding periods up would drift.
            after = self._number * self._period
        time = self._began + after
        self._agenda.put(time, _BEFORE_FAULTS, "round")

    def _begin_round(self, _: int) -> None:
        present = self._round()
        self._connectivity.add(present)
        self._number += 1
        self._put()
        kept = frozenset(present)
        self._change(
            {
                (direction.source, direction.destination): None
                for direction in self._links
                if (direction.source, direction.destination) not in kept
            },
            live=True,
        )

    def _round(self) -> Round:
        if self._changes is not None:
            changed = dict(self._changes[self._number][1])
            ways = [(each.source, each.destination) for each in self._links]
            # Before the first round none is missing, and none is up.
            return tuple(w for w in ways if changed.get(w, self._number > 0 and w not in self._missing))
        if self._walk is None:
            cycle = self._cycle or ((),)
            return cycle[self._number % len(cycle)]
        if self._number > 0:
            self._walk.advance(self._period)
        positions = dict(zip(self._nodes, self._walk.positions, strict=True))
        return within_range(positions, self._edges, self._range)

    def _change(self, missing: dict[tuple[int, int], None], *, live: bool) -> None:
        trace, now = self._links.trace, self._links.timeline.now
        came = [way for way in self._missing if way not in missing]
        went = [way for way in missing if way not in self._missing]
        self._missing = missing
        for way in came:
            direction = self._links.direction(*way)
            direction.remove_ingress_rule(self._rule)
            if live and trace is not None and direction.is_up:
                trace.link(now, "link_up", *way)
        for way in went:
            direction = self._links.direction(*way)
            if live and trace is not None and direction.is_up:
                trace.link(now, "link_down", *way)
            direction.add_ingress_rule(self._rule)
            if live and self._settings.in_flight == "drop":
                for message in direction.empty():
                    direction.drop(message, LINK_DOWN)
                    self._removed += 1

    def report(self) -> ScheduleReport:
        """Its effects so far."""
        return ScheduleReport(self._number, self._rule.refused, self._removed, self._connectivity.share)

    def state_dict(self) -> dict[str, Any]:
        """The round it has reached and what it counted, JSON-able."""
        return {
            "number": self._number,
            "refused": self._rule.refused,
            "removed": self._removed,
            "missing": [list(way) for way in self._missing],
            "connectivity": self._connectivity.state_dict(),
            "walk": None if self._walk is None else self._walk.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of `state_dict`, without touching a message; the agenda is loaded separately."""
        self._number = state["number"]
        self._change(dict.fromkeys((u, v) for u, v in state["missing"]), live=False)
        self._rule.refused, self._removed = state["refused"], state["removed"]
        self._connectivity.load_state_dict(state["connectivity"])
        if self._walk is not None:
            self._walk.load_state_dict(state["walk"])
