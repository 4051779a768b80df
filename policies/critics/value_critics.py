"""Private value networks, one per agent, fitted together because they stack."""

import copy
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from policies.critics.squared_errors import SquaredErrors
from policies.nn.mlp import MLP, Activation, stack_initial
from policies.nn.optimisers import Adam
from policies.nn.precision import Precision


class Critics:
    """N value networks V^q(o^q), each trained on agent q's private returns only.

    Targets are normalised per agent by the batch's mean and standard deviation, and the output layer is
    rescaled whenever these change so that predictions are preserved (Pop-Art, van Hasselt et al. 2016,
    arXiv 1602.07714). Without it Adam at 3e-4 needs hundreds of updates to reach returns of -150.
    """

    def __init__(
        self,
        agents: int,
        observation_size: int,
        hidden: tuple[int, ...],
        generator: np.random.Generator,
        *,
        learning_rate: float = 3e-4,
        activation: Activation = "selu",
        precision: Precision | None = None,
    ) -> None:
        self.network = MLP((observation_size, *hidden, 1), activation)
        precision = precision or Precision.of("cpu", "float32")
        initial = stack_initial(self.network, agents, generator, output_gain=1.0)
        self.theta = torch.from_numpy(initial).to(precision.device, precision.dtype).requires_grad_(True)
        self.optimiser = Adam([self.theta], lr=learning_rate, fused=True)
        self.mean = self.theta.new_zeros(agents, 1)
        self.scale = self.theta.new_ones(agents, 1)

    @torch.no_grad()
    def values(self, observations: Tensor) -> Tensor:
        """Values [N, M] in reward units for observations [N, M, d]."""
        outputs: Tensor = self.network(self.theta, observations)
        return outputs.squeeze(-1) * self.scale + self.mean

    def fit(
        self,
        observations: Tensor,
        targets: Tensor,
        generator: np.random.Generator,
        *,
        epochs: int = 3,
        batch_size: int = 64,
        measured: np.ndarray | None = None,
    ) -> float:
        """Fit to targets [N, M] at observations [N, M, d]; returns the last epoch's mean squared error.

        Each agent's gradient touches its own parameters only, so that fitting them stacked equals fitting
        them separately with the same order of samples. The error is in normalised units, the mean over the
        agents that are ``measured`` [N], all by default; nan if none is.
        """
        self.normalise(targets)
        wanted = (targets - self.mean) / self.scale
        samples = observations.shape[1]
        self.theta.grad = torch.zeros_like(self.theta)
        errors_at = SquaredErrors(self.network, self.theta, self.theta.grad, min(batch_size, samples))
        squares = wanted.new_zeros(len(wanted))
        shuffled, aims = torch.empty_like(observations), torch.empty_like(wanted)
        for _ in range(epochs):
            order = torch.from_numpy(generator.permutation(samples)).to(observations.device)
            torch.index_select(observations, 1, order, out=shuffled)
            torch.index_select(wanted, 1, order, out=aims)
            squares.zero_()
            for start in range(0, samples, batch_size):
                piece = slice(start, start + batch_size)
                errors = errors_at(shuffled[:, piece], aims[:, piece])
                self.optimiser.step()
                squares += errors.square().sum(1)
        self.theta.grad = None
        if measured is not None:
            squares = squares[torch.from_numpy(measured).to(squares.device)]
        return float(squares.mean()) / samples if len(squares) else math.nan

    @torch.no_grad()
    def normalise(self, targets: Tensor) -> None:
        """Adopt the mean and the scale of targets [N, M], without changing the values."""
        mean = targets.mean(dim=1, keepdim=True)
        # The noise of an agent whose return hardly varies must not be scaled up to unit size.
        scale = targets.std(dim=1, keepdim=True).clamp(min=1e-2)
        weight, bias = self.network.layers(self.theta)[-1]
        weight.mul_((self.scale / scale).unsqueeze(-1))
        bias.mul_(self.scale / scale).add_((self.mean - mean) / scale)
        self.mean, self.scale = mean, scale

    def state_dict(self) -> dict[str, object]:
        """Everything needed to resume exactly: parameters, normalisation and Adam's moments."""
        return {
            "theta": self.theta.detach().clone(),
            "mean": self.mean.clone(),
            "scale": self.scale.clone(),
            "optimiser": copy.deepcopy(self.optimiser.state_dict()),
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore the state that ``state_dict`` gave."""
        theta, mean, scale = state["theta"], state["mean"], state["scale"]
        if not (isinstance(theta, Tensor) and isinstance(mean, Tensor) and isinstance(scale, Tensor)):
            raise ValueError("critics: the stored state holds no tensors")
        with torch.no_grad():
            self.theta.copy_(theta)
        self.mean, self.scale = mean.to(self.theta.device, copy=True), scale.to(self.theta.device, copy=True)
        optimiser: Any = copy.deepcopy(state["optimiser"])
        for group in optimiser["param_groups"]:
            group["fused"] = True  # earlier versions' were not
        self.optimiser.load_state_dict(optimiser)
