"""The line search of MATRPO's public code: halve a step until the batch's own KL and objective allow it.

Their objective is the augmented Lagrangian of one agent, with true ratios and as a mean over the samples,

    -A exp(sum_n s^n) + sum over links e of  y_e . (C_e s - z_e) + (beta / 2) |C_e s - z_e|^2 ,

with s [N] the true log ratio of each head's action at that sample. As C_e^2 = 1, the sum over d links is

    -pull . s + (penalty / 2) |s|^2 + sum over e of  (beta / 2) |z_e|^2 - y_e . z_e ,

    pull = sum over e of  C_e (beta z_e - y_e) ,   penalty = beta d .

The last sum does not depend on s: a comparison with theta_old needs pull and penalty alone, as a solve does.

Source: ``AgentModel.update`` in https://github.com/hepengli/matrpo (commit 8db28d9).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from policies.acting import mean_gain, mean_over_acting, of_joint
from policies.natural_gradient.linearisation import Linearisation

LENGTHS = 10
"""Lengths tried: the whole step, a half, a quarter, ..."""


@dataclass(frozen=True)
class Found:
    """The step [D] that was found, the true log ratios [M, N] there, and the number of halvings."""

    x: Tensor
    signal: Tensor
    halvings: int
    refused: bool = False


def line_search(
    at: Linearisation, x: Tensor, advantages: Tensor, pull: Tensor, *, penalty: float, limit: float
) -> Found:
    """The longest of x, x/2, x/4, ... with a KL of at most ``limit`` and an objective no worse than at 0.

    If none of ``LENGTHS`` qualifies, the step is 0 (``refused``). If heads can act in only some samples,
    the signal has their weights, as J x has (see ``Linearisation``), and means of KL and gain are over these.

    Args:
        at: the policy at theta_old with its samples; not stacked.
        x: the step [D] to begin with.
        advantages: A, [M].
        pull: [M, N].
        penalty: the penalty of the solve.
        limit: largest mean KL summed over heads, in nats.
    """
    head = at.policy.head
    before = head.log_prob(at.distribution, at.actions)
    for halvings in range(LENGTHS):
        moved = at.moved(x)
        log_ratio = head.log_prob(moved, at.actions) - before
        signal = log_ratio
        if at.root is not None:
            signal = torch.where(at.root > 0, log_ratio * at.root, 0)
        divergence = mean_over_acting(head.kl(at.distribution, moved), at.acting, dim=-2).sum()
        gain = mean_gain(advantages, of_joint(log_ratio, at.acting), at.acting)
        rest = (penalty / 2 * signal.square() - pull * signal).sum() / at.samples
        # Comparisons with nan are false.
        if bool(divergence <= limit) and bool(rest - gain <= 0):
            return Found(x, signal, halvings)
        x = x / 2
    return Found(torch.zeros_like(x), torch.zeros_like(pull), LENGTHS, refused=True)
