"""Gradient tracking (DIGing): each agent also tracks the mean of all agents' gradients."""

from collections.abc import Sequence

import numpy as np

from testbed.consensus.one_way.base import OneWayAgent
from testbed.consensus.one_way.first_order import FirstOrder, FirstOrderAgent
from testbed.consensus.problems.smooth import SmoothProblem

DRIFT = 1e-9
"""Most by which rounding may move the sum of the trackers, as a share of their largest entry so far."""


class TrackingAgent(FirstOrderAgent):
    """x(k + 1) = W x(k) - a y(k); y(k + 1) = W y(k) + g(k + 1) - g(k), with y(0) = g(0).

    Here g(k) are the agents' gradients at x(k), and a is the step. The trackers' sum over agents is that of
    the gradients. In its first round an agent sends x(0) and y(0).
    """

    def __init__(self, index: int, problem: SmoothProblem, weights: dict[int, float], step: float) -> None:
        super().__init__(index, problem, weights, step)
        self.slope = problem.zeros()
        """The gradient [m] at s_i."""
        self.tracker = problem.zeros()
        """y_i [m]."""
        self.largest = 0.0
        """The largest entry of y_i so far, by magnitude."""
        self.in_step = True
        """Whether the agents' messages have always arrived in their rounds, unchanged."""

    def advance(self) -> None:
        """The next x and y; at first the y of the gradient alone."""
        if self.rounds == 1:
            self.slope = self.tracker = self.problem.gradient(self.s)
        else:
            s, tracker = np.split(self.mixed(self._both()), 2)
            self.s = s - self.step * self.tracker
            before, self.slope = self.slope, self.problem.gradient(self.s)
            self.tracker = tracker + self.slope - before
        self.largest = max(self.largest, float(np.abs(self.tracker).max()))

    def offer(self, neighbour: int) -> np.ndarray:
        """x_i and y_i, [2 m]."""
        return self._both()

    def _both(self) -> np.ndarray:
        return np.concatenate([self.s, self.tracker])


class GradientTracking(FirstOrder):
    """Gradient tracking, DIGing: Nedic, Olshevsky & Shi 2017 (arXiv 1607.03218).

    Exact for a constant step, and linear on strongly convex problems. Messages carry two vectors. A lost
    message moves the sum of the trackers for good, and biases the result; roundings of a coarse codec then
    add up without bound. With `step: null` the step is (1 + least eigenvalue of W)^2 / (4 L), half of the
    largest for agents with the same quadratic; agents that differ much on a badly connected graph can need a
    smaller one.
    """

    name = "gradient_tracking"
    vectors = 2

    def guaranteed_step(self) -> float:
        """(1 + w)^2 / 4 with the least eigenvalue w of W.

        For agents with the Hessian h I, x and y converge if the roots of l^2 - (2 w - a h) l + w^2 - a h are
        within the unit circle for each eigenvalue w of W: if a h < (1 + w)^2 / 2. The published guarantee is
        smaller by orders of magnitude, and needs the number of agents and mu.
        """
        return (1 + self.least_eigenvalue) ** 2 / 4

    def first_order_agent(
        self, index: int, problem: SmoothProblem, weights: dict[int, float]
    ) -> FirstOrderAgent:
        """A new agent with the weights W_ij of its neighbours j."""
        return TrackingAgent(index, problem, weights, self.step)

    def audit(self, agents: Sequence[OneWayAgent]) -> None:
        """The trackers' sum is the gradients' while all messages have arrived in their rounds, unchanged.

        Codecs keep it. Raises AssertionError if it is another.
        """
        linked = [agent for agent in agents if isinstance(agent, TrackingAgent) and agent.neighbours]
        together = len({agent.rounds for agent in linked}) == 1
        if together and all(agent.in_step for agent in linked):
            apart = np.abs(sum(agent.tracker - agent.slope for agent in linked)).max()
            most = DRIFT * len(linked) * max(agent.largest for agent in linked)
            if not apart <= most:
                raise AssertionError(
                    f"at {self.network.clock.now} s: the sums of trackers and gradients differ by {apart:g}"
                )
        if not (together and all(_heard_all(agent, agents) for agent in linked)):
            for agent in linked:
                agent.in_step = False


def _heard_all(agent: TrackingAgent, agents: Sequence[OneWayAgent]) -> bool:
    """Whether the agent has heard from each neighbour the last message to it, unchanged and finite."""
    for j in agent.neighbours:
        other, heard = agents[j], agent.heard.get(j)
        if not isinstance(other, TrackingAgent) or heard is None or agent.index not in other.given:
            return False
        if not (np.isfinite(heard).all() and np.array_equal(heard, other.given[agent.index])):
            return False
    return True
