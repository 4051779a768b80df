"""Masked categorical heads: one distribution per agent's action, all from one network output.

Shapes: logits [..., N, A] with N heads of A actions; masks are boolean, True where an action is
available, and broadcast against the logits. Unavailable actions have probability exactly zero.
"""

import numpy as np
import torch
from torch import Tensor


def log_probabilities(logits: Tensor, masks: Tensor | None = None) -> Tensor:
    """Log probabilities [..., N, A]; unavailable actions get -inf."""
    if masks is not None:
        logits = logits.masked_fill(~masks, -torch.inf)
    return torch.log_softmax(logits, dim=-1)


def sample(log_p: Tensor, uniforms: Tensor) -> Tensor:
    """Actions [...] by inverting each head's cumulative distribution at ``uniforms`` [...] in [0, 1)."""
    cumulative = log_p.exp().cumsum(-1)
    # Scaling by the total prevents rounding from choosing beyond the last available action.
    threshold = uniforms.unsqueeze(-1) * cumulative[..., -1:]
    return (cumulative <= threshold).sum(-1).clamp(max=log_p.shape[-1] - 1)


def choose(log_p: Tensor, generator: np.random.Generator | None) -> np.ndarray:
    """Actions [B, N] by every agent's own log probabilities [N, B, A]: the likeliest without a generator.

    Raises:
        FloatingPointError: a probability is nan.
    """
    wrong = log_p.isnan().flatten(1).any(1)
    if bool(wrong.any()):
        raise FloatingPointError(
            f"agent {int(wrong.int().argmax())}: its policy's probabilities are no numbers"
        )
    if generator is None:
        return log_p.argmax(-1).mT.cpu().numpy()
    uniforms = torch.from_numpy(generator.random((log_p.shape[1], log_p.shape[0])).T.copy())
    return sample(log_p.double().cpu(), uniforms).mT.numpy()


def chosen(log_p: Tensor, actions: Tensor) -> Tensor:
    """Log probability [...] of the actions [...] taken."""
    return log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def entropy(log_p: Tensor) -> Tensor:
    """Entropy in nats of each head, [...]."""
    p = log_p.exp()
    return -(p * log_p.masked_fill(p == 0, 0)).sum(-1)


def kl(old_log_p: Tensor, new_log_p: Tensor) -> Tensor:
    """KL(old || new) in nats of each head, [...]; both must share their masks."""
    p = old_log_p.exp()
    return (p * (old_log_p - new_log_p).masked_fill(p == 0, 0)).sum(-1)
