"""Edge-ADMM by agents that exchange messages on the simulated network: the activation of exchanges.

The exchanges themselves are in ``exchange_protocol``.
"""

from collections.abc import Iterable, Sequence

from testbed.consensus.base import Consensus
from testbed.consensus.consensus_run import ConsensusRun, Measure, Progress
from testbed.consensus.edge_admm.agent import EdgeAgent, primal_residual
from testbed.consensus.edge_admm.exchange import Exchange
from testbed.consensus.edge_admm.exchange_protocol import EXCHANGE_HEADER, ExchangeProtocol
from testbed.consensus.edge_admm.invariants import LinkAudit
from testbed.consensus.edge_admm.waiting import WaitingRequests
from testbed.consensus.payloads import Coordinates
from testbed.consensus.problems.base import LocalProblem, Signal
from testbed.consensus.traits import BY_LINK
from testbed.network.link_names import Link


class EdgeADMM(Consensus):
    """Edge-ADMM: Li & He 2020 (arXiv 2010.07916), Algorithm 1.

    Two neighbours exchange, by a request and an answer; a lost answer leaves only one end committed.
    """

    name = "edge_admm"
    allowed_activations = BY_LINK
    message_kinds = ("request", "response", "busy")
    codec_memories = frozenset({"error_feedback", "difference"})
    options = frozenset(
        {"penalty", "coupling", "dual_limit", "outlier_rejection", "initial_dual", "timeout", "when_busy"}
    )

    @classmethod
    def signals(cls, links: int, agents: int) -> int:
        """Two variables at each end of a link, and about the same number in messages."""
        return 8 * links + 4 * agents

    def consensus_run(
        self, problems: Sequence[LocalProblem], measure: Measure | None, progress: Progress | None
    ) -> ConsensusRun:
        """A new agreement, ready to run."""
        return _EdgeAgreement(self, problems, measure, progress)


class _EdgeAgreement(ExchangeProtocol):
    """One agreement: the state of its agents, and the order of its exchanges."""

    def __init__(
        self,
        parent: EdgeADMM,
        problems: Sequence[LocalProblem],
        measure: Measure | None,
        progress: Progress | None,
    ) -> None:
        super().__init__(parent.network, parent.links, parent.settings, parent.codecs, measure, progress)
        self.activations, self.turns = parent.activations, parent.activations.in_turn()
        self.at: list[list[Link]] = [[] for _ in problems]
        for link in self.links:
            for q in link:
                self.at[q].append(link)
        self.problems = list(problems)
        self.agents = [self._new(q) for q in range(len(problems))]
        self.busy_with: list[Exchange | None] = [None] * len(problems)
        self.under_way: dict[Exchange, None] = {}
        # Coordinates at which the link's two ends differ.
        self.half: dict[Link, Coordinates] = {}
        # The number of the last request that an end of a link has seen from the other.
        self.newest: dict[tuple[Link, int], int] = {}
        self.waiting = WaitingRequests(self.settings.when_busy, self.clock, len(problems))
        self.audited = (
            LinkAudit(
                self.network,
                self.agents,
                self.links,
                self.half,
                self._answered,
                self.settings.coupling,
                self.settings.dual_limit,
            )
            if self.network.settings.audit
            else None
        )
        for agent in self.agents:
            self.network.attach(agent.index, self._receive)

    def start(self) -> None:
        """Wind every clock, or activate the first link."""
        if self.audited is not None:
            self.clock.timeline.checks.append(self.audited.check)
        if self.activations.overlapping:
            for clock in self.activations.clocks:
                self._wind(clock)
        else:
            self._next_turn()

    def signals(self) -> list[Signal]:
        """The present signal of every agent."""
        return [agent.s for agent in self.agents]

    def residual(self) -> float:
        """C_qe s_q against z_qe."""
        return primal_residual(self.agents)

    def beginners(self) -> Iterable[int]:
        """Both ends of each link; in ``round_robin`` the first ends."""
        if self.settings.activation == "round_robin":
            return {link[0] for link in self.links}
        return {end for link in self.links for end in link}

    def under_way_now(self) -> bool:
        """Whether an exchange is under way, at one end at least."""
        return bool(self.under_way) or any(self.busy_with)

    def cut_off(self) -> None:
        """Exchanges under way are unfinished, and half-committed where the answering end has committed."""
        if self.audited is not None and self.audited.check in self.clock.timeline.checks:
            self.clock.timeline.checks.remove(self.audited.check)
        self.waiting.drop_all()
        for exchange in self.under_way:
            self.counts.unfinished += 1
            self.counts.half_committed += exchange.responded
            if exchange.timer is not None:
                exchange.timer.cancel()

    def release(self) -> None:
        """Agents hold their problems, and the audit the agents."""
        self.problems, self.agents, self.audited = [], [], None

    def crashed(self, node: int) -> None:
        """The exchange it began is abandoned; the one it was to answer is not answered."""
        self.waiting.drop(node)
        exchange, self.busy_with[node] = self.busy_with[node], None
        if exchange is not None and exchange.initiator == node:
            self._give_up(exchange)

    def forgotten(self, node: int) -> None:
        """It starts with zero variables; its links' other ends do not know."""
        self.problems[node].forget()
        self.agents[node] = self._new(node)
        if self.audited is not None:
            self.audited.forgotten(node)

    def _committed(self, exchange: Exchange) -> None:
        if exchange.falsified and self.audited is not None:
            self.audited.misled(exchange.link, self._about(exchange))

    def _answered(self) -> list[tuple[Link, Coordinates]]:
        return [(each.link, self._about(each)) for each in self.under_way if each.responded]

    def _new(self, q: int) -> EdgeAgent:
        chosen = self.settings
        agent = EdgeAgent(
            q,
            self.problems[q],
            self.at[q],
            chosen.penalty,
            chosen.coupling,
            chosen.initial_dual,
            chosen.dual_limit,
            chosen.outlier_rejection,
        )
        if not agent.links:
            # It has no neighbour to exchange with: its own optimum is all it can reach.
            agent.solve()
            self.counts.solves += 1
        return agent

    # --- activation --------------------------------------------------------------------------------

    def _next_turn(self) -> None:
        if self.spent():
            self.finish()
        else:
            self._activate(*next(self.turns))

    def _wind(self, clock: tuple[int, ...]) -> None:
        """Set a link's or an agent's own clock to ring once more."""

        def ring() -> None:
            if self.finished:
                return
            if not self.spent():
                self._wind(clock)
                self._activate(*self.activations.exchange(clock))
            elif not self.under_way:  # messages sent since the last exchange ended have spent the budget
                self.finish()

        self.clock.schedule(self.activations.wait(clock), ring)

    def _activate(self, link: Link, initiator: int) -> None:
        self.counts.activations += 1
        if not self.network.agent_is_up(initiator):
            self.counts.down += 1
            self._pass_over(link, initiator)
            return
        if self.busy_with[initiator] is not None:
            self.counts.busy += 1
            self.note("busy", link, initiator)
            self._ended()
            return
        exchange = Exchange(link, initiator, self.counts.activations)
        self.busy_with[initiator] = exchange
        self.under_way[exchange] = None
        self.note("activated", link, initiator)
        self._compute(initiator, exchange, lambda: self._request(exchange))

    def _pass_over(self, link: Link, initiator: int) -> None:
        """Skip an activation; where links have turns, that takes as long as a timeout may."""
        if self.activations.overlapping:
            self._ended()
            return
        size = EXCHANGE_HEADER + self.coding.size(self.agents[initiator].s, self.problems[initiator].width)
        self.clock.schedule(
            self._turn(initiator, link[0] + link[1] - initiator, size),
            lambda: None if self.finished else self._ended(),
        )

    def _ended(self) -> None:
        """One activation is over, completed or not."""
        self.resolved()
        if self.finished:
            return
        if not self.activations.overlapping:
            self._next_turn()
        elif self.spent() and not self.under_way:
            self.finish()
