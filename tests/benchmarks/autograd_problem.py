"""The way TRPO codes do it: autograd for every product, ten plain iterations from zero. For comparison."""

import math

import torch
from torch import Tensor

from policies.algorithms.local_problem import PolicyProblem
from policies.distributions import chosen, kl


class AutogradProblem(PolicyProblem):
    """Same subproblem, same step; gradients and Fisher products by (double) back-propagation."""

    def solve(self, pull: Tensor, penalty: float) -> Tensor:
        with torch.enable_grad():
            theta = self.at.theta.clone().requires_grad_(True)
            log_p = self.at.policy.log_probabilities(theta, self.at.entering[0], self.at.mask)
            taken = chosen(log_p, self.at.actions.squeeze(-1))
            weights = self.advantages + pull.view_as(taken)
            (v,) = torch.autograd.grad((weights * taken).sum() / self.at.samples, theta, retain_graph=True)
            divergence = kl(log_p.detach(), log_p).sum(-1).mean()
            (slope,) = torch.autograd.grad(divergence, theta, create_graph=True)

            def fisher(x: Tensor) -> Tensor:
                (product,) = torch.autograd.grad((slope * x).sum(), theta, retain_graph=True)
                return product + self.at.damping * x

            u = plain_conjugate_gradients(fisher, v, self.iterations)
            curvature = float(u @ fisher(u))
        to_boundary = math.sqrt(2 * self.delta / curvature)
        self.binding = to_boundary * penalty < 1
        self.x = (to_boundary if self.binding else 1 / penalty) * u
        self.statistics.solves += 1
        self.statistics.fisher_products += self.iterations + 1
        new = self.at.policy.log_probabilities(self.at.theta + self.x, self.at.entering[0], self.at.mask)
        return (chosen(new, self.at.actions.squeeze(-1)) - taken.detach()).flatten()


def plain_conjugate_gradients(apply, b: Tensor, iterations: int) -> Tensor:
    """Textbook conjugate gradients from zero."""
    u, residual, direction = torch.zeros_like(b), b.clone(), b.clone()
    rr = residual @ residual
    for _ in range(iterations):
        moved = apply(direction)
        step = rr / (direction @ moved)
        u, residual = u + step * direction, residual - step * moved
        rr, previous = residual @ residual, rr
        direction = residual + rr / previous * direction
    return u
