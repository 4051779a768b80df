"""Algorithms of one-way messages: an agent solves, sends, and uses whatever reaches it; no agent waits.

``synchronous``: in rounds of one period all agents solve from their state at the round's beginning and
send when the solve's time is over; a message that takes longer than its round counts in the one it arrives
in. ``asynchronous``: an agent does so when its own clock ticks, and sends to all its neighbours; ``gossip``:
to a random one. An agent still busy with its last solve skips a round or a ring (counted as busy).
If a message is lost, its receiver continues with its present state. All messages are of the kind "news",
but for acknowledgements ("ack") of those that are differences (`codec_memory: difference`).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np

from testbed.consensus.base import Consensus
from testbed.consensus.consensus_run import ConsensusRun, Measure, Progress
from testbed.consensus.one_way.silence import Silence
from testbed.consensus.payloads import Payload, like
from testbed.consensus.problems.base import LocalProblem, Signal
from testbed.consensus.references import ACKNOWLEDGEMENT
from testbed.consensus.traits import BY_AGENT
from testbed.network import Handle, Message

ONE_WAY_HEADER = 16
"""The header of every message names its round (8 bytes), its link (4) and its kind (4)."""

WEIGHT_BYTES = 8
"""Some algorithms send one more number, a float64."""


class OneWayAgent(ABC):
    """One agent's part in an algorithm of one-way messages."""

    s: Signal
    """Its present signal, [m]."""

    sends_weight = False
    """Whether each message carries one more number."""

    def __init__(self, index: int, neighbours: Sequence[int]) -> None:
        self.index, self.neighbours = index, list(neighbours)

    @abstractmethod
    def start_round(self) -> None:
        """Begin a solve, which uses only the messages received so far."""

    @abstractmethod
    def solve(self, to: Sequence[int]) -> None:
        """End a solve: update ``s``, and prepare the messages to the neighbours ``to``."""

    @abstractmethod
    def offer(self, neighbour: int) -> Signal:
        """The signal sent to one of the neighbours of the last solve, [m]; or `vectors` of them, [k m]."""

    def sent(self, neighbour: int, payload: Payload) -> float:
        """Note the content of a message; returns the weight to send along if it ``sends_weight``."""
        return 0.0

    def rejects(self, neighbour: int, payload: Payload) -> bool:
        """Whether a message is an outlier, to be ignored; one that is none counts from then on."""
        return False

    @abstractmethod
    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """Receive a message, with the number that came with it."""

    def residual(self, others: Sequence["OneWayAgent"]) -> Iterable[float]:
        """Mean squares of the violated constraints at this agent's links, one number per link."""
        return ()


class OneWay(Consensus):
    """An algorithm of one-way messages: everything except the agents' own computations."""

    allowed_activations = BY_AGENT
    message_kinds = ("news", "ack")

    @abstractmethod
    def agent(self, index: int, problem: LocalProblem, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent at the beginning of an agreement. Raises ValueError if it cannot solve the problem."""

    def weights(self, neighbours: Sequence[int]) -> dict[int, float]:
        """The Metropolis weights of an agent's neighbours: W_ij = 1 / (1 + max(d_i, d_j))."""
        around = self.activations.neighbours
        return {j: 1 / (1 + max(len(neighbours), len(around[j]))) for j in neighbours}

    def audit(self, agents: Sequence[OneWayAgent]) -> None:
        """Check what must hold at the end of a synchronous round; called with `network.audit`.

        Raises AssertionError if an invariant of the algorithm is broken.
        """

    def consensus_run(
        self, problems: Sequence[LocalProblem], measure: Measure | None, progress: Progress | None
    ) -> ConsensusRun:
        """A new agreement, ready to run."""
        return _OneWayRun(self, problems, measure, progress)


class _OneWayRun(ConsensusRun):
    """The rounds or clocks of one agreement."""

    def __init__(
        self,
        parent: OneWay,
        problems: Sequence[LocalProblem],
        measure: Measure | None,
        progress: Progress | None,
    ) -> None:
        super().__init__(parent.network, parent.links, parent.settings, parent.codecs, measure, progress)
        self.parent, self.problems = parent, list(problems)
        self.activations = parent.activations
        trigger = parent.settings.trigger
        # With a threshold of 0 nothing is held back, and silence can only mean a loss.
        self.silence = Silence(trigger) if trigger is not None and trigger.threshold > 0 else None
        self.tokens = parent.settings.tokens
        self.balances = [0] * len(problems)
        self.agents = [self._new(q) for q in range(len(problems))]
        self.period = 0.0
        self.solving: dict[int, Handle] = {}
        self.clocks: dict[tuple[int, ...], Handle] = {}
        for agent in self.agents:
            self.network.attach(agent.index, self._receive)

    def start(self) -> None:
        """Begin the first round, or wind every agent's clock."""
        if self.settings.activation == "synchronous":
            self.period = self._rhythm()
            self._round()
        for clock in self.activations.clocks:
            self._wind(clock)

    def signals(self) -> list[Signal]:
        """The present signal of every agent."""
        return [agent.s for agent in self.agents]

    def residual(self) -> float:
        """The agents' own residuals, as a root mean square over link ends."""
        gaps = [gap for agent in self.agents for gap in agent.residual(self.agents)]
        return (sum(gaps) / len(gaps)) ** 0.5 if gaps else float("nan")

    def beginners(self) -> Iterable[int]:
        """All agents that have a neighbour."""
        return self.activations.neighbours

    def under_way_now(self) -> bool:
        """Whether an agent is solving."""
        return bool(self.solving)

    def cut_off(self) -> None:
        """Count solves under way as unfinished, and stop all clocks."""
        self.counts.unfinished += len(self.solving)
        for handle in (*self.solving.values(), *self.clocks.values()):
            handle.cancel()

    def release(self) -> None:
        """Agents hold their problems."""
        self.problems, self.agents = [], []

    def crashed(self, node: int) -> None:
        """Abandon its solve."""
        if node in self.solving:
            self.solving.pop(node).cancel()

    def forgotten(self, node: int) -> None:
        """Replace it by a new agent."""
        self.problems[node].forget()
        if self.silence is not None:
            self.silence.forgotten(node)
        self.balances[node] = 0
        self.agents[node] = self._new(node)

    def _new(self, q: int) -> OneWayAgent:
        agent = self.parent.agent(q, self.problems[q], self.activations.neighbours.get(q, []))
        if not agent.neighbours:
            # It has no neighbour to hear from: its own optimum is all it can reach.
            agent.start_round()
            agent.solve(())
            self.counts.solves += 1
        return agent

    # --- activation --------------------------------------------------------------------------------

    def _round(self) -> None:
        """All agents begin to solve; the next round is one period away."""
        compute = self.settings.compute
        for agent in self.agents:
            if agent.neighbours:
                self._activate(agent, agent.neighbours)

        def rest() -> None:
            # Scheduled only now, the next round comes after messages that arrive at that very moment.
            self._schedule((), self.period - compute, end)

        def end() -> None:
            if self.network.settings.audit:
                self.parent.audit(self.agents)
            self.resolved()
            if self.spent():
                self.finish()
            if not self.finished:
                self._round()

        self._schedule((), compute, rest)

    def _rhythm(self) -> float:
        """Seconds from one round to the next."""
        if self.settings.period is not None:
            return self.settings.period
        agent = self.agents[0]
        message = like(agent.s, np.zeros(self.parent.vectors * len(agent.s)))
        size = (
            ONE_WAY_HEADER
            + WEIGHT_BYTES * agent.sends_weight
            + self.coding.size(message, self.problems[0].width)
        )
        ways = [way for i, j in self.links for way in ((i, j), (j, i))]
        return self.settings.compute + max(self._slow_arrival(*way, size) for way in ways)

    def _slow_arrival(self, source: int, destination: int, size: int) -> float:
        """Seconds in which most messages arrive: the nominal latency plus itself or a greater jitter."""
        nominal = self.network.nominal_latency(source, destination, size)
        return nominal + max(nominal, self.network.spread(source, destination))

    def _wind(self, clock: tuple[int, ...]) -> None:
        """Set an agent's own clock to ring once more."""

        def ring() -> None:
            if self.spent():
                if not self.solving:  # a crash ended the last solve, or transports sent the last bytes
                    self.finish()
                return
            self._wind(clock)
            agent = self.agents[clock[0]]
            if self._saves_a_token(agent.index):
                self._ended()
                return
            gossip = self.settings.activation == "gossip"
            to = [self.activations.neighbour(agent.index)] if gossip else agent.neighbours
            if not self._activate(agent, to):
                self._ended()

        self._schedule(clock, self.activations.wait(clock), ring)

    def _schedule(self, clock: tuple[int, ...], delay: float, ring: Callable[[], None]) -> None:
        self.clocks[clock] = self.clock.schedule(delay, ring)

    def _activate(self, agent: OneWayAgent, to: Sequence[int]) -> bool:
        """Let an agent begin a solve, unless it is busy with its last or has crashed."""
        self.counts.activations += 1
        if not self.network.agent_is_up(agent.index):
            self.counts.down += 1
            return False
        if agent.index in self.solving:
            self.counts.busy += 1
            return False
        self._begin(agent, to)
        return True

    def _begin(self, agent: OneWayAgent, to: Sequence[int]) -> None:
        """Let an agent begin a solve, and send to the neighbours ``to`` when it ends."""
        if self.silence is not None:
            for neighbour, payload, extra in self.silence.unheard(agent.index, agent.neighbours):
                agent.receive(neighbour, payload, extra)
        agent.start_round()
        seconds = self.compute(agent.index)
        self.solving[agent.index] = self.clock.schedule(seconds, partial(self._solved, agent, to))

    def _saves_a_token(self, q: int) -> bool:
        """Whether an agent whose clock ticks saves a token in place of a message."""
        if self.tokens is None:
            return False
        uniform = self.codecs.streams.generator("tokens", q).random()
        if not self.network.agent_is_up(q) or uniform < self.tokens.proactive(self.balances[q]):
            return False
        self.balances[q] += 1
        self.counts.activations += 1
        self.counts.held_back += 1
        return True

    def _spend_tokens(self, q: int) -> None:
        """Let an agent that has heard something pass it on, unless it is busy."""
        if self.tokens is None:
            return
        uniform = self.codecs.streams.generator("tokens", q).random()
        if q in self.solving or self.finished or self.spent():
            return
        count = self.tokens.reactive(self.balances[q], uniform)
        to = list(dict.fromkeys(self.activations.neighbour(q) for _ in range(count)))
        if to:
            self.balances[q] -= len(to)
            self.counts.tokens_spent += len(to)
            self._begin(self.agents[q], to)

    def _ended(self) -> None:
        """One activation by a clock is over."""
        self.resolved()
        if self.spent() and not self.solving:
            self.finish()

    # --- messages ----------------------------------------------------------------------------------

    def _solved(self, agent: OneWayAgent, to: Sequence[int]) -> None:
        q = agent.index
        del self.solving[q]
        agent.solve(to)
        self.counts.solves += 1
        if self.network.trace is not None:
            self.network.trace.record(self.clock.now, "solved", agent=q)
        if self.silence is not None:
            self.silence.solved(q)
        for neighbour in to:
            offer = agent.offer(neighbour)
            if self.silence is not None and self.silence.holds_back(q, neighbour, offer):
                self.counts.held_back += 1
                continue
            where = self.codecs.coordinates(len(offer), q, neighbour, self.problems[q].width)
            payload = self.coding.encode(offer, q, neighbour, where)
            extra = agent.sent(neighbour, payload)
            if self.silence is not None:
                self.silence.sent(q, neighbour, payload)
            payload = self.told(payload, q, neighbour, "news", len(offer))
            size = ONE_WAY_HEADER + WEIGHT_BYTES * agent.sends_weight + payload.size
            self.network.send(q, neighbour, (payload, extra), size, "news")
        if self.settings.activation != "synchronous":
            self._ended()

    def _receive(self, message: Message) -> None:
        source, destination = message.source, message.destination
        if message.kind == "ack":
            self.coding.acknowledged(destination, source, message.payload)
            return
        payload, extra = message.payload
        payload = self.coding.decode(payload, message)
        if self.coding.differences:
            heard = self.coding.heard(source, destination)
            self.network.send(destination, source, heard, ONE_WAY_HEADER + ACKNOWLEDGEMENT.size, "ack")
        if payload is None:
            return
        if self.agents[destination].rejects(source, payload):
            self.rejected(message)
            return
        self.agents[destination].receive(source, payload, extra)
        if self.silence is not None:
            self.silence.received(source, destination, payload, extra)
        self.counts.completed += 1
        self.applied(message)
        self._spend_tokens(destination)
