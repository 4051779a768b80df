"""Lasso: least squares with some of the rows at each agent, and a share of the l1 norm."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from testbed.consensus.problems.base import (
    ConsensusProblem,
    ConvexProblem,
    ConvexProblemSettings,
    Quadratic,
)

_SWEEPS = 10_000
"""A safeguard against data that are not finite; coordinate descent converges long before."""


class LassoProblem(ConvexProblem):
    """f(s) = |B s - c|^2 / 2 + l1 |s|_1 for the agent's own rows B [r, m] and c [r]."""

    def __init__(self, rows: np.ndarray, right: np.ndarray, l1: float) -> None:
        self.gram, self.linear, self.l1 = rows.T @ rows, rows.T @ right, l1
        self.previous = self.zeros()

    @property
    def dimension(self) -> int:
        """m."""
        return len(self.linear)

    def forget(self) -> None:
        """The next solve starts from zero, as the first one did."""
        self.previous = self.zeros()

    def model(self, s: np.ndarray) -> Quadratic:
        """|B s - c|^2 / 2, at any point."""
        return Quadratic(lambda v: self.gram @ v, self.linear, float(self.gram.diagonal().mean()))

    def solve(self, pull: np.ndarray, penalty: float) -> np.ndarray:
        """The minimiser, to rounding.

        Uses the last solution's signs or, where these no longer fit, those that coordinate descent finds
        (Friedman, Hastie & Tibshirani 2010, "Regularization paths for generalized linear models via
        coordinate descent"): with the signs known it is the solution of one linear system.

        Raises:
            ArithmeticError: the data are not finite numbers.
        """
        gram = self.gram + penalty * np.eye(self.dimension)
        right = self.linear + pull
        s = self.previous
        for _ in range(_SWEEPS):
            solution = self._with_signs_of(s, gram, right)
            if solution is None:
                before, s = s, self._sweep(s, gram, right)
                if np.abs(s - before).max() <= 1e-15 * (1 + np.abs(s).max()):
                    # A coordinate so close to leaving zero that rounding decides its sign.
                    solution = s
            if solution is not None:
                self.previous = solution
                return solution.copy()
        raise ArithmeticError(f"lasso: no solution after {_SWEEPS} sweeps; are the data finite?")

    def _with_signs_of(self, s: np.ndarray, gram: np.ndarray, right: np.ndarray) -> np.ndarray | None:
        """The minimiser if its signs are those of ``s``, by its optimality conditions; otherwise None."""
        signs, active = np.sign(s), s != 0
        solution = np.zeros_like(s)
        if active.any():
            block = gram[np.ix_(active, active)]
            solution[active] = np.linalg.lstsq(block, (right - self.l1 * signs)[active], rcond=None)[0]
        slope = np.abs(right - gram @ solution)[~active]
        fits = np.array_equal(np.sign(solution), signs) and (slope <= self.l1 * (1 + 1e-12) + 1e-14).all()
        return solution if fits else None

    def _sweep(self, s: np.ndarray, gram: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Minimise over one coordinate after another; returns a new signal."""
        s = s.copy()
        for k in np.flatnonzero(gram.diagonal()):
            slope = right[k] - gram[k] @ s + gram[k, k] * s[k]
            s[k] = np.sign(slope) * max(abs(slope) - self.l1, 0.0) / gram[k, k]
        return s


def lasso_problem(rows: np.ndarray, right: np.ndarray, l1: float) -> ConsensusProblem:
    """Agents holding ``rows`` [n, r, m] and ``right`` [n, r] agree on the lasso of all, with weight ``l1``.

    Each agent's objective has an equal share of the l1 norm. Unique with as many rows as coordinates in all.
    """
    agents, _, dimension = rows.shape
    everything = LassoProblem(rows.reshape(-1, dimension), right.reshape(-1), l1)
    local = [LassoProblem(rows[q], right[q], l1 / agents) for q in range(agents)]
    return ConsensusProblem(local, everything.solve(everything.zeros(), 0.0))


class LassoSettings(ConvexProblemSettings):
    """Agents agree on a lasso whose rows are divided among them; most of the true weights are zero."""

    name: Literal["lasso"] = "lasso"
    rows: Annotated[int, Field(ge=1, description="rows per agent")] = 15
    noise: Annotated[float, Field(ge=0, description="standard deviation of the regression noise")] = 0.5
    nonzero: Annotated[float, Field(gt=0, le=1, description="share of the true weights not zero")] = 0.3
    l1: Annotated[float, Field(gt=0, description="l1 weight, as a share of the least that gives zero")] = 0.1

    def draw(self, generator: np.random.Generator) -> ConsensusProblem:
        """Rows, true weights, noise."""
        rows = generator.standard_normal((self.agents, self.rows, self.dimension))
        truth = generator.standard_normal(self.dimension)
        noise = self.noise * generator.standard_normal((self.agents, self.rows))
        truth[max(1, round(self.nonzero * self.dimension)) :] = 0.0
        right = rows @ truth + noise
        # From this weight on the lasso of all rows is zero.
        largest = float(np.abs(np.einsum("qrm,qr->m", rows, right)).max())
        return lasso_problem(rows, right, self.l1 * largest)

    def numbers(self) -> int:
        """The rows, and a copy; one matrix per agent, and five to find the optimum."""
        return 2 * self.agents * self.rows * self.dimension + (self.agents + 5) * self.dimension**2
