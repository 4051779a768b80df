"""The way TRPO codes do it: autograd for every product, ten plain iterations from zero. For comparison."""

import math

import torch
from torch import Tensor

from policies.algorithms.subproblem import PolicyProblem
from policies.nn.categorical import chosen, kl

ITERATIONS = 10


class AutogradProblem(PolicyProblem):
    """Same subproblem, same step; gradients and Fisher products by (double) back-propagation."""

    def solve(self, pull: Tensor, penalty: float) -> Tensor:
        at = self.at
        with torch.enable_grad():
            theta = at.theta.clone().requires_grad_(True)
            log_p = at.policy.distribution(theta, at.observations, at.mask)
            taken = chosen(log_p, at.actions)
            weights = self.advantages + pull.view_as(taken)
            (v,) = torch.autograd.grad((weights * taken).sum() / at.samples, theta, retain_graph=True)
            divergence = kl(log_p.detach(), log_p).sum(-1).mean()
            (slope,) = torch.autograd.grad(divergence, theta, create_graph=True)

            def fisher(x: Tensor) -> Tensor:
                (product,) = torch.autograd.grad((slope * x).sum(), theta, retain_graph=True)
                return product + at.damping * x

            u = plain_conjugate_gradients(fisher, v, ITERATIONS)
            curvature = float(u @ fisher(u) - at.damping * u @ u)
        if self.audit is not None:
            self.statistics.error_sum += self.audit.error(weights, u)
        to_boundary = math.sqrt(2 * self.delta / curvature)
        self.binding = to_boundary * penalty < 1
        self.x = (to_boundary if self.binding else 1 / penalty) * u
        self.statistics.solves += 1
        self.statistics.fisher_products += ITERATIONS + 1
        new = at.policy.distribution(at.theta + self.x, at.observations, at.mask)
        return (chosen(new, at.actions) - taken.detach()).flatten()


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
