"""The subproblem of an agent without the samples at which it cannot act.

A dead agent sees zeros, and its model is not played there: its predictions of the others' actions are
useless, and as all must agree, they would hold back the living agents, which do see. Hence f_q covers the
samples at which agent q can act, and elsewhere its signal is free: it relays its neighbours' signals.
Minimising -pull s + (penalty / 2) |s|^2 there under the same trust region gives s = pull / (lambda +
penalty), with the lambda of all other samples, if the free part counts in the trust region as in the
empirical Fisher matrix: |s|^2 / 2M.

The cost of a solve is proportional to the number of samples at which the agent can act.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from policies.acting import root_weights
from policies.algorithms.subproblem import Curvature, PolicyProblem, Step, unweighted
from policies.natural_gradient.kfac import Kfac
from policies.natural_gradient.linearisation import Linearisation
from policies.natural_gradient.solver import Audit, SolverSettings

Linearise = Callable[[Tensor, Tensor, torch.dtype | None], Linearisation]
"""Linearises an agent's policy at samples [M] bool, with ``root`` [M', N], in a type (or the learner's)."""


class RelayingProblem(PolicyProblem):
    """Agent q's subproblem over a batch in which only some samples are its own."""

    def __init__(
        self,
        linearise: Linearise,
        advantages: Tensor,
        acting: Tensor,
        draws: Tensor,
        agent: int,
        *,
        bonus: Tensor | None,
        delta: float,
        step: Step,
        curvature: Curvature,
        solver: SolverSettings,
    ) -> None:
        """Pose the problem; ``advantages`` [M], which agents can act [M, N], uniform ``draws`` [M, N].

        ``bonus`` [M, N] is a second weight of the log ratios, which differs between heads.
        An agent that can never act keeps all samples, as it has nothing else.
        """
        own = acting[:, agent]
        own = own if bool(own.any()) else torch.ones_like(own)
        root = root_weights(acting, advantages.dtype)
        at = linearise(own, root, None)
        kfac = Kfac(at, draws[own]) if solver.preconditioner == "kfac" else None
        audit = None
        if solver.audit:
            finer = linearise(own, root, torch.float64)
            audit = Audit(finer, Kfac(finer, draws[own]))
        super().__init__(
            at,
            advantages[own],
            delta=delta,
            step=step,
            curvature=curvature,
            solver=solver.at(at, kfac),
            warm_start=solver.warm_start,
            audit=audit,
        )
        by_head = advantages.unsqueeze(-1) if bonus is None else advantages.unsqueeze(-1) + bonus
        self.own, self.relays = own, (root > 0)[~own]
        self.weighted = (by_head * unweighted(root))[own]
        self.share = float(own.double().mean())

    @property
    def dimension(self) -> int:
        """m = M * N, the length of the signal."""
        return len(self.own) * self.at.policy.agents

    def solve(self, pull: Tensor, penalty: float) -> Tensor:
        """The signal s [m] that minimises the subproblem for ``pull`` [m]; keeps x for adoption."""
        pulls = pull.view(len(self.own), -1)
        free = torch.where(self.relays, pulls[~self.own], 0)
        self.elsewhere = float(free.square().sum()) / len(self.own)
        modelled = super().solve(pulls[self.own], penalty)
        signal = torch.empty_like(pulls)
        signal[self.own] = modelled.view(-1, signal.shape[-1])
        signal[~self.own] = self.scale * free
        return signal.flatten()
