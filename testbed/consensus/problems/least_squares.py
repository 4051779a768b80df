"""Least squares: each agent has some of the rows."""

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from testbed.consensus.problems.base import ConsensusProblem, ConvexProblemSettings, Quadratic
from testbed.consensus.problems.smooth import SmoothProblem


class LeastSquaresProblem(SmoothProblem):
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
        """Nothing to discard: every solve is independent."""

    def model(self, s: np.ndarray) -> Quadratic:
        """Itself."""
        return Quadratic(lambda v: self.rows.T @ (self.rows @ v), self.linear, float(self.values.mean()))

    @property
    def smoothness(self) -> float:
        """The largest eigenvalue of B^T B."""
        return float(self.values[-1])

    @property
    def strong_convexity(self) -> float:
        """The smallest eigenvalue of B^T B, where rounding does not make it negative."""
        return max(0.0, float(self.values[0]))

    @property
    def terms(self) -> int:
        """r, the number of rows."""
        return len(self.right)

    def gradient(self, s: np.ndarray) -> np.ndarray:
        """B^T (B s - c)."""
        slope: np.ndarray = self.rows.T @ (self.rows @ s - self.right)
        return slope

    def batch_gradient(self, s: np.ndarray, chosen: NDArray[np.intp]) -> np.ndarray:
        """B_b^T (B_b s - c_b) r / b for the b chosen rows."""
        rows = self.rows[chosen]
        slope: np.ndarray = rows.T @ (rows @ s - self.right[chosen]) * (self.terms / len(chosen))
        return slope

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


def least_squares_problem(rows: np.ndarray, right: np.ndarray) -> ConsensusProblem:
    """Agents holding ``rows`` [n, r, m] and ``right`` [n, r] agree on the least-squares solution of all."""
    agents, _, dimension = rows.shape
    stacked, targets = rows.reshape(-1, dimension), right.reshape(-1)
    rank = np.linalg.matrix_rank(stacked)
    if rank < dimension:
        raise ValueError(f"rows: the agents' rows together have rank {rank}, must have {dimension}")
    optimum = np.linalg.lstsq(stacked, targets, rcond=None)[0]
    return ConsensusProblem([LeastSquaresProblem(rows[q], right[q]) for q in range(agents)], optimum)


class LeastSquaresSettings(ConvexProblemSettings):
    """Agents agree on the solution of a noisy linear regression whose rows are divided among them.

    All rows together must be at least as many as `dimension`: with fewer there is not one solution but many.
    """

    smooth: ClassVar[bool] = True

    name: Literal["least_squares"] = "least_squares"
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

    def draw(self, generator: np.random.Generator) -> ConsensusProblem:
        """Rows, true weights, noise."""
        rows = generator.standard_normal((self.agents, self.rows, self.dimension))
        truth = generator.standard_normal(self.dimension)
        noise = self.noise * generator.standard_normal((self.agents, self.rows))
        return least_squares_problem(rows, rows @ truth + noise)

    @property
    def terms(self) -> int:
        """The rows of each agent."""
        return self.rows

    def numbers(self) -> int:
        """The rows, and a copy to find rank and optimum; one basis per agent, and three to find one."""
        return 2 * self.agents * self.rows * self.dimension + (self.agents + 3) * self.dimension**2
