"""Faults that the user of a network begins and lifts, directly or in a `with` statement."""

from collections.abc import Sequence
from math import inf
from typing import TypeVar

from testbed.network.agents import AgentState
from testbed.network.faults.behaviour import Behaviour
from testbed.network.faults.byzantine import Byzantine
from testbed.network.faults.context import FaultContext, Way
from testbed.network.faults.crash import Crash
from testbed.network.faults.fault import Fault
from testbed.network.faults.hold import Hold
from testbed.network.faults.link_down import LinkDown
from testbed.network.faults.partition import Partition
from testbed.network.faults.settings import InFlight
from testbed.network.faults.straggler import Straggler

AnyHandle = TypeVar("AnyHandle", bound=Fault)


class FaultsByHand:
    """The part of a network that makes faults for its user to begin and lift."""

    def __init__(self, context: FaultContext) -> None:
        self._context = context
        self._by_hand: list[Fault] = []

    def take_down(self, u: int, v: int, *, in_flight: InFlight = "drop", direction: Way = "both") -> LinkDown:
        """A fault of the link between `u` and `v`: it takes no packets.

        `in_flight` says what happens to packets already accepted; forward is from `u` to `v`.
        Raises ValueError if there is no such link.
        """
        name = f"link {u}-{v} taken down by hand"
        directions = self._context.directions(u, v, direction)
        return self._kept(LinkDown(name, directions, in_flight, self._context))

    def partition(self, *groups: Sequence[int], in_flight: InFlight = "drop") -> Partition:
        """A fault: no packets between groups of agents. Those in no group are one more group together.

        Without groups, two random halves. Raises ValueError if there is no such agent.
        """
        name, target = f"partition {len(self._by_hand)} by hand", ("by hand", len(self._by_hand))
        return self._kept(Partition(name, groups or None, in_flight, target, self._context))

    def crash(self, node: int, *, state: AgentState = "kept", in_flight: InFlight = "deliver") -> Crash:
        """A fault of an agent: packets that it sends or that reach it meanwhile are dropped as `agent_down`.

        `state` chooses whether it restarts with its state, `in_flight` the fate of the packets it had sent.
        Raises ValueError if there is no such agent.
        """
        return self._kept(Crash(f"agent {node} crashed by hand", node, state, in_flight, self._context))

    def slow_down(self, node: int, factor: float) -> Straggler:
        """A fault of an agent: longer compute times. Raises ValueError if there is no such agent."""
        if not 0 < factor < inf:
            raise ValueError(f"factor {factor!r} must be a finite number above 0")
        return self._kept(Straggler(f"agent {node} slowed down by hand", node, factor, self._context))

    def lie(self, node: int, behaviour: Behaviour) -> Byzantine:
        """A fault of an agent: it sends false numbers. Raises ValueError if there is no such agent."""
        target = ("by hand", len(self._by_hand))
        return self._kept(Byzantine(f"agent {node} lying by hand", node, behaviour, target, self._context))

    def hold(self, u: int, v: int, *, direction: Way = "both") -> Hold:
        """A fault of a link: packets that reach its end are held there, and arrive when the fault is lifted.

        Raises ValueError if there is no such link.
        """
        directions = self._context.directions(u, v, direction)
        return self._kept(Hold(f"link {u}-{v} held by hand", directions, self._context))

    def _kept(self, fault: AnyHandle) -> AnyHandle:
        self._by_hand.append(fault)
        return fault
