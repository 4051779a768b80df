"""The mean of the agents' vectors."""

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from testbed.consensus.problems.base import ConsensusProblem, ConvexProblemSettings, Quadratic
from testbed.consensus.problems.smooth import SmoothProblem


class MeanProblem(SmoothProblem):
    """f(s) = |s - a|^2 / 2: agreement is the mean of the agents' vectors a [m]."""

    def __init__(self, a: np.ndarray) -> None:
        self.a = a

    @property
    def dimension(self) -> int:
        """m."""
        return len(self.a)

    def zeros(self) -> np.ndarray:
        """The signal [m] before any solve."""
        return np.zeros_like(self.a)

    def forget(self) -> None:
        """Nothing to discard: every solve is independent."""

    def model(self, s: np.ndarray) -> Quadratic:
        """Itself."""
        return Quadratic(lambda v: v, self.a, 1.0)

    @property
    def smoothness(self) -> float:
        """1."""
        return 1.0

    @property
    def strong_convexity(self) -> float:
        """1."""
        return 1.0

    @property
    def terms(self) -> int:
        """1: the agent has one vector."""
        return 1

    def gradient(self, s: np.ndarray) -> np.ndarray:
        """s - a."""
        slope: np.ndarray = s - self.a
        return slope

    def batch_gradient(self, s: np.ndarray, chosen: NDArray[np.intp]) -> np.ndarray:
        """The gradient: there is one term."""
        return self.gradient(s)

    def solve(self, pull: np.ndarray, penalty: float) -> np.ndarray:
        """(a + pull) / (1 + penalty)."""
        solution: np.ndarray = (self.a + pull) / (1 + penalty)
        return solution


def mean_problem(vectors: np.ndarray) -> ConsensusProblem:
    """Agents holding the rows of ``vectors`` [n, m] agree on their mean."""
    return ConsensusProblem([MeanProblem(a) for a in vectors], vectors.mean(axis=0))


class MeanSettings(ConvexProblemSettings):
    """Agents agree on the mean of vectors drawn from the standard normal distribution."""

    smooth: ClassVar[bool] = True

    name: Literal["mean"] = "mean"

    def draw(self, generator: np.random.Generator) -> ConsensusProblem:
        """A vector for each agent."""
        return mean_problem(generator.standard_normal((self.agents, self.dimension)))

    def numbers(self) -> int:
        """The vectors."""
        return self.agents * self.dimension
