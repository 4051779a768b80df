"""A fit of values the plain way, to compare `Critics.fit` with."""

import numpy as np
import torch
from torch import Tensor

from policies.critics.value_critics import Critics


def fit_by_autograd(
    fitted: Critics,
    observations: Tensor,
    targets: Tensor,
    generator: np.random.Generator,
    *,
    epochs: int = 3,
    batch_size: int = 64,
    measured: np.ndarray | None = None,
) -> float:
    """What `Critics.fit` does, by PyTorch's own gradients and its plain Adam: the reference."""
    fitted.normalise(targets)
    wanted = (targets - fitted.mean) / fitted.scale
    optimiser = torch.optim.Adam([fitted.theta], lr=fitted.optimiser.param_groups[0]["lr"], fused=False)
    samples, loss = observations.shape[1], torch.zeros(())
    for _ in range(epochs):
        order = torch.from_numpy(generator.permutation(samples))
        squares = torch.zeros(len(observations), dtype=observations.dtype)
        for piece in order.split(batch_size):
            outputs = fitted.network(fitted.theta, observations[:, piece]).squeeze(-1)
            errors = (outputs - wanted[:, piece]).square()
            optimiser.zero_grad()
            errors.mean(dim=1).sum().backward()
            optimiser.step()
            squares += errors.detach().sum(dim=1)
        loss = squares if measured is None else squares[torch.from_numpy(measured)]
    return float(loss.mean()) / samples
