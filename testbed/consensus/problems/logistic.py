"""Logistic regression: each agent has some of the samples, and a share of the ridge."""

from functools import cached_property
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from testbed.consensus.problems.base import ConsensusProblem, ConvexProblemSettings, Quadratic
from testbed.consensus.problems.smooth import SmoothProblem

_STEPS = 200
"""A safeguard against data that are not finite; Newton's method needs about ten."""


class LogisticProblem(SmoothProblem):
    """f(s) = sum_k log(1 + exp(-t_k b_k . s)) + ridge |s|^2 / 2 for rows b [r, m] and labels t [r] of +-1."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray, ridge: float) -> None:
        self.signed, self.ridge = rows * labels[:, None], ridge
        self.previous = self.zeros()

    @property
    def dimension(self) -> int:
        """m."""
        return int(self.signed.shape[1])

    def forget(self) -> None:
        """The next solve starts from zero, as the first one did."""
        self.previous = self.zeros()

    def model(self, s: np.ndarray) -> Quadratic:
        """With H = ridge I + sum_k p_k (1 - p_k) b_k b_k^T for the probability p_k that label k is wrong."""
        wrong = np.exp(-np.logaddexp(0.0, self.signed @ s))
        weights = wrong * (1 - wrong)

        def product(v: np.ndarray) -> np.ndarray:
            curved: np.ndarray = self.ridge * v + self.signed.T @ (weights * (self.signed @ v))
            return curved

        slope = self.ridge * s - self.signed.T @ wrong
        size = self.ridge + float(weights @ (self.signed**2).sum(axis=1)) / self.dimension
        return Quadratic(product, product(s) - slope, size)

    @cached_property
    def smoothness(self) -> float:
        """The ridge, and a quarter of the largest eigenvalue of sum_k b_k b_k^T: p (1 - p) is at most 1/4."""
        return self.ridge + float(np.linalg.norm(self.signed, 2)) ** 2 / 4

    @property
    def strong_convexity(self) -> float:
        """The ridge."""
        return self.ridge

    @property
    def terms(self) -> int:
        """r, the number of samples, each with an equal share of the ridge."""
        return len(self.signed)

    def gradient(self, s: np.ndarray) -> np.ndarray:
        """Ridge s - sum_k p_k t_k b_k for the probability p_k that label k is wrong."""
        return self.batch_gradient(s, np.arange(self.terms))

    def batch_gradient(self, s: np.ndarray, chosen: NDArray[np.intp]) -> np.ndarray:
        """Ridge s - sum_k p_k t_k b_k r / b over the b chosen samples."""
        signed = self.signed[chosen]
        wrong = np.exp(-np.logaddexp(0.0, signed @ s))
        slope: np.ndarray = self.ridge * s - signed.T @ wrong * (self.terms / len(chosen))
        return slope

    def solve(self, pull: np.ndarray, penalty: float) -> np.ndarray:
        """The minimiser, to rounding: Newton's method from the last solution, steps halved until they help.

        Raises:
            ArithmeticError: without ridge and penalty the agent's samples may have no minimiser.
        """
        curvature, s = self.ridge + penalty, self.previous

        def value(s: np.ndarray) -> float:
            cost = np.logaddexp(0.0, -self.signed @ s).sum()
            return float(cost + curvature * (s @ s) / 2 - pull @ s)

        at = value(s)
        for _ in range(_STEPS):
            wrong = np.exp(-np.logaddexp(0.0, self.signed @ s))  # 1 / (1 + exp(t b . s))
            slope = curvature * s - pull - self.signed.T @ wrong
            weighted = self.signed * (wrong * (1 - wrong))[:, None]
            hessian = self.signed.T @ weighted + curvature * np.eye(self.dimension)
            try:
                step = np.linalg.solve(hessian, slope)
            except np.linalg.LinAlgError:
                break  # flat in some direction
            gain = float(slope @ step)  # twice the gain predicted by the quadratic model
            if gain <= 1e-24 * (1 + abs(at)):
                self.previous = s - step
                return self.previous.copy()
            # Near the minimum the value changes by less than its own rounding: a full step is right there.
            length, slack = 1.0, 1e-12 * (1 + abs(at))
            while (new := value(s - length * step)) > at + slack and length > 1e-9:
                length /= 2
            s, at = s - length * step, new
        raise ArithmeticError("logistic: no minimiser found; is there a ridge, and are the data finite?")


def logistic_problem(rows: np.ndarray, labels: np.ndarray, ridge: float) -> ConsensusProblem:
    """Agents holding ``rows`` [n, r, m] and labels of +-1 [n, r] agree on the logistic regression of all.

    Each agent's objective has an equal share of the ``ridge``.
    """
    agents, _, dimension = rows.shape
    everything = LogisticProblem(rows.reshape(-1, dimension), labels.reshape(-1), ridge)
    local = [LogisticProblem(rows[q], labels[q], ridge / agents) for q in range(agents)]
    return ConsensusProblem(local, everything.solve(everything.zeros(), 0.0))


class LogisticSettings(ConvexProblemSettings):
    """Agents agree on a logistic regression whose samples are divided among them."""

    smooth: ClassVar[bool] = True

    name: Literal["logistic"] = "logistic"
    rows: Annotated[int, Field(ge=1, description="samples per agent")] = 15
    ridge: Annotated[float, Field(gt=0, description="weight of half the squared norm")] = 1.0

    def draw(self, generator: np.random.Generator) -> ConsensusProblem:
        """Samples, true weights, labels."""
        rows = generator.standard_normal((self.agents, self.rows, self.dimension))
        truth = generator.standard_normal(self.dimension)
        chances = 1 / (1 + np.exp(-rows @ truth))
        labels = np.where(generator.random(chances.shape) < chances, 1.0, -1.0)
        return logistic_problem(rows, labels, self.ridge)

    @property
    def terms(self) -> int:
        """The samples of each agent."""
        return self.rows

    def numbers(self) -> int:
        """The rows, those of all and of each agent with their labels' signs, and all of them weighted."""
        return 5 * self.agents * self.rows * self.dimension + 4 * self.dimension**2
