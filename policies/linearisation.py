"""A joint policy linearised at theta_old: J x, J^T w and Fisher products from cached activations.

No autograd graph is needed: for a multilayer perceptron each product is two matrix products per layer.
Shapes carry optional leading axes (stacked agents): theta [..., D], observations [..., M, d],
actions [..., M, N]; M samples, N heads of A actions each.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from policies.distributions import log_probabilities
from policies.networks import MLP, Activation, derivative


@dataclass(frozen=True)
class JointPolicy:
    """pi(a|o) = prod_n pi(a^n|o): one network with a categorical head of ``actions`` per agent."""

    network: MLP
    agents: int
    actions: int

    @classmethod
    def build(
        cls,
        observation_size: int,
        hidden: tuple[int, ...],
        agents: int,
        actions: int,
        activation: Activation = "selu",
    ) -> "JointPolicy":
        """The policy with the given hidden widths."""
        return cls(MLP((observation_size, *hidden, agents * actions), activation), agents, actions)

    def heads(self, outputs: Tensor) -> Tensor:
        """Network outputs [..., N * A] as one row per head, [..., N, A]."""
        return outputs.view(*outputs.shape[:-1], self.agents, self.actions)

    def log_probabilities(self, theta: Tensor, observations: Tensor, masks: Tensor | None = None) -> Tensor:
        """Log probabilities [..., M, N, A] for theta [..., D] and observations [..., M, d]."""
        return log_probabilities(self.heads(self.network(theta, observations)), masks)


class Linearisation:
    """First-order model of the log policy at theta_old, and the Fisher matrix there.

    J is the M*N x D matrix of rows grad log pi(a^n_m | o_m), with J x as [..., M, N].
    H = (1/M) sum_m K_m^T F_m K_m + damping I, where K_m is the Jacobian of the logits and
    F_m = diag(p) - p p^T for each head: the Hessian of the sample-average KL summed over heads.
    """

    def __init__(
        self,
        policy: JointPolicy,
        theta: Tensor,
        observations: Tensor,
        actions: Tensor,
        masks: Tensor | None = None,
        damping: float = 0.01,
    ) -> None:
        network = policy.network
        self.policy, self.theta, self.mask, self.damping = policy, theta, masks, damping
        self.samples = observations.shape[-2]
        self.entering, outputs = network.hidden(theta, observations)
        self.weights = [weight for weight, _ in network.layers(theta)]
        self.slopes = [derivative(network.activation, h) for h in self.entering[1:]]
        self.log_p = log_probabilities(policy.heads(outputs), masks)
        self.p = self.log_p.exp()
        self.actions = actions.unsqueeze(-1)

    def tangent(self, x: Tensor) -> Tensor:
        """K x: the change of the logits [..., M, N, A] along x [..., D]."""
        moved: Tensor | None = None
        for index, (d_weight, d_bias) in enumerate(self.policy.network.layers(x)):
            z = torch.matmul(self.entering[index], d_weight.mT) + d_bias.unsqueeze(-2)
            if moved is not None:
                z = z + torch.matmul(moved, self.weights[index].mT)
            moved = z * self.slopes[index] if index < len(self.slopes) else z
        if moved is None:
            raise ValueError("network: needs at least one layer")
        return self.policy.heads(moved)

    def cotangent(self, g: Tensor) -> Tensor:
        """K^T g: the parameter vector [..., D] for weights g [..., M, N, A] on the logits."""
        back = g.flatten(-2)
        pieces: list[Tensor] = []
        for index in reversed(range(len(self.weights))):
            weight = torch.matmul(back.mT, self.entering[index])
            pieces += [back.sum(-2), weight.flatten(-2)]
            if index:
                back = torch.matmul(back, self.weights[index]) * self.slopes[index - 1]
        return torch.cat(pieces[::-1], dim=-1)

    def ratio(self, tangent: Tensor) -> Tensor:
        """Log-ratio change [..., M, N] of the actions taken, from a logit tangent [..., M, N, A]."""
        return tangent.gather(-1, self.actions).squeeze(-1) - (self.p * tangent).sum(-1)

    def jvp(self, x: Tensor) -> Tensor:
        """J x, [..., M, N]: the linearised log policy ratio at every sample and for every head."""
        return self.ratio(self.tangent(x))

    def vjp(self, w: Tensor) -> Tensor:
        """J^T w, [..., D], for weights w [..., M, N]."""
        w = w.unsqueeze(-1)
        return self.cotangent((-w * self.p).scatter_add(-1, self.actions, w))

    def metric(self, tangent: Tensor) -> Tensor:
        """F (K x), [..., M, N, A]: each head's own Fisher matrix applied to a logit tangent."""
        return self.p * (tangent - (self.p * tangent).sum(-1, keepdim=True))

    def fisher(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """H x [..., D] (damping included), and the logit tangent K x that the product needed anyway."""
        tangent = self.tangent(x)
        product = self.cotangent(self.metric(tangent)) / self.samples
        return product + self.damping * x, tangent
