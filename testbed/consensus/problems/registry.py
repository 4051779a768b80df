"""Convex consensus problems with a known optimum: minimise sum_q f_q(s) over a common s."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from testbed.common.settings import Settings
from testbed.consensus.problems.base import ConvexProblem, Quadratic
from testbed.consensus.problems.lasso import LassoProblem
from testbed.consensus.problems.logistic import LogisticProblem
from testbed.network import Streams


class MeanProblem(ConvexProblem):
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
        """Nothing to lose: every solve stands alone."""

    def model(self, s: np.ndarray) -> Quadratic:
        """Itself."""
        return Quadratic(lambda v: v, self.a, 1.0)

    def solve(self, pull: np.ndarray, penalty: float) -> np.ndarray:
        """(a + pull) / (1 + penalty)."""
        solution: np.ndarray = (self.a + pull) / (1 + penalty)
        return solution


class LeastSquaresProblem(ConvexProblem):
    """f(s) = |B s - c|^2 / 2 for the agent's own rows B [r, m] and c [r]; rows may be fewer than m."""

    def __init__(self, rows: np.ndarray, right: np.ndarray) -> None:
        self.rows, self.right = rows, right
        self.values, self.basis = np.linalg.eigh(rows.T @ rows)
        self.linear = rows.T @ right

    @property
    def dimension(self) -> int:
        """m."""
        return len(self.linear)

    def forget(self) -> None:
        """Nothing to lose: every solve stands alone."""

    def model(self, s: np.ndarray) -> Quadratic:
        """Itself."""
        return Quadratic(lambda v: self.rows.T @ (self.rows @ v), self.linear, float(self.values.mean()))

    def solve(self, pull: np.ndarray, penalty: float) -> np.ndarray:
        """(B^T B + penalty I)^-1 (B^T c + pull), in the eigenbasis computed once.

        Without a penalty, directions that the agent's rows do not determine stay at zero.
        """
        rotated = self.basis.T @ (self.linear + pull)
        curvature = self.values + penalty
        determined = curvature > 1e-12 * self.values[-1]
        scaled = np.divide(rotated, curvature, out=np.zeros_like(rotated), where=determined)
        solution: np.ndarray = self.basis @ scaled
        return solution


@dataclass(frozen=True)
class ConsensusProblem:
    """The agents' local problems and the signal [m] that minimises their sum."""

    local: Sequence[ConvexProblem]
    optimum: np.ndarray


def mean_problem(vectors: np.ndarray) -> ConsensusProblem:
    """Agents holding the rows of ``vectors`` [n, m] agree on their mean."""
    return ConsensusProblem([MeanProblem(a) for a in vectors], vectors.mean(axis=0))


def least_squares_problem(rows: np.ndarray, right: np.ndarray) -> ConsensusProblem:
    """Agents holding ``rows`` [n, r, m] and ``right`` [n, r] agree on the least-squares solution of all."""
    agents, _, dimension = rows.shape
    stacked, targets = rows.reshape(-1, dimension), right.reshape(-1)
    rank = np.linalg.matrix_rank(stacked)
    if rank < dimension:
        raise ValueError(f"rows: the agents' rows together have rank {rank}, must have {dimension}")
    optimum = np.linalg.lstsq(stacked, targets, rcond=None)[0]
    return ConsensusProblem([LeastSquaresProblem(rows[q], right[q]) for q in range(agents)], optimum)


def lasso_problem(rows: np.ndarray, right: np.ndarray, l1: float) -> ConsensusProblem:
    """Agents holding ``rows`` [n, r, m] and ``right`` [n, r] agree on the lasso of all, with weight ``l1``.

    Each agent's objective has an equal share of the l1 norm. Unique with as many rows as coordinates in all.
    """
    agents, _, dimension = rows.shape
    everything = LassoProblem(rows.reshape(-1, dimension), right.reshape(-1), l1)
    local = [LassoProblem(rows[q], right[q], l1 / agents) for q in range(agents)]
    return ConsensusProblem(local, everything.solve(everything.zeros(), 0.0))


def logistic_problem(rows: np.ndarray, labels: np.ndarray, ridge: float) -> ConsensusProblem:
    """Agents holding ``rows`` [n, r, m] and labels of +-1 [n, r] agree on the logistic regression of all.

    Each agent's objective has an equal share of the ``ridge``.
    """
    agents, _, dimension = rows.shape
    everything = LogisticProblem(rows.reshape(-1, dimension), labels.reshape(-1), ridge)
    local = [LogisticProblem(rows[q], labels[q], ridge / agents) for q in range(agents)]
    return ConsensusProblem(local, everything.solve(everything.zeros(), 0.0))


Agents = Annotated[int, Field(ge=1, description="as many as nodes of the graph")]
Dimension = Annotated[int, Field(ge=1, description="m, the length of the signal agreed on")]


class MeanSettings(Settings):
    """Agents agree on the mean of vectors drawn from the standard normal distribution."""

    name: Literal["mean"] = "mean"
    agents: Agents = 8
    dimension: Dimension = 10


class LeastSquaresSettings(Settings):
    """Agents agree on the solution of a noisy linear regression whose rows they share out among them.

    All rows together must be at least as many as `dimension`: with fewer there is not one solution but many.
    """

    name: Literal["least_squares"] = "least_squares"
    agents: Agents = 8
    dimension: Dimension = 10
    rows: Annotated[int, Field(ge=1, description="rows per agent")] = 15
    noise: Annotated[float, Field(ge=0, description="standard deviation of the regression noise")] = 0.5

    @model_validator(mode="after")
    def _has_one_solution(self) -> Self:
        if self.agents * self.rows < self.dimension:
            raise ValueError(
                f"rows {self.rows} of {self.agents} agents are {self.agents * self.rows} in all, fewer than"
                f" dimension {self.dimension}: must be at least {-(-self.dimension // self.agents)}"
            )
        return self


class LassoSettings(Settings):
    """Agents agree on a lasso whose rows they share out among them; most of the true weights are zero."""

    name: Literal["lasso"] = "lasso"
    agents: Agents = 8
    dimension: Dimension = 10
    rows: Annotated[int, Field(ge=1, description="rows per agent")] = 15
    noise: Annotated[float, Field(ge=0, description="standard deviation of the regression noise")] = 0.5
    nonzero: Annotated[float, Field(gt=0, le=1, description="share of the true weights not zero")] = 0.3
    l1: Annotated[float, Field(gt=0, description="weight of the l1 norm, as a share of what leaves zero")] = (
        0.1
    )


class LogisticSettings(Settings):
    """Agents agree on a logistic regression whose samples they share out among them."""

    name: Literal["logistic"] = "logistic"
    agents: Agents = 8
    dimension: Dimension = 10
    rows: Annotated[int, Field(ge=1, description="samples per agent")] = 15
    ridge: Annotated[float, Field(gt=0, description="weight of half the squared norm")] = 1.0


ProblemSettings = Annotated[
    MeanSettings | LeastSquaresSettings | LassoSettings | LogisticSettings, Field(discriminator="name")
]


def make_problem(
    settings: MeanSettings | LeastSquaresSettings | LassoSettings | LogisticSettings, streams: Streams
) -> ConsensusProblem:
    """Draw the problem's data from its own named stream."""
    generator = streams.generator("problem", settings.name)
    shape = (settings.agents, settings.dimension)
    if isinstance(settings, MeanSettings):
        return mean_problem(generator.standard_normal(shape))
    rows = generator.standard_normal((settings.agents, settings.rows, settings.dimension))
    truth = generator.standard_normal(settings.dimension)
    if isinstance(settings, LogisticSettings):
        chances = 1 / (1 + np.exp(-rows @ truth))
        labels = np.where(generator.random(chances.shape) < chances, 1.0, -1.0)
        return logistic_problem(rows, labels, settings.ridge)
    noise = settings.noise * generator.standard_normal((settings.agents, settings.rows))
    if isinstance(settings, LeastSquaresSettings):
        return least_squares_problem(rows, rows @ truth + noise)
    truth[max(1, round(settings.nonzero * settings.dimension)) :] = 0.0
    right = rows @ truth + noise
    # From this weight on the lasso of all rows is zero.
    largest = float(np.abs(np.einsum("qrm,qr->m", rows, right)).max())
    return lasso_problem(rows, right, settings.l1 * largest)
