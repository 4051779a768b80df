"""EXTRA: DGD with a correction that makes it exact for a constant step."""

import numpy as np

from testbed.consensus.one_way.first_order import FirstOrder, FirstOrderAgent
from testbed.consensus.problems.smooth import SmoothProblem


class ExtraAgent(FirstOrderAgent):
    """x(1) = W x(0) - a g(0); x(k + 1) = (I + W) x(k) - (I + W) / 2 x(k - 1) - a (g(k) - g(k - 1)).

    Here g(k) are the agents' gradients at x(k), and a is the step.
    """

    def __init__(self, index: int, problem: SmoothProblem, weights: dict[int, float], step: float) -> None:
        super().__init__(index, problem, weights, step)
        self._half_mixed = self._slope = problem.zeros()

    def advance(self) -> None:
        """The next x, from the last two."""
        mixed, slope = self.mixed(self.s), self.problem.gradient(self.s)
        before, self.s = self.s, self._next(mixed, slope)
        self._half_mixed, self._slope = (before + mixed) / 2, slope

    def _next(self, mixed: np.ndarray, slope: np.ndarray) -> np.ndarray:
        if self.rounds == 1:
            return mixed - self.step * slope
        following: np.ndarray = self.s + mixed - self._half_mixed - self.step * (slope - self._slope)
        return following


class Extra(FirstOrder):
    """EXTRA: Shi, Ling, Wu & Yin 2015 (arXiv 1404.6264), with (I + W) / 2 as its second matrix.

    Exact for a constant step, and linear on strongly convex problems. Lost messages bias the result. With
    `step: null` the step is (1 + least eigenvalue of W) / (2 L), half of the largest for which it converges.
    """

    name = "extra"

    def guaranteed_step(self) -> float:
        """Half of 2 times the least eigenvalue of (I + W) / 2: Shi, Ling, Wu & Yin 2015."""
        return (1 + self.least_eigenvalue) / 2

    def first_order_agent(
        self, index: int, problem: SmoothProblem, weights: dict[int, float]
    ) -> FirstOrderAgent:
        """A new agent with the weights W_ij of its neighbours j."""
        return ExtraAgent(index, problem, weights, self.step)
