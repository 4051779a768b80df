"""First-order methods: in synchronous rounds each agent takes one gradient and one step.

All of them mix the neighbours' messages with the Metropolis weights W, as averaging does. Every agent keeps
the last message received from each neighbour, and uses it again while no newer one arrives; a neighbour never
heard so far counts as if it agreed. With losses DGD thus ends where it ends without, only later. EXTRA,
gradient tracking and NIDS are exact because corrections of all agents add up to zero: after the first loss
they no longer do, and the result is biased.

With a codec an agent mixes what its neighbours read of its own message, too: x_i + sum over j of
W_ij (read from j - read by j). On a network that loses nothing the sum over all agents is thus kept.
"""

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

import topologies
from testbed.common.settings import SettingError
from testbed.consensus.consensus_run import ConsensusRun, Measure, Progress
from testbed.consensus.measures import unwarned
from testbed.consensus.one_way.base import OneWay, OneWayAgent
from testbed.consensus.payloads import Payload
from testbed.consensus.problems.base import LocalProblem
from testbed.consensus.problems.smooth import SmoothProblem


class FirstOrderAgent(OneWayAgent):
    """One agent: its signal s_i [m], the last messages of its neighbours, and its own to each of them.

    Arrays are replaced, never written into, so that they may travel as payloads.
    """

    def __init__(self, index: int, problem: SmoothProblem, weights: dict[int, float], step: float) -> None:
        """``weights`` has W_ij for each neighbour j; ``step`` is alpha."""
        super().__init__(index, list(weights))
        self.problem, self.weights, self.step = problem, weights, step
        self.s = problem.zeros()
        self.rounds = 0
        """Rounds that the agent has taken part in, the present one included."""
        self.given: dict[int, np.ndarray] = {}
        """The last message to each neighbour as it reads it."""
        self.heard: dict[int, np.ndarray] = {}
        """The last message received from each neighbour."""
        self._inputs = self.heard

    @abstractmethod
    def advance(self) -> None:
        """Take the step of the present round, from the messages heard before it."""

    def start_round(self) -> None:
        """Keep the messages that the step uses."""
        self._inputs = dict(self.heard)

    @unwarned
    def solve(self, to: Sequence[int]) -> None:
        """Take a step; an agent without neighbours takes its own optimum, the only one it can know."""
        self.rounds += 1
        if self.neighbours:
            self.advance()
        else:
            self.s = self.problem.solve(self.problem.zeros(), 0.0)

    def offer(self, neighbour: int) -> np.ndarray:
        """s_i."""
        offer: np.ndarray = self.s
        return offer

    def sent(self, neighbour: int, payload: Payload) -> float:
        """Keep the message as the neighbour reads it."""
        self.given[neighbour] = payload.values
        return 0.0

    def receive(self, neighbour: int, payload: Payload, extra: float) -> None:
        """Keep the message."""
        self.heard[neighbour] = payload.values

    def mixed(self, own: np.ndarray) -> np.ndarray:
        """Row i of W times the agents' messages, where this agent's last message was ``own`` [k]."""
        total = own
        for j, weight in self.weights.items():
            if j in self._inputs and j in self.given:
                total = total + weight * (self._inputs[j] - self.given[j])
        return total


class FirstOrder(OneWay):
    """A first-order method on smooth convex problems."""

    allowed_activations = ("synchronous",)
    needs_gradients = True
    codec_memories = frozenset({"error_feedback", "difference"})
    options = frozenset({"step"})

    step: float
    """alpha in the present agreement."""

    @classmethod
    def check(cls, settings: Any) -> None:
        """Check as for all algorithms; every message must cover all numbers."""
        super().check(settings)
        if settings.subset < 1:
            reason = (
                f"subset {settings.subset} with {cls.name}: must be 1, because its messages are whole vectors"
            )
            raise SettingError(("subset",), reason)

    @classmethod
    def signals(cls, links: int, agents: int) -> int:
        """The last message each way at both ends of a link and one under way; four vectors of an agent."""
        return cls.vectors * (6 * links + 4 * agents)

    def consensus_run(
        self, problems: Sequence[LocalProblem], measure: Measure | None, progress: Progress | None
    ) -> ConsensusRun:
        """A new agreement, ready to run. Raises ValueError if a problem has no gradient."""
        largest = max(self._smooth(problem).smoothness for problem in problems)
        step = self.settings.step
        if step is None and not largest > 0:
            raise ValueError("step: null, but all gradients are constant: set a step")
        self.step = self.guaranteed_step() / largest if step is None else step
        return super().consensus_run(problems, measure, progress)

    def agent(self, index: int, problem: LocalProblem, neighbours: Sequence[int]) -> OneWayAgent:
        """A new agent at the beginning of an agreement. Raises ValueError if its problem has no gradient."""
        return self.first_order_agent(index, self._smooth(problem), self.weights(neighbours))

    @abstractmethod
    def first_order_agent(
        self, index: int, problem: SmoothProblem, weights: dict[int, float]
    ) -> FirstOrderAgent:
        """A new agent with the weights W_ij of its neighbours j."""

    @abstractmethod
    def guaranteed_step(self) -> float:
        """The step times L, the largest Lipschitz constant of the agents' gradients, if no step is set."""

    @cached_property
    def least_eigenvalue(self) -> float:
        """The smallest eigenvalue of the Metropolis weights W; 1 if there are no links."""
        if not self.links:
            return 1.0
        return float(np.linalg.eigvalsh(topologies.spectrum.metropolis_weights(self.network.graph))[0])

    def _smooth(self, problem: LocalProblem) -> SmoothProblem:
        if not isinstance(problem, SmoothProblem):
            raise ValueError(
                f"algorithm {self.settings.algorithm!r} applies to smooth convex problems,"
                f" which {type(problem).__name__} is not"
            )
        return problem
