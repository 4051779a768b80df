"""NIDS: a gradient method whose step does not depend on the network."""

import numpy as np

from testbed.consensus.one_way.first_order import FirstOrder, FirstOrderAgent
from testbed.consensus.problems.smooth import SmoothProblem


class NidsAgent(FirstOrderAgent):
    """x(1) = x(0) - a g(0); x(k + 1) = (I + W) / 2 [2 x(k) - x(k - 1) - a (g(k) - g(k - 1))].

    Here g(k) are the agents' gradients at x(k), and a is the step. Agents send the vectors in brackets.
    """

    def __init__(self, index: int, problem: SmoothProblem, weights: dict[int, float], step: float) -> None:
        super().__init__(index, problem, weights, step)
        self._slope = self._bracket = problem.zeros()

    def advance(self) -> None:
        """The next x, and the bracket that it gives."""
        before = self.s
        if self.rounds == 1:
            self._slope = self.problem.gradient(before)
            self.s = before - self.step * self._slope
        else:
            self.s = (self._bracket + self.mixed(self._bracket)) / 2
        slope = self.problem.gradient(self.s)
        self._bracket = 2 * self.s - before - self.step * (slope - self._slope)
        self._slope = slope

    def offer(self, neighbour: int) -> np.ndarray:
        """The vector in brackets, [m]."""
        return self._bracket


class Nids(FirstOrder):
    """NIDS: Li, Shi & Yan 2019 (arXiv 1704.07807), with the same step for all agents and no second objective.

    Exact for every constant step below 2 / L, whatever the network, and linear on strongly convex problems.
    Lost messages bias the result. With `step: null` the step is 1 / L.
    """

    name = "nids"

    def guaranteed_step(self) -> float:
        """Half of 2: Li, Shi & Yan 2019."""
        return 1.0

    def first_order_agent(
        self, index: int, problem: SmoothProblem, weights: dict[int, float]
    ) -> FirstOrderAgent:
        """A new agent with the weights W_ij of its neighbours j."""
        return NidsAgent(index, problem, weights, self.step)
