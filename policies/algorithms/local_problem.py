"""One agent's trust-region subproblem in the form that consensus asks for.

With s = J x the linearised log policy ratio at every sample and head, the agent must answer

    argmin over s of  f(s) - pull . s + (penalty / 2) |s|^2 ,
    f(s) = -A . s  within the trust region  x^T H x / 2 <= delta / N .

As E[J^T J] = M H, stationarity reads V = (lambda + penalty) H x with V = J^T (A + pull) / M and
lambda >= 0 the multiplier of the trust region (Li & He 2020, arXiv 2010.07916, Eqs. 17-22).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from policies.linearisation import Linearisation
from policies.natural_gradient import Apply, Solution, dot, identity, solve

Step = Literal["optimal", "boundary"]


@dataclass
class SolveStatistics:
    """What the solves of one agent cost during one policy update."""

    solves: int = 0
    fisher_products: int = 0
    residual_sum: float = 0.0
    binding: int = 0

    @property
    def residual(self) -> float:
        """Mean relative residual |b - H u| / |b| of the solves."""
        return self.residual_sum / max(self.solves, 1)


class PolicyProblem:
    """Agent q's subproblem, linearised once and solved at every activation, each from the last solution.

    ``step`` is ``boundary`` for the paper's Eq. 22, x = sqrt((2 delta/N) / (V^T H^-1 V)) H^-1 V, which
    drops the condition lambda >= 0, or ``optimal`` for the smaller of that and H^-1 V / penalty.
    """

    def __init__(
        self,
        at: Linearisation,
        advantages: Tensor,
        *,
        delta: float,
        step: Step = "optimal",
        precondition: Apply = identity,
        iterations: int = 10,
        tolerance: float = 0.0,
        warm_start: bool = True,
    ) -> None:
        """Pose the problem; ``advantages`` is [M], ``delta`` the KL radius of this agent (delta/N)."""
        self.at, self.delta, self.step = at, delta, step
        self.precondition, self.iterations, self.tolerance = precondition, iterations, tolerance
        self.warm_start = warm_start
        self.advantages = advantages.unsqueeze(-1)
        self.x = torch.zeros_like(at.theta)
        self.previous: Solution | None = None
        self.statistics = SolveStatistics()
        self.binding = False

    @property
    def dimension(self) -> int:
        """m = M * N, the length of the signal."""
        return self.at.samples * self.at.policy.agents

    @property
    def width(self) -> int:
        """N, the numbers that a signal holds for each sample."""
        return self.at.policy.agents

    def forget(self) -> None:
        """Lose the step found so far: an agent that crashed adopts nothing it no longer knows."""
        self.x = torch.zeros_like(self.at.theta)
        self.previous = None
        self.binding = False

    def zeros(self) -> Tensor:
        """The signal at theta_old, [m]: no agent has moved."""
        return torch.zeros(self.dimension, dtype=self.x.dtype)

    def solve(self, pull: Tensor, penalty: float) -> Tensor:
        """The signal s [m] that minimises the subproblem for ``pull`` [m]; keeps x for adoption."""
        weights = self.advantages + pull.view(self.at.samples, self.at.policy.agents)
        v = self.at.vjp(weights) / self.at.samples
        solution = solve(
            self.at,
            v,
            precondition=self.precondition,
            start=self.previous,
            iterations=self.iterations,
            tolerance=self.tolerance,
        )
        if self.warm_start:
            self.previous = solution
        # The trust region is measured by u^T H u itself, not V^T u (the solve is inexact), and without the
        # damping (it conditions the solve; counted in, it would shorten every step by some ten per cent).
        damped = dot(solution.u, solution.product)
        curvature = float(damped - self.at.damping * dot(solution.u, solution.u))
        to_boundary = math.sqrt(2 * self.delta / curvature) if curvature > 0 else 0.0
        # lambda > 0 exactly when the boundary comes before the stationary point of the penalised objective.
        self.binding = to_boundary * penalty < 1
        scale = to_boundary if self.binding or self.step == "boundary" else 1 / penalty
        self.x = scale * solution.u
        tally = self.statistics
        tally.solves += 1
        tally.fisher_products += solution.iterations
        tally.residual_sum += solution.residual
        tally.binding += self.binding
        return (scale * self.at.ratio(solution.tangent)).flatten()
