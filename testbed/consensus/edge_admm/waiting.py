"""Requests that wait until the agent they reached is free, without agents ever waiting in a cycle.

An agent that is already in an exchange cannot answer: its signal must stay as it offered it until the answer
is there. If all requests to it waited, agents could wait for one another in a cycle until their timeouts. So
only some wait, and the others are refused, as in wait-die (Rosenkrantz, Stearns & Lewis 1978, "System level
concurrency control for distributed database systems", ACM TODS 3(2)): along any chain of waiting agents the
exchanges get younger, or the agents' numbers larger, and no chain can close.
"""

from collections.abc import Callable
from typing import NamedTuple

from testbed.consensus.edge_admm.exchange import Exchange
from testbed.consensus.payloads import Payload
from testbed.consensus.settings import WhenBusy
from testbed.network import Clock, Handle, Message


class Request(NamedTuple):
    """A request that an agent has received."""

    exchange: Exchange
    offer: Payload
    message: Message


class WaitingRequests:
    """The requests that wait, by the agent that is to answer them.

    Args:
        rule: decides which requests may wait.
        clock: simulated time.
        agents: their number.
    """

    def __init__(self, rule: WhenBusy, clock: Clock, agents: int) -> None:
        self._rule, self._clock = rule, clock
        self._waiting: list[dict[Exchange, tuple[Request, Handle]]] = [{} for _ in range(agents)]

    def may_wait(self, exchange: Exchange, current: Exchange) -> bool:
        """Whether a request may wait for an agent that is in the exchange ``current``.

        It may if that agent is answering, which ends by itself; and if the agent has begun ``current``, only
        where the waiting exchange is older (`wait_by_age`; age is the order of activation) or its beginner
        has the smaller number (`wait_by_number`).
        """
        if self._rule == "refuse":
            return False
        if current.initiator != exchange.responder:
            return True
        if self._rule == "wait_by_age":
            return exchange.number < current.number
        return exchange.initiator < current.initiator

    def hold(self, request: Request, seconds: float, expired: Callable[[Request], None]) -> None:
        """Let a request wait for at most that many seconds; ``expired(request)`` is then called."""
        exchange = request.exchange
        waiting = self._waiting[exchange.responder]

        def expire() -> None:
            del waiting[exchange]
            expired(request)

        waiting[exchange] = request, self._clock.schedule(seconds, expire)

    def next(self, agent: int) -> Request | None:
        """Take the request that a free agent answers next: the oldest, or that of the smallest number."""
        waiting = self._waiting[agent]
        if not waiting:
            return None
        by_age = self._rule == "wait_by_age"
        first = min(waiting, key=lambda exchange: exchange.number if by_age else exchange.initiator)
        request, timer = waiting.pop(first)
        timer.cancel()
        return request

    def drop(self, agent: int) -> None:
        """Drop the requests that wait for an agent, which has crashed."""
        for _, timer in self._waiting[agent].values():
            timer.cancel()
        self._waiting[agent].clear()

    def drop_all(self) -> None:
        """Drop all requests at the end of an agreement."""
        for agent in range(len(self._waiting)):
            self.drop(agent)
