"""Decentralised gradient descent (DGD): exact for a step that falls to zero, biased for a constant one."""

import numpy as np

from testbed.consensus.one_way.first_order import FirstOrder, FirstOrderAgent
from testbed.consensus.problems.smooth import SmoothProblem


class DGDAgent(FirstOrderAgent):
    """x_i(k) = sum over j of W_ij x_j(k - 1) - alpha / k^p times the gradient of f_i at x_i(k - 1)."""

    def __init__(
        self, index: int, problem: SmoothProblem, weights: dict[int, float], step: float, decay: float = 0.0
    ) -> None:
        """``decay`` is the exponent p."""
        super().__init__(index, problem, weights, step)
        self.decay = decay

    def advance(self) -> None:
        """Mix the last x, and step along the gradient there."""
        step = self.step / self.rounds**self.decay
        self.s = self.mixed(self.s) - step * self.slope()

    def slope(self) -> np.ndarray:
        """The gradient [m] that the step uses."""
        return self.problem.gradient(self.s)


class DGD(FirstOrder):
    """Decentralised gradient descent: Nedic & Ozdaglar 2009; Yuan, Ling & Yin 2016 (arXiv 1310.7063).

    With a constant step it ends at a distance from the optimum in proportion to the step, and with losses at
    the same point. With `step: null` the step is (1 + least eigenvalue of W) / (2 L).
    """

    name = "dgd"
    options = frozenset({"step", "step_decay"})

    def guaranteed_step(self) -> float:
        """Half of 1 + the least eigenvalue of W, below which it converges: Yuan, Ling & Yin 2016."""
        return (1 + self.least_eigenvalue) / 2

    def first_order_agent(
        self, index: int, problem: SmoothProblem, weights: dict[int, float]
    ) -> FirstOrderAgent:
        """A new agent with the weights W_ij of its neighbours j."""
        return DGDAgent(index, problem, weights, self.step, self.settings.step_decay)
