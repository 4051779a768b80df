"""Edge-ADMM by agents that exchange messages on the simulated network.

An exchange on link (i, j), begun by i: i locks itself, solves, sends REQUEST(p_i); j, if free, solves,
commits and answers RESPONSE(p_j); i commits. A busy j answers BUSY. When no answer comes in time i gives
up with nothing committed: if j had committed, the exchange is *half-committed* and the link's variables
disagree until its next exchange.
"""

from collections.abc import Callable, Sequence

from testbed.consensus.activation import Activations
from testbed.consensus.agent import EdgeAgent, Link
from testbed.consensus.agreement import Agreement, Measure, Progress
from testbed.consensus.measures import primal_residual
from testbed.consensus.problem import LocalProblem, Signal
from testbed.consensus.result import AgreementResult
from testbed.consensus.settings import ConsensusSettings
from testbed.network import Handle, Message, Network, Streams

HEADER_BYTES = 16
"""Every message names its exchange (8 bytes), its link (4) and its kind (4)."""

TIMEOUT_ROUND_TRIPS = 4.0
"""The default timeout, in nominal round trips: long enough for jitter and a short queue."""


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
        return _EdgeAgreement(self, problems, measure, progress).run()


class _Exchange:
    """One exchange as the simulation sees it (no agent knows all of this)."""

    __slots__ = ("initiator", "link", "open", "responded", "responder", "timer")

    def __init__(self, link: Link, initiator: int) -> None:
        self.link, self.initiator = link, initiator
        self.responder = link[1] if initiator == link[0] else link[0]
        self.open = True  # the initiator still waits
        self.responded = False  # the responder has committed
        self.timer: Handle | None = None


class _EdgeAgreement(Agreement):
    """The exchanges of one agreement."""

    def __init__(
        self,
        parent: EdgeADMM,
        problems: Sequence[LocalProblem],
        measure: Measure | None,
        progress: Progress | None,
    ) -> None:
        super().__init__(parent.network, parent.links, parent.settings, measure, progress)
        self.activations, self.turns = parent.activations, parent.activations.in_turn()
        self.agents = [EdgeAgent(q, p, self.links, self.settings.penalty) for q, p in enumerate(problems)]
        self.busy_with: list[_Exchange | None] = [None] * len(problems)
        self.under_way: dict[_Exchange, None] = {}
        self.half: set[Link] = set()
        for agent in self.agents:
            self.network.attach(agent.index, self._receive)
            if not agent.links:
                # Nobody will ever answer it: its own optimum is all it can know.
                agent.solve()
                self.counts.solves += 1

    def begin(self) -> None:
        """Wind every link's clock, or activate the first link."""
        if self.activations.overlapping:
            for link in self.links:
                self._wind(link)
        else:
            self._next_turn()

    def signals(self) -> list[Signal]:
        """What every agent holds now."""
        return [agent.s for agent in self.agents]

    def residual(self) -> float:
        """C_qe s_q against z_qe."""
        return primal_residual(self.agents)

    def cut_off(self) -> None:
        """Exchanges under way are unfinished, and half-committed where the answering end has committed."""
        for exchange in self.under_way:
            self.counts.unfinished += 1
            self.counts.half_committed += exchange.responded
            if exchange.timer is not None:
                exchange.timer.cancel()

    # --- activation --------------------------------------------------------------------------------

    def _next_turn(self) -> None:
        if self.spent():
            self.finish()
        else:
            self._activate(*next(self.turns))

    def _wind(self, link: Link) -> None:
        """Set the link's own clock to ring once more."""

        def ring() -> None:
            if not self.finished and not self.spent():
                self._wind(link)
                self._activate(link, self.activations.initiator(link))

        self.clock.schedule(self.activations.wait(link), ring)

    def _activate(self, link: Link, initiator: int) -> None:
        self.counts.activations += 1
        if self.busy_with[initiator] is not None:
            self.counts.busy += 1
            self.note("busy", link, initiator)
            self._ended()
            return
        exchange = _Exchange(link, initiator)
        self.busy_with[initiator] = exchange
        self.under_way[exchange] = None
        self.note("activated", link, initiator)
        self._compute(lambda: self._request(exchange))

    def _compute(self, then: Callable[[], None]) -> None:
        """Let a local solve's simulated time pass."""

        def done() -> None:
            if not self.finished:
                then()

        self.clock.schedule(self.settings.compute, done)

    def _ended(self) -> None:
        """One activation is over, well or badly."""
        self.resolved()
        if self.finished:
            return
        if not self.activations.overlapping:
            self._next_turn()
        elif self.spent() and not self.under_way:
            self.finish()

    # --- the exchange ------------------------------------------------------------------------------

    def _request(self, exchange: _Exchange) -> None:
        offer = self._solve(exchange.initiator, exchange.link)
        size = self._send(exchange, exchange.initiator, "request", offer)
        timeout = self.settings.timeout
        if timeout is None:
            there = self.network.nominal_latency(exchange.initiator, exchange.responder, size)
            back = self.network.nominal_latency(exchange.responder, exchange.initiator, size)
            timeout = TIMEOUT_ROUND_TRIPS * (there + self.settings.compute + back)
        exchange.timer = self.clock.schedule(timeout, lambda: self._give_up(exchange))

    def _receive(self, message: Message) -> None:
        exchange, offer = message.payload
        if message.kind == "request":
            self._requested(exchange, offer, message)
        elif not exchange.open:
            self.counts.stale += 1
            self.note("stale", exchange.link, exchange.initiator)
        elif message.kind == "response":
            agent = self.agents[exchange.initiator]
            agent.commit(exchange.link, agent.offer(exchange.link) + offer)
            self.applied(message)
            self._completed(exchange)
        else:
            self.counts.busy += 1
            self._close(exchange, "busy")

    def _requested(self, exchange: _Exchange, offer: Signal, message: Message) -> None:
        responder = exchange.responder
        if self.busy_with[responder] is not None:
            self._send(exchange, responder, "busy", None)
            return
        self.busy_with[responder] = exchange

        def respond() -> None:
            self.busy_with[responder] = None
            answer = self._solve(responder, exchange.link)
            self.agents[responder].commit(exchange.link, answer + offer)
            self.applied(message)
            exchange.responded = True
            if exchange.open:
                self.note("answered", exchange.link, responder)
            else:
                self._half_committed(exchange)
            self._send(exchange, responder, "response", answer)

        self._compute(respond)

    def _completed(self, exchange: _Exchange) -> None:
        self.counts.completed += 1
        self.order.append(exchange.link)
        if exchange.link in self.half:
            self.half.discard(exchange.link)
            self.counts.healed += 1
        self._close(exchange, "completed")

    def _give_up(self, exchange: _Exchange) -> None:
        self.counts.given_up += 1
        if exchange.responded:
            self._half_committed(exchange)
        self._close(exchange, "given_up")

    def _half_committed(self, exchange: _Exchange) -> None:
        self.counts.half_committed += 1
        self.half.add(exchange.link)
        self.note("half_committed", exchange.link, exchange.responder)

    def _close(self, exchange: _Exchange, outcome: str) -> None:
        """The end that began is free again."""
        exchange.open = False
        if exchange.timer is not None:
            exchange.timer.cancel()
        self.busy_with[exchange.initiator] = None
        del self.under_way[exchange]
        self.note(outcome, exchange.link, exchange.initiator)
        self._ended()

    def _solve(self, q: int, link: Link) -> Signal:
        """Let agent q solve; what it offers on the link."""
        self.agents[q].solve()
        self.counts.solves += 1
        return self.agents[q].offer(link)

    def _send(self, exchange: _Exchange, source: int, kind: str, offer: Signal | None) -> int:
        """Send to the other end; returns the size in bytes."""
        size = HEADER_BYTES + (0 if offer is None else int(offer.nbytes))
        other = exchange.responder if source == exchange.initiator else exchange.initiator
        self.network.send(source, other, (exchange, offer), size, kind)
        return size
