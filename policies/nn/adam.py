"""Stacked networks trained by Adam, as rows of parameters."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policies.nn.optimisers import Adam
from policies.nn.precision import Precision


class StackedAdam:
    """G networks of one shape, ``theta`` [G, D], and the Adam that moves them.

    Adam works elementwise and gradients are clipped by row, so that where each network has a loss of its own,
    descending the sum of the losses is the same as descending each separately.
    """

    def __init__(
        self,
        initial: np.ndarray,
        precision: Precision,
        *,
        learning_rate: float,
        epsilon: float,
        max_gradient_norm: float,
    ) -> None:
        """Start at ``initial`` [G, D]; ``epsilon`` is Adam's, the norm is that of one network's gradient."""
        self.theta = torch.from_numpy(initial).to(precision.device, precision.dtype).requires_grad_(True)
        self.optimiser = Adam([self.theta], lr=learning_rate, eps=epsilon)
        self.max_gradient_norm = max_gradient_norm

    def step(self, loss: Tensor) -> float:
        """One step down a loss of ``theta``; returns the mean over networks of their gradients' norms."""
        (self.theta.grad,) = torch.autograd.grad(loss, self.theta)
        norms = clip_gradients(self.theta.grad, self.max_gradient_norm)
        self.optimiser.step()
        return float(norms.mean())

    def state_dict(self) -> dict[str, object]:
        """Parameters and Adam's moments, for an exact resume."""
        return {
            "theta": self.theta.detach().clone(),
            "optimiser": copy.deepcopy(self.optimiser.state_dict()),
        }

    def fits(self, state: Any) -> bool:
        """Whether ``state`` has the form of ``state_dict`` for as many networks of this shape."""
        theta = state.get("theta") if isinstance(state, dict) else None
        return isinstance(theta, Tensor) and theta.shape == self.theta.shape and "optimiser" in state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of ``state_dict``. ValueError if it belongs to other networks."""
        if not self.fits(state):
            raise ValueError(f"theta: the stored models do not fit {tuple(self.theta.shape)}")
        with torch.no_grad():
            self.theta.copy_(state["theta"])
        self.optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))


def clip_gradients(gradients: Tensor, most: float) -> Tensor:
    """Shorten each row of gradients [G, D], in place, to norm ``most``; returns the norms before, [G]."""
    norms: Tensor = torch.linalg.vector_norm(gradients, dim=-1)
    gradients.mul_((most / (norms + 1e-6)).clamp(max=1).unsqueeze(-1))
    return norms
