"""One exchange of edge-ADMM: its messages, its solves and the commits of both ends.

Exchange on link (i, j), begun by i: i locks itself, solves and sends REQUEST(p_i); j, if free, solves,
commits and answers RESPONSE(p_j); i commits. A busy j answers BUSY. When no answer comes in time, i gives up
with nothing committed: if j had committed, the exchange is *half-committed*, and the link's variables
disagree until its next exchange. A repeated REQUEST gets the same answer as before, and one that arrives
after a later one of the same agent is ignored: nothing is solved or committed twice, or in the wrong order.

With `outlier_rejection` an end may reject what it was sent: j then answers BUSY and commits nothing, and an i
that rejects p_j leaves the exchange half-committed.

These are callbacks rather than a SimPy process, because messages also arrive for exchanges that are over, or
twice, and an agent may crash while it solves: a process for each end would have to be interrupted at any of
its waits. Read them in this order: ``_request``, ``_receive``, ``_requested``, ``_completed``; when something
goes wrong, ``_give_up`` and ``_half_committed``.
"""

from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from testbed.consensus.consensus_run import ConsensusRun
from testbed.consensus.edge_admm.agent import EdgeAgent
from testbed.consensus.edge_admm.exchange import Exchange
from testbed.consensus.edge_admm.waiting import Request, WaitingRequests
from testbed.consensus.payloads import Coordinates, Payload
from testbed.consensus.problems.base import LocalProblem, Signal
from testbed.consensus.references import ACKNOWLEDGEMENT
from testbed.network import Message
from testbed.network.link_names import Link

EXCHANGE_HEADER = 16
"""The header of every message names its exchange (8 bytes), its link (4) and its kind (4)."""

TIMEOUT_ROUND_TRIPS = 4.0
"""The least default timeout, in nominal round trips: long enough for jitter and a short queue."""


class ExchangeProtocol(ConsensusRun):
    """The exchanges of one agreement; a subclass activates them, and sets these attributes.

    Attributes:
        agents: by number.
        problems: of the agents.
        busy_with: the exchange that each agent is in; None for one that is free.
        under_way: exchanges not yet closed by their initiator.
        half: coordinates at which the two ends of a link differ.
        newest: the number of the last request that an end of a link has seen from the other.
        waiting: requests that wait until the agent they reached is free.
    """

    agents: list[EdgeAgent]
    problems: list[LocalProblem]
    busy_with: list[Exchange | None]
    under_way: dict[Exchange, None]
    half: dict[Link, Coordinates]
    newest: dict[tuple[Link, int], int]
    waiting: WaitingRequests

    @abstractmethod
    def _ended(self) -> None:
        """One activation is over, completed or not."""

    @abstractmethod
    def _committed(self, exchange: Exchange) -> None:
        """One end has committed an exchange."""

    def _compute(self, node: int, exchange: Exchange, then: Callable[[], None]) -> None:
        """Let a local solve's simulated time pass, for an exchange that the agent may not survive."""

        def done() -> None:
            if not self.finished and self.busy_with[node] is exchange:
                then()

        self.clock.schedule(self.compute(node), done)

    def _timeout(self, source: int, destination: int, size: int) -> float:
        """Seconds to wait for an answer to a request that has just been sent."""
        if self.settings.timeout is not None:
            return self.settings.timeout
        there = self.network.patience(source, destination, size)
        back = self.network.patience(destination, source, size)
        return max(self._turn(source, destination, size), there + self.compute(destination) + back)

    def _turn(self, source: int, destination: int, size: int) -> float:
        """Seconds until the next link's turn if nothing was sent."""
        if self.settings.timeout is not None:
            return self.settings.timeout
        there = self.network.nominal_latency(source, destination, size)
        back = self.network.nominal_latency(destination, source, size)
        return TIMEOUT_ROUND_TRIPS * (there + self.settings.compute + back)

    def _request(self, exchange: Exchange) -> None:
        i, j = exchange.initiator, exchange.responder
        offer = self._solve(i, exchange.link)
        problem = self.agents[i].problem
        where = self.codecs.coordinates(problem.dimension, i, j, problem.width)
        exchange.offer = payload = self.coding.encode(offer, i, j, where)
        size = self._send(exchange, i, "request", self._tell(exchange, i, "request", payload))
        exchange.timer = self.clock.schedule_last(self._timeout(i, j, size), lambda: self._give_up(exchange))

    def _receive(self, message: Message) -> None:
        exchange, payload, heard = message.payload
        if heard is not None:
            self.coding.acknowledged(message.destination, message.source, heard)
        if payload is not None:
            payload = self.coding.decode(payload, message)
            if payload is None:
                if message.kind == "request" and self.coding.differences and not exchange.received:
                    # One that has lost its state has no copies: its answer lets the other end begin again.
                    self._send(exchange, exchange.responder, "busy", None)
                return
        if message.kind == "request":
            self._requested(exchange, payload, message)
        elif not exchange.open:
            self.counts.stale += 1
            self.note("stale", exchange.link, exchange.initiator)
        elif message.kind == "response":
            agent = self.agents[exchange.initiator]
            if agent.rejects(exchange.link, exchange.offer, payload):
                self.rejected(message)
                self._half_committed(exchange)
                self._close(exchange, None)
                return
            agent.commit_payloads(exchange.link, exchange.offer, payload)
            self.applied(message)
            self._committed(exchange)
            self._completed(exchange)
        else:
            self.counts.busy += 1
            self._close(exchange, "busy")

    def _requested(self, exchange: Exchange, offer: Payload, message: Message) -> None:
        responder = exchange.responder
        if exchange.received:
            # A repetition. While the first is still being processed, its answer serves both.
            self.counts.repeated += 1
            if exchange.answer is not None:
                self._send(exchange, responder, *exchange.answer)
            return
        exchange.received = True
        if exchange.number < self.newest.get((exchange.link, responder), 0):
            self.counts.stale += 1
            self.note("stale", exchange.link, responder)
            return
        self.newest[exchange.link, responder] = exchange.number
        request, current = Request(exchange, offer, message), self.busy_with[responder]
        if current is None:
            self._answer(request)
        elif self.waiting.may_wait(exchange, current) and (seconds := self._to_spare(exchange, offer)) > 0:
            self.counts.held += 1
            self.note("held", exchange.link, responder)
            self.waiting.hold(request, seconds, self._refuse)
        else:
            self._refuse(request)

    def _to_spare(self, exchange: Exchange, offer: Payload) -> float:
        """Seconds for which a request may wait so that its answer is likely to be in time."""
        i, j, size = exchange.initiator, exchange.responder, EXCHANGE_HEADER + offer.size
        there = self.network.nominal_latency(i, j, size)
        back = self.network.nominal_latency(j, i, size)
        return self._timeout(i, j, size) - there - self.compute(j) - back

    def _refuse(self, request: Request) -> None:
        exchange = request.exchange
        exchange.answer = ("busy", None)
        self._send(exchange, exchange.responder, *exchange.answer)

    def _serve(self, agent: int) -> None:
        """Answer a request that has waited for this agent, which is free now."""
        while self.busy_with[agent] is None and (request := self.waiting.next(agent)) is not None:
            exchange = request.exchange
            if exchange.number < self.newest[exchange.link, agent]:  # its sender has begun another since
                self.counts.stale += 1
                self.note("stale", exchange.link, agent)
            else:
                self._answer(request)

    def _answer(self, request: Request) -> None:
        exchange, offer, message = request
        responder = exchange.responder
        self.busy_with[responder] = exchange

        def respond() -> None:
            self.busy_with[responder] = None
            answer = self._solve(responder, exchange.link)
            payload = self.coding.encode(answer, responder, exchange.initiator, offer.where)
            if self.agents[responder].rejects(exchange.link, payload, offer):
                self.rejected(message)
                self._refuse(request)
                self._serve(responder)
                return
            self.agents[responder].commit_payloads(exchange.link, payload, offer)
            self.applied(message)
            exchange.answer = ("response", self._tell(exchange, responder, "response", payload))
            self._committed(exchange)
            if exchange.open:
                self.note("answered", exchange.link, responder)
            else:
                self._half_committed(exchange)
            self._send(exchange, responder, *exchange.answer)
            self._serve(responder)

        self._compute(responder, exchange, respond)

    def _completed(self, exchange: Exchange) -> None:
        self.counts.completed += 1
        self.order.append(exchange.link)
        if exchange.link in self.half and not exchange.falsified:
            left = np.setdiff1d(self.half.pop(exchange.link), self._about(exchange))
            if left.size:
                self.half[exchange.link] = left
            else:
                self.counts.healed += 1
        self._close(exchange, "completed")

    def _give_up(self, exchange: Exchange) -> None:
        self.counts.given_up += 1
        if exchange.responded:
            self._half_committed(exchange)
        self._close(exchange, "given_up")

    def _half_committed(self, exchange: Exchange) -> None:
        self.counts.half_committed += 1
        about = self._about(exchange)
        self.half[exchange.link] = np.union1d(self.half.get(exchange.link, about), about)
        self.note("half_committed", exchange.link, exchange.responder)

    def _about(self, exchange: Exchange) -> Coordinates:
        """The coordinates covered by an exchange."""
        if exchange.offer is None or exchange.offer.where is None:
            return np.arange(self.problems[exchange.responder].dimension)
        return exchange.offer.where

    def _close(self, exchange: Exchange, outcome: str | None) -> None:
        """Free the end that began, and note the outcome unless that has been done."""
        exchange.open = False
        if exchange.timer is not None:
            exchange.timer.cancel()
        self.busy_with[exchange.initiator] = None
        del self.under_way[exchange]
        if outcome is not None:
            self.note(outcome, exchange.link, exchange.initiator)
        self._serve(exchange.initiator)
        self._ended()

    def _solve(self, q: int, link: Link) -> Signal:
        """Let agent q solve; returns its offer on the link."""
        self.agents[q].solve()
        self.counts.solves += 1
        return self.agents[q].offer(link)

    def _tell(self, exchange: Exchange, q: int, kind: str, payload: Payload) -> Payload:
        """The offer of agent q as it sends it, which may be false; q itself commits the true one."""
        agent, other = self.agents[q], sum(exchange.link) - q
        told = self.told(payload, q, other, kind, agent.problem.dimension, agent.sign[exchange.link])
        exchange.falsified |= told is not payload
        return told

    def _send(self, exchange: Exchange, source: int, kind: str, payload: Payload | None) -> int:
        """Send to the other end; returns the size in bytes."""
        size = EXCHANGE_HEADER + (0 if payload is None else payload.size)
        other = exchange.responder if source == exchange.initiator else exchange.initiator
        heard = None
        if payload is None and self.coding.differences:
            heard = self.coding.heard(other, source)
            size += ACKNOWLEDGEMENT.size
        self.network.send(source, other, (exchange, payload, heard), size, kind)
        return size
