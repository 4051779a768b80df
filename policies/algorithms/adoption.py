"""Application of the step of a policy's problem, and measurement of its move on the batch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from policies.acting import mean_gain, mean_over_acting, of_joint
from policies.algorithms.subproblem import PolicyProblem

HALVINGS = 30
"""Most halvings of one step, which then has a billionth of its length."""

RADIUS_TOLERANCE = 0.01
"""Relative tolerance of a KL that is brought to a radius."""

ATTEMPTS = 30
"""Most divergences evaluated on the way; four to six are usual."""


@dataclass(frozen=True)
class Move:
    """The move of one policy: its step, the number of halvings, the KL per head [H], the surrogate gain."""

    x: Tensor
    kl: Tensor
    gain: float
    halvings: int
    refused: bool = False


def move(problem: PolicyProblem, whose: str, limit: float) -> Move:
    """The step of one policy, halved while its KL is above the limit; none if it still is after ``HALVINGS``.

    The bound ends a search that cannot succeed: a limit can be smaller than the rounding errors of the KL,
    and then no step, however short, is within it. Without a limit (infinity) the full step is taken.

    Raises:
        FloatingPointError: the step is not finite, or its KL is not even after all halvings.
    """
    x, at, head = problem.x, problem.at, problem.at.policy.head
    if not bool(torch.isfinite(x).all()):
        raise FloatingPointError(f"{whose}: its policy step is not finite")
    divergence = math.nan
    by_head = torch.zeros(at.policy.agents)
    for halvings in range(HALVINGS + 1):
        moved = at.moved(x)
        by_head = mean_over_acting(head.kl(at.distribution, moved), at.acting, dim=-2)
        divergence = float(by_head.sum())
        if math.isfinite(divergence) and divergence <= limit:
            after, before = (head.log_prob(rows, at.actions) for rows in (moved, at.distribution))
            log_ratio = of_joint(after - before, at.acting)
            gain = mean_gain(problem.advantages.squeeze(-1), log_ratio, at.acting)
            return Move(x, by_head, float(gain), halvings)
        if math.isinf(limit):
            break
        x = x / 2
    if not math.isfinite(divergence):
        raise FloatingPointError(f"{whose}: the KL divergence of its policy step is {divergence}")
    return Move(torch.zeros_like(x), torch.zeros_like(by_head), 0.0, HALVINGS, refused=True)


def factor_to(radius: float, divergence: Callable[[float], float]) -> float:
    """The factor c of steps at which their KL, ``divergence(c)``, is the radius to within one per cent.

    For small steps the KL is c^2 times that of c = 1, which gives the next guess of c; where that fails, the
    interval known to contain the solution is halved. Returns 1 where the steps move nothing, and the largest
    c known to stay within the radius if the KL cannot be brought to it.
    """
    within, beyond, c = 0.0, math.inf, 1.0
    for _ in range(ATTEMPTS):
        moved = divergence(c)
        if moved == 0 and c == 1:
            return 1.0
        if abs(moved - radius) <= RADIUS_TOLERANCE * radius:
            return c
        if moved < radius:
            within = c
        else:  # or nan
            beyond = c
        guess = c * math.sqrt(radius / moved) if moved > 0 and math.isfinite(moved) else math.nan
        if not within < guess < beyond:
            guess = c * 10 if math.isinf(beyond) else (within + beyond) / 2
        c = min(max(guess, c / 10), c * 10)
    return within


def played_divergence(problems: Sequence[PolicyProblem], c: float) -> float:
    """KL of the played joint policy if every agent q, which acts by head q, takes c times its step."""
    return sum(own_divergence(problem, q, c) for q, problem in enumerate(problems))


def own_divergence(problem: PolicyProblem, q: int, c: float) -> float:
    """KL of the policy that agent q acts by, head q of its model, if it takes c times its step."""
    at = problem.at
    moved = at.moved(c * problem.x)
    acting = None if at.acting is None else at.acting[..., q]
    own = at.policy.head.kl(at.distribution[..., q, :], moved[..., q, :])
    return float(mean_over_acting(own, acting))
