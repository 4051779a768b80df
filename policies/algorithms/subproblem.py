"""One agent's trust-region subproblem in the form that consensus requires.

With s = J x the linearised log policy ratio at every sample and head, the agent must find

    argmin over s of  f(s) - pull . s + (penalty / 2) |s|^2 ,
    f(s) = -(A + B) . s  within the trust region  x^T H x / 2 <= delta / N ,

where B is 0, or what adds the entropy of the agent's own actions (see ``Models.entropy_bonus``). As
E[J^T J] = M H, stationarity reads V = (lambda + penalty) H x with V = J^T (A + B + pull) / M and
lambda >= 0 the multiplier of the trust region (Li & He 2020, arXiv 2010.07916, Eqs. 17-22).

If agents can act in only some samples, H and J are weighted so that head n's KL is its mean over the M_n
samples at which agent n acts (see ``Linearisation``). The objective is not: it remains the mean of A times
the log ratio of all actions that were chosen, each as often as it was chosen, over the samples at which any
agent acts. An agent that seldom acts can gain little, however far it moves, and few samples say little about
it. The death of another agent changes nothing for head n, not even in the dead agent's own model: its reward
continues, and the signals of the living are still compared with its own. Actions that the dead do not choose
appear in no model: the signal is 0 there for all, so that neighbours agree on it without a message.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from policies.algorithms.line_search import line_search
from policies.natural_gradient.conjugate_gradients import ConjugateGradients, Solution, dot
from policies.natural_gradient.linearisation import Linearisation
from policies.natural_gradient.solver import Audit

Step = Literal["optimal", "boundary", "line_search"]

Curvature = Literal["fisher", "solve"]
"""Curvature along u = H^-1 V: u^T H u, without damping and however inexact u is, or V^T u."""

KL_SLACK = 1.5
"""Largest true mean KL of a step, as a multiple of delta/N."""


@dataclass
class SolveStatistics:
    """Cost and accuracy of one agent's solves during one policy update."""

    solves: int = 0
    fisher_products: int = 0
    capped: int = 0
    """Solves that reached the most Fisher products before the tolerance."""
    residual_sum: float = 0.0
    residual_max: float = 0.0
    error_sum: float = 0.0
    """Sum of |u - u*| / |u*|, where solves are audited."""
    halvings: int = 0
    """Halvings of steps by line searches."""
    searches_failed: int = 0
    """Line searches that found no step."""

    def add(self, solution: Solution) -> None:
        """Count one solve."""
        self.solves += 1
        self.fisher_products += solution.iterations
        self.capped += not solution.converged
        self.residual_sum += solution.residual
        self.residual_max = max(self.residual_max, solution.residual)


def totals(tallies: Sequence[SolveStatistics], *, audited: bool, searched: bool) -> dict[str, float]:
    """Totals over all agents' solves and line searches, under the names of the tables."""
    solves = sum(each.solves for each in tallies)
    row = {
        "solves": float(solves),
        "fisher_products": float(sum(each.fisher_products for each in tallies)),
        "solves_capped": float(sum(each.capped for each in tallies)),
        "solve_residual": sum(each.residual_sum for each in tallies) / max(solves, 1),
        "solve_residual_max": max(each.residual_max for each in tallies),
    }
    if audited:
        row["solve_error"] = sum(each.error_sum for each in tallies) / max(solves, 1)
    if searched:
        row["search_halvings"] = float(sum(each.halvings for each in tallies))
        row["searches_failed"] = float(sum(each.searches_failed for each in tallies))
    return row


class PolicyProblem:
    """Agent q's subproblem, linearised once and solved at every activation, each from the last solution.

    ``step`` is ``boundary`` for the paper's Eq. 22, x = sqrt((2 delta/N) / (V^T H^-1 V)) H^-1 V, which
    drops the condition lambda >= 0, ``optimal`` for the smaller of that and H^-1 V / penalty, or
    ``line_search`` for the public code's: Eq. 22's step, halved until the batch allows it, with the true log
    ratio there as the signal instead of J x (``policies.algorithms.line_search``).
    """

    def __init__(
        self,
        at: Linearisation,
        advantages: Tensor,
        *,
        bonus: Tensor | None = None,
        delta: float,
        step: Step = "optimal",
        curvature: Curvature = "fisher",
        solver: ConjugateGradients | None = None,
        warm_start: bool = True,
        audit: Audit | None = None,
    ) -> None:
        """Pose the problem; ``advantages`` is [M], ``delta`` the KL radius of this agent (delta/N).

        ``bonus`` B [M, N] is added to the advantages, head by head. ``curvature`` chooses the estimate of
        V^T H^-1 V in the length of a step to the boundary. ``solver`` inverts H at ``at``, or at a part of
        its samples, (plain conjugate gradients by default) and discards its directions before each solve
        unless ``warm_start``; ``audit`` measures the error of every solve.
        """
        self.at, self.delta, self.step, self.curvature = at, delta, step, curvature
        self.solver = solver or ConjugateGradients(at)
        self.warm_start, self.audit = warm_start, audit
        self.advantages = advantages.unsqueeze(-1)
        self.weighted = self.advantages if at.root is None else self.advantages * unweighted(at.root)
        self.bonus = bonus if bonus is None or at.root is None else bonus * unweighted(at.root)
        if self.bonus is not None:
            self.weighted = self.weighted + self.bonus
        self.x = torch.zeros_like(at.theta)
        self.scale = 0.0
        self.share, self.elsewhere = 1.0, 0.0
        """Share of the batch's samples in ``at``; the contribution of signals elsewhere to x^T H x."""
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
        """Discard the step found so far: a crashed agent must not adopt a step that it has lost."""
        self.x = torch.zeros_like(self.at.theta)
        self.solver.forget()
        self.binding = False

    def zeros(self) -> Tensor:
        """The signal at theta_old, [m]: no agent has moved."""
        return torch.zeros(self.dimension, dtype=self.x.dtype, device=self.x.device)

    def solve(self, pull: Tensor, penalty: float) -> Tensor:
        """The signal s [m] that minimises the subproblem for ``pull`` [m]; keeps x for adoption."""
        pull = pull.view(self.at.samples, self.at.policy.agents)
        weights = self.weighted + pull
        v = self.at.vjp(weights) / self.at.samples
        if not self.warm_start:
            self.solver.forget()
        solution = self.solver.solve(v)
        self.statistics.add(solution)
        if self.audit is not None:
            self.statistics.error_sum += self.audit.error(weights, solution.u)
        if self.curvature == "solve":
            undamped = float(dot(solution.u, v))
        else:
            # The trust region is measured by u^T H u itself (the solve is inexact), and without the damping
            # (it conditions the solve; counted in, it would shorten every step by some ten per cent).
            damped = dot(solution.u, solution.product)
            undamped = float(damped - self.at.damping * dot(solution.u, solution.u))
        curvature = self.share * undamped + self.elsewhere
        to_boundary = math.sqrt(2 * self.delta / curvature) if curvature > 0 else 0.0
        # lambda > 0 exactly when the boundary comes before the stationary point of the penalised objective.
        within = to_boundary * penalty < 1
        self.binding = within and to_boundary > 0
        self.scale = to_boundary if within or self.step != "optimal" else 1 / penalty
        self.x = self.scale * solution.u
        if self.step == "line_search" and bool(torch.isfinite(self.x).all()):
            return self._searched(pull, penalty).flatten()
        ratio = solution.ratio if self.solver.at is self.at else self.at.jvp(solution.u)
        return (self.scale * ratio).flatten()

    def _searched(self, pull: Tensor, penalty: float) -> Tensor:
        """The true log ratios [M, N] of the step that a line search along x finds, and keeps."""
        found = line_search(
            self.at,
            self.x,
            self.advantages.squeeze(-1),
            pull if self.bonus is None else pull + self.bonus,
            penalty=penalty,
            limit=KL_SLACK * self.delta,
        )
        self.x = found.x
        self.binding = self.binding and found.halvings == 0
        self.statistics.halvings += found.halvings
        self.statistics.searches_failed += found.refused
        return found.signal


def unweighted(root: Tensor) -> Tensor:
    """Factors [M, N] of A that undo J's weights: the objective is a plain mean where anybody acts."""
    acting = root > 0
    anybody = acting.any(-1).to(root.dtype).mean().clamp(min=1 / len(root))
    return torch.where(acting, 1 / root, 0) / anybody
