"""The subproblem of an agent from which the samples are left out at which the agent cannot act.

A dead agent sees zeros, and nobody plays by its model there: what that makes of the others' actions is of
no use, and as all must agree it keeps those still who are alive and see. So f_q is of the samples at which
agent q can act, and elsewhere its signal is whatever suits its neighbours: it relays them. Minimising
-pull s + (penalty / 2) |s|^2 there under the same trust region gives s = pull / (lambda + penalty), with the
lambda of all other samples, if what is free counts in the trust region as the empirical Fisher matrix counts:
|s|^2 / 2M.

A solve costs as much less as there are fewer samples at which the agent can act.
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
    """Agent q's subproblem over a batch of which only some samples are its own."""

    def __init__(
        self,
        linearise: Linearise,
        advantages: Tensor,
        acting: Tensor,
        draws: Tensor,
        agent: int,
        *,
        delta: float,
        step: Step,
        curvature: Curvature,
        solver: SolverSettings,
    ) -> None:
        """Pose the problem; ``advantages`` [M], who can act [M, N], uniform ``draws`` [M, N].

        An agent that can never act keeps all samples: its model is all that it has.
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
        weighted = advantages.unsqueeze(-1) * unweighted(root)
        self.own, self.relays = own, (root > 0)[~own]
        self.weighted = weighted[own]
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
