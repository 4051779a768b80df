"""Means over the samples at which agents can act.

If an agent is dead, or has one available action, its policy can neither move nor learn: KL, entropy,
gradient and Fisher matrix are zero (or, without a mask, meaningless). Averaged over all samples
they would be too small by the share of samples at which it acts, and a step of a given KL radius too long
where it does. Each agent's means are therefore over its own samples, as in the code of MAPPO's authors (Yu et
al. 2021, arXiv 2103.01955; their ``active_masks``).

Below, ``acting`` is a bool tensor, or None where all agents can always act: then these are plain means.
"""

import torch
from torch import Tensor


def mean_over_acting(values: Tensor, acting: Tensor | None, dim: int = -1) -> Tensor:
    """Mean of ``values`` along ``dim`` over the entries at which ``acting``; 0 where there are none."""
    if acting is None:
        return values.mean(dim)
    acting = acting.expand(values.shape)
    return torch.where(acting, values, 0).sum(dim) / acting.sum(dim).clamp(min=1)


def root_weights(acting: Tensor, dtype: torch.dtype) -> Tensor:
    """Roots of weights [..., M, H] by which a mean over all M samples becomes one over each head's own.

    The weight of head n is M / M_n at its M_n samples and 0 elsewhere; 0 everywhere if there are none.
    """
    share = acting.to(torch.float64).mean(-2, keepdim=True)
    return (acting / share.clamp(min=1 / acting.shape[-2]).sqrt()).to(dtype)


def of_joint(log_p: Tensor, acting: Tensor | None) -> Tensor:
    """Log probability, or ratio, [..., M] of the joint action, from those of the heads [..., M, H]."""
    return (log_p if acting is None else torch.where(acting, log_p, 0)).sum(-1)


def mean_gain(advantages: Tensor, log_ratio: Tensor, acting: Tensor | None) -> Tensor:
    """Mean of A (ratio - 1), [...], over the samples at which a head of the policy acts, [..., M, H]."""
    return mean_over_acting(advantages * torch.expm1(log_ratio), None if acting is None else acting.any(-1))
