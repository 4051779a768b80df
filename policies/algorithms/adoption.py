"""How a policy takes the step that its problem asks for, and how far that moves it on the batch."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.acting import mean_gain, mean_over_acting, of_joint
from policies.algorithms.local_problem import PolicyProblem
from policies.distributions import chosen, kl

HALVINGS = 30
"""Most halvings of one step: it is then a billionth of what it was."""


@dataclass(frozen=True)
class Move:
    """How one policy moved: its step, halved so many times, the KL of each head [H], the surrogate gain."""

    x: Tensor
    kl: Tensor
    gain: float
    halvings: int
    refused: bool = False


def move(problem: PolicyProblem, whose: str, limit: float) -> Move:
    """The step of one policy, halved while its KL is above the limit; none if it still is after ``HALVINGS``.

    That ends a search for what does not exist: a limit can be smaller than the rounding errors of the KL, and
    then no step, however short, is within it. Without a limit (infinity) the step is taken as it is.

    Raises:
        FloatingPointError: the step is no finite number, or its KL, even if halved so often, is none.
    """
    x, at = problem.x, problem.at
    if not bool(torch.isfinite(x).all()):
        raise FloatingPointError(f"{whose}: its policy step is no finite number")
    divergence = math.nan
    of_heads = torch.zeros(at.policy.agents)
    for halvings in range(HALVINGS + 1):
        log_p = at.policy.log_probabilities(at.theta + x, at.observations, at.mask)
        of_heads = mean_over_acting(kl(at.log_p, log_p), at.acting, dim=-2)
        divergence = float(of_heads.sum())
        if math.isfinite(divergence) and divergence <= limit:
            log_ratio = of_joint(chosen(log_p, at.actions) - chosen(at.log_p, at.actions), at.acting)
            gain = mean_gain(problem.advantages.squeeze(-1), log_ratio, at.acting)
            return Move(x, of_heads, float(gain), halvings)
        if math.isinf(limit):
            break
        x = x / 2
    if not math.isfinite(divergence):
        raise FloatingPointError(f"{whose}: the KL of its policy step is {divergence}")
    return Move(torch.zeros_like(x), torch.zeros_like(of_heads), 0.0, HALVINGS, refused=True)
