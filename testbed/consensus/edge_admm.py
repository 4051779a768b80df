"""Edge-ADMM by agents that exchange messages on the simulated network.

An exchange on link (i, j), begun by i: i locks itself, solves, sends REQUEST(p_i); j, if free, solves,
commits and answers RESPONSE(p_j); i commits. A busy j answers BUSY. When no answer comes in time i gives
up with nothing committed: if j had committed, the exchange is *half-committed* and the link's variables
disagree until its next exchange.
"""

from collections.abc import Callable, Sequence
from typing import Any

from testbed.consensus.activation import Activations
from testbed.consensus.agent import EdgeAgent, Link
from testbed.consensus.measures import disagreement, magnitude, primal_residual
from testbed.consensus.problem import LocalProblem, Signal
from testbed.consensus.result import AgreementResult, Counts, CurveRow
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Message, Network, Streams

HEADER_BYTES = 16
"""Every message names its exchange (8 bytes), its link (4) and its kind (4)."""

TIMEOUT_ROUND_TRIPS = 4.0
"""The default timeout, in nominal round trips: long enough for jitter and a short queue."""

AXES = ("activations", "exchanges", "seconds", "bytes")
"""Columns of a curve that say when; the others say how far."""

Progress = Callable[[CurveRow], None]
Measure = Callable[[Sequence[Signal]], dict[str, float]]


class EdgeADMM:
    """Edge-ADMM on one network; lives as long as the network and agrees once per policy update."""

    def __init__(self, network: Network, settings: ConsensusSettings, streams: Streams) -> None:
        self.network, self.settings = network, settings
        self.links: list[Link] = sorted((min(u, v), max(u, v)) for u, v in network.graph.edges)
        self.activations = Activations(settings, self.links, streams)

    def agree(
        self,
        problems: Sequence[LocalProblem],
        *,
        measure: Measure | None = None,
        progress: Progress | None = None,
    ) -> AgreementResult:
        """Run one agreement from zero variables until the budget is spent.

        ``measure(signals)`` adds columns to the curve; ``progress(row)`` hears every row.

        Raises:
            ValueError: the number of problems is not the number of agents.
        """
        nodes = len(self.network.graph)
        if len(problems) != nodes:
            raise ValueError(f"problems: {len(problems)} given, the network has {nodes} nodes")
        return _Agreement(self, problems, measure, progress).run()


class _Exchange:
    """One exchange as the simulation sees it (no agent knows all of this)."""

    __slots__ = ("initiator", "link", "open", "responded", "responder", "timer")

    def __init__(self, link: Link, initiator: int) -> None:
        self.link, self.initiator = link, initiator
        self.responder = link[1] if initiator == link[0] else link[0]
        self.open = True  # the initiator still waits
        self.responded = False  # the responder has committed
        self.timer: Any = None


class _Agreement:
    """The state of one agreement."""

    def __init__(
        self,
        parent: EdgeADMM,
        problems: Sequence[LocalProblem],
        measure: Measure | None,
        progress: Progress | None,
    ) -> None:
        self.network, self.settings, self.links = parent.network, parent.settings, parent.links
        self.clock, self.activations = parent.network.clock, parent.activations
        self.measure, self.progress = measure, progress
        self.agents = [EdgeAgent(q, p, self.links, self.settings.penalty) for q, p in enumerate(problems)]
        self.busy_with: list[_Exchange | None] = [None] * len(problems)
        self.half: set[Link] = set()
        self.counts = Counts()
        self.order: list[Link] = []
        self.curve: list[CurveRow] = []
        self.resolved = 0
        self.under_way: dict[_Exchange, None] = {}
        self.finished = False
        self.began = self.clock.now
        self.bytes_before = self.network.ledger.sent_bytes
        self.turns = self.activations.in_turn()

    # --- the run -----------------------------------------------------------------------------------

    def run(self) -> AgreementResult:
        for agent in self.agents:
            self.network.attach(agent.index, self._receive)
            if not agent.links:
                # Nobody will ever answer it: its own optimum is all it can know.
                agent.solve()
                self.counts.solves += 1
        self._row()
        handles = []
        if self.settings.budget.seconds is not None:
            handles.append(self.clock.schedule(self.settings.budget.seconds, self._finish))
        if self.activations.overlapping:
            for link in self.links:
                self._arm(link)
        elif self.links:
            self._next_turn()
        while self.links and not self.finished:
            if not self.clock.step():
                raise AssertionError("the simulation ran out of events before the budget was spent")
        for handle in handles:
            handle.cancel()
        return self._result()

    def _result(self) -> AgreementResult:
        for exchange in self.under_way:
            self.counts.unfinished += 1
            self.counts.half_committed += exchange.responded
            if exchange.timer is not None:
                exchange.timer.cancel()
        late = self.network.flush()
        seen = self.curve[-1]
        now = (self.counts.activations, self.clock.now - self.began)
        if (seen["activations"], seen["seconds"]) != now:
            self._row()
        last = self.curve[-1]
        return AgreementResult(
            signals=[agent.s for agent in self.agents],
            counts=self.counts,
            curve=self.curve,
            order=self.order,
            seconds=self.clock.now - self.began,
            bytes=self.network.ledger.sent_bytes - self.bytes_before,
            late=late,
            measured={name: value for name, value in last.items() if name not in AXES},
        )

    def _finish(self) -> None:
        self.finished = True

    def _spent(self) -> bool:
        """Whether no further exchange may start."""
        budget, counts = self.settings.budget, self.counts
        sent = self.network.ledger.sent_bytes - self.bytes_before
        return (budget.activations is not None and counts.activations >= budget.activations) or (
            budget.bytes is not None and sent >= budget.bytes
        )

    # --- activation --------------------------------------------------------------------------------

    def _next_turn(self) -> None:
        if self._spent():
            self._finish()
        else:
            self._activate(*next(self.turns))

    def _arm(self, link: Link) -> None:
        def ring() -> None:
            if self.finished or self._spent():
                return
            self._arm(link)
            self._activate(link, self.activations.initiator(link))

        self.clock.schedule(self.activations.wait(link), ring)

    def _activate(self, link: Link, initiator: int) -> None:
        self.counts.activations += 1
        if self.busy_with[initiator] is not None:
            self.counts.busy += 1
            self._note("busy", link, initiator)
            self._resolve(None)
            return
        exchange = _Exchange(link, initiator)
        self.busy_with[initiator] = exchange
        self.under_way[exchange] = None
        self._note("activated", link, initiator)
        self._compute(lambda: self._request(exchange))

    def _compute(self, then: Callable[[], None]) -> None:
        """Let a local solve's simulated time pass."""

        def done() -> None:
            if not self.finished:
                then()

        self.clock.schedule(self.settings.compute, done)

    # --- the exchange ------------------------------------------------------------------------------

    def _request(self, exchange: _Exchange) -> None:
        offer = self._offer(exchange.initiator, exchange.link)
        size = self._send(exchange, exchange.initiator, exchange.responder, "request", offer)
        timeout = self.settings.timeout
        if timeout is None:
            there = self.network.nominal_latency(exchange.initiator, exchange.responder, size)
            back = self.network.nominal_latency(exchange.responder, exchange.initiator, size)
            timeout = TIMEOUT_ROUND_TRIPS * (there + self.settings.compute + back)
        exchange.timer = self.clock.schedule(timeout, lambda: self._give_up(exchange))

    def _receive(self, message: Message) -> None:
        exchange, offer = message.payload
        if message.kind == "request":
            self._requested(exchange, offer)
        elif not exchange.open:
            self.counts.stale += 1
            self._note("stale", exchange.link, exchange.initiator)
        elif message.kind == "response":
            self._commit(exchange, exchange.initiator, offer)
            self.counts.completed += 1
            self.order.append(exchange.link)
            if exchange.link in self.half:
                self.half.discard(exchange.link)
                self.counts.healed += 1
            self._close(exchange, "completed")
        else:
            self.counts.busy += 1
            self._close(exchange, "busy")

    def _requested(self, exchange: _Exchange, offer: Signal) -> None:
        responder = exchange.responder
        if self.busy_with[responder] is not None:
            self._send(exchange, responder, exchange.initiator, "busy", None)
            return
        self.busy_with[responder] = exchange

        def respond() -> None:
            self.busy_with[responder] = None
            answer = self._offer(responder, exchange.link)
            self.agents[responder].commit(exchange.link, answer + offer)
            exchange.responded = True
            if exchange.open:
                self._note("answered", exchange.link, responder)
            else:
                self._half_committed(exchange)
            self._send(exchange, responder, exchange.initiator, "response", answer)

        self._compute(respond)

    def _give_up(self, exchange: _Exchange) -> None:
        if self.finished:
            return
        self.counts.given_up += 1
        if exchange.responded:
            self._half_committed(exchange)
        self._close(exchange, "given_up")

    def _half_committed(self, exchange: _Exchange) -> None:
        self.counts.half_committed += 1
        self.half.add(exchange.link)
        self._note("half_committed", exchange.link, exchange.responder)

    def _commit(self, exchange: _Exchange, q: int, offer: Signal) -> None:
        agent = self.agents[q]
        agent.commit(exchange.link, agent.offer(exchange.link) + offer)

    def _offer(self, q: int, link: Link) -> Signal:
        self.agents[q].solve()
        self.counts.solves += 1
        return self.agents[q].offer(link)

    def _send(
        self, exchange: _Exchange, source: int, destination: int, kind: str, offer: Signal | None
    ) -> int:
        size = HEADER_BYTES + (0 if offer is None else int(offer.nbytes))
        self.network.send(source, destination, (exchange, offer), size, kind)
        return size

    def _close(self, exchange: _Exchange, outcome: str) -> None:
        """The end that began is free again."""
        exchange.open = False
        exchange.timer.cancel()
        self.busy_with[exchange.initiator] = None
        self._note(outcome, exchange.link, exchange.initiator)
        self._resolve(exchange)

    def _resolve(self, exchange: _Exchange | None) -> None:
        """One activation has come to its end."""
        if exchange is not None:
            del self.under_way[exchange]
        self.resolved += 1
        budget = self.settings.budget
        reached = budget.exchanges is not None and self.counts.completed >= budget.exchanges
        if self.resolved % self.settings.curve_every == 0 or reached or budget.tolerance is not None:
            row = self._row()
            tolerance = budget.tolerance
            # Before any exchange all signals are equal by convention, not by agreement.
            agreed = tolerance is not None and self.counts.completed > 0
            reached = reached or (agreed and row["relative_disagreement"] <= (tolerance or 0.0))
        if reached:
            self._finish()
        elif not self.activations.overlapping:
            self._next_turn()
        elif self._spent() and not self.under_way:
            self._finish()

    # --- measurement -------------------------------------------------------------------------------

    def _row(self) -> CurveRow:
        signals = [agent.s for agent in self.agents]
        apart, size = disagreement(signals, self.links), magnitude(signals)
        row: CurveRow = {
            "activations": float(self.counts.activations),
            "exchanges": float(self.counts.completed),
            "seconds": self.clock.now - self.began,
            "bytes": float(self.network.ledger.sent_bytes - self.bytes_before),
            "disagreement": apart,
            "relative_disagreement": apart / size if size > 0 else 0.0,
            "primal_residual": primal_residual(self.agents),
        }
        if self.measure is not None:
            row |= self.measure(signals)
        self.curve.append(row)
        if self.progress is not None:
            self.progress(row)
        return row

    def _note(self, event: str, link: Link, agent: int) -> None:
        if self.network.trace is not None:
            self.network.trace.record(self.clock.now, event, link=f"{link[0]}-{link[1]}", agent=agent)
